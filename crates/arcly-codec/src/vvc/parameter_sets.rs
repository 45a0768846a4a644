//! The parameter sets that are in force at a point of a stream.

use super::{NalHeader, NalUnitType, Sps, Vvc, VvcDecoderConfig};
use crate::Result;
use crate::nal::{SetsById, parameter_set_rbsp};
use crate::video::bits::BitReader;

/// Collects parameter sets as they come by and tells when they change.
///
/// Feed it each VPS, SPS and PPS of a stream; where [`insert`](Self::insert) says that something changed,
/// [`config`](Self::config) is the new codec config. Memory is bounded: 16 VPS, 16 SPS and 64 PPS of at most
/// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES), which are copied so that they pin no network buffer.
/// Decoding capability information, which is advice for decoders, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParameterSets {
    vps: SetsById<()>,
    sps: SetsById<Sps>,
    pps: SetsById<()>,
}

impl ParameterSets {
    /// No parameter sets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The parameter sets of a record.
    ///
    /// # Errors
    /// As for [`insert`](Self::insert), with the first set at fault.
    pub fn from_config(config: &VvcDecoderConfig) -> Result<Self> {
        let mut sets = Self::new();
        for nal in config.nal_units() {
            sets.insert(nal)?;
        }
        Ok(sets)
    }

    /// Takes a VPS, SPS or PPS, whole with its header, which replaces the one with its identifier. NAL units of other
    /// types and other layers are ignored. Returns whether anything changed.
    ///
    /// # Errors
    /// As for [`Sps::parse`]; a VPS or PPS is only read as far as its identifier. Nothing changes then.
    pub fn insert(&mut self, nal: &[u8]) -> Result<bool> {
        let header = NalHeader::of(nal).filter(|header| header.layer_id == 0);
        match header.map(|header| header.unit_type) {
            Some(NalUnitType::VPS) => self.vps.insert(nal, |nal| {
                Ok((identifier(nal, NalUnitType::VPS, "VPS", 4)?, ()))
            }),
            Some(NalUnitType::SPS) => self.sps.insert(nal, |nal| {
                let sps = Sps::parse(nal)?;
                Ok((sps.id, sps))
            }),
            Some(NalUnitType::PPS) => self.pps.insert(nal, |nal| {
                Ok((identifier(nal, NalUnitType::PPS, "PPS", 6)?, ()))
            }),
            _ => Ok(false),
        }
    }

    /// The SPS with this identifier.
    #[must_use]
    pub fn sps(&self, id: u8) -> Option<&Sps> {
        self.sps.get(id)
    }

    /// The SPS with the lowest identifier: the only one in nearly all streams.
    #[must_use]
    pub fn first_sps(&self) -> Option<&Sps> {
        self.sps.first()
    }

    /// The codec config that these sets make; `None` until there are an SPS and a PPS.
    #[must_use]
    pub fn config(&self) -> Option<VvcDecoderConfig> {
        VvcDecoderConfig::from_parameter_sets(
            self.vps.nal_units(),
            self.sps.nal_units(),
            self.pps.nal_units(),
        )
        .ok()
    }
}

/// The identifier that a VPS (4 bits) or PPS (6 bits) starts with.
fn identifier(nal: &[u8], unit_type: NalUnitType, what: &'static str, count: u32) -> Result<u8> {
    let rbsp = parameter_set_rbsp::<Vvc>(nal, unit_type.id(), what)?;
    BitReader::new(what, &rbsp).u8(count, "parameter_set_id")
}
