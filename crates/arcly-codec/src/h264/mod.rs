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

pub use crate::nal::{
    LengthSize, MAX_ACCESS_UNIT_BYTES, MAX_NAL_UNITS, MAX_PARAMETER_SET_BYTES, annex_b, emulation,
    length_prefixed,
};
pub use crate::video::{ChromaFormat, ColourDescription, Cropping, FrameRate};
pub use access_unit::AccessUnitInfo;
pub use boundary::{AccessUnits, BoundaryDetector, access_units};
pub use config::{AvcDecoderConfig, HighProfileFields, codec_string};
pub use nal::{Avc, NalFilter, NalHeader, NalUnitType};
pub use parameter_sets::ParameterSets;
pub use pps::Pps;
pub use scaling::ScalingMatrix;
pub use sei::RecoveryPoint;
pub use sps::{MAX_PICTURE_SIDE, PicOrderCnt, Sps};
pub use vui::{BitstreamRestriction, Hrd, Timing, VideoSignal, Vui};

/// The most SPS in a record: `numOfSequenceParameterSets` has 5 bits, and 32 identifiers exist.
pub const MAX_SPS: usize = 31;

/// The most PPS in a record: `numOfPictureParameterSets` has 8 bits.
pub const MAX_PPS: usize = 255;

/// An access unit delimiter NAL unit for pictures with any slice types (7.3.2.4, Table 7-5). MPEG-TS wants one at the
/// start of each access unit (ISO/IEC 13818-1 2.14.1).
pub const ACCESS_UNIT_DELIMITER: [u8; 2] = [0x09, 0xf0];
