//! What real H.265 encoders write (see `data/README.md`) is understood in full.

use arcly_codec::h265::{
    AccessUnitInfo, HevcDecoderConfig, LengthSize, NalFilter, NalHeader, ParameterSets, Sps,
    access_units, annex_b, length_prefixed,
};
use arcly_codec::video::{AccessUnitClass, ChromaFormat, ColourDescription};
use bytes::Bytes;

macro_rules! stream {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("data/", $name, ".h265")))
    };
}

fn read(stream: &Bytes) -> (ParameterSets, HevcDecoderConfig) {
    let mut sets = ParameterSets::new();
    for nal in annex_b::nal_units(stream) {
        sets.insert(nal).expect("valid parameter sets");
    }
    let config = sets.config().expect("VPS, SPS and PPS");
    (sets, config)
}

fn sps(stream: &Bytes) -> Sps {
    read(stream).0.first_sps().expect("an SPS").clone()
}

/// In decoding order: `K` random access, `d` disposable, `-` neither.
fn pictures(stream: &Bytes) -> String {
    let config = read(stream).1;
    access_units(stream.clone())
        .map(|unit| {
            let sample = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE).expect("small");
            match config.classify(&sample).expect("consistent") {
                AccessUnitClass {
                    random_access: true,
                    disposable: false,
                } => 'K',
                AccessUnitClass {
                    random_access: false,
                    disposable: true,
                } => 'd',
                AccessUnitClass {
                    random_access: false,
                    disposable: false,
                } => '-',
                class => panic!("a random access point is never disposable: {class:?}"),
            }
        })
        .collect()
}

/// The keyframes are those of ffmpeg's MP4 muxer; disposable are the B pictures that no other refers to, which in
/// `temporal_layers` make the upper sub-layer.
#[test]
fn access_units_random_access_and_disposable_pictures() {
    for (stream, expected) in [
        (stream!("bframes"), "K-dd-dK-dd-d"),
        (stream!("open_gop"), "K--ddKd--ddKd--ddKd-"),
        (stream!("temporal_layers"), "K--dd--dd"),
        (stream!("slices"), "K-d"),
        (stream!("kvazaar"), "K--K--"),
    ] {
        assert_eq!(pictures(&stream), expected);
    }
}

#[test]
fn slices_of_a_picture_stay_together() {
    let stream = stream!("slices");
    let slices: Vec<_> = access_units(stream)
        .map(|unit| AccessUnitInfo::of_annex_b(&unit).slices)
        .collect();
    assert_eq!(slices, [2, 2, 2]);
}

#[test]
fn access_units_are_the_whole_stream() {
    for stream in [stream!("bframes"), stream!("open_gop"), stream!("kvazaar")] {
        let joined: Vec<u8> = access_units(stream.clone()).flatten().collect();
        assert_eq!(joined, stream);
    }
}

/// Sizes, rates, profiles, levels and reordering as ffprobe tells them, but for `field`: ffprobe takes its fields for
/// frames.
#[test]
fn sequence_parameter_sets() {
    for (stream, size, rate, codec, reorder) in [
        (stream!("bframes"), (64, 64), (25, 1), "hvc1.1.6.L30.90", 1),
        (stream!("open_gop"), (64, 64), (25, 1), "hvc1.1.6.L30.90", 2),
        (
            stream!("temporal_layers"),
            (64, 64),
            (25, 1),
            "hvc1.1.6.L30.90",
            2,
        ),
        (
            stream!("hdr10_1080"),
            (1920, 1080),
            (30_000, 1_001),
            "hvc1.2.4.L120.90",
            2,
        ),
        (
            stream!("yuv444_12bit"),
            (64, 64),
            (25, 1),
            "hvc1.4.10.L30.98.8",
            2,
        ),
        (stream!("slices"), (132, 100), (50, 1), "hvc1.1.6.L60.90", 2),
        (stream!("field"), (64, 64), (25, 2), "hvc1.4.10.L30.4D.8", 2),
    ] {
        let (_, config) = read(&stream);
        let sps = sps(&stream);
        let by_sps = sps.frame_rate().expect("a frame rate");
        assert_eq!((by_sps.numerator, by_sps.denominator), rate);
        assert_eq!(config.frame_rate(), Some(by_sps));
        assert_eq!((sps.width, sps.height), size);
        assert_eq!(
            (config.width(), config.height()),
            (Some(size.0), Some(size.1))
        );
        assert_eq!(config.codec_string(), codec);
        assert_eq!(sps.max_num_reorder_pics, reorder);
        assert!(!sps.vui_damaged);
    }
}

