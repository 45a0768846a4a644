//! H.264 in FLV: the avcC record and length-prefixed access units.

use super::tag_reader::Outcome;
use crate::Fault;
use arcly_core::codec::h264::{
    AvcDecoderConfig, LengthSize, NalFilter, NalHeader, NalUnitType, length_prefixed,
};
use bytes::Bytes;

/// The codec state of an H.264 track.
#[derive(Debug, Default)]
pub(super) struct AvcTrack {
    config: Option<Config>,
    /// Whether the config was not handed out yet.
    config_is_new: bool,
}

#[derive(Debug)]
struct Config {
    /// The length size of the samples that come, which the published record need not share.
    length_size: LengthSize,
    /// The config in force, with 4-byte lengths.
    parsed: AvcDecoderConfig,
    /// Its record.
    record: Bytes,
}

/// An access unit in the shape of the bus.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccessUnit {
    pub(super) payload: Bytes,
    pub(super) composition_millis: i32,
    pub(super) keyframe: bool,
    pub(super) disposable: bool,
    /// Whether parameter sets in it changed the config.
    pub(super) in_band_config: bool,
}

impl AvcTrack {
    /// The record that the next frame is the first to need.
    pub(super) fn take_config(&mut self) -> Option<Bytes> {
        if !std::mem::take(&mut self.config_is_new) {
            return None;
        }
        self.config.as_ref().map(|config| config.record.clone())
    }

    /// Takes the AVCDecoderConfigurationRecord of a sequence header.
    pub(super) fn sequence_header(&mut self, record: &Bytes) -> Result<(), Fault> {
        // The record outlives the message: it gets bytes of its own.
        let mut parsed = AvcDecoderConfig::parse(&Bytes::copy_from_slice(record))?;
        let length_size = parsed.length_size;
        parsed.length_size = LengthSize::Four;
        self.set_config(length_size, parsed)?;
        Ok(())
    }

    /// Brings an access unit into the shape of the bus.
    pub(super) fn access_unit(&mut self, payload: &Bytes) -> Result<Outcome<AccessUnit>, Fault> {
        let Some(config) = &self.config else {
            return Ok(Outcome::BeforeConfig);
        };
        let length_size = config.length_size;
        let mut kinds = Kinds::default();
        for nal in length_prefixed::nal_units(payload, length_size) {
            let Ok(nal) = nal else {
                return Ok(Outcome::Malformed(
                    "NAL unit lengths do not fit the access unit",
                ));
            };
            kinds.add(nal);
        }
        let in_band_config =
            kinds.has_parameter_sets && self.take_parameter_sets(payload, length_size)?;
        let Ok(payload) = length_prefixed::normalize(payload, length_size, NalFilter::SAMPLE)
        else {
            return Ok(Outcome::Malformed(
                "access unit exceeds what H.264 decoders take",
            ));
        };
        if payload.is_empty() {
            return Ok(Outcome::Empty);
        }
        Ok(Outcome::Media(AccessUnit {
            payload,
            composition_millis: 0,
            keyframe: kinds.has_idr,
            disposable: kinds.has_slices && !kinds.has_reference_slices,
            in_band_config,
        }))
    }

    /// Puts the parameter sets of an access unit in the place of those with the same id; true where that changed the
    /// config. Sets that make no valid config are left out of account: the decoder may still live without them.
    fn take_parameter_sets(
        &mut self,
        payload: &Bytes,
        length_size: LengthSize,
    ) -> Result<bool, Fault> {
        let Some(config) = &self.config else {
            return Ok(false);
        };
        let mut sps = config.parsed.sps.clone();
        let mut pps = config.parsed.pps.clone();
        let mut changed = false;
        for nal in length_prefixed::nal_units(payload, length_size).flatten() {
            changed |= match NalHeader::of(nal).map(|header| header.unit_type) {
                Some(NalUnitType::Sps) => replace(&mut sps, nal),
                Some(NalUnitType::Pps) => replace(&mut pps, nal),
                _ => false,
            };
        }
        if !changed {
            return Ok(false);
        }
        match AvcDecoderConfig::from_parameter_sets(sps, pps) {
            Ok(parsed) => self.set_config(length_size, parsed),
            Err(_) => Ok(false),
        }
    }

