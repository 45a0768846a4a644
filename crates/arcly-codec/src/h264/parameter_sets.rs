//! The parameter sets that are in force at a point of a stream.

use super::{AvcDecoderConfig, NalHeader, NalUnitType, Pps, Sps};
use crate::{CodecError, Location, Result};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Collects parameter sets as they come by and tells when they change.
///
/// Feed it each SPS and PPS of a stream; where [`insert`](Self::insert) says that something changed,
/// [`config`](Self::config) is the new codec config. Memory is bounded: 32 SPS and 256 PPS of at most
/// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES), which are copied so that they pin no network buffer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParameterSets {
    sps: BTreeMap<u8, (Bytes, Sps)>,
    pps: BTreeMap<u8, StoredPps>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredPps {
    nal: Bytes,
    pps: Pps,
    /// Whether its SPS has changed since it was parsed, so that the same bytes could now mean something else.
    stale: bool,
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
    pub fn from_config(config: &AvcDecoderConfig) -> Result<Self> {
        let mut sets = Self::new();
        for nal in config.sps.iter().chain(&config.pps) {
            sets.insert(nal)?;
        }
        Ok(sets)
    }

    /// Takes an SPS or PPS, whole with its header byte, which replaces the one with its identifier. NAL units of
    /// other types are ignored. Returns whether anything changed.
    ///
    /// A PPS is parsed with the SPS it refers to, which must have come before. An SPS that changes leaves the PPS
    /// that refer to it as they are until they come again, as they do in practice: parsing up to 256 of them anew for
    /// each SPS would let a few bytes cost much time.
    ///
    /// # Errors
    /// As for [`Sps::parse`] and [`Pps::parse`]; nothing changes then.
    pub fn insert(&mut self, nal: &[u8]) -> Result<bool> {
        match NalHeader::of(nal).map(|header| header.unit_type) {
            Some(NalUnitType::Sps) => self.insert_sps(nal),
            Some(NalUnitType::Pps) => self.insert_pps(nal),
            _ => Ok(false),
        }
    }

    fn insert_sps(&mut self, nal: &[u8]) -> Result<bool> {
        // Streams repeat their parameter sets at each keyframe: the same bytes need no parsing.
        if self.sps.values().any(|(known, _)| known == nal) {
            return Ok(false);
        }
        let sps = Sps::parse(nal)?;
        let id = sps.id;
        for stored in self
            .pps
            .values_mut()
            .filter(|stored| stored.pps.sps_id == id)
        {
            stored.stale = true;
        }
        self.sps.insert(id, (Bytes::copy_from_slice(nal), sps));
        Ok(true)
    }

    fn insert_pps(&mut self, nal: &[u8]) -> Result<bool> {
        let known = self.pps.values_mut().find(|stored| stored.nal == nal);
        if known.as_ref().is_some_and(|stored| !stored.stale) {
            return Ok(false);
        }
        let sps_id = Pps::referenced_sps(nal)?;
        let Some((_, sps)) = self.sps.get(&sps_id) else {
            let at = Location::Element("seq_parameter_set_id");
            return Err(CodecError::malformed(
                "PPS",
                at,
                "refers to an SPS that has not come",
            ));
        };
        let pps = Pps::parse(nal, sps)?;
        if let Some(known) = known {
            (known.pps, known.stale) = (pps, false);
            return Ok(false);
        }
        let nal = Bytes::copy_from_slice(nal);
        self.pps.insert(
            pps.id,
            StoredPps {
                nal,
                pps,
                stale: false,
            },
        );
        Ok(true)
    }

    /// The SPS with this identifier.
    #[must_use]
    pub fn sps(&self, id: u8) -> Option<&Sps> {
        self.sps.get(&id).map(|(_, sps)| sps)
    }

    /// The PPS with this identifier.
    #[must_use]
    pub fn pps(&self, id: u8) -> Option<&Pps> {
        self.pps.get(&id).map(|stored| &stored.pps)
    }

    /// The SPS with the lowest identifier: the only one, in nearly all streams.
    #[must_use]
    pub fn first_sps(&self) -> Option<&Sps> {
        self.sps.values().next().map(|(_, sps)| sps)
    }

    /// The codec config with these parameter sets; `None` as long as there is no SPS or no PPS, or where there are more
    /// than a record can hold ([`MAX_SPS`](super::MAX_SPS), [`MAX_PPS`](super::MAX_PPS)).
    #[must_use]
    pub fn config(&self) -> Option<AvcDecoderConfig> {
        let units = |(nal, _): &(Bytes, Sps)| nal.clone();
        let sps = self.sps.values().map(units);
        let pps = self.pps.values().map(|stored| stored.nal.clone());
        AvcDecoderConfig::from_parameter_sets(sps, pps).ok()
    }
}
