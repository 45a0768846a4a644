//! Fragmented MP4: CMAF segments, parts and a recording of a 4 Mbit/s stream, each beside a plain copy of the same payload bytes.
//!
//! The copy is what a sender does that packs nothing: each access unit into a fresh buffer of its size, which the receiver drops.
#![allow(
    missing_docs,
    reason = "criterion's macros generate undocumented functions"
)]

use arcly_core::mux::{Muxer, SegmentMuxer};
use arcly_core::{CodecId, FrameFlags, MediaFrame, TimeDelta, Timestamp};
use arcly_mux_fmp4::{CmafSegmentMuxer, Fmp4Muxer};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
    \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// How long the stream is.
const SECONDS: i64 = 10;

/// 1080p at 30 frames a second in GOPs of two seconds with two B-frames, 3.9 Mbit/s, and AAC at 128 kbit/s, in the order of their DTS.
fn stream() -> Vec<MediaFrame> {
    let pictures = (0..SECONDS * 30).map(|number| {
        let place = number % 60;
        // In decode order a P-frame comes before the two B-frames that are shown before it.
        let (size, offset) = match (place, place % 3) {
            (0, _) => (110_000, 1),
            (_, 1) => (28_000, 3),
            _ => (7_500, 0),
        };
        let dts = Timestamp::from_ticks(number * 3_000, 90_000);
        let pts = Timestamp::from_ticks((number + offset) * 3_000, 90_000);
        let payload = Bytes::from(vec![place as u8; size]);
        let mut frame = MediaFrame::new_video(pts, dts, payload, CodecId::H264, place == 0);
        frame.flags.set(FrameFlags::DISPOSABLE, offset == 0);
        frame
    });
    let sound = (0..SECONDS * 48_000 / 1_024).map(|number| {
        let pts = Timestamp::from_ticks(number * 1_024, 48_000);
        let payload = Bytes::from(vec![number as u8; 330 + number as usize % 24]);
        MediaFrame::new_audio(pts, payload, CodecId::Aac)
    });
    let mut frames: Vec<_> = pictures.chain(sound).collect();
    frames.sort_by_key(|frame| frame.dts);
    frames
}

fn configs() -> [MediaFrame; 2] {
    let asc = Bytes::from_static(&[0x11, 0x90]);
    [
        MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config(),
        MediaFrame::new_audio(0, asc, CodecId::Aac).into_config(),
    ]
}

fn segments(frames: &[MediaFrame], part: Option<TimeDelta>) -> usize {
    let mut muxer = CmafSegmentMuxer::default();
    for config in &configs() {
        muxer.write(config).expect("a good config");
    }
    let (mut bytes, mut part_start) = (0, Timestamp::ZERO);
    for frame in frames {
        if part.is_some_and(|part| frame.dts.since(part_start) >= part) {
            black_box(muxer.end_part(Some(frame)));
            part_start = frame.dts;
        }
        if frame.is_keyframe() {
            bytes += muxer.segment_bytes();
            black_box(muxer.end_segment(Some(frame)));
        }
        muxer.write(frame).expect("it can be carried");
    }
    bytes + black_box(muxer.end_segment(None)).map_or(0, |segment| segment.bytes.len())
}

fn fmp4(c: &mut Criterion) {
    let frames = stream();
    let bytes: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    let mut group = c.benchmark_group("fmp4");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("copy", |b| {
        b.iter(|| {
            for frame in &frames {
                black_box(Bytes::copy_from_slice(&frame.payload));
            }
        });
    });
    group.bench_function("segments of 2 s", |b| b.iter(|| segments(&frames, None)));
    group.bench_function("parts of 200 ms", |b| {
        b.iter(|| segments(&frames, Some(TimeDelta::from_millis(200))));
    });
    group.bench_function("recording", |b| {
        b.iter(|| {
            let (mut muxer, mut out) = (Fmp4Muxer::default(), Vec::new());
            for frame in configs().iter().chain(&frames) {
                muxer.write(frame, &mut out).expect("it can be carried");
                black_box(&out);
                out.clear();
            }
            muxer.finish(&mut out).expect("the end can be written");
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, fmp4);
criterion_main!(benches);
