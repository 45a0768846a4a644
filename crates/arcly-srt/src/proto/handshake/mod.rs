//! From the first datagram to a connection: HSv5, as caller, listener and rendezvous (draft-sharabayko-srt-01, 4.3).
//!
//! | role | module | call |
//! |---|---|---|
//! | caller | [`caller`] | [`Caller`]: `handle`, `poll`, `deadline` until it is connected or rejected |
//! | both call each other | [`rendezvous`] | [`Rendezvous`]: the same calls |
//! | listener | [`proto::listener`](super::listener) | all callers of one port; here are its [`Cookies`], and [`respond`] for one of them |
//!
//! Each ends with a [`Negotiated`], from which [`proto`](super) starts a connection, or with a [`RejectReason`].
//!
//! Encryption is strict, as by libsrt's default: a caller with a passphrase is refused where none is set, and the reverse.
//! HSv4 callers (libsrt before 1.3), connection groups (bonding), packet filters (FEC) and congestion controllers other than
//! `live` are refused, each with libsrt's code for it.

pub mod caller;
mod cookie;
mod extensions;
mod negotiated;
mod options;
mod packet;
mod reject;
pub mod rendezvous;
mod respond;

pub use caller::Caller;
pub use cookie::Cookies;
pub use extensions::{Capabilities, Extensions, Flags, KeyExtension, SrtExtension, Version};
pub use negotiated::Negotiated;
pub use options::Options;
pub use packet::{Handshake, Stage};
pub use reject::RejectReason;
pub use rendezvous::Rendezvous;
pub(crate) use respond::unreadable;
pub use respond::{Responder, rejection, respond};

use super::packet::{Control, ControlPacket, Datagram, SocketId};
use super::time::PacketTime;
use std::time::Duration;

/// How often a handshake packet is repeated until it is answered, as by libsrt.
const REPEAT_EVERY: Duration = Duration::from_millis(250);

/// How a handshake stands.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a handshake goes on or has one of two ends"
)]
pub enum Progress {
    /// It goes on: poll for what to send.
    Going,
    /// There is a connection. What is left to send comes from one more poll.
    Connected(Box<Negotiated>),
    /// The peer refused, or what it sent had to be refused.
    Rejected(RejectReason),
}

/// The datagram of a handshake packet.
pub(crate) fn datagram(handshake: &Handshake, to: SocketId, time: PacketTime) -> Datagram {
    ControlPacket {
        time,
        destination: to,
        control: Control::Handshake(handshake.to_bytes()),
    }
    .to_datagram()
}

#[cfg(test)]
mod tests;