    /// True where the record differs from the one in force.
    fn set_config(
        &mut self,
        length_size: LengthSize,
        parsed: AvcDecoderConfig,
    ) -> Result<bool, Fault> {
        let record = parsed.to_bytes()?;
        let changed = self
            .config
            .as_ref()
            .is_none_or(|config| config.record != record);
        self.config_is_new |= changed;
        self.config = Some(Config {
            length_size,
            parsed,
            record,
        });
        Ok(changed)
    }
}

/// What kinds of NAL units an access unit has.
#[derive(Debug, Default)]
struct Kinds {
    has_idr: bool,
    has_slices: bool,
    has_reference_slices: bool,
    has_parameter_sets: bool,
}

impl Kinds {
    fn add(&mut self, nal: &[u8]) {
        let Some(header) = NalHeader::of(nal) else {
            return;
        };
        self.has_idr |= header.unit_type == NalUnitType::IdrSlice;
        self.has_parameter_sets |= header.unit_type.is_parameter_set();
        if header.unit_type.is_vcl() {
            self.has_slices = true;
            self.has_reference_slices |= header.ref_idc != 0;
        }
    }
}

/// Puts `nal` in the place of the set with its id, or at the end; false where it stands there already.
fn replace(sets: &mut Vec<Bytes>, nal: &[u8]) -> bool {
    if sets.iter().any(|set| set == nal) {
        return false;
    }
    let id = parameter_set_id(nal);
    let new = Bytes::copy_from_slice(nal);
    match sets.iter_mut().find(|set| parameter_set_id(set) == id) {
        Some(set) => *set = new,
        None => sets.push(new),
    }
    true
}

