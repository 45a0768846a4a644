//! MPEG-TS: multiplexing and demultiplexing a 4 Mbit/s stream, each beside a plain copy of the same payload bytes.
//!
//! The copy is what a sender does that packs nothing: each access unit into a fresh buffer of its size, which the receiver drops.
#![allow(
    missing_docs,
    reason = "criterion's macros generate undocumented functions"
)]
#![allow(clippy::disallowed_methods, reason = "a bench measures time")]

use arcly_core::mux::{Demuxer, Muxer};
use arcly_core::{CodecId, FrameFlags, MediaFrame, Timestamp};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
    \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// How long the stream is.
const SECONDS: i64 = 10;

/// What input comes in: a datagram of SRT or UDP, and a read of TCP or a file.
const PIECES: [usize; 2] = [7 * 188, 64 * 1024];

/// A slice NAL unit of `size` bytes that look random, with the emulation prevention that coded data has.
fn slice(header: u8, size: usize, seed: &mut u64) -> Vec<u8> {
    let mut nal = vec![header, 0x88];
    let mut zeros = 0;
    while nal.len() < size {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        let byte = (*seed >> 24) as u8;
        if zeros >= 2 && byte <= 3 {
            nal.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        nal.push(byte);
    }
    nal.push(0x80);
    nal
}

/// 1080p at 30 frames a second in GOPs of two seconds with two B-frames, 3.9 Mbit/s, and AAC at 128 kbit/s.
fn stream() -> Vec<MediaFrame> {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let mut frames = vec![
        MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config(),
        MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config(),
    ];
    let mut sound = 0;
    for number in 0..SECONDS * 30 {
        let place = number % 60;
        // In decode order a P-frame comes before the two B-frames that are shown before it.
        let (header, size, offset) = match (place, place % 3) {
            (0, _) => (0x65, 110_000, 1),
            (_, 1) => (0x41, 28_000, 3),
            _ => (0x01, 7_500, 0),
        };
        let nal = slice(header, size, &mut seed);
        let mut payload = (nal.len() as u32).to_be_bytes().to_vec();
        payload.extend_from_slice(&nal);
        let dts = Timestamp::from_ticks(number * 3_000, 90_000);
        let pts = Timestamp::from_ticks((number + offset) * 3_000, 90_000);
        let mut frame = MediaFrame::new_video(pts, dts, payload.into(), CodecId::H264, place == 0);
        frame.flags.set(FrameFlags::DISPOSABLE, header == 0x01);
        frames.push(frame);
        while sound * 1_024 * 30 < (number + 1) * 48_000 {
            let payload = slice(0x21, 340, &mut seed);
            let pts = Timestamp::from_ticks(sound * 1_024, 48_000);
            frames.push(MediaFrame::new_audio(pts, payload.into(), CodecId::Aac));
            sound += 1;
        }
    }
    frames
}

/// The baseline.
fn copy(frames: &[MediaFrame]) {
    let mut out = Vec::new();
    for frame in frames {
        out.push(Bytes::copy_from_slice(&frame.payload));
        black_box(&out);
        out.clear();
    }
}

fn mux(frames: &[MediaFrame]) {
    let (mut muxer, mut out) = (TsMuxer::default(), Vec::new());
    for frame in frames {
        muxer.write(frame, &mut out).expect("a good frame");
        black_box(&out);
        out.clear();
    }
}

/// The stream as it comes in.
fn pieces(frames: &[MediaFrame], size: usize) -> Vec<Bytes> {
    let (mut muxer, mut out) = (TsMuxer::default(), Vec::new());
    for frame in frames {
        muxer.write(frame, &mut out).expect("a good frame");
    }
    let stream = Bytes::from(out.concat());
    (0..stream.len())
        .step_by(size)
        .map(|at| stream.slice(at..stream.len().min(at + size)))
        .collect()
}

fn demux(pieces: &[Bytes]) -> usize {
    let (mut demuxer, mut out, mut count) = (TsDemuxer::default(), Vec::new(), 0);
    for piece in pieces {
        demuxer
            .read(piece.clone(), &mut out)
            .expect("a good stream");
        count += out.len();
        black_box(&out);
        out.clear();
    }
    demuxer.finish(&mut out);
    count + out.len()
}

fn bench(c: &mut Criterion) {
    let frames = stream();
    let bytes: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    let mut group = c.benchmark_group("mpeg-ts");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("copy", |b| b.iter(|| copy(&frames)));
    group.bench_function("mux", |b| b.iter(|| mux(&frames)));
    for size in PIECES {
        let pieces = pieces(&frames, size);
        assert_eq!(demux(&pieces), frames.len(), "every frame comes back");
        group.bench_function(format!("demux, pieces of {size}"), |b| {
            b.iter(|| demux(&pieces))
        });
    }
    group.finish();
    ratios(&frames, bytes);
}

/// The ratios themselves: the least time of each over rounds in which all take turns, so that a noisy machine disturbs all alike.
fn ratios(frames: &[MediaFrame], bytes: usize) {
    let input = PIECES.map(|size| pieces(frames, size));
    let mut best = [Duration::MAX; 4];
    for _ in 0..300 {
        let runs: [&dyn Fn(); 4] = [
            &|| copy(frames),
            &|| mux(frames),
            &|| _ = demux(&input[0]),
            &|| _ = demux(&input[1]),
        ];
        for (best, run) in best.iter_mut().zip(runs) {
            let start = Instant::now();
            run();
            *best = (*best).min(start.elapsed());
        }
    }
    let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e9;
    let ratio = |time: Duration| best[0].as_secs_f64() / time.as_secs_f64();
    eprintln!(
        "{bytes} bytes in {} frames; copy {:.1} GB/s",
        frames.len(),
        rate(best[0])
    );
    for (name, time) in ["mux", "demux, 1316", "demux, 65536"]
        .iter()
        .zip(best.iter().skip(1))
    {
        eprintln!(
            "{name}: {:.1} GB/s, {:.2} of the copy's speed",
            rate(*time),
            ratio(*time)
        );
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
