//! A caller that waits for a decision, and one that may come in.

use crate::Result;
use crate::proto::crypto::Passphrase;
use crate::proto::handshake::{Handshake, Negotiated, Options, RejectReason, Responder, respond};
use crate::proto::packet::SocketId;
use crate::proto::time::PacketTime;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// A socket of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "address and id, that is all")]
pub struct PeerSocket {
    /// Its address.
    pub address: SocketAddr,
    /// Its id there.
    pub id: SocketId,
}

/// Between which addresses datagrams go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "its two ends, that is all")]
pub struct Path {
    /// The peer's address.
    pub peer: SocketAddr,
    /// Which of the host's own addresses the peer sends to, where that is known: what is to be answered from.
    pub local: Option<IpAddr>,
}

/// A caller that waits for a decision.
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// Who calls.
    pub peer: PeerSocket,
    /// What it sent. [`Extensions::stream_id`](crate::proto::handshake::Extensions::stream_id) is what it wants.
    pub handshake: Handshake,
    /// How to reach it.
    pub path: Path,
    pub(super) received: (Instant, PacketTime),
    pub(super) local_id: SocketId,
}

/// A caller that can be let in.
#[derive(Debug)]
pub struct Admission {
    pub(super) peer: PeerSocket,
    pub(super) path: Path,
    pub(super) answer: Handshake,
    pub(super) negotiated: Negotiated,
}

impl Request {
    /// Whether what it brings goes together with these options and this secret; it is let in by
    /// [`Listener::accept`](super::Listener::accept). Where keys come, this takes a millisecond of processor time.
    ///
    /// # Errors
    /// The reason to [`reject`](super::Listener::reject) it with.
    pub fn check(
        self,
        options: &Options,
        passphrase: Option<&Passphrase>,
        now: Instant,
    ) -> Result<Admission, RejectReason> {
        let responder = Responder {
            options,
            passphrase,
            local_id: self.local_id,
            epoch: now,
            peer: self.peer.address.ip(),
        };
        let (answer, negotiated) = respond(&self.handshake, self.received, responder)?;
        Ok(Admission {
            peer: self.peer,
            path: self.path,
            answer,
            negotiated,
        })
    }
}

impl Admission {
    /// How to reach the caller.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }
}
