//! What the tag writer makes of frames, the tag reader makes the same frames of: for each codec, with composition times,
//! nanoseconds and several tracks.

#[path = "support/golden_tags.rs"]
#[expect(dead_code, reason = "the configs are what is of use here")]
mod golden_tags;

use arcly_core::{CodecId, MediaFrame, MediaKind, TICKS_PER_SECOND, Timestamp, TrackId};
use arcly_rtmp::amf0::Limits;
use arcly_rtmp::flv::{Item, TagForm, TagReader, TagWriter};
use arcly_rtmp::proto::capabilities::Capabilities;
use arcly_rtmp::proto::target::Connect;
use bytes::Bytes;
use golden_tags::{ASC, AV1C, AVCC, HVCC, OPUS_HEAD, STREAMINFO};
use proptest::prelude::*;

/// A codec's config, and two frames: of video, a keyframe and another.
struct Sample {
    codec: CodecId,
    config: Option<&'static [u8]>,
    frames: [&'static [u8]; 2],
}

const fn sample(
    codec: CodecId,
    config: Option<&'static [u8]>,
    frames: [&'static [u8]; 2],
) -> Sample {
    Sample {
        codec,
        config,
        frames,
    }
}

/// vvenc, 64x64: a VvcDecoderConfigurationRecord.
const VVCC: &[u8] = include_bytes!("support/vvcc-64x64.bin");

const SAMPLES: &[Sample] = &[
    sample(
        CodecId::H264,
        Some(AVCC),
        [b"\0\0\0\x03\x65\x88\x84", b"\0\0\0\x03\x41\x9a\x24"],
    ),
    sample(
        CodecId::H265,
        Some(HVCC),
        [b"\0\0\0\x03\x26\x01\xaf", b"\0\0\0\x03\x02\x01\xd0"],
    ),
    // IDR_N_LP and TRAIL.
    sample(
        CodecId::Vvc,
        Some(VVCC),
        [b"\0\0\0\x04\x00\x41\xc4\x00", b"\0\0\0\x04\x00\x01\xc4\x00"],
    ),
    sample(
        CodecId::Av1,
        Some(AV1C),
        [b"\x32\x04\x10\x00\x00\x00", b"\x32\x04\x30\xff\xff\xff"],
    ),
    // 64x64; frame tags of a key frame and of an inter frame (RFC 6386, 9.1).
    sample(
        CodecId::Vp8,
        Some(b"\x00\x0a\x82\x02\x02\x02\x00\x00"),
        [
            b"\x10\x02\x00\x9d\x01\x2a\x40\x00\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\x11\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ],
    ),
    // libvpx, 64x64: the first bytes of a key frame and of an inter frame.
    sample(
        CodecId::Vp9,
        Some(b"\x00\x0a\x82\x02\x02\x02\x00\x00"),
        [
            b"\x82\x49\x83\x42\x00\x03\xf0\x03\xf6\x36\x38\x24\x1c\x19\x4e\x00",
            b"\x86\x00\x40\x92\x9c\x00\x48\xa0\x00\x00\x4d\x3b\x00\x00\x00\x00",
        ],
    ),
    sample(CodecId::Aac, Some(ASC), [b"\x21\x10\x04", b"\x21\x11"]),
    sample(
        CodecId::Opus,
        Some(OPUS_HEAD),
        [b"\xfc\x01\x02", b"\xf8\x03"],
    ),
    sample(
        CodecId::Flac,
        Some(STREAMINFO),
        [b"\xff\xf8\xc9\x18\x00\xc2", b"\xff\xf8\xc9\x18\x01\xc5"],
    ),
    sample(
        CodecId::Mp3,
        None,
        [b"\xff\xfb\x90\x64\x00", b"\xff\xfb\x90\x64\x01"],
    ),
    sample(CodecId::Ac3, None, [b"\x0b\x77\x12\x34\x08\x40", b"\x0b\x77\x00"]),
    sample(CodecId::Eac3, None, [b"\x0b\x77\x12\x34\x80\x40", b"\x0b\x77\x01"]),
    sample(CodecId::Pcma, None, [b"\xd5", b"\xd5\xd4"]),
    sample(CodecId::Pcmu, None, [b"\xff", b"\xff\xfe"]),
];

impl Sample {
    fn has_composition(&self) -> bool {
        matches!(self.codec, CodecId::H264 | CodecId::H265 | CodecId::Vvc)
    }

    /// G.711 has no FourCC, by which alone there are further tracks and nanoseconds.
    fn has_four_cc(&self) -> bool {
        !matches!(self.codec, CodecId::Pcma | CodecId::Pcmu)
    }
}

/// A frame to be: which track of its kind, which frame of the sample, milliseconds of composition time, ticks since the frame before.
#[derive(Debug, Clone)]
struct Plan {
    track: usize,
    frame: usize,
    composition: i64,
    step: i64,
}

fn plan(tracks: usize, quantum: i64) -> impl Strategy<Value = Plan> {
    let composition = prop_oneof![Just(0), -300_i64..3_000, Just(8_388_607), Just(-8_388_608)];
    (
        0..tracks,
        0..2_usize,
        composition,
        0..400_i64 * MILLI / quantum,
    )
        .prop_map(move |(track, frame, composition, step)| Plan {
            track,
            frame,
            composition,
            step: step * quantum,
        })
}

const MILLI: i64 = TICKS_PER_SECOND / 1_000;

/// Frames in the shape that a reader publishes: each track's config right before its first frame.
fn frames(tracks: &[(TrackId, &Sample)], origin: i64, plans: &[Plan]) -> Vec<MediaFrame> {
    let mut frames = Vec::new();
    let mut started = std::collections::HashSet::new();
    let mut now = origin;
    for plan in plans {
        now += plan.step;
        let (id, sample) = tracks[plan.track];
        let dts = Timestamp::from_raw(now);
        let is_video = sample.codec.kind() == MediaKind::Video;
        let new = |pts, payload: &'static [u8], key| {
            let payload = Bytes::from_static(payload);
            if is_video {
                MediaFrame::new_video(pts, dts, payload, sample.codec, key).on_track(id)
            } else {
                MediaFrame::new_audio(pts, payload, sample.codec).on_track(id)
            }
        };
        if let (true, Some(config)) = (started.insert(id), sample.config) {
            frames.push(new(dts, config, false).into_config());
        }
        let mut pts = dts;
        if sample.has_composition() {
            pts = Timestamp::from_raw(now + plan.composition * MILLI);
        }
        frames.push(new(pts, sample.frames[plan.frame], plan.frame == 0));
    }
    frames
}

/// The frames that come of writing and reading.
fn through(form: TagForm, frames: &[MediaFrame]) -> Vec<MediaFrame> {
    let mut writer = TagWriter::new(form);
    let mut reader = TagReader::new(Limits::default());
    let mut read = Vec::new();
    for frame in frames {
        let mut tags = Vec::new();
        writer
            .write(frame, &mut |tag| tags.push(tag))
            .expect("carried");
        for tag in tags {
            reader
                .read(tag.kind, tag.timestamp, &tag.to_body())
                .expect("valid");
        }
        read.extend(std::iter::from_fn(|| reader.poll()));
    }
    let frames = read.into_iter().map(|item| match item {
        Item::Frame(frame) => frame,
        other => panic!("{other:?}"),
    });
    frames.collect()
}

/// All that a peer of ours takes.
fn full_form() -> TagForm {
    let object = arcly_rtmp::amf0::Value::Object(Capabilities::own_properties(true));
    let connect = Connect::parse(&object, &arcly_rtmp::Limits::default()).expect("within limits");
    let form = Capabilities::of(&connect).tag_form();
    assert!(form.enhanced && form.multitrack && form.nano_offset);
    form
}

/// What every player of today takes: Enhanced RTMP's codecs, no more.
fn codecs_form() -> TagForm {
    let mut form = TagForm::LEGACY;
    form.enhanced = true;
    form
}

fn first_id(sample: &Sample) -> TrackId {
    match sample.codec.kind() {
        MediaKind::Video => TrackId::VIDEO,
        _ => TrackId::AUDIO,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_codec_in_milliseconds(
        sample in 0..SAMPLES.len(),
        origin in 0_i64..1 << 30,
        plans in prop::collection::vec(plan(1, MILLI), 1..20),
    ) {
        let sample = &SAMPLES[sample];
        let frames = frames(&[(first_id(sample), sample)], origin * MILLI, &plans);
        prop_assert_eq!(through(codecs_form(), &frames), frames);
    }

    #[test]
    fn every_codec_with_nanoseconds(
        sample in 0..SAMPLES.len(),
        origin in 0_i64..TICKS_PER_SECOND << 20,
        plans in prop::collection::vec(plan(1, 1), 1..20),
    ) {
        let sample = &SAMPLES[sample];
        prop_assume!(sample.has_four_cc());
        let frames = frames(&[(first_id(sample), sample)], origin, &plans);
        prop_assert_eq!(through(full_form(), &frames), frames);
    }

    #[test]
    fn several_tracks(
        samples in prop::collection::vec(0..SAMPLES.len(), 2..6),
        numbers in prop::collection::vec(1_u16..256, 6),
        plans in prop::collection::vec(plan(6, 1), 1..40),
    ) {
        let mut tracks: Vec<(TrackId, &Sample)> = Vec::new();
        for (&sample, &number) in samples.iter().zip(&numbers) {
            let sample = &SAMPLES[sample];
            let base = if sample.codec.kind() == MediaKind::Video { 0x100 } else { 0x200 };
            let first = first_id(sample);
            let id = if tracks.iter().any(|&(id, _)| id == first) { TrackId(base + number) } else { first };
            if sample.has_four_cc() && !tracks.iter().any(|&(other, _)| other == id) {
                tracks.push((id, sample));
            }
        }
        prop_assume!(!tracks.is_empty());
        let plans: Vec<_> = plans.into_iter().map(|plan| Plan { track: plan.track % tracks.len(), ..plan }).collect();
        let frames = frames(&tracks, 0, &plans);
        prop_assert_eq!(through(full_form(), &frames), frames);
    }

    /// To those who take no nanoseconds, times are right to half a millisecond, and no further off after any time.
    #[test]
    fn without_nanoseconds_times_are_rounded(plans in prop::collection::vec(plan(1, 1), 1..200)) {
        let frames = frames(&[(TrackId::VIDEO, &SAMPLES[1])], 0, &plans);
        let read = through(codecs_form(), &frames);
        prop_assert_eq!(read.len(), frames.len());
        for (read, frame) in read.iter().zip(&frames) {
            prop_assert!(read.dts.since(frame.dts).abs().raw() <= MILLI / 2);
            let clamped = frame.composition_offset().as_millis().abs() > 8_388_000;
            prop_assert!(clamped || read.pts.since(frame.pts).abs().raw() <= MILLI / 2);
        }
    }
}

#[test]
fn the_wire_wraps_and_the_timeline_does_not() {
    let start = (1_i64 << 32) - 100;
    let sample = &SAMPLES[1];
    let plans: Vec<_> = (0..10)
        .map(|_| Plan {
            track: 0,
            frame: 0,
            composition: 40,
            step: 40 * MILLI,
        })
        .collect();
    let frames = frames(&[(TrackId::VIDEO, sample)], start * MILLI, &plans);
    let read = through(codecs_form(), &frames);
    for (read, frame) in read.iter().zip(&frames) {
        // The reader starts with what the 31 bits of the first tag say.
        let shift = Timestamp::from_millis(1 << 31).since(Timestamp::ZERO);
        assert_eq!((read.dts + shift, read.pts + shift), (frame.dts, frame.pts));
    }
}

#[test]
fn configs_are_made_where_a_source_has_none() {
    for codec in [CodecId::Opus, CodecId::Vp8, CodecId::Vp9] {
        let sample = SAMPLES.iter().find(|sample| sample.codec == codec);
        let sample = sample.expect("in the table");
        let bare = Sample {
            config: None,
            ..*sample
        };
        let plan = Plan {
            track: 0,
            frame: 0,
            composition: 0,
            step: 0,
        };
        let frames = frames(&[(first_id(sample), &bare)], 0, &[plan.clone(), plan]);
        let read = through(codecs_form(), &frames);
        assert_eq!(read.len(), 3, "{codec}");
        assert!(read[0].is_config(), "{codec}");
        assert_eq!(read[1..], frames);
    }
}
