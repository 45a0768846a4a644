//! What a connection tells its owner.

use crate::proto::packet::Position;
use crate::proto::sequence::{MessageNumber, SequenceNumber};
use bytes::Bytes;
use std::time::Duration;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A packet's time has come.
    Data(Data),
    /// The time of packets has come that did not: the stream goes on without them.
    Lost {
        /// How many.
        packets: u64,
    },
    /// The connection is over; nothing comes after.
    Closed(Closed),
}

/// A packet that is delivered. Packets come in the order in which they were submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Data {
    /// What was submitted, decrypted.
    pub payload: Bytes,
    /// The number of the packet.
    pub sequence: SequenceNumber,
    /// The number of the message that it is part of.
    pub message: MessageNumber,
    /// Where in the message it lies. Live senders have one packet a message.
    pub position: Position,
    /// When it was submitted: time on the peer's clock since the handshake. It does not wrap.
    pub submitted: Duration,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Closed {
    /// The peer said so. What had arrived from it was delivered before.
    ByPeer,
    /// We said so.
    Locally,
    /// The peer was silent for [`Limits::idle_timeout`](super::Limits::idle_timeout).
    Idle,
    /// The peer sent nothing for [`Limits::idle_timeout`](super::Limits::idle_timeout) but packets beyond the window: it has left out more than the window holds.
    SequenceGap,
}
