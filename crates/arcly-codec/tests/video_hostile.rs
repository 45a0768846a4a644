//! No input makes a video parser panic: every golden stream cut off at every byte and with every byte changed, and noise.
//! What can be read can be written, and reads the same.

use arcly_codec::av1::{self, Av1Config, TemporalUnitInfo};
use arcly_codec::nal::NalArray;
use arcly_codec::vpc::{VpCodec, VpConfig};
use arcly_codec::{h264, h265, vp8, vp9, vvc};
use bytes::Bytes;
use proptest::prelude::*;

macro_rules! golden {
    ($($name:literal),*) => {
        [$(($name, include_bytes!(concat!("data/", $name)).as_slice())),*]
    };
}

/// Reads `data` in every way that a file of this kind can be read.
fn read(name: &str, data: &[u8]) {
    let stream = Bytes::copy_from_slice(data);
    match name.rsplit('.').next() {
        Some("h264") => {
            let mut units = h264::access_units(stream);
            for unit in units.by_ref() {
                let _ = h264::AccessUnitInfo::of_annex_b(&unit).is_keyframe();
            }
            let _ = units
                .parameter_sets()
                .config()
                .map(|config| h264_record(&config));
        }
        Some("h265") => {
            let mut sets = h265::ParameterSets::new();
            for unit in h265::access_units(stream) {
                let _ = h265::AccessUnitInfo::of_annex_b(&unit).class(0);
                for nal in h265::annex_b::nal_units(&unit) {
                    let _ = sets.insert(nal);
                }
            }
            if let Some(config) = sets.config() {
                hvcc(&config.to_bytes().expect("what was read can be written"));
            }
        }
        Some("vvc") => {
            let mut sets = vvc::ParameterSets::new();
            for unit in vvc::access_units(stream) {
                let _ = vvc::AccessUnitInfo::of_annex_b(&unit).class();
                for nal in vvc::annex_b::nal_units(&unit) {
                    let _ = sets.insert(nal);
                }
            }
            if let Some(config) = sets.config() {
                vvcc(&config.to_bytes().expect("what was read can be written"));
            }
        }
        Some("obu") => {
            for unit in av1::temporal_units(stream).map_while(Result::ok) {
                let _ = av1::to_sample(&unit);
                let _ = TemporalUnitInfo::of(&unit, None);
                if let Ok(Some(config)) = Av1Config::from_temporal_unit(&unit) {
                    let _ = config.classify(&unit);
                    av1c(&config.to_bytes().expect("what was read can be written"));
                }
            }
        }
        _ => {
            let _ = (vp8::classify(data), vp8::config(data, None));
            let _ = (vp9::classify(data), vp9::config(data, None));
        }
    }
}

fn h264_record(config: &h264::AvcDecoderConfig) {
    let written = config.to_bytes().expect("what was read can be written");
    assert_eq!(h264::AvcDecoderConfig::parse(&written).as_ref(), Ok(config));
}

fn hvcc(record: &Bytes) {
    if let Ok(config) = h265::HevcDecoderConfig::parse(record) {
        let written = config.to_bytes().expect("what was read can be written");
        assert_eq!(h265::HevcDecoderConfig::parse(&written), Ok(config));
    }
}

fn vvcc(record: &Bytes) {
    if let Ok(config) = vvc::VvcDecoderConfig::parse(record) {
        let written = config.to_bytes().expect("what was read can be written");
        assert_eq!(vvc::VvcDecoderConfig::parse(&written), Ok(config));
    }
}

fn av1c(record: &Bytes) {
    if let Ok(config) = Av1Config::parse(record) {
        let written = config.to_bytes().expect("what was read can be written");
        assert_eq!(Av1Config::parse(&written), Ok(config));
    }
}

