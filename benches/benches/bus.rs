//! The bus, one call at a time: publishing, draining and joining, each beside the baseline.
//!
//! What publishing costs with readers that wait, and what they cost together, is in `fanout.rs`.
#![allow(
    missing_docs,
    reason = "criterion's macros generate undocumented functions"
)]

use arcly_benches::{Baseline, frame, stream};
use arcly_core::StartAt;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;

const GOP: i64 = 154; // two seconds

/// Publishing without readers.
fn publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("publish");
    group.throughput(Throughput::Elements(1));
    group.bench_function("arcly", |b| {
        let stream = stream();
        let mut number = 0;
        b.iter(|| {
            number += 1;
            stream.publish_frame(frame(number, GOP)).expect("live")
        });
    });
    group.bench_function("broadcast+gop", |b| {
        let baseline = Baseline::new();
        let mut number = 0;
        b.iter(|| {
            number += 1;
            baseline.publish(frame(number, GOP));
        });
    });
    group.finish();
}

/// Reading what is there, per frame.
fn drain(c: &mut Criterion) {
    const FRAMES: i64 = 1_024;
    let mut group = c.benchmark_group("drain");
    group.throughput(Throughput::Elements(FRAMES as u64));
    let ours = stream();
    for number in 0..FRAMES {
        ours.publish_frame(frame(number, FRAMES)).expect("live");
    }
    group.bench_function("arcly, borrowed", |b| {
        b.iter_batched_ref(
            || ours.subscribe_from(StartAt::LatestKeyframe),
            |reader| {
                let mut bytes = 0;
                let read = reader.for_each_ready(usize::MAX, |frame| bytes += frame.payload.len());
                assert_eq!(read, FRAMES as usize);
                bytes
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("arcly, shared", |b| {
        b.iter_batched_ref(
            || ours.subscribe_from(StartAt::LatestKeyframe),
            |reader| {
                let mut bytes = 0;
                while let Some(frame) = reader.try_recv() {
                    bytes += frame.payload.len();
                }
                bytes
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("broadcast+gop", |b| {
        b.iter_batched_ref(
            || {
                let baseline = Baseline::new();
                let reader = baseline.subscribe();
                for number in 0..FRAMES {
                    baseline.publish(frame(number, FRAMES));
                }
                (baseline, reader)
            },
            |(_, reader)| {
                let mut bytes = 0;
                while let Ok(frame) = reader.try_recv() {
                    bytes += frame.payload.len();
                }
                bytes
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Joining at the newest keyframe, up to the first frame in hand, by length of the GOP.
fn join(c: &mut Criterion) {
    let mut group = c.benchmark_group("join");
    for gop in [30_i64, 600] {
        let ours = stream();
        let baseline = Baseline::new();
        for number in 0..gop {
            ours.publish_frame(frame(number, gop)).expect("live");
            baseline.publish(frame(number, gop));
        }
        group.bench_with_input(BenchmarkId::new("arcly", gop), &ours, |b, stream| {
            b.iter_with_large_drop(|| {
                let mut reader = stream.subscribe_from(StartAt::LatestKeyframe);
                reader.for_each_ready(1, |frame| assert!(black_box(frame.item).is_keyframe()));
                reader
            });
        });
        group.bench_with_input(
            BenchmarkId::new("broadcast+gop", gop),
            &baseline,
            |b, baseline| {
                b.iter_with_large_drop(|| {
                    let (gop, reader) = baseline.join();
                    assert!(black_box(&gop[0]).is_keyframe());
                    (gop, reader)
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, publish, drain, join);
criterion_main!(benches);
