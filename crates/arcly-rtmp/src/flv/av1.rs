//! AV1 in tags: the av1C record, and temporal units.

use super::codec_state::{AccessUnit, CodecState, ConfigSlot, Outcome};
use super::packet::Coded;
use crate::Fault;
use arcly_core::codec::av1::{Av1Config, SequenceHeader, TemporalUnitInfo, to_sample};
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

    fn sequence_header(&self) -> Option<&SequenceHeader> {
        self.config.as_ref()?.sequence_header()
    }

    /// Takes the sequence header of a temporal unit, where it is not the one in force; true where that changed the config.
    fn take_sequence_header(
        &mut self,
        unit: &[u8],
        info: &TemporalUnitInfo,
    ) -> Result<bool, Fault> {
        if info.sequence_header.is_none() || info.sequence_header.as_ref() == self.sequence_header()
        {
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
        let mut info = TemporalUnitInfo::of(&payload, self.sequence_header()).map_err(malformed)?;
        let in_band_config = self.take_sequence_header(&payload, &info)?;
        if in_band_config {
            // A sequence header may stand behind the frame that it is for, in a broken stream. Who reads the new record
            // first and the unit then must come to the same.
            info = TemporalUnitInfo::of(&payload, self.sequence_header()).map_err(malformed)?;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// SVT-AV1, 64×64: the sequence header of its av1C record.
    const SEQUENCE_HEADER: &[u8] = b"\x0a\x0a\x00\x00\x00\x02\xaf\xff\x9f\x7f\x30\x08";
    const KEY_FRAME: &[u8] = b"\x32\x04\x10\x00\x00\x00";

    fn read(state: &mut Av1State, parts: &[&[u8]]) -> Result<Outcome, Fault> {
        state.coded(&Coded {
            payload: parts.concat().into(),
            composition: 0,
            flagged_key: false,
        })
    }

    #[test]
    fn a_stream_without_a_record_gets_one_from_its_first_keyframe() {
        let mut state = Av1State::default();
        assert_eq!(
            read(&mut state, &[b"\x12\x00", KEY_FRAME]),
            Ok(Outcome::BeforeConfig)
        );
        for is_new in [true, false] {
            let outcome = read(&mut state, &[b"\x12\x00", SEQUENCE_HEADER, KEY_FRAME]);
            let Ok(Outcome::Media(unit)) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!((unit.in_band_config, unit.keyframe), (is_new, true));
            assert_eq!(unit.payload, [SEQUENCE_HEADER, KEY_FRAME].concat());
            let record = [b"\x81\x00\x0c\x00", SEQUENCE_HEADER].concat();
            assert_eq!(state.take_config(), is_new.then(|| record.into()));
        }
    }

    #[test]
    fn a_sequence_header_behind_its_frame_counts_for_it() {
        // For a reduced still picture every frame is a keyframe, whatever its header seems to say.
        const STILL: &[u8] = b"\x0a\x06\x18\x15\x7f\xf9\x7c\x40";
        const NO_KEY_FRAME: &[u8] = b"\x32\x04\x30\x00\x00\x00";
        let mut state = Av1State::default();
        let outcome = read(&mut state, &[NO_KEY_FRAME, STILL]);
        let Ok(Outcome::Media(first)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(first.keyframe);
        assert!(
            matches!(read(&mut state, &[NO_KEY_FRAME, STILL]), Ok(Outcome::Media(again)) if again.keyframe)
        );
    }

    #[test]
    fn damaged_units_are_malformed() {
        for bytes in [&b"\x32\x09\x10"[..], b"\x80", b"\x32"] {
            let outcome = read(&mut Av1State::default(), &[bytes]);
            assert!(
                !matches!(outcome, Ok(Outcome::Media(_))),
                "{bytes:x?}: {outcome:?}"
            );
        }
        assert_eq!(
            read(&mut Av1State::default(), &[b"\x12\x00"]),
            Ok(Outcome::Empty)
        );
    }
}
