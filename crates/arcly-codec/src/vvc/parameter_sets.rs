//! The parameter sets that are in force at a point of a stream.

use super::sps::parameter_set_rbsp;
use super::{NalHeader, NalUnitType, Sps, VvcDecoderConfig};
use crate::Result;
use crate::video::bits::BitReader;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Collects parameter sets as they come by and tells when they change.
///
/// Feed it each VPS, SPS and PPS of a stream; where [`insert`](Self::insert) says that something changed,
/// [`config`](Self::config) is the new codec config. Memory is bounded: 16 VPS, 16 SPS and 64 PPS of at most
/// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES), which are copied so that they pin no network buffer.
/// Decoding capability information, which is advice for decoders, is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParameterSets {
    vps: BTreeMap<u8, Bytes>,
    sps: BTreeMap<u8, (Bytes, Sps)>,
    pps: BTreeMap<u8, Bytes>,
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
            Some(NalUnitType::VPS) => {
                let id = identifier(nal, NalUnitType::VPS, "VPS", 4)?;
                Ok(replace(&mut self.vps, id, nal))
            }
            Some(NalUnitType::SPS) => {
                // Streams repeat their parameter sets at each keyframe: the same bytes need no parsing.
                if self.sps.values().any(|(known, _)| known == nal) {
                    return Ok(false);
                }
                let sps = Sps::parse(nal)?;
                self.sps.insert(sps.id, (Bytes::copy_from_slice(nal), sps));
                Ok(true)
            }
            Some(NalUnitType::PPS) => {
                let id = identifier(nal, NalUnitType::PPS, "PPS", 6)?;
                Ok(replace(&mut self.pps, id, nal))
            }
            _ => Ok(false),
        }
    }

    /// The SPS with this identifier.
    #[must_use]
    pub fn sps(&self, id: u8) -> Option<&Sps> {
        self.sps.get(&id).map(|(_, sps)| sps)
    }

    /// The SPS with the lowest identifier: the only one in nearly all streams.
    #[must_use]
    pub fn first_sps(&self) -> Option<&Sps> {
        self.sps.values().next().map(|(_, sps)| sps)
    }

    /// The codec config that these sets make; `None` until there are an SPS and a PPS.
    #[must_use]
    pub fn config(&self) -> Option<VvcDecoderConfig> {
        let sps = self.sps.values().map(|(nal, _)| nal.clone());
        VvcDecoderConfig::from_parameter_sets(
            self.vps.values().cloned(),
            sps,
            self.pps.values().cloned(),
        )
        .ok()
    }
}

/// The identifier that a VPS (4 bits) or PPS (6 bits) starts with.
fn identifier(nal: &[u8], unit_type: NalUnitType, what: &'static str, count: u32) -> Result<u8> {
    let rbsp = parameter_set_rbsp(nal, unit_type, what)?;
    BitReader::new(what, &rbsp).u8(count, "parameter_set_id")
}

/// Whether the set with this identifier was another one before.
fn replace(sets: &mut BTreeMap<u8, Bytes>, id: u8, nal: &[u8]) -> bool {
    if sets.get(&id).is_some_and(|known| known == nal) {
        return false;
    }
    sets.insert(id, Bytes::copy_from_slice(nal));
    true
}
