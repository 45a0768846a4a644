//! AV1 (AOMedia, "RTP Payload Format For AV1", 1.0).
//!
//! Packets hold OBUs, or fragments of them, without sizes and temporal delimiters; an access unit is a temporal unit, of all its layers.

mod depacketizer;
mod packetizer;

pub use depacketizer::Av1Depacketizer;
pub use packetizer::Av1Packetizer;

/// The aggregation header (4.4): the first element goes on from the packet before.
const Z: u8 = 0x80;
/// The last element goes on in the next packet.
const Y: u8 = 0x40;
/// The packet is the first one of a coded video sequence.
const N: u8 = 0x08;
/// Where the count of elements, 2 bits, stands.
const W_SHIFT: u8 = 4;
