//! What real AV1 encoders write (see `data/README.md`) is understood in full.

use arcly_codec::av1::{
    Av1Config, ObuHeader, ObuType, SequenceHeader, TemporalUnitInfo, join, obus, temporal_units,
    to_sample, write_obu,
};
use arcly_codec::video::{AccessUnitClass, ChromaFormat, ColourDescription};
use bytes::{Bytes, BytesMut};

macro_rules! stream {
    ($name:literal) => {
        Bytes::from_static(include_bytes!(concat!("data/", $name, ".obu")))
    };
}

fn samples(stream: Bytes) -> Vec<Bytes> {
    temporal_units(stream)
        .map(|unit| to_sample(&unit.expect("undamaged")).expect("small"))
        .collect()
}

fn config(stream: Bytes) -> Av1Config {
    let first = samples(stream).swap_remove(0);
    Av1Config::from_temporal_unit(&first)
        .expect("a sequence header that can be read")
        .expect("a sequence header")
}

/// `K` random access, `d` disposable, `s` shows an existing frame, `-` none of these.
fn units(stream: Bytes) -> String {
    let config = config(stream.clone());
    samples(stream)
        .iter()
        .map(|sample| {
            let info = TemporalUnitInfo::of(sample, config.sequence_header()).expect("undamaged");
            match config.classify(sample).expect("undamaged") {
                AccessUnitClass {
                    random_access: true,
                    disposable: false,
                } => 'K',
                AccessUnitClass {
                    random_access: false,
                    disposable: true,
                } => 'd',
                AccessUnitClass {
                    disposable: false, ..
                } if info.shows_existing => 's',
                AccessUnitClass {
                    random_access: false,
                    disposable: false,
                } => '-',
                class => panic!("a random access point is never disposable: {class:?}"),
            }
        })
        .collect()
}

/// Sizes and key frames of the units are those of ffprobe's packets; `show_existing_frame` and `refresh_frame_flags` 0
/// those of ffmpeg's `trace_headers`.
#[test]
fn temporal_units_key_frames_and_disposable_frames() {
    for (stream, expected) in [
        (stream!("aom"), "K-s--sK--"),
        (stream!("svt"), "K-sds--dK--d"),
        (stream!("rav1e"), "K-s"),
        (stream!("aom_444"), "K-"),
    ] {
        assert_eq!(units(stream), expected);
    }
    let sizes: Vec<_> = temporal_units(stream!("aom"))
        .map(|unit| unit.expect("undamaged").len())
        .collect();
    assert_eq!(sizes, [851, 202, 5, 21, 35, 5, 1136, 38, 33]);
}

#[test]
fn temporal_units_are_the_whole_stream() {
    for stream in [stream!("aom"), stream!("svt"), stream!("rav1e")] {
        let joined: Vec<u8> = temporal_units(stream.clone())
            .flat_map(|unit| unit.expect("undamaged"))
            .collect();
        assert_eq!(joined, stream);
    }
}

#[test]
fn samples_have_no_delimiter_and_are_slices() {
    let stream = stream!("svt");
    for unit in temporal_units(stream) {
        let unit = unit.expect("undamaged");
        let sample = to_sample(&unit).expect("small");
        assert_eq!(sample.as_ptr(), unit[2..].as_ptr(), "nothing is copied");
        assert!(
            obus(&sample).all(|obu| {
                obu.expect("undamaged").header.obu_type != ObuType::TemporalDelimiter
            })
        );
        assert_eq!(to_sample(&sample).expect("small"), sample);
        let parts: Vec<&[u8]> = obus(&unit)
            .map(|obu| obu.expect("undamaged").bytes)
            .collect();
        assert_eq!(join(parts).expect("small"), sample);
    }
}

#[test]
fn an_obu_without_size_gets_one() {
    let unit = Bytes::from_static(&[0x12, 0x00, 0x30, 0x10, 0x00]);
    assert_eq!(
        to_sample(&unit).expect("small"),
        [0x32, 0x02, 0x10, 0x00].as_slice()
    );
}

/// The records that ffmpeg's MP4 muxer makes of the same streams, and what ffprobe says of them.
#[test]
fn records_are_the_ones_that_ffmpeg_writes() {
    for (stream, record, codec) in [
        (
            stream!("aom"),
            "81000c000a0a00000002afff9b5f2008",
            "av01.0.00M.08",
        ),
        (
            stream!("svt"),
            "81000c000a0a00000002afff9f7f3008",
            "av01.0.00M.08",
        ),
        (
            stream!("aom_444"),
            "812000000a0a20000002afff9b5f2040",
            "av01.1.00M.08.0.000.01.01.01.0",
        ),
        (
            stream!("rav1e"),
            "811f0c000a0d000000f957ffc4215102020214",
            "av01.0.31M.08",
        ),
        (
            stream!("aom_hdr"),
            "81084c000a0e00000042abbfc3772be542440241",
            "av01.0.08M.10.0.110.09.16.09.0",
        ),
    ] {
        let record = hex(record);
        let parsed = Av1Config::parse(&record).expect("a record");
        assert_eq!(parsed.to_bytes().expect("writable"), record);
        let made = config(stream);
        assert_eq!(made, parsed);
        assert_eq!(made.to_bytes().expect("writable"), record);
        assert_eq!(made.codec_string(), codec);
    }
}

