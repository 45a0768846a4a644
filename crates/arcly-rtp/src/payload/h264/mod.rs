//! H.264 (RFC 6184).
//!
//! Modes 0 and 1: single NAL units, STAP-A and FU-A. Refused is what belongs to mode 2, interleaving: STAP-B, MTAP16, MTAP24 and FU-B, which no
//! known sender uses.
//!
//! Parameter sets that come in band are taken out of the access units and into the config, as are delimiters and filler data; SEI stays.

mod depacketizer;
mod packetizer;

pub use depacketizer::H264Depacketizer;
pub use packetizer::{H264Packetizer, PacketizationMode};

/// NAL unit types that only RTP has (RFC 6184 table 3).
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// `nal_unit_type` in the first byte.
const TYPE_MASK: u8 = 0x1f;
/// The S bit of an FU header.
const FU_START: u8 = 0x80;
/// The E bit of an FU header.
const FU_END: u8 = 0x40;
