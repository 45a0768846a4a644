//! What an independent reader, mpeg2ts-reader, finds in our transport streams, for frames of any
//! size and spacing.

mod reader;

use arcly_core::mux::{Muxer, SegmentMuxer};
use arcly_core::{CodecId, FrameFlags, MediaFrame, Timestamp, TrackId};
use arcly_mux_ts::{PACKET_SIZE, TIMESTAMP_BASE, TsMuxer, TsSegmentMuxer};
use bytes::Bytes;
use mpeg2ts_reader::{StreamType, packet};
use proptest::prelude::*;
use reader::{Unit, read};
use std::collections::BTreeMap;

const SPS: &[u8] = b"\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x14\x29\x96";
const PPS: &[u8] = b"\x68\xeb\xe3\xcb\x22\xc0";

fn video_config() -> MediaFrame {
    let mut record = vec![1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, SPS.len() as u8];
    record.extend_from_slice(SPS);
    record.extend_from_slice(&[1, 0, PPS.len() as u8]);
    record.extend_from_slice(PPS);
    MediaFrame::new_video(0, 0, record.into(), CodecId::H264, false).into_config()
}

fn audio_config(track: TrackId) -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac)
        .into_config()
        .on_track(track)
}

/// A video frame of NAL units of these sizes, and the byte stream that is to come out.
fn video(dts: i64, sizes: &[usize], key: bool) -> (MediaFrame, Vec<u8>) {
    let (mut payload, mut stream) = (Vec::new(), vec![0, 0, 0, 1, 0x09, 0xf0]);
    if key {
        stream.extend([&[0, 0, 0, 1], SPS, &[0, 0, 0, 1], PPS].concat());
    }
    for &size in sizes {
        let nal = [&[if key { 0x65 } else { 0x41 }][..], &vec![0xab; size]].concat();
        payload.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        payload.extend_from_slice(&nal);
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(&nal);
    }
    let (pts, dts) = (
        Timestamp::from_ticks(dts + 6_000, 90_000),
        Timestamp::from_ticks(dts, 90_000),
    );
    (
        MediaFrame::new_video(pts, dts, payload.into(), CodecId::H264, key),
        stream,
    )
}

fn audio(pts: i64, size: usize, track: TrackId) -> (MediaFrame, Vec<u8>) {
    let payload = vec![0x21; size];
    let length = (size + 7) as u32;
    // MPEG-4 AAC LC, 48 kHz, stereo, variable bit rate.
    let mut stream = vec![
        0xff,
        0xf1,
        0x4c,
        0x80 | (length >> 11) as u8,
        (length >> 3) as u8,
        (length << 5) as u8 | 0x1f,
        0xfc,
    ];
    stream.extend_from_slice(&payload);
    (
        MediaFrame::new_audio(
            Timestamp::from_ticks(pts, 90_000),
            payload.into(),
            CodecId::Aac,
        )
        .on_track(track),
        stream,
    )
}

/// One step of a stream's life.
#[derive(Debug, Clone)]
enum Step {
    Video {
        after: i64,
        sizes: Vec<usize>,
        key: bool,
        discontinuity: bool,
    },
    Audio {
        after: i64,
        size: usize,
        second: bool,
    },
    Refused,
    Cut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_i64..12_000, prop::collection::vec(0_usize..1_500, 1..6), any::<bool>(), prop::bool::weighted(0.05))
            .prop_map(|(after, sizes, key, discontinuity)| Step::Video { after, sizes, key, discontinuity }),
        4 => (0_i64..4_000, 1_usize..800, any::<bool>()).prop_map(|(after, size, second)| Step::Audio { after, size, second }),
        1 => Just(Step::Refused),
        1 => Just(Step::Cut),
    ];
    prop::collection::vec(step, 1..120)
}

