//! Both sides call each other, to get through firewalls (draft-sharabayko-srt-01, 4.3.2).
//!
//! Each waves until it hears the other. Then the larger cookie decides who is the initiator: it sends the request in its conclusion,
//! the other one the response in its own, and an agreement ends it.

use super::caller::{Call, accept, conclusion};
use super::extensions::Extensions;
use super::negotiated::Negotiated;
use super::packet::{Handshake, Stage, address_field};
use super::respond::{Responder, respond};
use super::{Progress, REPEAT_EVERY, RejectReason, datagram};
use crate::proto::crypto::Session;
use crate::proto::packet::{Datagram, SocketId};
use crate::proto::time::PacketTime;
use crate::{Error, Result};
use bytes::Bytes;
use std::time::Instant;

/// A rendezvous: the calls are those of a [`Caller`](super::Caller). Keep it after it is connected, and give it the handshake
/// packets that still come: the peer may have missed the last one.
#[derive(Debug)]
pub struct Rendezvous {
    call: Call,
    cookie: u32,
    epoch: Instant,
    phase: Phase,
    role: Option<Role>,
    peer_id: SocketId,
    outgoing: Handshake,
    /// The initiator's keys, until they are confirmed.
    crypto: Option<Session>,
    /// The responder's result, until the peer has it too.
    negotiated: Option<Box<Negotiated>>,
    /// `None`: nothing until something comes.
    next_send: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was heard yet.
    Waving,
    /// The peer was heard, or has concluded already; who is who is known.
    Deciding,
    /// The responder has answered, and waits for the agreement.
    Answered,
    Connected,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Initiator,
    Responder,
}

/// Who is the initiator, by both cookies: the larger one, as libsrt compares them. `None` where they draw.
fn contest(ours: u32, theirs: u32) -> Option<Role> {
    // libsrt looks at the sign of the lower 32 bits of the difference, but where both differences are negative.
    let difference = ours.wrapping_sub(theirs).cast_signed();
    if difference == 0 {
        None
    } else if difference > 0
        || (difference == i32::MIN && ours.cast_signed() > theirs.cast_signed())
    {
        Some(Role::Initiator)
    } else {
        Some(Role::Responder)
    }
}

impl Rendezvous {
    /// Starts, with a random cookie that is not 0.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where the cookie is 0 or the socket id is the listener's.
    pub fn new(call: Call, cookie: u32, now: Instant) -> Result<Self> {
        if cookie == 0 || call.local_id == SocketId::LISTENER {
            return Err(Error::ApiMisuse {
                what: "cookie and socket id of a rendezvous are not 0",
            });
        }
        let outgoing = Handshake {
            version: 5,
            key_length: None,
            extension_field: 0,
            isn: call.isn,
            mtu: call.options.mtu,
            flow_window: call.options.flow_window,
            stage: Stage::WaveAHand,
            socket: call.local_id,
            cookie,
            peer_address: address_field(call.peer),
            extensions: Extensions::default(),
        };
        Ok(Self {
            call,
            cookie,
            epoch: now,
            phase: Phase::Waving,
            role: None,
            peer_id: SocketId::LISTENER,
            outgoing,
            crypto: None,
            negotiated: None,
            next_send: Some(now),
        })
    }

    /// The datagram to send now, if any.
    pub fn poll(&mut self, now: Instant) -> Option<Datagram> {
        if self.phase == Phase::Over || self.next_send.is_none_or(|next| now < next) {
            return None;
        }
        self.next_send = (self.phase != Phase::Connected).then(|| now + REPEAT_EVERY);
        let time = PacketTime::at(now, self.epoch);
        Some(datagram(&self.outgoing, self.peer_id, time))
    }

