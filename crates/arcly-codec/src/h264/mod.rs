//! H.264 | ISO/IEC 14496-10: NAL units, parameter sets, access units and the avcC record.
//!
//! | module | what | clause |
//! |---|---|---|
//! | [`length_prefixed`] | NAL units with length prefixes | ISO/IEC 14496-15 5.3.4.2 |

pub mod length_prefixed;

mod config;
mod nal;

pub use config::{AvcDecoderConfig, HighProfileFields, codec_string};
pub use length_prefixed::LengthSize;
pub use nal::{NalFilter, NalHeader, NalUnitType};

/// The longest parameter set that is read or stored, in bytes with its emulation prevention.
///
/// x264, NVENC, QSV and camera encoders write 10 to 60 bytes. The largest SPS that is of use, with all twelve
/// explicit scaling lists of 4:4:4 and two full HRDs, stays below 2 KiB. What could be longer is only Baseline's
/// explicit slice group map, which no known encoder writes.
pub const MAX_PARAMETER_SET_BYTES: usize = 4096;

/// The most SPS in a record: `numOfSequenceParameterSets` has 5 bits, and 32 identifiers exist.
pub const MAX_SPS: usize = 31;

/// The most PPS in a record: `numOfPictureParameterSets` has 8 bits.
pub const MAX_PPS: usize = 255;

/// The largest access unit that is converted, in bytes.
///
/// FLV and RTMP cannot carry more (24-bit sizes). At level 5.2 and 240 Mbit/s a picture that takes half a second's
/// worth of bits is 15 MB.
pub const MAX_ACCESS_UNIT_BYTES: usize = 16 * 1024 * 1024;

/// The most NAL units in an access unit that is converted.
///
/// Encoders that cut slices to fit a network packet of 1200 bytes make about 900 for a picture of 1 MB.
pub const MAX_NAL_UNITS: usize = 4096;