#[test]
fn hdr10() {
    let sps = sps(&stream!("hdr10_1080"));
    assert_eq!((sps.bit_depth_luma, sps.bit_depth_chroma), (10, 10));
    let bt2020_pq = ColourDescription {
        primaries: 9,
        transfer: 16,
        matrix: 9,
    };
    assert_eq!(sps.colour(), Some(bt2020_pq));
    assert_eq!(sps.vui.expect("a VUI").full_range, Some(false));
}

#[test]
fn cropping() {
    let cropping = sps(&stream!("slices")).cropping;
    assert_eq!((cropping.left, cropping.right), (0, 4));
    assert_eq!((cropping.top, cropping.bottom), (0, 4));
}

#[test]
fn chroma_formats_and_depths() {
    let full = sps(&stream!("yuv444_12bit"));
    assert_eq!(
        (
            full.chroma_format,
            full.bit_depth_luma,
            full.bit_depth_chroma
        ),
        (ChromaFormat::Yuv444, 12, 12)
    );
    let field = sps(&stream!("field"));
    assert_eq!(field.chroma_format, ChromaFormat::Yuv422);
    let vui = field.vui.expect("a VUI");
    assert_eq!(vui.sample_aspect_ratio, Some((64, 45)));
    assert!(vui.field_pictures);
}

/// The records that ffmpeg's MP4 muxer makes of the same streams, but for what ffmpeg leaves in their arrays beyond
/// parameter sets.
#[test]
fn records_are_the_ones_that_ffmpeg_writes() {
    for (stream, expected) in [
        (
            stream!("bframes"),
            "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e911009a10001002842010101600000030090000003000003001ea020810596444924caf0168080000003008000000c84a2000100064401c171a112",
        ),
        (
            stream!("temporal_layers"),
            "0101600000009000000000001ef000fcfdf8f800001303a00001001c40010c02ffff01600000030090000003000003001e00009594aca048a10001003b42010201600000030090000003000003001e0000a0208105965652b2c9265780b404000003000400000300658032317803a9003a9f803a9003a9c8a2000100074401c172b42240",
        ),
        (
            stream!("yuv444_12bit"),
            "0104080000009808000000001ef000fcfffcfc00000f03a00001001740010c01ffff040800000300980800000300001e959809a10001002a420101040800000300980800000300001e900410208a52cacd249caf016808000003000800000300c840a2000100084401c17030621120",
        ),
        (
            stream!("slices"),
            "0101600000009000000000003cf000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003003c959809a10001002942010101600000030090000003000003003ca0112069dde5959ae4caf0168080000003008000001904a2000100064401c171a212",
        ),
        (
            stream!("kvazaar"),
            "010160000000800000000000baf000fcfdf8f800001303a00001001a40010c02ffff0160000003008000000300000300ba0000170240a1000100284201020160000003008000000300000300ba0000a0208105c5e4932ac04040000003004000000642a2000100084401c061c1829920",
        ),
    ] {
        let record = hex(expected);
        let parsed = HevcDecoderConfig::parse(&record).expect("a record");
        assert_eq!(parsed.to_bytes().expect("writable"), record);
        let made = read(&stream).1;
        assert_eq!(made, parsed);
        assert_eq!(made.to_bytes().expect("writable"), record);
        assert_eq!(
            ParameterSets::from_config(&parsed).expect("valid").config(),
            Some(made)
        );
    }
}

#[test]
fn samples_have_no_parameter_sets_and_convert_back() {
    for unit in access_units(stream!("bframes")) {
        let all = annex_b::to_length_prefixed(unit.clone(), NalFilter::NONE).expect("small");
        let back = annex_b::from_length_prefixed(all, LengthSize::Four).expect("consistent");
        assert!(annex_b::nal_units(&back).eq(annex_b::nal_units(&unit)));

        let sample = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE).expect("small");
        for nal in length_prefixed::nal_units(&sample, LengthSize::Four) {
            let header = NalHeader::of(nal.expect("consistent")).expect("a header");
            assert!(header.unit_type.is_vcl(), "{header:?}");
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
