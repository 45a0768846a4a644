//! Time: no drift over days, gaps that stay gaps, offsets between tracks, sources whose timestamps are wrong.

mod support;

use arcly_core::mux::{MuxError, SegmentMuxer};
use arcly_core::{CodecId, FrameFlags, MediaFrame, TimeDelta, Timestamp, WallClock};
use arcly_mux_fmp4::{CmafConfig, CmafSegmentMuxer};
use bytes::Bytes;
use mp4_atom::{Decode, Emsg, EmsgTimestamp, Prft};
use proptest::prelude::*;
use support::configs::{aac, avc};
use support::file::{Sample, boxes, kinds, tracks};

fn video(pts: Timestamp, dts: Timestamp, key: bool) -> MediaFrame {
    MediaFrame::new_video(
        pts,
        dts,
        Bytes::from_static(b"\0\0\0\x02\x65\x88"),
        CodecId::H264,
        key,
    )
}

fn audio(pts: Timestamp) -> MediaFrame {
    MediaFrame::new_audio(pts, Bytes::from_static(b"\x21\x10"), CodecId::Aac)
}

fn from_zero() -> CmafConfig {
    let mut config = CmafConfig::default();
    config.origin = Timestamp::ZERO;
    config
}

fn muxer(config: CmafConfig) -> CmafSegmentMuxer {
    let mut muxer = CmafSegmentMuxer::new(config);
    muxer.write(&avc()).expect("a good config");
    muxer.write(&aac()).expect("a good config");
    muxer
}

/// The open segment as a file.
fn take(muxer: &mut CmafSegmentMuxer) -> Bytes {
    let segment = muxer.end_segment(None).expect("it has frames");
    [segment.init.expect("an init segment")]
        .into_iter()
        .chain(segment.bytes)
        .collect::<Vec<_>>()
        .concat()
        .into()
}

fn samples(file: &Bytes, video: bool) -> Vec<Sample> {
    tracks(file)
        .into_iter()
        .find(|track| track.is_video == video)
        .expect("the track")
        .samples
}

#[test]
fn a_day_drifts_by_less_than_a_tick() {
    // 30000/1001 frames a second and AAC at 44.1 kHz, every thousandth segment of a day.
    let mut muxer = CmafSegmentMuxer::new(from_zero());
    muxer.write(&avc()).expect("a good config");
    muxer
        .write(&{
            let mut config = aac();
            config.payload = Bytes::from_static(&[0x12, 0x10]);
            config
        })
        .expect("a good config");
    let picture = |n: i64| Timestamp::from_raw(n * 705_600_000 * 1_001 / 30_000);
    let sound = |n: i64| Timestamp::from_raw(n * 1_024 * 16_000);
    for start in (0..86_400).step_by(1_000) {
        let (first_picture, first_sound) = (start * 30_000 / 1_001, start * 44_100 / 1_024);
        for n in 0..60 {
            let at = picture(first_picture + n);
            muxer
                .write(&video(at, at, n == 0))
                .expect("it can be carried");
        }
        for n in 0..86 {
            muxer
                .write(&audio(sound(first_sound + n)))
                .expect("it can be carried");
        }
        let file = take(&mut muxer);
        let is_right = |samples: &[Sample], first: i64, ticks: i64, per: i64| {
            samples
                .iter()
                .zip(first..)
                .all(|(sample, n)| (sample.dts * per - n * ticks).abs() < per)
        };
        assert!(
            is_right(&samples(&file, true), first_picture, 3_003, 1),
            "pictures at {start} s"
        );
        assert!(
            is_right(&samples(&file, false), first_sound, 1_024, 1),
            "sound at {start} s"
        );
    }
}

