//! H.264, H.265 and VVC in FLV: a decoder configuration record, and length-prefixed access units.

use super::codec_state::{AccessUnit, CodecState, MAX_CONFIG_BYTES, Outcome};
use super::packet::Coded;
use crate::Fault;
use arcly_core::codec::Result as CodecResult;
use arcly_core::codec::h264::{LengthSize, length_prefixed};
use bytes::Bytes;
use std::fmt::Debug;

/// The most parameter sets in an access unit, known or new: as many as H.264 has ids for (32 SPS and 256 PPS), which is more than
/// H.265 and VVC have. Each is compared with those in force, so without a bound a message of them would cost minutes.
pub(super) const MAX_PARAMETER_SETS: usize = 288;

/// A decoder configuration record, and what its codec's access units need of it.
pub(super) trait NalConfig: Debug + Send + Sync + Sized {
    /// Reads a record.
    fn parse(record: &Bytes) -> CodecResult<Self>;

    /// The length size of the samples that come; the record says four bytes from then on.
    fn take_length_size(&mut self) -> LengthSize;

    /// Writes the record.
    fn to_bytes(&self) -> CodecResult<Bytes>;

    /// Whether the unit belongs into the record.
    fn is_parameter_set(nal: &[u8]) -> bool;

    /// Whether the unit stands in the record.
    fn contains(&self, nal: &[u8]) -> bool;

    /// The record with these sets in the place of those with the same ids. `None` where they make no valid record: the decoder
    /// may still live without them.
    fn with_parameter_sets(&self, sets: &[&[u8]]) -> Option<Self>;

    /// The access unit with 4-byte lengths, without parameter sets, delimiters and filler.
    fn normalize(access_unit: &Bytes, size: LengthSize) -> CodecResult<Bytes>;

    /// Whether a viewer can join at this access unit, and whether no other refers to it; `flagged_key` is what its tag says of
    /// the former.
    fn classify(&self, access_unit: &[u8], flagged_key: bool) -> (bool, bool);
}

/// The state of a track.
#[derive(Debug)]
pub(super) struct NalTrack<C> {
    config: Option<InForce<C>>,
    /// Whether the config was not handed out yet.
    config_is_new: bool,
}

#[derive(Debug)]
struct InForce<C> {
    /// The length size of the samples that come, which the published record need not share.
    length_size: LengthSize,
    /// The config in force, with 4-byte lengths.
    parsed: C,
    /// Its record.
    record: Bytes,
}

impl<C> Default for NalTrack<C> {
    fn default() -> Self {
        Self {
            config: None,
            config_is_new: false,
        }
    }
}

impl<C: NalConfig> NalTrack<C> {
    /// Takes the parameter sets of an access unit that differ from those in force; true where that changed the config. A record that
    /// would be longer than one may be that comes by itself is not made: each change hands out all of it, so that a few bytes of
    /// a PPS would cost all the bytes of the other sets.
    fn take_parameter_sets(&mut self, changed: &[&[u8]]) -> Result<bool, Fault> {
        let Some(config) = &self.config else {
            return Ok(false);
        };
        match config.parsed.with_parameter_sets(changed) {
            Some(parsed) if parsed.to_bytes()?.len() <= MAX_CONFIG_BYTES => {
                self.set_config(config.length_size, parsed)
            }
            _ => Ok(false),
        }
    }

    /// True where the record differs from the one in force.
    fn set_config(&mut self, length_size: LengthSize, parsed: C) -> Result<bool, Fault> {
        let record = parsed.to_bytes()?;
        let changed = self
            .config
            .as_ref()
            .is_none_or(|config| config.record != record);
        self.config_is_new |= changed;
        self.config = Some(InForce {
            length_size,
            parsed,
            record,
        });
        Ok(changed)
    }
}

impl<C: NalConfig> CodecState for NalTrack<C> {
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault> {
        // The record outlives the message: it gets bytes of its own.
        let mut parsed = C::parse(&Bytes::copy_from_slice(record))?;
        let length_size = parsed.take_length_size();
        self.set_config(length_size, parsed)?;
        Ok(())
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        let Some(config) = &self.config else {
            return Ok(Outcome::BeforeConfig);
        };
        let length_size = config.length_size;
        let (mut sets, mut changed) = (0, Vec::new());
        for nal in length_prefixed::nal_units(&coded.payload, length_size) {
            let Ok(nal) = nal else {
                return Err(Fault::Malformed(
                    "NAL unit lengths do not fit the access unit",
                ));
            };
            if !C::is_parameter_set(nal) {
                continue;
            }
            sets += 1;
            if sets > MAX_PARAMETER_SETS {
                return Err(Fault::Malformed("access unit with too many parameter sets"));
            }
            if !config.parsed.contains(nal) {
                changed.push(nal);
            }
        }
        let in_band_config = !changed.is_empty() && self.take_parameter_sets(&changed)?;
        let Ok(payload) = C::normalize(&coded.payload, length_size) else {
            return Err(Fault::Malformed("access unit exceeds what decoders take"));
        };
        if payload.is_empty() {
            return Ok(Outcome::Empty);
        }
        let Some(config) = &self.config else {
            return Ok(Outcome::BeforeConfig);
        };
        let (keyframe, disposable) = config.parsed.classify(&payload, coded.flagged_key);
        Ok(Outcome::Media(AccessUnit {
            payload,
            keyframe,
            disposable,
            in_band_config,
        }))
    }

    fn take_config(&mut self) -> Option<Bytes> {
        if !std::mem::take(&mut self.config_is_new) {
            return None;
        }
        self.config.as_ref().map(|config| config.record.clone())
    }
}
