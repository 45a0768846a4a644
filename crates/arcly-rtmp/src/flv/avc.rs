//! What is H.264's own in [`NalTrack`](super::nal_track::NalTrack).

use super::nal_track::NalConfig;
use arcly_core::codec::Result as CodecResult;
use arcly_core::codec::h264::{
    AccessUnitInfo, AvcDecoderConfig, LengthSize, NalFilter, NalHeader, NalUnitType, ParameterSets,
    length_prefixed,
};
use bytes::Bytes;

impl NalConfig for AvcDecoderConfig {
    fn parse(record: &Bytes) -> CodecResult<Self> {
        Self::parse(record)
    }

    fn take_length_size(&mut self) -> LengthSize {
        std::mem::replace(&mut self.length_size, LengthSize::Four)
    }

    fn to_bytes(&self) -> CodecResult<Bytes> {
        self.to_bytes()
    }

    fn is_parameter_set(nal: &[u8]) -> bool {
        let unit_type = NalHeader::of(nal).map(|header| header.unit_type);
        matches!(unit_type, Some(NalUnitType::Sps | NalUnitType::Pps))
    }

    fn contains(&self, nal: &[u8]) -> bool {
        self.sps.iter().chain(&self.pps).any(|set| set == nal)
    }

    fn with_parameter_sets(&self, sets: &[&[u8]]) -> Option<Self> {
        // Sets of the record that cannot be read are no reason to go without those that can.
        let mut in_force = ParameterSets::new();
        for nal in self.sps.iter().chain(&self.pps) {
            let _ = in_force.insert(nal);
        }
        // A PPS is read by its SPS, which a few encoders send behind it.
        let is_sps = |nal: &&&[u8]| {
            NalHeader::of(nal).is_some_and(|header| header.unit_type == NalUnitType::Sps)
        };
        let not_sps = sets.iter().filter(|nal| !is_sps(nal));
        for nal in sets.iter().filter(is_sps).chain(not_sps) {
            in_force.insert(nal).ok()?;
        }
        in_force.config()
    }

    fn normalize(access_unit: &Bytes, size: LengthSize) -> CodecResult<Bytes> {
        length_prefixed::normalize(access_unit, size, NalFilter::SAMPLE)
    }

    /// A keyframe by its bits is one whatever its tag says. One by its tag alone is believed where its slices are all intra or it
    /// has a recovery point: encoders that refresh gradually, or do not tell of their open GOPs, offer nothing better to
    /// join at.
    fn classify(&self, access_unit: &[u8], flagged_key: bool) -> (bool, bool) {
        let Ok(info) = AccessUnitInfo::of_length_prefixed(access_unit, LengthSize::Four) else {
            return (flagged_key, false);
        };
        let believable =
            || info.slices > 0 && (info.recovery_point.is_some() || is_intra(access_unit));
        let keyframe = info.is_keyframe() || flagged_key && believable();
        (keyframe, info.is_disposable())
    }
}

/// Whether the picture's slices say that they are intra: `slice_type` 2, 4, 7 or 9 (ITU-T H.264, 7.3.3 and Table 7-6).
fn is_intra(access_unit: &[u8]) -> bool {
    let slices = length_prefixed::nal_units(access_unit, LengthSize::Four)
        .flatten()
        .filter(|nal| NalHeader::of(nal).is_some_and(|header| header.unit_type.is_vcl()));
    let mut types = slices.map(|nal| {
        let mut word = first_word(nal.get(1..).unwrap_or_default());
        let _first_mb_in_slice = read_ue(&mut word)?;
        read_ue(&mut word)
    });
    types.all(|slice_type| matches!(slice_type, Some(2 | 4 | 7 | 9)))
}

/// The first eight bytes, or zeros behind the end. What is read of them is too near the start to be touched by emulation
/// prevention, unless it is broken anyway.
fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(word)
}

/// Takes ue(v) (ITU-T H.264, 9.1) off the front of a word: as many bits after the first 1 as zeros before it. Numbers that
/// are of use here need no more than 14 zeros: macroblocks stop at 139 264.
fn read_ue(word: &mut u64) -> Option<u32> {
    let zeros = word.leading_zeros();
    if zeros > 17 {
        return None;
    }
    let length = 2 * zeros + 1;
    let value = *word >> (64 - length);
    *word <<= length;
    u32::try_from(value - 1).ok()
}

#[cfg(test)]
mod tests {
    use super::super::codec_state::{AccessUnit, CodecState, MAX_CONFIG_BYTES, Outcome};
    use super::super::nal_track::{MAX_PARAMETER_SETS, NalTrack};
    use super::super::packet::Coded;
    use super::*;
    use crate::Fault;

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

    type AvcTrack = NalTrack<AvcDecoderConfig>;

    fn coded(payload: &Bytes, flagged_key: bool) -> Coded {
        Coded {
            payload: payload.clone(),
            composition: 0,
            flagged_key,
        }
    }

