//! What real encoders write (see `data/README.md`) is understood in full.

use arcly_codec::h264::{
    AccessUnitInfo, AvcDecoderConfig, ChromaFormat, ColourDescription, NalFilter, NalUnitType,
    ParameterSets, PicOrderCnt, Sps, access_units, annex_b, length_prefixed,
};
use bytes::Bytes;

macro_rules! stream {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("data/", $name, ".h264")))
    };
}

/// All parameter sets of a stream, and its pictures: `K` keyframe, `d` disposable, `-` neither.
fn read(stream: Bytes) -> (ParameterSets, String) {
    let mut units = access_units(stream);
    let mut pictures = String::new();
    for unit in units.by_ref() {
        let info = AccessUnitInfo::of_annex_b(&unit);
        pictures.push(match (info.is_keyframe(), info.is_disposable()) {
            (true, false) => 'K',
            (false, true) => 'd',
            (false, false) => '-',
            (true, true) => panic!("a keyframe is never disposable"),
        });
    }
    (units.parameter_sets().clone(), pictures)
}

fn sps(stream: Bytes) -> Sps {
    read(stream).0.first_sps().expect("an SPS").clone()
}

/// In decoding order. The patterns agree with `ffprobe -show_entries frame=pict_type` (B pictures are disposable:
/// `b-pyramid=none`), and the keyframes with the flags of ffmpeg's MP4 muxer, but for gradual refresh, which it counts.
#[test]
fn access_units_keyframes_and_disposable_pictures() {
    for (stream, expected) in [
        (stream!("baseline"), "K--K--"),
        (stream!("high_bframes"), "K-dd-dK-dd-d"),
        (stream!("interlaced"), "K-dK-d"),
        (stream!("cqm_jvt"), "K-"),
        (stream!("crop_1080"), "K"),
        (stream!("open_gop"), "K-ddKdd-ddKdd-ddKdd-"),
        (stream!("intra_refresh"), "K-------------"),
        (stream!("four_slices"), "K-K-K"),
        (stream!("hrd_cbr"), "K-d"),
        (stream!("openh264"), "K-K-"),
    ] {
        assert_eq!(read(stream).1, expected);
    }
}

#[test]
fn slices_of_a_picture_stay_together() {
    for unit in access_units(stream!("four_slices")) {
        assert_eq!(AccessUnitInfo::of_annex_b(&unit).slices, 4);
    }
}

#[test]
fn access_units_are_the_whole_stream() {
    for stream in [
        stream!("high_bframes"),
        stream!("open_gop"),
        stream!("hrd_cbr"),
        stream!("openh264"),
    ] {
        let joined: Vec<u8> = access_units(stream.clone()).flatten().collect();
        assert_eq!(joined, stream);
    }
}

#[test]
fn a_gradual_refresh_is_reported_but_is_no_keyframe() {
    let points: Vec<_> = access_units(stream!("intra_refresh"))
        .filter_map(|unit| AccessUnitInfo::of_annex_b(&unit).recovery_point)
        .map(|point| point.frames)
        .collect();
    assert!(points.iter().any(|&frames| frames > 0), "{points:?}");
}

#[test]
fn baseline() {
    let sps = sps(stream!("baseline"));
    assert_eq!((sps.width, sps.height), (64, 48));
    assert_eq!(
        (sps.profile_idc, sps.constraint_flags, sps.level_idc),
        (66, 0xc0, 10)
    );
    assert_eq!(sps.codec_string(), "avc1.42C00A");
    assert_eq!(
        (sps.max_num_reorder_frames(), sps.pic_order_cnt),
        (0, PicOrderCnt::DecodingOrder)
    );
    assert!(!sps.is_interlaced() && !sps.vui_damaged);
}

#[test]
fn high_with_b_frames() {
    let (sets, _) = read(stream!("high_bframes"));
    let sps = sets.first_sps().expect("an SPS");
    let rate = sps.frame_rate().expect("VUI timing");
    assert_eq!(
        (rate.numerator, rate.denominator, rate.fixed),
        (30_000, 1_001, false),
        "ffmpeg opens x264 for variable rates"
    );
    assert_eq!(sps.max_num_reorder_frames(), 1);
    assert_eq!(sps.max_dec_frame_buffering(), 3);
    let signal = sps
        .vui
        .as_ref()
        .and_then(|vui| vui.video_signal)
        .expect("colour");
    assert!(!signal.full_range);
    assert_eq!(
        signal.colour,
        Some(ColourDescription {
            primaries: 1,
            transfer: 1,
            matrix: 1
        })
    );
    let pps = sets.pps(0).expect("a PPS");
    assert!(pps.cabac && pps.transform_8x8 && pps.scaling_matrix.is_none());
}

#[test]
fn interlaced() {
    let sps = sps(stream!("interlaced"));
    assert!(sps.is_interlaced());
    assert_eq!((sps.width, sps.height), (64, 64));
    assert!(sps.vui.expect("a VUI").pic_struct_present);
}