/// Frames as the steps say, what each PID is to carry, and where segments are cut.
fn play(steps: &[Step], start: i64) -> (Vec<MediaFrame>, BTreeMap<u16, Vec<Unit>>, Vec<usize>) {
    let second = TrackId(7);
    let mut frames = vec![
        video_config(),
        audio_config(TrackId::AUDIO),
        audio_config(second),
    ];
    let (mut expected, mut cuts, mut now) = (BTreeMap::<u16, Vec<Unit>>::new(), Vec::new(), start);
    for step in steps {
        let (pid, frame, bytes) = match step {
            Step::Video {
                after,
                sizes,
                key,
                discontinuity,
            } => {
                now += after;
                let (mut frame, bytes) = video(now, sizes, *key);
                frame.flags.set(FrameFlags::DISCONTINUITY, *discontinuity);
                (0x100, frame, bytes)
            }
            Step::Audio {
                after,
                size,
                second: false,
            } => {
                now += after;
                let (frame, bytes) = audio(now, *size, TrackId::AUDIO);
                (0x101, frame, bytes)
            }
            Step::Audio {
                after,
                size,
                second: true,
            } => {
                now += after;
                let (frame, bytes) = audio(now, *size, second);
                (0x102, frame, bytes)
            }
            Step::Refused => {
                // A length prefix that promises more than there is: must leave no trace.
                let (mut frame, _) = video(now, &[10, 10], false);
                frame.payload = frame.payload.slice(..frame.payload.len() - 1);
                frames.push(frame);
                continue;
            }
            Step::Cut => {
                cuts.push(frames.len());
                continue;
            }
        };
        let wrapped =
            |time: Timestamp| (time.to_ticks(90_000) + TIMESTAMP_BASE) as u64 & 0x1_ffff_ffff;
        let unit = Unit {
            pts: wrapped(frame.pts),
            dts: wrapped(frame.dts),
            bytes,
        };
        expected.entry(pid).or_default().push(unit);
        frames.push(frame);
    }
    (frames, expected, cuts)
}

/// Every PCR of the stream, with whether it marks a discontinuity, must lie within 40 ms of the one
/// before it, and below the DTS of the video frames.
fn check_pcr(stream: &[u8]) {
    let mut last: Option<u64> = None;
    for packet in stream.chunks(PACKET_SIZE).map(packet::Packet::new) {
        let Some(field) = packet.adaptation_field() else {
            continue;
        };
        let Ok(pcr) = field.pcr() else { continue };
        assert_eq!(u16::from(packet.pid()), 0x100);
        let pcr = pcr.base();
        if let Some(last) = last.filter(|_| !field.discontinuity_indicator()) {
            let step = pcr.wrapping_sub(last) & 0x1_ffff_ffff;
            assert!(step <= 3_600, "{last} to {pcr}");
        }
        last = Some(pcr);
        if packet.payload_unit_start_indicator() {
            let dts = pes_dts(packet.payload().expect("a unit starts here"));
            let below = dts.wrapping_sub(pcr) & 0x1_ffff_ffff;
            assert!(below <= 90_000, "PCR {pcr} above DTS {dts}");
        }
    }
}

fn pes_dts(payload: &[u8]) -> u64 {
    let at = if payload[7] & 0x40 == 0 { 9 } else { 14 };
    let field: Vec<u64> = payload[at..at + 5]
        .iter()
        .map(|&byte| u64::from(byte))
        .collect();
    (field[0] >> 1 & 7) << 30
        | field[1] << 22
        | (field[2] >> 1) << 15
        | field[3] << 7
        | field[4] >> 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_stream_gives_its_access_units_back(steps in steps(), start in prop_oneof![Just(-40_000_i64), Just((1 << 33) - 1_000_000), -1_i64 << 40..1 << 40]) {
        let (frames, expected, _) = play(&steps, start);
        let mut muxer = TsMuxer::default();
        let mut out = Vec::new();
        for frame in &frames {
            let before = out.len();
            if muxer.write(frame, &mut out).is_err() {
                prop_assert_eq!(out.len(), before);
            }
        }
        muxer.finish(&mut out).expect("the end can be written");
        prop_assert!(out.iter().all(|piece| piece.len() % PACKET_SIZE == 0));
        let stream = out.concat();
        check_pcr(&stream);
        let seen = read(&stream);
        prop_assert_eq!(seen.continuity_errors, 0);
        prop_assert_eq!(seen.units, expected);
    }

    #[test]
    fn segments_join_to_a_stream_and_start_with_the_tables(steps in steps()) {
        let (frames, expected, cuts) = play(&steps, 0);
        let mut muxer = TsSegmentMuxer::default();
        let (mut segments, mut stream) = (Vec::new(), Vec::new());
        for (index, frame) in frames.iter().enumerate() {
            if cuts.contains(&index) {
                segments.extend(muxer.end_segment(Some(frame)));
            }
            let _ = muxer.write(frame);
        }
        segments.extend(muxer.end_segment(None));
        prop_assert_eq!(muxer.end_segment(None), None);
        for segment in segments {
            let bytes = segment.bytes.concat();
            prop_assert_eq!((bytes[1] & 0x1f, bytes[2]), (0, 0), "the PAT comes first");
            prop_assert_eq!((bytes[PACKET_SIZE + 1] & 0x1f, bytes[PACKET_SIZE + 2]), (0x10, 0), "then the PMT");
            stream.extend(bytes);
        }
        let seen = read(&stream);
        prop_assert_eq!(seen.continuity_errors, 0);
        prop_assert_eq!(seen.units, expected);
    }
}

