//! What libvpx writes (see `data/README.md`) is understood.

use arcly_codec::video::{AccessUnitClass, ChromaFormat, FrameRate};
use arcly_codec::vp9::FrameKind;
use arcly_codec::vpc::{VpCodec, VpConfig, level_for};
use arcly_codec::{Result, vp8, vp9};

macro_rules! frames {
    ($name:literal) => {
        ivf_frames(include_bytes!(concat!("data/", $name, ".ivf")))
    };
}

/// The frames of an IVF file: a header of 32 bytes, then each frame behind its length and timestamp.
fn ivf_frames(file: &[u8]) -> Vec<&[u8]> {
    let mut rest = &file[32..];
    let mut frames = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let (frame, next) = behind.split_at(length as usize);
        frames.push(frame);
        rest = next;
    }
    frames
}

/// `K` random access, `d` disposable, `-` neither.
fn kinds(frames: &[&[u8]], classify: fn(&[u8]) -> Result<AccessUnitClass>) -> String {
    frames
        .iter()
        .map(|frame| match classify(frame).expect("undamaged") {
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
        })
        .collect()
}

/// The key frames are those of ffprobe.
#[test]
fn key_frames_and_disposable_frames() {
    assert_eq!(kinds(&frames!("vp9"), vp9::classify), "K-----K--");
    assert_eq!(kinds(&frames!("vp9_profile3"), vp9::classify), "K-");
    // Its upper layer refreshes no slot, but is not error resilient: probabilities and motion vectors go on from it.
    assert_eq!(kinds(&frames!("vp9_layers"), vp9::classify), "K-----");
    assert_eq!(kinds(&frames!("vp8"), vp8::classify), "K-----K--");
    // Its upper layer refreshes no buffer, but keeps its probabilities for later frames.
    assert_eq!(kinds(&frames!("vp8_layers"), vp8::classify), "K--");
}

/// `refresh_frame_flags` are those of ffmpeg's `trace_headers`.
#[test]
fn vp9_headers() {
    let flags: Vec<_> = frames!("vp9_layers")
        .into_iter()
        .map(|frame| {
            vp9::FrameHeader::parse(frame)
                .expect("undamaged")
                .refresh_flags
        })
        .collect();
    assert_eq!(flags, [0xff, 0, 1, 0, 2, 0]);
    let header = vp9::FrameHeader::parse(frames!("vp9_profile3")[0]).expect("undamaged");
    assert_eq!(
        (header.profile, header.kind, header.shown),
        (3, FrameKind::Key, true)
    );
    let format = header.format.expect("a key frame");
    assert_eq!((format.width, format.height), (64, 64));
    assert_eq!(
        (format.bit_depth, format.chroma_format),
        (10, ChromaFormat::Yuv444)
    );
}

#[test]
fn vp8_headers() {
    let header = vp8::FrameHeader::parse(frames!("vp8_layers")[0]).expect("undamaged");
    assert_eq!(
        (header.size, header.version, header.shown),
        (Some((174, 142)), 0, true)
    );
}

/// The same fields as the record that ffmpeg's MP4 muxer makes.
#[test]
fn configs() {
    let rate = FrameRate::new(25, 1, true);
    let config = vp9::config(frames!("vp9")[0], rate)
        .expect("undamaged")
        .expect("a key frame");
    assert_eq!(config.to_bytes(), [0, 10, 0x82, 2, 2, 2, 0, 0].as_slice());
    assert_eq!(config.codec_string(), "vp09.00.10.08");
    assert_eq!(vp9::config(frames!("vp9")[1], rate), Ok(None));

    let config = vp9::config(frames!("vp9_profile3")[0], rate)
        .expect("undamaged")
        .expect("a key frame");
    assert_eq!(config.codec_string(), "vp09.03.10.10.03.01.01.01.00");

    let config = vp8::config(frames!("vp8")[0], rate)
        .expect("undamaged")
        .expect("a key frame");
    assert_eq!(config.codec_string(), "vp08.00.10.08");

    let in_box = [1, 0, 0, 0, 0, 10, 0x82, 2, 2, 2, 0, 0];
    let parsed = VpConfig::parse(VpCodec::Vp9, &in_box).expect("a record");
    assert_eq!(parsed.to_bytes(), in_box[4..]);
}

