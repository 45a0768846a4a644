//! How often memory is allocated. One test, because the allocator counts for the whole process.

mod support;

use arcly_core::mux::{Muxer, SegmentMuxer};
use arcly_core::{CodecId, MediaFrame, Timestamp};
use arcly_mux_fmp4::{CmafSegmentMuxer, Fmp4Muxer};
use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use support::configs::{aac, avc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Ten seconds of 30 pictures and 47 sounds a second, in GOPs of two seconds. The bus shares payloads, as static ones are.
fn frames() -> Vec<MediaFrame> {
    static PAYLOAD: [u8; 16_000] = [0; 16_000];
    let mut frames: Vec<_> = (0..300)
        .map(|n| {
            let (pts, dts) = (
                Timestamp::from_ticks((n + 2) * 3_000, 90_000),
                Timestamp::from_ticks(n * 3_000, 90_000),
            );
            MediaFrame::new_video(
                pts,
                dts,
                Bytes::from_static(&PAYLOAD),
                CodecId::H264,
                n % 60 == 0,
            )
        })
        .collect();
    frames.extend((0..468).map(|n| {
        let payload = Bytes::from_static(&PAYLOAD[..300 + n as usize % 50]);
        MediaFrame::new_audio(
            Timestamp::from_ticks(n * 1_024, 48_000),
            payload,
            CodecId::Aac,
        )
    }));
    frames.sort_by_key(|frame| frame.dts);
    frames
}

#[test]
fn an_access_unit_costs_far_less_than_one_allocation() {
    let frames = frames();
    let per_frame = |count: usize| count as f64 / frames.len() as f64;

    // Parts of 200 ms, segments of 2 s.
    let mut muxer = CmafSegmentMuxer::default();
    muxer.write(&avc()).expect("a good config");
    muxer.write(&aac()).expect("a good config");
    let region = Region::new(ALLOCATOR);
    let mut part_start = Timestamp::ZERO;
    for frame in &frames {
        if frame.dts.since(part_start).as_millis() >= 200 {
            drop(muxer.end_part(Some(frame)));
            part_start = frame.dts;
        }
        if frame.is_keyframe() {
            drop(muxer.end_segment(Some(frame)));
        }
        muxer.write(frame).expect("it can be carried");
    }
    drop(muxer.end_segment(None));
    let change = region.change();
    let segments = per_frame(change.allocations + change.reallocations);

    let mut muxer = Fmp4Muxer::default();
    let mut out = Vec::new();
    muxer.write(&avc(), &mut out).expect("a good config");
    muxer.write(&aac(), &mut out).expect("a good config");
    let region = Region::new(ALLOCATOR);
    for frame in &frames {
        muxer.write(frame, &mut out).expect("it can be carried");
        out.clear();
    }
    muxer.finish(&mut out).expect("the end can be written");
    let change = region.change();
    let recording = per_frame(change.allocations + change.reallocations);

    println!("allocations an access unit: {segments:.3} in parts, {recording:.3} in a recording");
    assert!(segments < 0.5, "{segments}");
    assert!(recording < 0.5, "{recording}");
}