#[test]
fn sequence_headers() {
    let hdr = config(stream!("aom_hdr"));
    assert_eq!((hdr.width(), hdr.height()), (Some(1920), Some(1080)));
    let header = hdr.sequence_header().expect("a sequence header");
    assert_eq!(
        (header.profile, header.level(), header.high_tier()),
        (0, 8, false)
    );
    assert_eq!(
        (header.bit_depth, header.chroma_format),
        (10, ChromaFormat::Yuv420)
    );
    let bt2020_pq = ColourDescription {
        primaries: 9,
        transfer: 16,
        matrix: 9,
    };
    assert_eq!(header.colour, Some(bt2020_pq));
    assert_eq!(header.frame_rate(), None, "libaom leaves timing out");

    let full = config(stream!("aom_444"));
    let header = full.sequence_header().expect("a sequence header");
    assert_eq!(
        (header.profile, header.chroma_format),
        (1, ChromaFormat::Yuv444)
    );
}

/// Written by hand after 5.5.1: timing with equal intervals, a decoder model and two operating points.
#[test]
fn timing_decoder_model_and_operating_points() {
    let mut bits = Bits::default();
    bits.put(0, 3).put(0, 1).put(0, 1); // seq_profile, still_picture, reduced_still_picture_header
    bits.put(1, 1)
        .put(1_001, 32)
        .put(30_000, 32)
        .put(1, 1)
        .put(1, 1); // timing_info, num_ticks_per_picture_minus_1 0
    bits.put(1, 1).put(9, 5).put(1_001, 32).put(19, 5).put(7, 5); // decoder_model_info: 10, 20 and 8 bits
    bits.put(1, 1).put(1, 5); // initial_display_delay_present_flag, two operating points
    bits.put(0x103, 12).put(9, 5).put(1, 1); // level 4.1, High tier
    bits.put(1, 1)
        .put(5, 10)
        .put(6, 10)
        .put(0, 1)
        .put(1, 1)
        .put(3, 4);
    bits.put(0x101, 12).put(4, 5).put(0, 1).put(0, 1); // level 3.0
    bits.put(10, 4).put(9, 4).put(1_279, 11).put(719, 10);
    bits.put(1, 1).put(3, 4).put(2, 3); // frame ids: 5 and 8 bits
    bits.put(0, 3)
        .put(0, 4)
        .put(1, 1)
        .put(0, 2)
        .put(1, 1)
        .put(1, 1)
        .put(6, 3); // tools; order hints of 7 bits
    bits.put(0, 3); // superres, cdef, restoration
    bits.put(0, 1)
        .put(0, 1)
        .put(0, 1)
        .put(0, 1)
        .put(0, 2)
        .put(0, 1)
        .put(0, 1)
        .put(1, 1);
    let header = SequenceHeader::parse(&bits.0.bytes).expect("a sequence header");
    assert_eq!((header.width, header.height), (1_280, 720));
    let rate = header.frame_rate().expect("a frame rate");
    assert_eq!(
        (rate.numerator, rate.denominator, rate.fixed),
        (30_000, 1_001, true)
    );
    assert_eq!(header.operating_points.len(), 2);
    assert_eq!(
        header.operating_points[0].initial_display_delay_minus_1,
        Some(3)
    );
    assert_eq!(header.codec_string(), "av01.0.09H.08");

    // A shown inter frame of the second temporal layer: refresh_frame_flags stand behind a frame id, an order hint and
    // the removal time of the one operating point that has a decoder model and holds the layer.
    let config = Av1Config::from_sequence_header(&bits.0.bytes).expect("a sequence header");
    for refresh in [0, 0x10] {
        let mut frame = Bits::default();
        frame.put(0, 1).put(1, 2).put(1, 1); // show_existing_frame, INTER_FRAME, show_frame
        frame
            .put(0, 1)
            .put(0, 1)
            .put(0, 1)
            .put(77, 8)
            .put(0, 1)
            .put(5, 7)
            .put(0, 3);
        frame
            .put(1, 1)
            .put(123, 20)
            .put(refresh, 8)
            .put(u32::MAX, 32);
        let mut unit = BytesMut::new();
        let header = ObuHeader {
            obu_type: ObuType::Frame,
            layer: Some((1, 0)),
        };
        write_obu(header, &frame.0.bytes, &mut unit);
        let class = config.classify(&unit).expect("undamaged");
        assert_eq!(
            (class.random_access, class.disposable),
            (false, refresh == 0)
        );
        let info = TemporalUnitInfo::of(&unit, None).expect("undamaged");
        assert!(
            !info.is_disposable(),
            "without a sequence header it cannot be told"
        );
    }
}

/// Writes bits, most significant first.
#[derive(Default)]
struct Bits(BitBuffer);

#[derive(Default)]
struct BitBuffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) -> &mut Self {
        for shift in (0..count).rev() {
            if self.0.used.is_multiple_of(8) {
                self.0.bytes.push(0);
            }
            let bit = (value >> shift & 1) as u8;
            *self.0.bytes.last_mut().expect("a byte") |= bit << (7 - self.0.used % 8);
            self.0.used += 1;
        }
        self
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

/// Whatever makes a record can be written as one: the limit counts what stands before the sequence header, too.
#[test]
fn records_of_long_sequence_headers() {
    let header = b"\x00\x00\x00\x02\xaf\xff\x9f\x7f\x30\x08";
    let longest = (4_000..4_100).rfind(|&size| {
        let mut payload = header.to_vec();
        payload.resize(size, 0);
        let Ok(config) = Av1Config::from_sequence_header(&payload) else {
            return false;
        };
        let written = config.to_bytes().expect("what was made can be written");
        assert_eq!(Av1Config::parse(&written), Ok(config));
        true
    });
    assert_eq!(longest, Some(4_096 - 4 - 3));
}