#[test]
fn milliseconds_for_a_day_do_not_add_up_to_drift() {
    // As RTMP has it: each timestamp rounded to a millisecond; all frames of a day in segments of 1000.
    let mut muxer = muxer(from_zero());
    let mut last = 0;
    for n in 0_i64..86_400 * 30 {
        if n % 30_000 == 0 && n > 0 {
            last = samples(&take(&mut muxer), true)
                .last()
                .expect("samples")
                .dts;
        }
        if n % 30_000 < 1_000 {
            let at = Timestamp::from_millis((n * 1_000 + 15) / 30);
            muxer
                .write(&video(at, at, n % 1_000 == 0))
                .expect("it can be carried");
            let exact = n * 3_000;
            assert!(
                (at.to_ticks(90_000) - exact).abs() <= 45,
                "the source itself"
            );
        }
    }
    let n = (86_400 * 30 - 1) / 30_000 * 30_000 - 30_000 + 999;
    assert_eq!(
        last,
        Timestamp::from_millis((n * 1_000 + 15) / 30).to_ticks(90_000)
    );
}

#[test]
fn late_audio_keeps_its_offset_to_the_tick() {
    let mut muxer = muxer(from_zero());
    let second = |ticks: i64, rate| Timestamp::from_ticks(ticks, rate);
    for n in 0..60 {
        muxer
            .write(&video(
                second(n * 3_000 + 6_000, 90_000),
                second(n * 3_000, 90_000),
                n == 0,
            ))
            .expect("it can be carried");
        if n >= 30 {
            // 1.2345 s late, and never in step with the video.
            muxer
                .write(&audio(second(59_256 + (n - 30) * 1_024, 48_000)))
                .expect("it can be carried");
        }
    }
    let file = take(&mut muxer);
    let (pictures, sound) = (samples(&file, true), samples(&file, false));
    assert_eq!((pictures[0].dts, pictures[0].pts), (0, 6_000));
    assert_eq!((sound[0].dts, sound[0].pts), (59_256, 59_256));
    assert!(
        !file.windows(4).any(|kind| kind == b"elst"),
        "no edit lists"
    );
}

#[test]
fn missing_sound_is_a_gap_and_nothing_is_stretched() {
    let mut muxer = muxer(from_zero());
    for n in (0..10).chain(15..20) {
        muxer
            .write(&audio(Timestamp::from_ticks(n * 1_024, 48_000)))
            .expect("it can be carried");
    }
    let file = take(&mut muxer);
    assert_eq!(
        kinds(&file),
        ["ftyp", "moov", "styp", "moof", "mdat", "moof", "mdat"]
    );
    let sound = samples(&file, false);
    assert!(sound.iter().all(|sample| sample.duration == 1_024));
    assert_eq!((sound[9].dts, sound[10].dts), (9 * 1_024, 15 * 1_024));
}

#[test]
fn a_still_picture_lasts_until_the_next_one() {
    let mut muxer = muxer(from_zero());
    for at in [0, 40, 3_040, 3_080] {
        muxer
            .write(&video(at.into(), at.into(), at == 0))
            .expect("it can be carried");
    }
    let pictures = samples(&take(&mut muxer), true);
    assert_eq!(
        pictures
            .iter()
            .map(|sample| sample.duration)
            .collect::<Vec<_>>(),
        [3_600, 270_000, 3_600, 3_600]
    );
}

#[test]
fn pts_below_dts_and_stuck_clocks_are_carried() {
    let mut muxer = muxer(from_zero());
    // DTS that stand still and step back a little; PTS before DTS.
    for (pts, dts) in [
        (1_000, 1_000),
        (1_080, 1_040),
        (1_040, 1_040),
        (1_020, 1_030),
        (1_120, 1_160),
    ] {
        muxer
            .write(&video(pts.into(), dts.into(), pts == 1_000))
            .expect("it can be carried");
    }
    let pictures = samples(&take(&mut muxer), true);
    let millis = |ticks: i64| ticks / 90;
    let times: Vec<_> = pictures
        .iter()
        .map(|sample| (millis(sample.pts), millis(sample.dts)))
        .collect();
    assert_eq!(
        times,
        [
            (1_000, 1_000),
            (1_080, 1_040),
            (1_040, 1_040),
            (1_020, 1_040),
            (1_120, 1_160)
        ]
    );
}