    fn track(length_size: u8) -> AvcTrack {
        let mut track = AvcTrack::default();
        track
            .sequence_start(&record(length_size))
            .expect("a valid record");
        track
    }

    fn media(track: &mut AvcTrack, payload: &Bytes) -> AccessUnit {
        match track.coded(&coded(payload, false)) {
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
        track.sequence_start(&record(4)).expect("valid");
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
    fn keyframes_are_what_the_bits_say() {
        let mut track = track(4);
        let mut key = |nals: &[&[u8]], flagged_key| {
            let outcome = track.coded(&coded(&unit(4, nals), flagged_key));
            matches!(outcome, Ok(Outcome::Media(unit)) if unit.keyframe)
        };
        assert!(key(&[&[0x65, 0x88]], false), "an IDR picture");
        // first_mb_in_slice 0, slice_type 7 (I) and 5 (P).
        assert!(key(&[&[0x41, 0b1000_1000, 0]], true), "I, and flagged");
        assert!(!key(&[&[0x41, 0b1000_1000, 0]], false), "I alone");
        assert!(!key(&[&[0x41, 0b1001_1000, 0]], true), "P, flagged wrongly");
        // Recovery point SEI: 3 frames until the picture is whole.
        let recovery = &[0x06, 6, 1, 0b0010_0100, 0x80][..];
        assert!(
            key(&[recovery, &[0x41, 0b1001_1000, 0]], true),
            "gradual refresh"
        );
        assert!(!key(&[&[0x06, 0x80]], true), "no picture");
    }

    #[test]
    fn lengths_that_lie_are_dropped() {
        let mut track = track(4);
        for bytes in [
            &[0, 0, 0][..],
            &[0, 0, 0, 2, 0x65],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x65],
        ] {
            let outcome = track.coded(&coded(&Bytes::copy_from_slice(bytes), false));
            assert!(matches!(outcome, Err(Fault::Malformed(_))), "{outcome:?}");
        }
        assert_eq!(
            track.coded(&coded(&unit(4, &[&[0x09, 0xF0]]), false)),
            Ok(Outcome::Empty)
        );
    }

    /// PPS `id` of the record's SPS, otherwise as [`PPS`]: one of as many as an encoder can have.
    fn pps(id: u32) -> Vec<u8> {
        let number = id + 1;
        let bits = number.ilog2();
        let mut writer = 0_u64;
        let mut left = 64;
        let mut put = |value: u64, count: u32| {
            left -= count;
            writer |= value << left;
        };
        put(0x68, 8);
        put(number.into(), 2 * bits + 1);
        // What follows the id of `PPS`, which is the single bit 1, and its trailing bit.
        put(0x6b_e3cb_22c0 >> 6, 33);
        let used = 64 - left;
        writer.to_be_bytes()[..used.div_ceil(8) as usize].to_vec()
    }

    #[test]
    fn an_access_unit_has_no_more_parameter_sets_than_there_are_ids() {
        let flood = |count: u32| {
            let sets: Vec<_> = (0..count).map(|n| pps(n % 256)).collect();
            let mut nals: Vec<&[u8]> = sets.iter().map(Vec::as_slice).collect();
            nals.push(&[0x65, 0x88]);
            track(4).coded(&coded(&unit(4, &nals), true))
        };
        assert!(matches!(flood(255), Ok(Outcome::Media(unit)) if unit.in_band_config));
        let all = flood(MAX_PARAMETER_SETS as u32);
        assert!(
            matches!(all, Ok(Outcome::Media(_))),
            "a record stops at 255"
        );
        let more = flood(MAX_PARAMETER_SETS as u32 + 1);
        assert!(matches!(more, Err(Fault::Malformed(_))), "{more:?}");
    }

    #[test]
    fn known_parameter_sets_count_as_well() {
        let all = [PPS; MAX_PARAMETER_SETS + 1];
        let flood = track(4).coded(&coded(&unit(4, &all), true));
        assert!(matches!(flood, Err(Fault::Malformed(_))), "{flood:?}");
    }

    #[test]
    fn a_config_stays_within_its_bound_in_band_too() {
        let mut track = track(4);
        track.take_config();
        for id in 1..64 {
            // What is behind the trailing bits is not read.
            let mut long = pps(id);
            long.resize(4_000, 0);
            media(&mut track, &unit(4, &[&long, &[0x65, 0x88]]));
            let config = track.take_config();
            assert!(config.is_none_or(|config| config.len() <= MAX_CONFIG_BYTES));
        }
    }

    #[test]
    fn a_pps_may_come_before_its_sps() {
        let mut track = track(4);
        track.take_config();
        let idr = media(&mut track, &unit(4, &[&pps(3), OTHER_SPS, &[0x65, 0x88]]));
        assert!(idr.in_band_config);
    }
}
