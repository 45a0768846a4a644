//! The log, model-checked: every interleaving of small cases of publish, read, join, lag and close.
//!
//! Run with `RUSTFLAGS="--cfg arcly_loom" cargo test --release -p arcly-core --test loom`.
//!
//! What the model leaves out:
//! * `ArcSwap` is modelled as a mutex around the pointer, and `OnceLock` as a flag in front of the real one: their own
//!   synchronisation is taken for correct, what the log builds on it is checked.
//! * The waker inside a waiter is modelled as a mutex around it, not as the `atomic-waker` crate has it.
//! * One shard, so the root relay only, as a thread; tokio's scheduler is not in the model. The handshake between root and the other
//!   relays is the one between publisher and root.
//! * Relaxed counters that only feed statistics or eviction (items, bytes) are checked for their effect on readers, not
//!   for their values.
//! * Interleavings are bounded to three preemptions, and logs to a few items.
#![cfg(arcly_loom)]
#![allow(missing_docs, reason = "a test")]

use arcly_core::bus::model::{Number, NumberLog};
use arcly_core::{StartAt, Subscription};
use loom::future::block_on;
use loom::thread;

fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 10_000;
    builder.check(check);
}

/// Reads to the end; each item must follow the one before it, but for what is reported as skipped.
fn drain(mut reader: Subscription<Number>) -> Vec<u64> {
    block_on(async {
        let mut numbers = Vec::new();
        let mut next = None;
        while let Some(item) = reader.recv().await {
            let sequence = item.sequence().expect("these logs have no preamble");
            if let Some(next) = next {
                assert_eq!(
                    sequence,
                    next + item.skipped(),
                    "a hole or a duplicate that is not reported"
                );
            }
            next = Some(sequence + 1);
            numbers.push(item.0);
        }
        numbers
    })
}

#[test]
fn a_waiting_reader_gets_everything_in_order_and_then_the_end() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::Live);
        let publisher = thread::spawn(move || {
            assert!(log.append_sync(0));
            assert!(log.append(1));
            log.close();
            assert!(!log.append(2));
        });
        assert_eq!(drain(reader), [0, 1]);
        publisher.join().expect("no panic");
    });
}

#[test]
fn a_reader_woken_by_the_relay_gets_everything() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::Live);
        let relay = thread::spawn({
            let log = log.clone();
            move || block_on(log.run_relay())
        });
        let reading = thread::spawn(move || drain(reader));
        assert!(log.append(0));
        log.close();
        assert_eq!(reading.join().expect("no panic"), [0]);
        relay.join().expect("no panic");
    });
}

#[test]
fn two_publishers_lose_and_double_nothing() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::Live);
        let other = thread::spawn({
            let log = log.clone();
            move || assert!(log.append_sync(10))
        });
        assert!(log.append(0));
        assert!(log.append(1));
        other.join().expect("no panic");
        log.close();
        let numbers = drain(reader);
        let own: Vec<_> = numbers
            .iter()
            .copied()
            .filter(|&number| number < 10)
            .collect();
        assert_eq!(own, [0, 1], "each publisher's own order is kept");
        assert_eq!(numbers.len(), 3);
    });
}

#[test]
fn two_publishers_of_sync_points_each_get_a_chunk() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::Live);
        let other = thread::spawn({
            let log = log.clone();
            move || assert!(log.append_sync(10))
        });
        assert!(log.append_sync(0));
        other.join().expect("no panic");
        log.close();
        let mut numbers = drain(reader);
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 10]);
    });
}

#[test]
fn closing_loses_nothing_that_was_accepted() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::Live);
        let publisher = thread::spawn({
            let log = log.clone();
            move || [log.append(0), log.append_sync(1)]
        });
        log.close();
        let accepted = publisher
            .join()
            .expect("no panic")
            .iter()
            .filter(|&&accepted| accepted)
            .count();
        assert_eq!(drain(reader).len(), accepted);
    });
}

#[test]
fn a_joiner_starts_at_a_sync_point_and_misses_nothing_from_there() {
    model(|| {
        let log = NumberLog::new(8);
        assert!(log.append_sync(0));
        let publisher = thread::spawn({
            let log = log.clone();
            move || {
                assert!(log.append(1));
                assert!(log.append_sync(2));
                log.close();
            }
        });
        let numbers = drain(log.subscribe(StartAt::LatestKeyframe));
        publisher.join().expect("no panic");
        // Either GOP, whole; or nothing, where the log had been closed and let go before.
        assert!(
            [&[0, 1, 2][..], &[2], &[]].contains(&&numbers[..]),
            "{numbers:?}"
        );
    });
}

#[test]
fn a_joiner_of_the_next_keyframe_skips_the_one_that_is_there() {
    model(|| {
        let log = NumberLog::new(8);
        assert!(log.append_sync(0));
        let reader = log.subscribe(StartAt::NextKeyframe);
        let publisher = thread::spawn({
            let log = log.clone();
            move || {
                assert!(log.append(1));
                assert!(log.append_sync(2));
                log.close();
            }
        });
        assert_eq!(drain(reader), [2]);
        publisher.join().expect("no panic");
    });
}

#[test]
fn a_lagging_reader_resumes_at_a_sync_point_and_knows_what_it_missed() {
    model(|| {
        // Keeps one item, in chunks of one slot: the publisher outruns the reader whenever it can.
        let log = NumberLog::new(1);
        let reader = log.subscribe(StartAt::Live);
        let publisher = thread::spawn(move || {
            for number in 0..3 {
                assert!(log.append_sync(number));
            }
            log.close();
        });
        let numbers = drain(reader);
        publisher.join().expect("no panic");
        assert_eq!(
            numbers.last(),
            Some(&2),
            "the newest sync point is always reached: {numbers:?}"
        );
    });
}

#[test]
fn a_lagging_reader_never_enters_a_gop_in_its_middle() {
    model(|| {
        let log = NumberLog::new(1);
        let reader = log.subscribe(StartAt::LatestKeyframe);
        let publisher = thread::spawn(move || {
            assert!(log.append_sync(0));
            assert!(log.append(1));
            assert!(log.append_sync(10));
            log.close();
        });
        let numbers = drain(reader);
        publisher.join().expect("no panic");
        assert!(
            [&[0, 1, 10][..], &[0, 10], &[10]].contains(&&numbers[..]),
            "{numbers:?}"
        );
    });
}
