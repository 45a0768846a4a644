//! AV1: open bitstream units, sequence and frame headers, temporal units and the av1C record.
//!
//! | what | where | clause of the AV1 bitstream specification |
//! |---|---|---|
//! | open bitstream units in the low-overhead format | [`obus`], [`Obu`], [`ObuHeader`], [`write_obu`] | 5.2, 5.3, 4.10.5 |
//! | temporal units of a raw stream | [`temporal_units`] | 7.5 |
//! | the shape of the bus | [`to_sample`] | AV1 in ISOBMFF 2.4 |
//! | sequence header | [`SequenceHeader`] | 5.5 |
//! | key frames, disposable frames | [`TemporalUnitInfo`] | 5.9.2, 7.20 |
//! | the av1C record | [`Av1Config`] | AV1 in ISOBMFF 2.3 |
//! | codec string | [`SequenceHeader::codec_string`] | AV1 in ISOBMFF 5 |
//!
//! The parsers are our own. `scuffle-av1` has a sound sequence header and av1C, but keeps neither the decoder model's
//! field lengths nor the operating points' flags, without which a frame header cannot be read as far as
//! `refresh_frame_flags`, and that is what tells a disposable frame. Reading the sequence header twice, by two parsers that
//! may disagree, and six crates more to build, would have bought one of the three pieces.

mod config;
mod frame_header;
mod obu;
mod sequence_header;
mod temporal_unit;

pub use config::{Av1Config, MAX_CONFIG_BYTES};
pub use obu::{
    MAX_LEB128_BYTES, Obu, ObuHeader, ObuType, Obus, obus, read_leb128, write_leb128, write_obu,
};
pub use sequence_header::{OperatingPoint, SequenceHeader, Timing};
pub use temporal_unit::{
    MAX_OBUS, MAX_TEMPORAL_UNIT_BYTES, TemporalUnitInfo, TemporalUnits, join, temporal_units,
    to_sample,
};
