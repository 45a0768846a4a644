//! H.265 (RFC 7798).
//!
//! Single NAL units, aggregation packets (AP) and fragmentation units (FU), with and without decoding order numbers, also within PACI packets,
//! whose extension is passed over. Transmission in another order than that of decoding is refused. Written is all but numbers and PACI.
//!
//! Parameter sets that come in band are taken out of the access units and into the config, as are delimiters and filler data; SEI stays.

mod depacketizer;
mod packetizer;

pub use depacketizer::H265Depacketizer;
pub use packetizer::H265Packetizer;

/// NAL unit types that only RTP has (RFC 7798 4.4).
const AP: u8 = 48;
const FU: u8 = 49;
const PACI: u8 = 50;

/// `nal_unit_type` in the first byte of the header.
const TYPE_MASK: u8 = 0x7e;
/// The S bit of an FU header.
const FU_START: u8 = 0x80;
/// The E bit of an FU header.
const FU_END: u8 = 0x40;
/// `FuType` in an FU header.
const FU_TYPE_MASK: u8 = 0x3f;