/// `seq_parameter_set_id` or `pic_parameter_set_id`: the first ue(v) of the set (ITU-T H.264, 7.3.2.1.1 and 7.3.2.2),
/// which is too near its start to be touched by emulation prevention unless the set is broken anyway.
fn parameter_set_id(nal: &[u8]) -> Option<u32> {
    let skipped = match NalHeader::of(nal)?.unit_type {
        NalUnitType::Sps => 4,
        _ => 1,
    };
    let mut word = [0; 4];
    for (to, from) in word.iter_mut().zip(nal.get(skipped..)?) {
        *to = *from;
    }
    let word = u32::from_be_bytes(word);
    // ue(v) (9.1): as many bits after the first 1 as zeros before it. Ids stop at 255, so at 17 bits.
    let zeros = word.leading_zeros();
    if zeros > 8 {
        return None;
    }
    Some((word >> (31 - 2 * zeros)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    // x264 r3095, 320x240, High and 640x360, High.
    const SPS: &[u8] = b"\x67\x64\x00\x0d\xac\xd9\x41\x41\xfb\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\x20\xf1\x42\x99\x60";
    const PPS: &[u8] = b"\x68\xeb\xe3\xcb\x22\xc0";
    const OTHER_SPS: &[u8] = b"\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\x61\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x16\x2d\x96";

    fn record(length_size: u8) -> Bytes {
        let mut bytes = vec![
            1,
            0x64,
            0,
            0x0d,
            0xFC | (length_size - 1),
            0xE1,
            0,
            SPS.len() as u8,
        ];
        bytes.extend_from_slice(SPS);
        bytes.extend_from_slice(&[1, 0, PPS.len() as u8]);
        bytes.extend_from_slice(PPS);
        bytes.extend_from_slice(&[0xFD, 0xF8, 0xF8, 0]);
        bytes.into()
    }

    fn unit(length_size: usize, nals: &[&[u8]]) -> Bytes {
        let mut bytes = Vec::new();
        for nal in nals {
            bytes.extend_from_slice(&(nal.len() as u32).to_be_bytes()[4 - length_size..]);
            bytes.extend_from_slice(nal);
        }
        bytes.into()
    }

    fn track(length_size: u8) -> AvcTrack {
        let mut track = AvcTrack::default();
        track
            .sequence_header(&record(length_size))
            .expect("a valid record");
        track
    }

    fn media(track: &mut AvcTrack, payload: &Bytes) -> AccessUnit {
        match track.access_unit(payload) {
            Ok(Outcome::Media(unit)) => unit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_length_size_becomes_four() {
        for length_size in [1, 2, 4] {
            let mut track = track(length_size);
            assert_eq!(track.take_config(), Some(record(4)));
            let idr = media(
                &mut track,
                &unit(length_size.into(), &[&[0x06, 1], &[0x65, 0x88]]),
            );
            assert_eq!(idr.payload, unit(4, &[&[0x06, 1], &[0x65, 0x88]]));
            assert!(idr.keyframe && !idr.disposable);
        }
    }

    #[test]
    fn delimiters_and_known_parameter_sets_are_taken_out_without_a_copy() {
        let mut track = track(4);
        track.take_config();
        let payload = unit(4, &[&[0x09, 0xF0], SPS, PPS, &[0x65, 0x88, 0x84]]);
        let idr = media(&mut track, &payload);
        assert_eq!(idr.payload, unit(4, &[&[0x65, 0x88, 0x84]]));
        assert_eq!(
            idr.payload.as_ptr_range().end,
            payload.as_ptr_range().end,
            "a slice of the message"
        );
        assert!(!idr.in_band_config);
        assert_eq!(track.take_config(), None);
    }

    #[test]
    fn parameter_sets_that_change_in_band_become_a_config() {
        let mut track = track(4);
        track.take_config();
        let idr = media(&mut track, &unit(4, &[OTHER_SPS, PPS, &[0x65, 0x88]]));
        assert!(idr.in_band_config);
        let config =
            AvcDecoderConfig::parse(&track.take_config().expect("a config")).expect("valid");
        assert_eq!(
            (config.sps, config.pps),
            (
                vec![Bytes::from_static(OTHER_SPS)],
                vec![Bytes::from_static(PPS)]
            )
        );
        assert!(!media(&mut track, &unit(4, &[OTHER_SPS, PPS, &[0x65, 0x88]])).in_band_config);
    }

    #[test]
    fn a_repeated_sequence_header_is_not_announced() {
        let mut track = track(4);
        assert!(track.take_config().is_some());
        track.sequence_header(&record(4)).expect("valid");
        assert_eq!(track.take_config(), None);
    }

    #[test]
    fn pictures_that_none_refers_to_are_disposable() {
        let mut track = track(4);
        assert!(media(&mut track, &unit(4, &[&[0x01, 0x9E]])).disposable);
        assert!(!media(&mut track, &unit(4, &[&[0x01, 0x9E], &[0x41, 0x9E]])).disposable);
        assert!(
            !media(&mut track, &unit(4, &[&[0x06, 0x9E]])).disposable,
            "SEI alone says nothing"
        );
    }

    #[test]
    fn lengths_that_lie_are_dropped() {
        let mut track = track(4);
        for bytes in [
            &[0, 0, 0][..],
            &[0, 0, 0, 2, 0x65],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x65],
        ] {
            let outcome = track.access_unit(&Bytes::copy_from_slice(bytes));
            assert!(matches!(outcome, Ok(Outcome::Malformed(_))), "{outcome:?}");
        }
        assert_eq!(
            track.access_unit(&unit(4, &[&[0x09, 0xF0]])),
            Ok(Outcome::Empty)
        );
    }

    #[test]
    fn ids_are_the_first_number_of_the_set() {
        assert_eq!(parameter_set_id(SPS), Some(0));
        assert_eq!(parameter_set_id(PPS), Some(0));
        assert_eq!(parameter_set_id(&[0x68, 0b0100_0000]), Some(1));
        assert_eq!(parameter_set_id(&[0x68, 0, 0b1000_0000, 0]), Some(255));
        assert_eq!(parameter_set_id(&[0x68, 0, 0, 0]), None);
        assert_eq!(parameter_set_id(&[0x68]), None);
    }
}
