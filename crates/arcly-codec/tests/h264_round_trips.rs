//! What is written is read back, and no input makes a reader panic.

use arcly_codec::CodecError;
use arcly_codec::h264::{
    AccessUnitInfo, AvcDecoderConfig, BoundaryDetector, LengthSize, MAX_NAL_UNITS,
    MAX_PARAMETER_SET_BYTES, NalFilter, NalHeader, ParameterSets, Pps, RecoveryPoint, Sps,
    access_units, annex_b, emulation, length_prefixed,
};
use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

const SPS: &[u8] = b"\x67\x64\x00\x0a\xac\xd9\x44\x7b\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\x20\xf1\x22\x59\x60";
const PPS: &[u8] = b"\x68\xeb\xe0\xe4\xb2\x2c";

/// A record with one SPS and one PPS.
fn config() -> AvcDecoderConfig {
    let (sps, pps) = (Bytes::from_static(SPS), Bytes::from_static(PPS));
    AvcDecoderConfig::from_parameter_sets([sps], [pps]).expect("valid")
}

/// NAL units as encoders make them: emulation prevention applied, never ending with a zero.
fn nal_unit() -> impl Strategy<Value = Vec<u8>> {
    let zeros_are_common = prop_oneof![3 => Just(0_u8), 1 => 1_u8..4, 2 => any::<u8>()];
    (
        1_u8..=0x7f,
        prop::collection::vec(zeros_are_common, 0..40),
        1_u8..,
    )
        .prop_map(|(header, mut body, last)| {
            body.insert(0, header);
            body.push(last);
            emulation::insert(&body).into_owned()
        })
}

fn nal_units() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(nal_unit(), 0..8)
}

fn length_size() -> impl Strategy<Value = LengthSize> {
    prop::sample::select(vec![
        LengthSize::One,
        LengthSize::Two,
        LengthSize::Three,
        LengthSize::Four,
    ])
}

fn filter() -> impl Strategy<Value = NalFilter> {
    any::<(bool, bool, bool)>().prop_map(|(parameter_sets, delimiters, filler)| NalFilter {
        parameter_sets,
        delimiters,
        filler,
        ..NalFilter::NONE
    })
}

/// With lengths of any size, and empty units between.
fn prefixed(nals: &[Vec<u8>], size: LengthSize, empty_units: bool) -> Bytes {
    let mut out = BytesMut::new();
    for nal in nals {
        if empty_units {
            out.put_bytes(0, size.bytes());
        }
        out.put_uint(nal.len() as u64, size.bytes());
        out.put_slice(nal);
    }
    out.freeze()
}

fn kept(nals: &[Vec<u8>], filter: NalFilter) -> Vec<Vec<u8>> {
    let drops =
        |nal: &[u8]| NalHeader::of(nal).is_some_and(|header| filter.drops(header.unit_type));
    nals.iter().filter(|nal| !drops(nal)).cloned().collect()
}