#[test]
fn a_source_that_starts_over_gets_a_chunk_that_says_so() {
    let mut muxer = muxer(from_zero());
    for at in [60_000, 60_040, 1_000, 1_040] {
        muxer
            .write(&video(at.into(), at.into(), true))
            .expect("it can be carried");
    }
    let mut restarted = video(90_000.into(), 90_000.into(), true);
    restarted.flags.insert(FrameFlags::DISCONTINUITY);
    muxer.write(&restarted).expect("it can be carried");
    let pictures = samples(&take(&mut muxer), true);
    let times: Vec<_> = pictures.iter().map(|sample| sample.dts / 90).collect();
    assert_eq!(times, [60_000, 60_040, 1_000, 1_040, 90_000]);
    assert!(pictures.iter().all(|sample| sample.duration == 3_600));
}

#[test]
fn times_before_the_origin_are_refused_and_leave_no_trace() {
    let mut muxer = muxer(CmafConfig::default());
    let early = video(
        Timestamp::from_millis(-10_001),
        Timestamp::from_millis(-10_001),
        true,
    );
    assert!(matches!(
        muxer.write(&early),
        Err(MuxError::Malformed { .. })
    ));
    assert_eq!((muxer.segment_bytes(), muxer.end_segment(None)), (0, None));
    // B-frames may start a stream before zero.
    let first = video(Timestamp::ZERO, Timestamp::from_millis(-66), true);
    muxer.write(&first).expect("it can be carried");
    assert_eq!(samples(&take(&mut muxer), true)[0].dts, 900_000 - 66 * 90);
}

#[test]
fn the_wall_clock_is_told_once_a_chunk() {
    let mut muxer = muxer(from_zero());
    for (n, at) in [1_000, 1_040, 1_080].into_iter().enumerate() {
        let mut frame = video((at + 80).into(), at.into(), n == 0);
        frame.wall_clock = Some(WallClock(
            1_767_225_600_000_000_000 + i64::from(at) * 1_000_000,
        ));
        muxer.write(&frame).expect("it can be carried");
    }
    let file = take(&mut muxer);
    assert_eq!(
        kinds(&file),
        ["ftyp", "moov", "styp", "prft", "moof", "mdat"]
    );
    let prft = Prft::decode(&mut &boxes(&file)[3].bytes[..]).expect("mp4-atom reads prft");
    let told = format!("{prft:?}");
    // One second after 2026 began; PTS 1.08 s.
    assert!(
        told.contains(&((3_976_214_400_u64 + 1) << 32).to_string()) && told.contains("97200"),
        "{told}"
    );
}

#[test]
fn metadata_becomes_event_messages_before_the_chunk() {
    let mut muxer = muxer(from_zero());
    let message = Bytes::from_static(b"ID3\x04\0\0\0\0\0\0");
    muxer
        .write(&MediaFrame::new_data(1_500, message.clone(), CodecId::Id3))
        .expect("it can be carried");
    muxer
        .write(&MediaFrame::new_data(
            1_600,
            Bytes::from_static(b"\xfc\x30"),
            CodecId::Scte35,
        ))
        .expect("it can be carried");
    assert!(matches!(
        muxer.write(&MediaFrame::new_data(0, message.clone(), CodecId::Amf0)),
        Err(MuxError::UnsupportedCodec { .. })
    ));
    assert_eq!(muxer.end_part(None), None, "events alone make no chunk");
    muxer
        .write(&video(1_400.into(), 1_400.into(), true))
        .expect("it can be carried");
    let file = take(&mut muxer);
    assert_eq!(
        kinds(&file),
        ["ftyp", "moov", "styp", "emsg", "emsg", "moof", "mdat"]
    );
    let emsg = Emsg::decode(&mut &boxes(&file)[3].bytes[..]).expect("mp4-atom reads emsg");
    assert_eq!(emsg.scheme_id_uri, "https://aomedia.org/emsg/ID3");
    assert_eq!(
        (emsg.timescale, emsg.presentation_time),
        (90_000, EmsgTimestamp::Absolute(135_000))
    );
    assert_eq!(emsg.message_data, message);
    let emsg = Emsg::decode(&mut &boxes(&file)[4].bytes[..]).expect("mp4-atom reads emsg");
    assert_eq!(
        (emsg.scheme_id_uri.as_str(), emsg.id),
        ("urn:scte:scte35:2013:bin", 2)
    );
}

