//! Data packets (draft-sharabayko-srt-01, 3.1).

use super::{Datagram, HEADER_BYTES, SocketId, header};
use crate::proto::sequence::{MessageNumber, SequenceNumber};
use crate::proto::time::PacketTime;
use bytes::Bytes;

/// A packet of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and senders write them"
)]
pub struct DataPacket {
    /// The place of the packet in the stream.
    pub sequence: SequenceNumber,
    /// The place of the packet in its message.
    pub position: Position,
    /// Whether the message must not be delivered before those ahead of it. Live mode leaves it unset and delivers by time.
    pub in_order: bool,
    /// With which key the payload is encrypted.
    pub key: KeyFlag,
    /// Whether the packet was sent before.
    pub retransmitted: bool,
    /// The message that the packet is part of.
    pub message: MessageNumber,
    /// When the message was given to the sender.
    pub time: PacketTime,
    /// Whom the packet is for.
    pub destination: SocketId,
    /// The stream's bytes: in live mode one message, most often seven packets of MPEG-TS.
    pub payload: Bytes,
}

/// The place of a packet in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a field of two bits, all named")]
pub enum Position {
    /// Neither the first nor the last packet.
    Middle,
    /// The last of several packets.
    Last,
    /// The first of several packets.
    First,
    /// The only packet: what live mode sends.
    Solo,
}

/// With which of the two keys in use a payload is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a field of two bits, all named")]
pub enum KeyFlag {
    /// Not encrypted.
    Clear,
    /// With the even key.
    Even,
    /// With the odd key.
    Odd,
    /// Both bits are set, which only the messages that carry keys may have: such a payload cannot be decrypted.
    Both,
}

impl KeyFlag {
    /// From the lower two bits.
    pub(crate) const fn from_bits(bits: u32) -> Self {
        match bits & 0b11 {
            0 => Self::Clear,
            1 => Self::Even,
            2 => Self::Odd,
            _ => Self::Both,
        }
    }

    /// The two bits.
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::Clear => 0,
            Self::Even => 1,
            Self::Odd => 2,
            Self::Both => 3,
        }
    }
}

impl Position {
    const fn from_bits(bits: u32) -> Self {
        match bits & 0b11 {
            0 => Self::Middle,
            1 => Self::Last,
            2 => Self::First,
            _ => Self::Solo,
        }
    }

    const fn bits(self) -> u32 {
        match self {
            Self::Middle => 0,
            Self::Last => 1,
            Self::First => 2,
            Self::Solo => 3,
        }
    }
}

impl DataPacket {
    pub(super) fn read([sequence, flags, time, destination]: [u32; 4], payload: Bytes) -> Self {
        Self {
            sequence: SequenceNumber::new(sequence),
            position: Position::from_bits(flags >> 30),
            in_order: flags >> 29 & 1 == 1,
            key: KeyFlag::from_bits(flags >> 27),
            retransmitted: flags >> 26 & 1 == 1,
            message: MessageNumber::new(flags),
            time: PacketTime::from_micros(time),
            destination: SocketId(destination),
            payload,
        }
    }

    /// The packet as it is sent. The payload is shared, not copied.
    #[must_use]
    pub fn to_datagram(&self) -> Datagram {
        Datagram {
            header: self.header(),
            body: self.payload.clone(),
        }
    }

    /// The same without another reference to the payload, whose count is contended where many peers get it.
    #[must_use]
    pub fn into_datagram(self) -> Datagram {
        Datagram {
            header: self.header(),
            body: self.payload,
        }
    }

    fn header(&self) -> [u8; HEADER_BYTES] {
        let flags = self.position.bits() << 30
            | u32::from(self.in_order) << 29
            | self.key.bits() << 27
            | u32::from(self.retransmitted) << 26
            | self.message.value();
        header([
            self.sequence.value(),
            flags,
            self.time.as_micros(),
            self.destination.0,
        ])
    }
}
