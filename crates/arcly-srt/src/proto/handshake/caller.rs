//! The caller's side (draft-sharabayko-srt-01, 4.3.1).

use super::extensions::{Extensions, KeyExtension, SrtExtension, Version};
use super::negotiated::{Agreement, Negotiated};
use super::packet::{Handshake, Stage, address_field};
use super::respond::key_rejection;
use super::{Options, Progress, REPEAT_EVERY, RejectReason, datagram};
use crate::proto::crypto::{KeyLength, Passphrase, Session};
use crate::proto::packet::{Datagram, KeyMaterialKind, SocketId};
use crate::proto::sequence::SequenceNumber;
use crate::proto::time::PacketTime;
use crate::{Error, Result};
use bytes::Bytes;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The longest stream id, in bytes (3.2.1.3).
const MAX_STREAM_ID_BYTES: usize = 512;

/// What a caller asks with, and who it is.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "what a call is made of; its callers write it"
)]
pub struct Call {
    /// Latencies, MTU, window, keys.
    pub options: Options,
    /// What is wanted, at most 512 bytes.
    pub stream_id: Option<String>,
    /// The secret, where the stream has one.
    pub passphrase: Option<Passphrase>,
    /// Our socket: a random number, not 0.
    pub local_id: SocketId,
    /// The number of the first packet either way: a random number.
    pub isn: SequenceNumber,
    /// Whom it talks to.
    pub peer: IpAddr,
    /// How long the peer may take. libsrt: 3 s.
    pub timeout: Duration,
}

/// A call: [`poll`](Self::poll) for what to send, now and at [`deadline`](Self::deadline), and [`handle`](Self::handle)
/// what comes, until it is over.
#[derive(Debug)]
pub struct Caller {
    call: Call,
    epoch: Instant,
    state: State,
    next_send: Instant,
}

#[derive(Debug)]
enum State {
    Inducing,
    Concluding(Box<Request>),
    Over,
}

#[derive(Debug)]
struct Request {
    packet: Handshake,
    crypto: Option<Session>,
}

impl Caller {
    /// Starts a call.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where the stream id is too long or the socket id is the listener's.
    pub fn new(call: Call, now: Instant) -> Result<Self> {
        if call
            .stream_id
            .as_ref()
            .is_some_and(|id| id.len() > MAX_STREAM_ID_BYTES)
        {
            return Err(Error::ApiMisuse {
                what: "a stream id has at most 512 bytes",
            });
        }
        if call.local_id == SocketId::LISTENER {
            return Err(Error::ApiMisuse {
                what: "a caller's socket id is not 0",
            });
        }
        Ok(Self {
            call,
            epoch: now,
            state: State::Inducing,
            next_send: now,
        })
    }

    /// The datagram to send now, if any.
    pub fn poll(&mut self, now: Instant) -> Option<Datagram> {
        if now < self.next_send {
            return None;
        }
        let time = PacketTime::at(now, self.epoch);
        let packet = match &self.state {
            State::Inducing => datagram(&self.induction(), SocketId::LISTENER, time),
            State::Concluding(request) => datagram(&request.packet, SocketId::LISTENER, time),
            State::Over => return None,
        };
        self.next_send = now + REPEAT_EVERY;
        Some(packet)
    }