#[test]
fn every_golden_stream_cut_off_at_every_byte_and_changed_at_every_byte() {
    for (name, data) in golden!(
        "bframes.h265",
        "field.h265",
        "hdr10_1080.h265",
        "kvazaar.h265",
        "slices.h265",
        "yuv444_12bit.h265",
        "temporal_layers.h265",
        "open_gop.vvc",
        "vui_1080.vvc",
        "aom.obu",
        "aom_444.obu",
        "aom_hdr.obu",
        "svt.obu",
        "rav1e.obu",
        "vp8_layers.ivf",
        "vp9_layers.ivf"
    ) {
        // The first frames of the IVF files stand behind headers of 44 bytes.
        let data = if name.ends_with("ivf") {
            &data[44..]
        } else {
            data
        };
        for end in 0..data.len().min(2048) {
            read(name, &data[..end]);
        }
        // Parameter sets and headers stand at the start.
        for at in 0..data.len().min(256) {
            for change in [0x01, 0x10, 0x80, 0xff] {
                let mut changed = data[..data.len().min(600)].to_vec();
                changed[at] ^= change;
                read(name, &changed);
            }
        }
    }
}

/// A VPS, SPS or PPS of H.265 by its type, or one of VVC.
fn parameter_set(header: impl Fn(u8) -> [u8; 2], unit_type: u8) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(1_u8.., 1..60)
        .prop_map(move |body| [&header(unit_type)[..], &body].concat().into())
}

fn array(
    header: fn(u8) -> [u8; 2],
    unit_type: u8,
    count: usize,
) -> impl Strategy<Value = NalArray> {
    let nals = prop::collection::vec(parameter_set(header, unit_type), 1..=count);
    (nals, any::<bool>()).prop_map(move |(nals, complete)| NalArray {
        complete,
        unit_type,
        nals,
    })
}

