//! What a real VVC encoder writes (see `data/README.md`) is understood.

use arcly_codec::video::{AccessUnitClass, ChromaFormat, ColourDescription};
use arcly_codec::vvc::{
    AccessUnitInfo, LengthSize, NalFilter, ParameterSets, Sps, VvcDecoderConfig, access_units,
    annex_b,
};
use bytes::Bytes;

macro_rules! stream {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("data/", $name, ".vvc")))
    };
}

fn read(stream: &Bytes) -> (Sps, VvcDecoderConfig) {
    let mut sets = ParameterSets::new();
    for nal in annex_b::nal_units(stream) {
        sets.insert(nal).expect("valid parameter sets");
    }
    let sps = sets.first_sps().expect("an SPS").clone();
    (sps, sets.config().expect("SPS and PPS"))
}

/// In decoding order: `K` random access, `d` disposable, `-` neither. The random access points are the IDR and CRA pictures
/// of ffmpeg's `trace_headers`; it shows `ph_non_ref_pic_flag` 0 in all.
#[test]
fn access_units_random_access_and_disposable_pictures() {
    let stream = stream!("open_gop");
    let config = read(&stream).1;
    let pictures: String = access_units(stream)
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
        .collect();
    assert_eq!(pictures, "K---------------K-----------------");
}

#[test]
fn access_units_are_the_whole_stream() {
    let stream = stream!("open_gop");
    let joined: Vec<u8> = access_units(stream.clone()).flatten().collect();
    assert_eq!(joined, stream);
    for unit in access_units(stream) {
        let all = annex_b::to_length_prefixed(unit.clone(), NalFilter::NONE).expect("small");
        let back = annex_b::from_length_prefixed(all, LengthSize::Four).expect("consistent");
        assert!(annex_b::nal_units(&back).eq(annex_b::nal_units(&unit)));
    }
}

/// What ffmpeg's `trace_headers` shows of the same parameter sets.
#[test]
fn sequence_parameter_sets() {
    let (sps, config) = read(&stream!("open_gop"));
    assert!(!sps.tail_damaged);
    assert_eq!((sps.width, sps.height), (64, 64));
    assert_eq!((config.width(), config.height()), (Some(64), Some(64)));
    assert_eq!(
        (sps.bit_depth, sps.chroma_format),
        (10, ChromaFormat::Yuv420)
    );
    assert_eq!(
        (sps.max_dec_pic_buffering, sps.max_num_reorder_pics),
        (6, 4)
    );
    let rate = config.frame_rate().expect("timing");
    assert_eq!(
        (rate.numerator, rate.denominator, rate.fixed),
        (25, 1, true)
    );
    assert_eq!(config.codec_string().as_deref(), Some("vvc1.1.L16.CQA"));

    let (sps, config) = read(&stream!("vui_1080"));
    assert!(!sps.tail_damaged);
    assert_eq!((config.width(), config.height()), (Some(1920), Some(1080)));
    let rate = config.frame_rate().expect("timing");
    assert_eq!((rate.numerator, rate.denominator), (30_000, 1_001));
    let vui = sps.vui.expect("a VUI");
    let bt2020 = ColourDescription {
        primaries: 2,
        transfer: 2,
        matrix: 9,
    };
    assert_eq!((vui.colour, vui.full_range), (Some(bt2020), Some(false)));
    assert_eq!(config.codec_string().as_deref(), Some("vvc1.1.L64.CQA"));
}

/// The records that ffmpeg's MP4 muxer makes of the same streams, behind version and flags. It claims a constant frame rate,
/// which no parameter set promises.
#[test]
fn records_are_the_ones_that_ffmpeg_writes() {
    for (stream, expected) in [
        (
            stream!("open_gop"),
            "ff00555f010210800000004000400000028f000100810079008b021080000080820411a8018bffeb084d958c10209c00a9021084418888b2445a88bd1ead497924d496488b511788935112292224c9112ea488a08588840c9106a405584210b100859020442040b2102048810682049041c20c81168412421c43425c8e5410b1008590204420410cc119c5000003000100000300191880900001000b008100004102088907d040",
        ),
        (
            stream!("vui_1080"),
            "ff00655f010240800000078004380000028f000100f5007900ab0240800000800f02004391a801cdffeb084d958c10209c004c404104108184210b110859210b5085e8f56a4bc926a4b2445a88bc449a88914911264889351962210b24216a10bc2126a10914908499210975242121222109144421262210975110848a32109319084ba8c8428105842080c442064883520133041041610020b100808408040542040203484080405881008088201016410080908040c80808840405908080910103408092040e08188042c81022102059081024408341024820e106408b4209210e21a12e472a041610020b1008084080405420402043304671400000fa40001d4c0698bc050202092040900001000d0081000007810021c88907d040",
        ),
    ] {
        let record = hex(expected);
        let parsed = VvcDecoderConfig::parse(&record).expect("a record");
        assert_eq!(parsed.to_bytes().expect("writable"), record);
        let mut made = read(&stream).1;
        let track = made.track.as_mut().expect("a profile");
        assert_eq!(track.constant_frame_rate, 0);
        track.constant_frame_rate = 1;
        assert_eq!(made, parsed);
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

/// The picture header in a slice of a trailing picture: `sh_picture_header_in_slice_header_flag` 1,
/// `ph_gdr_or_irap_pic_flag` 0, and `ph_non_ref_pic_flag`.
#[test]
fn a_picture_header_tells_what_can_be_dropped() {
    let disposable =
        |nals: &[&[u8]]| AccessUnitInfo::of_nal_units(nals.iter().copied()).is_disposable();
    assert!(disposable(&[&[0x00, 0x01, 0b1010_0000]]));
    assert!(!disposable(&[&[0x00, 0x01, 0b1000_0000]]));
    // The same in a unit of its own, before two slices.
    let slice: &[u8] = &[0x00, 0x01, 0b0110_0000];
    assert!(disposable(&[&[0x00, 0x99, 0b0100_0000], slice, slice]));
    assert!(!disposable(&[&[0x00, 0x99, 0b0000_0000], slice, slice]));
}

/// A slice with its picture header begins an access unit, one without does not.
#[test]
fn slices_of_a_picture_stay_together() {
    let stream = Bytes::from_static(&[
        0, 0, 1, 0x00, 0x99, 0x40, 0, 0, 1, 0x00, 0x01, 0x60, 0, 0, 1, 0x00, 0x01,
        0x61, // header and two slices
        0, 0, 1, 0x00, 0x01, 0xa0, // one slice with its header
        0, 0, 1, 0x00, 0xc1, 0x05, // suffix SEI
        0, 0, 1, 0x00, 0x01, 0xa1, // the next picture
    ]);
    let slices: Vec<_> = access_units(stream)
        .map(|unit| AccessUnitInfo::of_annex_b(&unit).slices)
        .collect();
    assert_eq!(slices, [2, 1, 1]);
}