#[test]
fn cropping() {
    let sps = sps(stream!("crop_1080"));
    assert_eq!(
        (sps.width, sps.height, sps.cropping.bottom),
        (1920, 1080, 8)
    );
    assert_eq!(sps.frame_rate().expect("VUI timing").as_f64(), 60.0);
}

#[test]
fn sample_aspect_ratio_and_full_range() {
    let sps = sps(stream!("sar_full_range"));
    assert_eq!(sps.sample_aspect_ratio(), (64, 45));
    assert!(
        sps.vui
            .and_then(|vui| vui.video_signal)
            .expect("a signal type")
            .full_range
    );
}

#[test]
fn high_4_2_2_with_10_bits() {
    let sps = sps(stream!("high422_10bit"));
    assert_eq!(
        (sps.profile_idc, sps.chroma_format),
        (122, ChromaFormat::Yuv422)
    );
    assert_eq!((sps.bit_depth_luma, sps.bit_depth_chroma), (10, 10));
    assert_eq!(sps.codec_string(), "avc1.7A000A");
}

/// x264 puts `cqm=jvt` into the PPS with all lists absent: the default tables (7-3, 7-4) by fall-back rule A.
#[test]
fn scaling_matrices() {
    let (sets, _) = read(stream!("cqm_jvt"));
    let matrix = sets
        .pps(0)
        .and_then(|pps| pps.scaling_matrix.clone())
        .expect("a matrix");
    assert_eq!(
        matrix.lists_4x4[0],
        [
            6, 13, 13, 20, 20, 20, 28, 28, 28, 28, 32, 32, 32, 37, 37, 42
        ]
    );
    assert_eq!(
        matrix.lists_4x4[5],
        [
            10, 14, 14, 20, 20, 20, 24, 24, 24, 24, 27, 27, 27, 30, 30, 34
        ]
    );
    assert_eq!((matrix.lists_8x8.len(), matrix.lists_8x8[1][63]), (2, 35));

    let (sets, _) = read(stream!("high444_cqm_jvt"));
    assert_eq!(
        sets.first_sps().expect("an SPS").chroma_format,
        ChromaFormat::Yuv444
    );
    assert_eq!(
        sets.pps(0)
            .and_then(|pps| pps.scaling_matrix.clone())
            .expect("a matrix")
            .lists_8x8
            .len(),
        6
    );
}

/// `nal-hrd=cbr` at 200 kbit/s.
#[test]
fn hypothetical_reference_decoder() {
    let hrd = sps(stream!("hrd_cbr"))
        .vui
        .and_then(|vui| vui.nal_hrd)
        .expect("an HRD");
    assert_eq!(
        (hrd.bit_rate, hrd.cpb_size, hrd.cbr),
        (200_000, 200_000, true)
    );
}

/// The records that ffmpeg's MP4 muxer makes of the same streams.
#[test]
fn records_are_the_ones_that_ffmpeg_writes() {
    for (stream, expected) in [
        (
            stream!("baseline"),
            "0142c00affe100176742c00ad9047b011000000300100000030320f122648001000568cb80e4b2",
        ),
        (
            stream!("high_bframes"),
            "0164000affe100196764000aacd1047b016a020202800001f4800075300789128901000668ebe0e4b22cfdf8f800",
        ),
        (
            stream!("high422_10bit"),
            "017a000affe10018677a000ab6cd9447b011000003000100000300640f12259601000668ebe24b22c0fefafa00",
        ),
        (
            stream!("high444_cqm_jvt"),
            "01f4000affe1001867f4000a919b288f6022000003000200000300c81e244b2c01000868ebe0e444c00044fff8f800",
        ),
        (
            stream!("openh264"),
            "0142d00bffe1000d6742d00b8c8d423900f08846a001000568ce3c8000",
        ),
    ] {
        let record = hex(expected);
        let parsed = AvcDecoderConfig::parse(&record).expect("a record");
        assert_eq!(parsed.to_bytes().expect("writable"), record);

        let made = read(stream)
            .0
            .config()
            .expect("parameter sets")
            .to_bytes()
            .expect("writable");
        // OpenH264 ends its PPS with a zero that is no part of it; ffmpeg keeps it, we do not.
        assert!(
            made == record || expected.ends_with("ce3c8000"),
            "{made:02x?}"
        );
    }
}

#[test]
fn samples_have_no_parameter_sets_and_convert_back() {
    for unit in access_units(stream!("high_bframes")) {
        let all = annex_b::to_length_prefixed(unit.clone(), NalFilter::NONE).expect("small");
        let back = annex_b::from_length_prefixed(all, arcly_codec::h264::LengthSize::Four)
            .expect("consistent");
        assert!(annex_b::nal_units(&back).eq(annex_b::nal_units(&unit)));

        let sample = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE).expect("small");
        for nal in length_prefixed::nal_units(&sample, arcly_codec::h264::LengthSize::Four) {
            let unit_type = NalUnitType::from_id(nal.expect("consistent")[0]);
            assert!(
                unit_type.is_vcl() || unit_type == NalUnitType::Sei,
                "{unit_type:?}"
            );
        }
    }
}

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text
        .bytes()
        .map(|digit| (digit as char).to_digit(16).expect("hexadecimal") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