proptest! {
    #[test]
    fn emulation_prevention(
        mut rbsp in prop::collection::vec(prop_oneof![4 => Just(0_u8), 1 => any::<u8>()], 0..100), last in 1_u8..,
    ) {
        rbsp.push(last);
        let nal = emulation::insert(&rbsp);
        prop_assert!(!nal.windows(3).any(|window| matches!(window, [0, 0, 0..=2])));
        prop_assert_eq!(emulation::remove(&nal).into_owned(), rbsp.clone());
        // With cabac_zero_words.
        rbsp.extend_from_slice(&[0, 0, 0, 0]);
        let nal = emulation::insert(&rbsp);
        prop_assert_eq!(nal.last(), Some(&3));
        prop_assert_eq!(emulation::remove(&nal).into_owned(), rbsp.clone());
    }

    #[test]
    fn length_prefixes_of_any_size(nals in nal_units(), size in length_size(), empty_units: bool, filter in filter()) {
        let unit = prefixed(&nals, size, empty_units);
        let read: Result<Vec<_>, _> = length_prefixed::nal_units(&unit, size).collect();
        prop_assert_eq!(read.expect("consistent"), nals.clone());

        let normalized = length_prefixed::normalize(&unit, size, filter).expect("small");
        prop_assert_eq!(normalized, prefixed(&kept(&nals, filter), LengthSize::Four, false));
    }

    #[test]
    fn annex_b_with_any_start_codes(
        nals in nal_units(), codes in prop::collection::vec((any::<bool>(), 0_usize..3), 8),
        filter in filter(), shared: bool,
    ) {
        let mut stream = BytesMut::new();
        for (nal, (long, trailing)) in nals.iter().zip(codes) {
            stream.put_slice(if long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
            stream.put_slice(nal);
            stream.put_bytes(0, trailing);
        }
        let stream = stream.freeze();
        prop_assert!(annex_b::nal_units(&stream).eq(nals.iter().map(Vec::as_slice)));

        let second_handle = shared.then(|| stream.clone());
        let converted = annex_b::to_length_prefixed(stream, filter).expect("small");
        prop_assert_eq!(&converted, &prefixed(&kept(&nals, filter), LengthSize::Four, false));
        if let Some(stream) = second_handle {
            prop_assert!(annex_b::nal_units(&stream).eq(nals.iter().map(Vec::as_slice)), "the input was written to");
        }
    }

    #[test]
    fn annex_b_there_and_back(nals in nal_units(), size in length_size(), shared: bool) {
        let unit = prefixed(&nals, size, false);
        let second_handle = shared.then(|| unit.clone());
        let stream = annex_b::from_length_prefixed(unit, size).expect("consistent");
        prop_assert_eq!(second_handle.unwrap_or_else(|| prefixed(&nals, size, false)), prefixed(&nals, size, false));
        let back = annex_b::to_length_prefixed(stream, NalFilter::NONE).expect("small");
        prop_assert_eq!(back, prefixed(&nals, LengthSize::Four, false));
    }

    #[test]
    fn avcc(
        sps_count in 0..4_usize, pps_count in 0..4_usize, size in length_size(),
        (chroma_format, luma, chroma) in (0_u8..4, 8_u8..16, 8_u8..16), extensions in 0..3_usize,
        trailing in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut config = config();
        let high = config.high.as_mut().expect("High profile");
        (high.chroma_format, high.bit_depth_luma, high.bit_depth_chroma) = (chroma_format, luma, chroma);
        high.sps_extensions = vec![Bytes::from_static(&[0x6d, 0x80]); extensions];
        config.length_size = size;
        config.sps = vec![Bytes::from_static(SPS); sps_count];
        config.pps = vec![Bytes::from_static(PPS); pps_count];
        let mut record = config.to_bytes().expect("small").to_vec();
        record.extend_from_slice(&trailing);
        prop_assert_eq!(AvcDecoderConfig::parse(&record.into()).expect("written by us"), config);
    }

    #[test]
    fn a_cut_off_avcc_is_refused_or_lacks_only_the_high_profile_fields(cut in 0..47_usize) {
        let config = config();
        let record = config.to_bytes().expect("small");
        let required = record.len() - 4;
        match AvcDecoderConfig::parse(&record.slice(..cut.min(record.len()))) {
            Ok(parsed) => prop_assert!(cut >= required && (parsed.high.is_none() || cut >= record.len())),
            Err(error) => {
                let truncated = matches!(error, CodecError::Malformed { reason: "truncated", .. });
                prop_assert!(cut < required && truncated, "{error}");
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
        read_everything(&data);
    }

    /// Real parameter sets with a few bytes changed get much further than noise.
    #[test]
    fn no_damage_makes_a_reader_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for original in [SPS, PPS, include_bytes!("data/open_gop.h264"), include_bytes!("data/hrd_cbr.h264")] {
            let mut data = original.to_vec();
            for (index, value) in &changes {
                let place = index.index(data.len());
                data[place] = *value;
            }
            read_everything(&data);
        }
    }
}

fn read_everything(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let sps = Sps::parse(SPS).expect("valid");
    if let Ok(sps) = Sps::parse(data) {
        let _ = (
            sps.frame_rate(),
            sps.max_num_reorder_frames(),
            sps.codec_string(),
            Pps::parse(PPS, &sps),
        );
    }
    let _ = (
        Pps::parse(data, &sps),
        RecoveryPoint::find(data),
        emulation::remove(data),
        emulation::insert(data),
    );
    let mut sets = ParameterSets::new();
    let mut detector = BoundaryDetector::new();
    for nal in [SPS, PPS, data].into_iter().chain(annex_b::nal_units(data)) {
        let _ = (sets.insert(nal), detector.push(nal));
    }
    if let Ok(config) = AvcDecoderConfig::parse(&bytes) {
        let _ = (
            config.to_bytes(),
            config.first_sps(),
            ParameterSets::from_config(&config),
        );
    }
    let units: usize = access_units(bytes.clone()).map(|unit| unit.len()).sum();
    assert!(units <= data.len());
    for size in [
        LengthSize::One,
        LengthSize::Two,
        LengthSize::Three,
        LengthSize::Four,
    ] {
        let _ = AccessUnitInfo::of_length_prefixed(data, size);
        let _ = length_prefixed::normalize(&bytes, size, NalFilter::SAMPLE);
        let _ = annex_b::from_length_prefixed(bytes.clone(), size);
    }
    let _ = annex_b::to_length_prefixed(bytes, NalFilter::SAMPLE);
}

#[test]
fn nothing_is_copied_where_the_input_has_the_right_form() {
    let nals = [
        vec![0x09, 0xf0],
        SPS.to_vec(),
        PPS.to_vec(),
        vec![0x65, 0x88],
        vec![0x65, 0x89],
    ];
    let unit = prefixed(&nals, LengthSize::Four, false);
    let sample =
        length_prefixed::normalize(&unit, LengthSize::Four, NalFilter::SAMPLE).expect("small");
    assert_eq!(sample, prefixed(&nals[3..], LengthSize::Four, false));
    assert!(unit.as_ptr_range().contains(&sample.as_ptr()));

    let stream =
        annex_b::from_length_prefixed(prefixed(&nals, LengthSize::Four, false), LengthSize::Four)
            .expect("small");
    let place = stream.as_ptr_range();
    let sample = annex_b::to_length_prefixed(stream, NalFilter::SAMPLE).expect("small");
    assert_eq!(sample, prefixed(&nals[3..], LengthSize::Four, false));
    assert!(place.contains(&sample.as_ptr()));
}

/// Found by fuzzing: gaps of five and three bytes add up to room for two lengths, but do not give it to each.
#[test]
fn start_codes_that_fit_only_on_average() {
    let stream = vec![
        0, 0, 0, 1, 0x65, 1, 0, 0, 0, 0, 1, 0x65, 2, 0, 0, 1, 0x65, 3,
    ];
    let converted = annex_b::to_length_prefixed(stream.into(), NalFilter::NONE).expect("small");
    let nals = [vec![0x65, 1], vec![0x65, 2], vec![0x65, 3]];
    assert_eq!(converted, prefixed(&nals, LengthSize::Four, false));
}

#[test]
fn limits_hold() {
    let many = prefixed(&vec![vec![0x65]; MAX_NAL_UNITS + 1], LengthSize::One, false);
    let refused = Err(CodecError::LimitExceeded {
        what: "NAL units of an access unit",
        max: MAX_NAL_UNITS,
    });
    assert_eq!(
        length_prefixed::normalize(&many, LengthSize::One, NalFilter::NONE),
        refused
    );
    assert_eq!(
        annex_b::from_length_prefixed(many, LengthSize::One),
        refused
    );

    let mut long = SPS.to_vec();
    long.resize(MAX_PARAMETER_SET_BYTES + 1, 0xff);
    assert!(matches!(
        Sps::parse(&long),
        Err(CodecError::LimitExceeded { .. })
    ));
    let config =
        AvcDecoderConfig::from_parameter_sets([Bytes::from(long)], [Bytes::from_static(PPS)]);
    assert!(matches!(config, Err(CodecError::LimitExceeded { .. })));
}