#[test]
fn the_program_lists_each_track_with_its_type() {
    let (frames, _, _) = play(
        &[Step::Video {
            after: 0,
            sizes: vec![20],
            key: true,
            discontinuity: false,
        }],
        0,
    );
    let mut muxer = TsMuxer::default();
    let mut out = Vec::new();
    for frame in &frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    let types: Vec<_> = read(&out.concat()).types.into_iter().collect();
    assert_eq!(
        types,
        [
            (0x100, StreamType::H264),
            (0x101, StreamType::ADTS),
            (0x102, StreamType::ADTS)
        ]
    );
}

/// Muxes `frames` after all configs.
fn mux(frames: &[MediaFrame]) -> Vec<u8> {
    let mut muxer = TsMuxer::default();
    let mut out = Vec::new();
    for frame in frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    muxer.finish(&mut out).expect("the end can be written");
    out.concat()
}

/// The PIDs of the packets that carry `discontinuity_indicator`.
fn discontinuities(stream: &[u8]) -> Vec<u16> {
    let packets = stream.chunks(PACKET_SIZE).map(packet::Packet::new);
    let marked = packets.filter(|packet| {
        packet
            .adaptation_field()
            .is_some_and(|field| field.discontinuity_indicator())
    });
    marked.map(|packet| u16::from(packet.pid())).collect()
}

#[test]
fn the_start_jumps_and_flagged_frames_are_marked() {
    let hour = 3_600 * 90_000;
    let mut frames = vec![video_config(), audio_config(TrackId::AUDIO)];
    frames.extend([0, hour, 0].into_iter().flat_map(|from| {
        [
            video(from, &[100], true).0,
            audio(from, 100, TrackId::AUDIO).0,
            video(from + 3_000, &[100], false).0,
        ]
    }));
    let (mut flagged, _) = audio(6_000, 100, TrackId::AUDIO);
    flagged.flags.insert(FrameFlags::DISCONTINUITY);
    frames.push(flagged);
    let stream = mux(&frames);
    check_pcr(&stream);
    assert_eq!(
        discontinuities(&stream),
        [0x100, 0x101, 0x100, 0x100, 0x101]
    );
}

#[test]
fn keyframes_and_sound_alone_are_random_access_points() {
    let random_access = |frames: &[MediaFrame]| {
        let stream = mux(frames);
        let packets = stream.chunks(PACKET_SIZE).map(packet::Packet::new);
        packets
            .filter(|packet| {
                packet
                    .adaptation_field()
                    .is_some_and(|field| field.random_access_indicator())
            })
            .count()
    };
    let (key, other) = (video(0, &[10], true).0, video(3_000, &[10], false).0);
    let sound = audio(0, 100, TrackId::AUDIO).0;
    let both = [
        video_config(),
        audio_config(TrackId::AUDIO),
        key,
        sound.clone(),
        other,
    ];
    assert_eq!(random_access(&both), 1);
    assert_eq!(
        random_access(&[audio_config(TrackId::AUDIO), sound.clone(), sound]),
        2
    );
}

#[test]
fn a_segment_says_whether_it_starts_with_a_keyframe_and_how_long_it_is() {
    let mut muxer = TsSegmentMuxer::default();
    let cut = |muxer: &mut TsSegmentMuxer, frames: &[MediaFrame], next: Option<&MediaFrame>| {
        for frame in frames {
            muxer.write(frame).expect("every frame can be carried");
        }
        let bytes = muxer.segment_bytes();
        let segment = muxer.end_segment(next).expect("there are frames");
        assert_eq!(segment.bytes.iter().map(Bytes::len).sum::<usize>(), bytes);
        (segment.independent, segment.duration.to_ticks(90_000))
    };
    let at = |ticks, key| video(ticks, &[10], key).0;
    let sound = |ticks| audio(ticks, 100, TrackId::AUDIO).0;
    for config in [video_config(), audio_config(TrackId::AUDIO)] {
        muxer.write(&config).expect("a good config");
    }
    assert_eq!(
        cut(
            &mut muxer,
            &[at(0, true), sound(0), at(3_000, false)],
            Some(&at(6_000, false))
        ),
        (true, 6_000)
    );
    assert_eq!(
        cut(
            &mut muxer,
            &[at(6_000, false), at(9_000, true)],
            Some(&at(12_000, true))
        ),
        (false, 6_000)
    );
    assert_eq!(
        cut(
            &mut muxer,
            &[sound(20_000), sound(21_920)],
            Some(&sound(23_840))
        ),
        (true, 3_840)
    );
    // Nothing follows: to the end of the last picture.
    assert_eq!(
        cut(
            &mut muxer,
            &[at(30_000, true), at(33_000, false), sound(50_000)],
            None
        ),
        (true, 6_000)
    );
}