#[test]
fn flags_say_what_can_be_dropped_and_where_to_join() {
    let mut muxer = muxer(from_zero());
    let mut disposable = video(120.into(), 40.into(), false);
    disposable.flags.insert(FrameFlags::DISPOSABLE);
    for frame in [
        video(80.into(), 0.into(), true),
        disposable,
        video(160.into(), 80.into(), false),
        audio(0.into()),
    ] {
        muxer.write(&frame).expect("it can be carried");
    }
    let file = take(&mut muxer);
    let flags: Vec<_> = samples(&file, true)
        .iter()
        .map(|sample| sample.flags)
        .collect();
    // depends_on, is_depended_on, is_non_sync.
    assert_eq!(flags, [0x0200_0000, 0x0181_0000, 0x0101_0000]);
    assert_eq!(samples(&file, false)[0].flags, 0x0200_0000);
}

#[derive(Debug, Clone)]
enum Step {
    Video { step: i64, offset: i64, key: bool },
    Audio { step: i64 },
    Part,
    Segment,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..200_i64, -50..200_i64, any::<bool>()).prop_map(|(step, offset, key)| Step::Video { step, offset, key }),
        6 => (0..60_i64).prop_map(|step| Step::Audio { step }),
        1 => Just(Step::Part),
        1 => Just(Step::Segment),
    ]
}

proptest! {
    /// Whatever the order and the cuts: all samples come back, with their times.
    #[test]
    fn every_sample_comes_back(steps in prop::collection::vec(step(), 1..200), chunk_samples in 1_usize..20) {
        let mut config = from_zero();
        config.limits.chunk_samples = chunk_samples;
        let mut muxer = muxer(config);
        let (mut video_time, mut audio_time) = (1_000, 1_000);
        let (mut pictures, mut sounds, mut file) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Video { step, offset, key } => {
                    video_time += step;
                    let frame = video((video_time + offset).into(), video_time.into(), key);
                    pictures.push((frame.pts.to_ticks(90_000), frame.dts.to_ticks(90_000), key));
                    muxer.write(&frame).expect("it can be carried");
                }
                Step::Audio { step } => {
                    audio_time += step;
                    sounds.push(Timestamp::from_millis(audio_time).to_ticks(48_000));
                    muxer.write(&audio(audio_time.into())).expect("it can be carried");
                }
                Step::Part => drop(muxer.end_part(None)),
                Step::Segment => file.extend(muxer.end_segment(None).map(|segment| segment.bytes.concat())),
            }
        }
        file.extend(muxer.end_segment(None).map(|segment| segment.bytes.concat()));
        let init = muxer.init_segment().expect("two tracks").to_vec();
        let file: Bytes = [init].into_iter().chain(file).collect::<Vec<_>>().concat().into();
        let read: Vec<_> = samples(&file, true).iter().map(|sample| (sample.pts, sample.dts, sample.is_sync())).collect();
        prop_assert_eq!(read, pictures);
        let read: Vec<_> = samples(&file, false).iter().map(|sample| sample.dts).collect();
        prop_assert_eq!(read, sounds);
    }
}

#[test]
fn parts_last_from_frame_to_frame() {
    let mut muxer = muxer(from_zero());
    for n in 0..10 {
        muxer
            .write(&video((n * 40 + 80).into(), (n * 40).into(), n == 0))
            .expect("it can be carried");
    }
    let next = video(480.into(), 400.into(), false);
    let part = muxer.end_part(Some(&next)).expect("it has frames");
    assert_eq!(
        (part.duration, part.independent),
        (TimeDelta::from_millis(400), true)
    );
    muxer.write(&next).expect("it can be carried");
    let part = muxer
        .end_part(Some(&audio(440.into())))
        .expect("it has a frame");
    assert_eq!(
        (part.duration, part.independent),
        (TimeDelta::from_millis(40), false),
        "as long as the frame before"
    );
    let segment = muxer
        .end_segment(Some(&video(520.into(), 440.into(), true)))
        .expect("it has frames");
    assert_eq!(
        (segment.duration, segment.independent),
        (TimeDelta::from_millis(440), true)
    );
}
