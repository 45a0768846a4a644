//! H.265 | ISO/IEC 23008-2 (HEVC): NAL units, parameter sets, access units and the hvcC record.
//!
//! | what | where | clause |
//! |---|---|---|
//! | NAL unit headers and types | [`NalHeader`], [`NalUnitType`] | 7.3.1.2, Table 7-1 |
//! | NAL units behind start codes and lengths | [`annex_b`], [`length_prefixed`], [`emulation`] | Annex B, ISO/IEC 14496-15 8.3.2 |
//! | parameter sets with VUI | [`Vps`], [`Sps`], [`Pps`], [`Vui`], [`ParameterSets`] | 7.3.2, Annex E |
//! | the hvcC record | [`HevcDecoderConfig`] | ISO/IEC 14496-15 8.3.3.1 |
//! | access unit boundaries | [`access_units`], [`BoundaryDetector`] | 7.4.2.4.4 |
//! | random access, disposable pictures | [`AccessUnitInfo`] | 7.4.2.2 |
//! | codec string | [`ProfileTierLevel::codec_string`] | ISO/IEC 14496-15 Annex E |
//!
//! The parsers are our own: of the crates that read H.265 parameter sets, those tried panic or allocate gigabytes on
//! hostile input.

mod access_unit;
mod config;
mod hrd;
mod nal;
mod parameter_sets;
mod pps;
mod profile_tier_level;
mod sps;
mod syntax;
mod vps;
mod vui;

pub use crate::nal::{
    LengthSize, MAX_ACCESS_UNIT_BYTES, MAX_NAL_UNITS, MAX_PARAMETER_SET_BYTES, annex_b, emulation,
    length_prefixed,
};
pub use access_unit::{AccessUnitInfo, AccessUnits, BoundaryDetector, access_units};
pub use config::HevcDecoderConfig;
pub use nal::{Hevc, NalFilter, NalHeader, NalUnitType};
pub use parameter_sets::ParameterSets;
pub use pps::Pps;
pub use profile_tier_level::ProfileTierLevel;
pub use sps::{MAX_PICTURE_SIDE, Sps};
pub use vps::Vps;
pub use vui::Vui;
pub(crate) use vui::sample_aspect_ratio;

/// An access unit delimiter NAL unit for pictures with any slice types (7.3.2.5, Table 7-2), which MPEG-TS wants at the
/// start of each access unit.
pub const ACCESS_UNIT_DELIMITER: [u8; 3] = [0x46, 0x01, 0x50];
