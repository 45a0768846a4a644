//! H.266 | ISO/IEC 23090-3 (VVC): NAL units, parameter sets, access units and the vvcC record.
//!
//! | what | where | clause |
//! |---|---|---|
//! | NAL unit headers and types | [`NalHeader`], [`NalUnitType`] | 7.3.1.2, Table 5 |
//! | NAL units behind start codes and lengths | [`annex_b`], [`length_prefixed`], [`emulation`] | Annex B, ISO/IEC 14496-15 11.2.2 |
//! | sequence parameter sets with timing and VUI | [`Sps`], [`Vui`], [`ParameterSets`] | 7.3.2.4, 7.3.5, H.274 7.2 |
//! | the vvcC record | [`VvcDecoderConfig`] | ISO/IEC 14496-15 11.2.4.2 |
//! | access unit boundaries | [`access_units`], [`BoundaryDetector`] | 7.4.2.4.3 |
//! | random access, gradual refresh, disposable pictures | [`AccessUnitInfo`] | 7.4.2.2, 7.4.3.8 |
//! | codec string | [`ProfileTierLevel::codec_string`] | ISO/IEC 14496-15 Annex E |
//!
//! VPS and PPS are kept and carried, and not looked into beyond their identifiers: neither the record nor a server needs
//! what they say about a stream of one layer.

mod access_unit;
mod config;
mod nal;
mod parameter_sets;
mod profile_tier_level;
mod sps;
mod timing;
mod tools;
mod vui;

pub use crate::nal::{
    LengthSize, MAX_ACCESS_UNIT_BYTES, MAX_NAL_UNITS, MAX_PARAMETER_SET_BYTES, annex_b, emulation,
    length_prefixed,
};
pub use access_unit::{AccessUnitInfo, AccessUnits, BoundaryDetector, access_units};
pub use config::{TrackDescription, VvcDecoderConfig};
pub use nal::{NalFilter, NalHeader, NalUnitType, Vvc};
pub use parameter_sets::ParameterSets;
pub use profile_tier_level::ProfileTierLevel;
pub use sps::{MAX_PICTURE_SIDE, Sps};
pub use vui::Vui;