#[test]
fn levels_are_those_of_the_table() {
    let rate = |frames| FrameRate::new(frames, 1, true);
    for (width, height, frames, level) in [
        (256, 144, 15, 10),
        (256, 144, 30, 11),
        (640, 360, 30, 21),
        (1_280, 720, 30, 31),
        (1_280, 720, 60, 40),
        (1_920, 1_080, 30, 40),
        (1_920, 1_080, 60, 41),
        (3_840, 2_160, 30, 50),
        (3_840, 2_160, 60, 51),
        (7_680, 4_320, 120, 62),
        (65_536, 65_536, 1_000, 62),
    ] {
        assert_eq!(
            level_for(width, height, rate(frames)),
            level,
            "{width}x{height} at {frames}"
        );
    }
}

/// Annex B of the VP9 specification: a hidden key frame and one that is shown, behind an index of one-byte sizes.
#[test]
fn superframes() {
    let key = frames!("vp9")[0];
    let inter = frames!("vp9")[1];
    let mut hidden = key[..200].to_vec();
    hidden[0] &= !0b10; // show_frame
    let packet = [&hidden, inter, &[0xc1, 200, inter.len() as u8, 0xc1]].concat();
    let frames: Vec<_> = vp9::frames(&packet).collect();
    assert_eq!(frames, [&hidden[..], inter]);
    assert!(vp9::classify(&packet).expect("undamaged").random_access);
    assert!(
        !vp9::classify(&hidden).expect("undamaged").random_access,
        "nothing is shown"
    );
    // An index that does not add up is none.
    let packet = [inter, &[0xc0, 255, 0xc0]].concat();
    assert_eq!(vp9::frames(&packet).collect::<Vec<_>>(), [&packet[..]]);
}

/// Error resilient, refreshing nothing: a frame of an upper temporal layer, after 6.2.
#[test]
fn a_vp9_frame_that_can_be_dropped() {
    // frame_marker 10, profile 00, show_existing 0, frame_type 1, show_frame 1, error_resilient 1; refresh_frame_flags.
    assert_eq!(
        kinds(&[&[0b1000_0111, 0], &[0b1000_0111, 1]], vp9::classify),
        "d-"
    );
    // Without error resilience, reset_frame_context comes first.
    assert_eq!(kinds(&[&[0b1000_0110, 0, 0]], vp9::classify), "-");
}

/// The first partition of a frame that changes nothing for later ones, put together with the boolean encoder of RFC 6386
/// 7.3, and variants that each change one thing.
#[test]
fn a_vp8_frame_that_can_be_dropped() {
    // segmentation 0; filter 10 bits; adjustments 0; partitions and y_ac_qi 9 bits; five deltas absent; refresh golden and
    // alternate; copies 2 + 2; sign biases 2; refresh entropy; refresh last.
    let header = [false; 1 + 10 + 1 + 9 + 5 + 2 + 4 + 2 + 2];
    let (golden, copy, entropy, last) = (26, 28, 34, 35);
    let tag = [0b1_0001, 0, 0];
    let frame = |bits: &[bool]| [&tag[..], &bool_encode(bits)].concat();
    assert_eq!(kinds(&[&frame(&header)], vp8::classify), "d");
    for changed in [golden, golden + 1, copy, copy + 3, entropy, last] {
        let mut bits = header;
        bits[changed] = true;
        assert_eq!(kinds(&[&frame(&bits)], vp8::classify), "-", "{changed}");
    }
    // Segmentation that is on, but updates neither map nor data, shifts all by two bits.
    let segmented = [&[true, false, false], &header[1..]].concat();
    assert_eq!(kinds(&[&frame(&segmented)], vp8::classify), "d");
    let updated = [&[true, true, false], &header[1..]].concat();
    assert_eq!(kinds(&[&frame(&updated)], vp8::classify), "-");
}

/// Encodes bits of probability one half.
fn bool_encode(bits: &[bool]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let (mut bottom, mut range, mut left) = (0_u32, 255_u32, 24);
    let mut put = |bit: bool| {
        let split = 1 + ((range - 1) >> 1);
        if bit {
            bottom = bottom.wrapping_add(split);
            range -= split;
            assert!(bottom >= split, "no carry past 32 bits");
        } else {
            range = split;
        }
        while range < 128 {
            range <<= 1;
            if bottom & 1 << 31 != 0 {
                let carried = out
                    .iter()
                    .rposition(|&byte| byte != 255)
                    .expect("room for a carry");
                out[carried] += 1;
                out[carried + 1..].fill(0);
            }
            bottom <<= 1;
            left -= 1;
            if left == 0 {
                out.push((bottom >> 24) as u8);
                bottom &= (1 << 24) - 1;
                left = 8;
            }
        }
    };
    bits.iter().copied().for_each(&mut put);
    (0..32).for_each(|_| put(false));
    out
}