    /// When to poll next; `None` once it is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Over => None,
            _ => Some(self.next_send.min(self.epoch + self.call.timeout)),
        }
    }

    /// Whether the peer took too long: then the call is over.
    pub fn has_timed_out(&mut self, now: Instant) -> bool {
        let late = !matches!(self.state, State::Over) && now >= self.epoch + self.call.timeout;
        if late {
            self.state = State::Over;
        }
        late
    }

    /// Takes a handshake packet that was addressed to us: its body, how it was stamped, when it came. What makes no sense is
    /// ignored, since it may not have come from the peer.
    pub fn handle(&mut self, body: Bytes, time: PacketTime, now: Instant) -> Progress {
        let Ok(answer) = Handshake::read(body) else {
            return Progress::Going;
        };
        if let Stage::Rejection(reason) = answer.stage {
            return self.reject(reason);
        }
        match (
            std::mem::replace(&mut self.state, State::Over),
            answer.stage,
        ) {
            (State::Inducing, Stage::Induction) => self.induced(&answer, now),
            (State::Concluding(request), Stage::Conclusion) => {
                match accept(&self.call, self.epoch, &answer, request.crypto, (now, time)) {
                    Ok(negotiated) => Progress::Connected(Box::new(negotiated)),
                    Err(reason) => self.reject(reason),
                }
            }
            (state, _) => {
                self.state = state;
                Progress::Going
            }
        }
    }

    fn reject(&mut self, reason: RejectReason) -> Progress {
        self.state = State::Over;
        Progress::Rejected(reason)
    }

    fn induction(&self) -> Handshake {
        Handshake {
            version: 4,
            key_length: None,
            extension_field: Handshake::DATAGRAM,
            isn: self.call.isn,
            mtu: self.call.options.mtu,
            flow_window: self.call.options.flow_window,
            stage: Stage::Induction,
            socket: self.call.local_id,
            cookie: 0,
            peer_address: address_field(self.call.peer),
            extensions: Extensions::default(),
        }
    }

    fn induced(&mut self, answer: &Handshake, now: Instant) -> Progress {
        if answer.version != 5 || answer.extension_field != Handshake::MAGIC {
            return self.reject(RejectReason::VERSION);
        }
        let length = self
            .call
            .options
            .key_length
            .or(answer.key_length)
            .unwrap_or_default();
        let request = conclusion(&self.call, length, answer.cookie);
        match request {
            Ok((packet, crypto)) => {
                self.state = State::Concluding(Box::new(Request { packet, crypto }));
                self.next_send = now;
                Progress::Going
            }
            Err(_) => self.reject(RejectReason::SYSTEM),
        }
    }
}

/// The initiator's conclusion.
pub(super) fn conclusion(
    call: &Call,
    length: KeyLength,
    cookie: u32,
) -> Result<(Handshake, Option<Session>)> {
    let initiate = |passphrase| Session::initiate(passphrase, length, call.options.key_refresh);
    let (crypto, keys) = match call.passphrase.clone().map(initiate).transpose()? {
        Some((session, message)) => {
            let kind = KeyMaterialKind::Request;
            (Some(session), Some(KeyExtension { kind, message }))
        }
        None => (None, None),
    };
    let request = Handshake {
        version: 5,
        key_length: crypto.as_ref().map(Session::key_length),
        extension_field: 0,
        isn: call.isn,
        mtu: call.options.mtu,
        flow_window: call.options.flow_window,
        stage: Stage::Conclusion,
        socket: call.local_id,
        cookie,
        peer_address: address_field(call.peer),
        extensions: Extensions {
            srt: Some(SrtExtension::Request(call.options.capabilities())),
            keys,
            stream_id: call.stream_id.clone(),
            ..Extensions::default()
        },
    };
    Ok((request, crypto))
}

/// Takes the responder's answer to the conclusion.
pub(super) fn accept(
    call: &Call,
    epoch: Instant,
    answer: &Handshake,
    crypto: Option<Session>,
    received: (Instant, PacketTime),
) -> Result<Negotiated, RejectReason> {
    let extensions = &answer.extensions;
    let Some(SrtExtension::Response(peer)) = extensions.srt else {
        return Err(RejectReason::ROGUE);
    };
    if answer.version != 5 || answer.mtu > 65_535 || answer.flow_window == 0 {
        return Err(RejectReason::ROGUE);
    }
    if peer.version < Version::HSV5 {
        return Err(RejectReason::VERSION);
    }
    if extensions.filter.is_some() {
        return Err(RejectReason::FILTER);
    }
    if extensions.group.is_some() {
        return Err(RejectReason::GROUP);
    }
    match (&crypto, &extensions.keys) {
        (Some(session), Some(keys)) if keys.kind == KeyMaterialKind::Response => {
            session.confirm(&keys.message).map_err(key_rejection)?;
        }
        (None, None) => {}
        _ => return Err(RejectReason::UNSECURE),
    }
    Ok(Agreement {
        options: &call.options,
        local_id: call.local_id,
        isn: call.isn,
        epoch,
        peer: answer,
        peer_time: received,
        peer_capabilities: peer,
        receive_latency: call.options.receive_latency.max(peer.send_latency()),
        send_latency: call.options.peer_latency.max(peer.receive_latency()),
        stream_id: call.stream_id.clone(),
        crypto,
    }
    .conclude())
}