proptest! {
    #[test]
    fn hvcc_round_trips(
        fixed in any::<[u8; 21]>(),
        arrays in (32_u8..=34, 32_u8..=39).prop_flat_map(|(a, b)| {
            let header = |unit_type: u8| [unit_type << 1, 1];
            (array(header, a, 3), array(header, b, 2))
        }),
    ) {
        let mut record = vec![1];
        record.extend_from_slice(&fixed);
        let arrays = [arrays.0, arrays.1];
        record.push(2);
        put_arrays(&arrays, &mut record);
        let parsed = h265::HevcDecoderConfig::parse(&record.into()).expect("a record");
        prop_assert_eq!(&parsed.arrays[..], &arrays);
        prop_assert!(parsed.width().is_none_or(|width| width <= h265::MAX_PICTURE_SIDE));
        hvcc(&parsed.to_bytes().expect("writable"));
    }

    #[test]
    fn vvcc_round_trips(
        head in any::<[u8; 3]>(), constraints in prop::collection::vec(any::<u8>(), 1..64), profile in any::<[u8; 2]>(),
        levels in any::<u8>(), tail in any::<[u8; 6]>(), sub_profiles in prop::collection::vec(any::<u32>(), 0..4),
        arrays in (14_u8..=17).prop_flat_map(|a| {
            let header = |unit_type: u8| [0, unit_type << 3 | 1];
            (array(header, 13, 1), array(header, a, 2))
        }),
    ) {
        let mut record = vec![0xff];
        record.extend_from_slice(&head);
        record.push(constraints.len() as u8);
        record.extend_from_slice(&profile);
        record.extend_from_slice(&constraints);
        let sub_layers = head[1] >> 4 & 7;
        if sub_layers > 1 {
            record.push(levels);
            let used = (0..sub_layers - 1).filter(|index| levels >> (7 - index) & 1 != 0).count();
            record.resize(record.len() + used, 16);
        }
        record.push(sub_profiles.len() as u8);
        sub_profiles.iter().for_each(|sub_profile| record.extend_from_slice(&sub_profile.to_be_bytes()));
        record.extend_from_slice(&tail);
        record.push(2);
        let arrays = [arrays.0, arrays.1];
        put_arrays(&arrays, &mut record);
        let parsed = vvc::VvcDecoderConfig::parse(&record.into()).expect("a record");
        prop_assert_eq!(&parsed.arrays[..], &arrays);
        let track = parsed.track.as_ref().expect("a track");
        prop_assert_eq!(&track.profile_tier_level.sub_profiles, &sub_profiles);
        vvcc(&parsed.to_bytes().expect("writable"));
    }

    #[test]
    fn av1c_round_trips(fixed in any::<[u8; 3]>(), payload in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut record = bytes::BytesMut::from(&[0x81, fixed[0], fixed[1], fixed[2]][..]);
        let header = av1::ObuHeader::new(av1::ObuType::SequenceHeader);
        av1::write_obu(header, &payload, &mut record);
        let record = record.freeze();
        prop_assert!(Av1Config::parse(&record).is_ok());
        av1c(&record);
    }

    #[test]
    fn vpcc_round_trips(profile in 0_u8..4, level: u8, depth in prop::sample::select(vec![8_u8, 10, 12]), low in 0_u8..16, colour: [u8; 3]) {
        let record = [profile, level, depth << 4 | low, colour[0], colour[1], colour[2], 0, 0];
        let parsed = VpConfig::parse(VpCodec::Vp9, &record).expect("a record");
        prop_assert_eq!(parsed.to_bytes(), &record[..]);
        let in_box = [&[1, 0, 0, 0], &record[..]].concat();
        prop_assert_eq!(VpConfig::parse(VpCodec::Vp9, &in_box), Ok(parsed));
    }

    #[test]
    fn leb128_round_trips(value: u32, behind in prop::collection::vec(any::<u8>(), 0..4)) {
        let mut out = bytes::BytesMut::new();
        av1::write_leb128(value, &mut out);
        let length = out.len();
        out.extend_from_slice(&behind);
        prop_assert_eq!(av1::read_leb128(&out), Ok((value as usize, length)));
    }

    /// OBUs with and without size and extension header, in any mixture, come out of `join` and `to_sample` alike.
    #[test]
    fn obus_round_trip(units in prop::collection::vec((0_u8..16, any::<Option<(u8, u8)>>(), prop::collection::vec(any::<u8>(), 0..200)), 0..8)) {
        let mut sized = bytes::BytesMut::new();
        let mut expected = Vec::new();
        for (id, layer, payload) in &units {
            let layer = layer.map(|(temporal, spatial)| (temporal & 7, spatial & 3));
            let header = av1::ObuHeader { obu_type: av1::ObuType::from_id(*id), layer };
            av1::write_obu(header, payload, &mut sized);
            if !matches!(id, 2 | 8 | 15) {
                expected.push((header, payload.clone()));
            }
        }
        let sample = av1::to_sample(&sized.freeze()).expect("small");
        let read: Vec<_> = av1::obus(&sample)
            .map(|obu| obu.map(|obu| (obu.header, obu.payload.to_vec())))
            .collect::<Result<_, _>>()
            .expect("undamaged");
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn noise(data in prop::collection::vec(any::<u8>(), 0..300), header in any::<u8>()) {
        let record = Bytes::from([&[1, header], &data[..]].concat());
        hvcc(&record);
        vvcc(&record.slice(1..));
        av1c(&Bytes::from([&[0x81], &data[..]].concat()));
        for name in [".h265", ".vvc", ".obu", ".ivf"] {
            read(name, &data);
            read(name, &[&[0, 0, 1, header, 1], &data[..]].concat());
        }
    }
}

fn put_arrays(arrays: &[NalArray], record: &mut Vec<u8>) {
    for array in arrays {
        record.push(u8::from(array.complete) << 7 | array.unit_type);
        if array.unit_type != 13 {
            record.extend_from_slice(&(array.nals.len() as u16).to_be_bytes());
        }
        for nal in &array.nals {
            record.extend_from_slice(&(nal.len() as u16).to_be_bytes());
            record.extend_from_slice(nal);
        }
    }
}