    /// When to poll next.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Over => None,
            Phase::Connected => self.next_send,
            _ => Some(
                self.next_send
                    .unwrap_or(self.epoch)
                    .min(self.epoch + self.call.timeout),
            ),
        }
    }

    /// Whether the peer took too long: then it is over.
    pub fn has_timed_out(&mut self, now: Instant) -> bool {
        let waits = !matches!(self.phase, Phase::Over | Phase::Connected);
        let late = waits && now >= self.epoch + self.call.timeout;
        if late {
            self.phase = Phase::Over;
        }
        late
    }

    /// Something else than a handshake came from the peer: it takes us as connected, and its agreement was lost.
    pub fn peer_is_connected(&mut self) -> Progress {
        match (self.phase, self.negotiated.take()) {
            (Phase::Answered, Some(negotiated)) => self.connect(negotiated),
            _ => Progress::Going,
        }
    }

    /// Takes a handshake packet: its body, how it was stamped, when it came. What makes no sense is ignored.
    pub fn handle(&mut self, body: Bytes, time: PacketTime, now: Instant) -> Progress {
        let Ok(packet) = Handshake::read(body) else {
            return Progress::Going;
        };
        if let Stage::Rejection(reason) = packet.stage {
            return self.over(reason);
        }
        if packet.version != 5 || packet.cookie == 0 || packet.socket == SocketId::LISTENER {
            return Progress::Going;
        }
        if self.role.is_none() {
            let Some(role) = contest(self.cookie, packet.cookie) else {
                return self.refuse(RejectReason::RENDEZVOUS_COOKIE, now);
            };
            self.peer_id = packet.socket;
            self.role = Some(role);
            if let Err(reason) = self.decided(role) {
                return self.refuse(reason, now);
            }
        } else if packet.socket != self.peer_id {
            return Progress::Going;
        }
        // Whatever it says, the peer waits for something.
        self.next_send = Some(now);
        match (self.phase, packet.stage) {
            (Phase::Deciding, Stage::Conclusion | Stage::Agreement)
                if packet.extensions.srt.is_some() =>
            {
                self.conclude(&packet, (now, time))
            }
            (Phase::Answered, Stage::Agreement) => match self.negotiated.take() {
                Some(negotiated) => self.connect(negotiated),
                None => Progress::Going,
            },
            (Phase::Connected, _) if self.role == Some(Role::Responder) => {
                self.next_send = None;
                Progress::Going
            }
            _ => Progress::Going,
        }
    }

    /// The roles are known: from now on conclusions are sent.
    fn decided(&mut self, role: Role) -> Result<(), RejectReason> {
        self.phase = Phase::Deciding;
        match role {
            Role::Initiator => {
                let length = self.call.options.key_length.unwrap_or_default();
                let (request, crypto) = conclusion(&self.call, length, self.cookie)
                    .map_err(|_| RejectReason::SYSTEM)?;
                self.outgoing = request;
                self.crypto = crypto;
            }
            Role::Responder => self.outgoing.stage = Stage::Conclusion,
        }
        Ok(())
    }

    /// The peer's conclusion has what this side waits for.
    fn conclude(&mut self, packet: &Handshake, received: (Instant, PacketTime)) -> Progress {
        if self.role == Some(Role::Initiator) {
            let crypto = self.crypto.take();
            return match accept(&self.call, self.epoch, packet, crypto, received) {
                Ok(negotiated) => {
                    self.outgoing.stage = Stage::Agreement;
                    self.outgoing.extensions = Extensions::default();
                    self.connect(Box::new(negotiated))
                }
                Err(reason) => self.refuse(reason, received.0),
            };
        }
        let responder = Responder {
            options: &self.call.options,
            passphrase: self.call.passphrase.as_ref(),
            local_id: self.call.local_id,
            epoch: self.epoch,
            peer: self.call.peer,
        };
        match respond(packet, received, responder) {
            Ok((mut response, mut negotiated)) => {
                response.cookie = self.cookie;
                response.isn = self.call.isn;
                negotiated.send_isn = self.call.isn;
                self.outgoing = response;
                self.phase = Phase::Answered;
                self.negotiated = Some(Box::new(negotiated));
                Progress::Going
            }
            Err(reason) => self.refuse(reason, received.0),
        }
    }

    fn connect(&mut self, negotiated: Box<Negotiated>) -> Progress {
        self.phase = Phase::Connected;
        if self.role == Some(Role::Responder) {
            self.next_send = None;
        }
        Progress::Connected(negotiated)
    }

    /// Ends it and says so to the peer, with one more poll.
    fn refuse(&mut self, reason: RejectReason, now: Instant) -> Progress {
        self.outgoing = self.outgoing.clone().rejected(reason);
        // One packet, as after a connection; nothing that comes changes it.
        self.phase = Phase::Connected;
        self.next_send = Some(now);
        Progress::Rejected(reason)
    }

    fn over(&mut self, reason: RejectReason) -> Progress {
        self.phase = Phase::Over;
        Progress::Rejected(reason)
    }
}
