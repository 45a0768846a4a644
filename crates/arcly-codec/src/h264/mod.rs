//! H.264 | ISO/IEC 14496-10: NAL units, parameter sets, access units and the avcC record.
//!
//! | what | where | clause |
//! |---|---|---|
//! | NAL unit headers and types | [`NalHeader`], [`NalUnitType`] | 7.3.1, Table 7-1 |
//! | emulation prevention | [`emulation`] | 7.3.1, 7.4.1 |
//! | NAL units behind start codes | [`annex_b`] | Annex B |
//! | NAL units behind lengths | [`length_prefixed`] | ISO/IEC 14496-15 5.3.4.2 |
//! | parameter sets with VUI and scaling matrices | [`Sps`], [`Pps`], [`Vui`], [`ParameterSets`] | 7.3.2.1, 7.3.2.2, Annex E |
//! | the avcC record | [`AvcDecoderConfig`] | ISO/IEC 14496-15 5.3.3.1 |
//! | access unit boundaries | [`access_units`], [`BoundaryDetector`] | 7.4.1.2.3, 7.4.1.2.4 |
//! | keyframes, disposable pictures | [`AccessUnitInfo`], [`RecoveryPoint`] | 7.4.1.2.4, D.2.8 |
//! | codec string | [`codec_string`] | RFC 6381 3.3 |

pub mod annex_b;
pub mod emulation;
pub mod length_prefixed;

mod access_unit;
mod boundary;
mod config;
mod nal;
mod parameter_sets;
mod pps;
mod scaling;
mod sei;
mod slice;
mod sps;
mod syntax;
mod vui;

pub use access_unit::AccessUnitInfo;
pub use boundary::{AccessUnits, BoundaryDetector, access_units};
pub use config::{AvcDecoderConfig, HighProfileFields, codec_string};
pub use length_prefixed::LengthSize;
pub use nal::{NalFilter, NalHeader, NalUnitType};
pub use parameter_sets::ParameterSets;
pub use pps::Pps;
pub use scaling::ScalingMatrix;
pub use sei::RecoveryPoint;
pub use sps::{ChromaFormat, Cropping, MAX_PICTURE_SIDE, PicOrderCnt, Sps};
pub use vui::{BitstreamRestriction, ColourDescription, FrameRate, Hrd, Timing, VideoSignal, Vui};

/// The longest parameter set that is read or stored, in bytes with its emulation prevention.
///
/// x264, NVENC, QSV and camera encoders write 10 to 60 bytes. The largest SPS that is of use, with all twelve
/// explicit scaling lists of 4:4:4 and two full HRDs, takes about 2 KiB. What could be longer is only Baseline's
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
