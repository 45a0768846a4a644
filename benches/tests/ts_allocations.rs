//! How often the MPEG-TS muxer and demuxer allocate: at most once an access unit. One test, because the allocator counts for the whole process.
#![allow(missing_docs, reason = "a test")]

use arcly_core::mux::{Demuxer, Muxer};
use arcly_core::{CodecId, MediaFrame, Timestamp};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use bytes::Bytes;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
    \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// A minute of pictures of 16 kB with a keyframe a second, and sound.
fn stream() -> Vec<MediaFrame> {
    let mut frames = vec![
        MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config(),
        MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config(),
    ];
    for number in 0..1_800 {
        let key = number % 30 == 0;
        let mut nal = vec![if key { 0x65 } else { 0x41 }, 0x88];
        nal.resize(16_000, 0xab);
        let payload = [&16_000_u32.to_be_bytes()[..], &nal].concat();
        let time = Timestamp::from_ticks(number, 30);
        frames.push(MediaFrame::new_video(
            time,
            time,
            payload.into(),
            CodecId::H264,
            key,
        ));
        frames.push(MediaFrame::new_audio(
            time,
            vec![0x21; 340].into(),
            CodecId::Aac,
        ));
    }
    frames
}

#[test]
fn at_most_one_allocation_an_access_unit() {
    let frames = stream();
    // The caller's list of output is reused, as a connection does.
    let mut out = Vec::with_capacity(64);
    let mut pieces = Vec::with_capacity(frames.len() * 4);
    let mut muxer = TsMuxer::default();
    let region = Region::new(ALLOCATOR);
    for frame in &frames {
        muxer.write(frame, &mut out).expect("a good frame");
        pieces.append(&mut out);
    }
    let stats = region.change();
    let muxed = stats.allocations + stats.reallocations;
    println!("mux: {muxed} allocations for {} access units", frames.len());
    assert!(muxed <= frames.len());

    let stream = Bytes::from(pieces.concat());
    let (mut demuxer, mut back, mut count) = (TsDemuxer::default(), Vec::with_capacity(64), 0);
    let region = Region::new(ALLOCATOR);
    for at in (0..stream.len()).step_by(7 * 188) {
        let piece = stream.slice(at..stream.len().min(at + 7 * 188));
        demuxer.read(piece, &mut back).expect("a good stream");
        count += back.len();
        back.clear();
    }
    let stats = region.change();
    let demuxed = stats.allocations + stats.reallocations;
    println!("demux: {demuxed} allocations for {count} access units");
    assert!(count >= frames.len() - 1);
    assert!(
        demuxed <= count,
        "{demuxed} allocations for {count} access units"
    );
}
