//! Packets: what one UDP datagram carries (draft-sharabayko-srt-01, 3).
//!
//! [`Packet::parse`] reads a datagram without copying its payload; [`Packet::to_datagram`] writes a header of 16 bytes and
//! leaves the payload where it is, so that one payload can go to many peers.

mod ack;
mod control;
mod data;
mod loss_list;

pub use ack::{Ack, AckDetails, AckRates};
pub use control::{Control, ControlPacket, KeyMaterialKind};
pub use data::{DataPacket, KeyFlag, Position};
pub use loss_list::LossRange;

use crate::{Error, Result};
use bytes::{Buf, Bytes, BytesMut};

/// The length of each packet's header, in bytes.
pub const HEADER_BYTES: usize = 16;

/// The longest packet, in bytes, header included: an MTU of 1500 without the headers of IPv4 and UDP. Both ends announce their
/// MTU in the handshake; whatever came as one datagram is parsed.
pub const MAX_PACKET_BYTES: usize = 1500 - 28;

/// The longest payload of a data packet that libsrt sends in live mode, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = MAX_PACKET_BYTES - HEADER_BYTES;

/// Which socket of a host a packet is for; 0 is the host's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SocketId(pub u32);

impl SocketId {
    /// Who waits for new connections.
    pub const LISTENER: Self = Self(0);
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "one bit tells the kinds of packets apart"
)]
pub enum Packet {
    /// Part of the stream.
    Data(DataPacket),
    /// Everything else.
    Control(ControlPacket),
}

/// A packet as it is sent: one datagram in two pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "every packet is a header and what comes behind"
)]
pub struct Datagram {
    /// The header.
    pub header: [u8; HEADER_BYTES],
    /// What comes behind the header.
    pub body: Bytes,
}

impl Datagram {
    /// The length of the datagram, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }

    /// Never: a datagram has a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The datagram in one piece, as a copy.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.len());
        self.append_to(&mut bytes);
        bytes.freeze()
    }

    /// Appends the datagram to `out`.
    pub fn append_to(&self, out: &mut impl Extend<u8>) {
        out.extend(self.header);
        out.extend(self.body.iter().copied());
    }
}

impl Packet {
    /// Reads a datagram. The payload is a slice of it.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] where it ends early or a field has a value it cannot have. Control packets of unknown types
    /// are no error: see [`Control::Unknown`].
    pub fn parse(datagram: Bytes) -> Result<Self> {
        let (words, body) = split_header(datagram)?;
        if words[0] >> 31 == 0 {
            Ok(Self::Data(DataPacket::read(words, body)))
        } else {
            ControlPacket::read(words, body).map(Self::Control)
        }
    }

    /// The packet as it is sent.
    #[must_use]
    pub fn to_datagram(&self) -> Datagram {
        match self {
            Self::Data(packet) => packet.to_datagram(),
            Self::Control(packet) => packet.to_datagram(),
        }
    }

    /// Which socket the packet is for.
    #[must_use]
    pub const fn destination(&self) -> SocketId {
        match self {
            Self::Data(packet) => packet.destination,
            Self::Control(packet) => packet.destination,
        }
    }
}

/// Which socket a datagram is for, without reading the rest of it; `None` where it is too short for a packet.
#[must_use]
pub fn destination_of(datagram: &[u8]) -> Option<SocketId> {
    let header: &[u8; HEADER_BYTES] = datagram.first_chunk()?;
    let field: &[u8; 4] = header.last_chunk()?;
    Some(SocketId(u32::from_be_bytes(*field)))
}

/// Takes the four words of the header off a datagram.
fn split_header(mut datagram: Bytes) -> Result<([u32; 4], Bytes)> {
    if datagram.len() < HEADER_BYTES {
        return Err(Error::misbehaved("a packet shorter than its header"));
    }
    let words = [(); 4].map(|()| datagram.get_u32());
    Ok((words, datagram))
}

/// A header of four words.
fn header(words: [u32; 4]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    for (field, word) in header.chunks_exact_mut(4).zip(words) {
        field.copy_from_slice(&word.to_be_bytes());
    }
    header
}

#[cfg(test)]
mod tests;
