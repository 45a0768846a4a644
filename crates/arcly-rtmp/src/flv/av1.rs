//! AV1 in tags: the av1C record, and temporal units.

use super::codec_state::{AccessUnit, CodecState, ConfigSlot, Outcome};
use super::packet::Coded;
use crate::Fault;
use arcly_core::codec::av1::{Av1Config, TemporalUnitInfo, to_sample};
use bytes::Bytes;

/// The state of an AV1 track.
///
/// A sequence header that comes with a temporal unit and is not that of the record makes a new record; a stream without a
/// record gets its first one by that.
#[derive(Debug, Default)]
pub(super) struct Av1State {
    slot: ConfigSlot,
    config: Option<Av1Config>,
}

impl Av1State {
    /// Puts a config in force; false where it was.
    fn set(&mut self, config: Av1Config) -> Result<bool, Fault> {
        let changed = self.slot.set(config.to_bytes()?);
        self.config = Some(config);
        Ok(changed)
    }

    /// Takes the sequence header of a temporal unit, where it is not the one in force; true where that changed the config.
    fn take_sequence_header(
        &mut self,
        unit: &[u8],
        info: &TemporalUnitInfo,
    ) -> Result<bool, Fault> {
        let in_force = self
            .config
            .as_ref()
            .and_then(|config| config.sequence_header());
        if info.sequence_header.is_none() || info.sequence_header.as_ref() == in_force {
            return Ok(false);
        }
        match Av1Config::from_temporal_unit(unit) {
            Ok(Some(config)) => self.set(config),
            _ => Ok(false),
        }
    }
}

impl CodecState for Av1State {
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault> {
        // The record outlives the message: it gets bytes of its own.
        let config = Av1Config::parse(&Bytes::copy_from_slice(record))?;
        self.set(config)?;
        Ok(())
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        let malformed = |_| Fault::Malformed("AV1 temporal unit that cannot be read");
        let payload = to_sample(&coded.payload).map_err(malformed)?;
        if payload.is_empty() {
            return Ok(Outcome::Empty);
        }
        let in_force = self
            .config
            .as_ref()
            .and_then(|config| config.sequence_header());
        let info = TemporalUnitInfo::of(&payload, in_force).map_err(malformed)?;
        let in_band_config = self.take_sequence_header(&payload, &info)?;
        if !self.slot.is_set() {
            return Ok(Outcome::BeforeConfig);
        }
        let class = info.class();
        Ok(Outcome::Media(AccessUnit {
            payload,
            keyframe: class.random_access,
            disposable: class.disposable,
            in_band_config,
        }))
    }

    fn take_config(&mut self) -> Option<Bytes> {
        self.slot.take()
    }
}
