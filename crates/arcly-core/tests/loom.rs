//! The log, model-checked: every interleaving of small cases of publish, read, join, lag and close.
//!
//! Run with `RUSTFLAGS="--cfg arcly_loom" cargo test --release -p arcly-core --test loom`.
//!
//! What the model leaves out:
//! * `ArcSwap` is modelled as a mutex around the pointer, and `OnceLock` as a flag in front of the real one: their own
//!   synchronisation is taken for correct, what the log builds on it is checked.
//! * The waker inside a waiter is modelled as a mutex around it, not as the `atomic-waker` crate has it.
//! * One shard, so the root relay only, as a thread; tokio's scheduler is not in the model. The handshake between a shard and the root is
//!   modelled by itself, with the same steps, in the last test.
//! * Relaxed counters that only feed statistics or eviction (items, bytes) are checked for their effect on readers, not
//!   for their values.
//! * Interleavings are bounded to two preemptions, and logs to a few items.
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

#[test]
fn none_means_the_end_and_nothing_else() {
    model(|| {
        let log = NumberLog::new(1);
        assert!(log.append(0));
        let mut reader = log.subscribe(StartAt::Live);
        let publisher = thread::spawn({
            let log = log.clone();
            move || {
                // What is ready is dropped before it can be taken; a sync point to go on at comes later.
                (1..5).for_each(|number| assert!(log.append(number)));
                assert!(log.append_sync(9));
            }
        });
        assert!(block_on(reader.recv()).is_some(), "the log is open");
        publisher.join().expect("no panic");
    });
}

#[test]
fn a_close_during_a_move_to_the_next_chunk_leaves_nobody_waiting() {
    model(|| {
        let log = NumberLog::new(1);
        assert!(log.append(0));
        let reader = log.subscribe(StartAt::Live);
        let publisher = thread::spawn({
            let log = log.clone();
            move || usize::from(log.append(1))
        });
        let closer = thread::spawn(move || log.close());
        let read = drain(reader).len();
        closer.join().expect("no panic");
        assert_eq!(read, publisher.join().expect("no panic"));
    });
}

#[test]
fn joining_while_the_log_is_closed_and_let_go_ends() {
    model(|| {
        let log = NumberLog::new(8);
        assert!(log.append_sync(0));
        // More than a chunk, so that the reader has to find the next one.
        assert!(log.append(1) && log.append(2));
        let closer = thread::spawn({
            let log = log.clone();
            move || log.close()
        });
        let numbers = drain(log.subscribe(StartAt::LatestKeyframe));
        closer.join().expect("no panic");
        assert!([&[0, 1, 2][..], &[]].contains(&&numbers[..]), "{numbers:?}");
    });
}

#[test]
fn a_sync_point_that_was_accepted_reaches_who_waits_for_one() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::NextKeyframe);
        let publisher = thread::spawn({
            let log = log.clone();
            move || log.append_sync(7)
        });
        log.close();
        let read = drain(reader).len();
        assert_eq!(read, usize::from(publisher.join().expect("no panic")));
    });
}

#[test]
fn nothing_is_kept_once_the_log_is_closed_and_unread() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::LatestKeyframe);
        let publisher = thread::spawn({
            let log = log.clone();
            move || log.append_sync(7)
        });
        let closer = thread::spawn({
            let log = log.clone();
            move || log.close()
        });
        drop(reader);
        closer.join().expect("no panic");
        publisher.join().expect("no panic");
        assert!(log.keeps_nothing());
    });
}

#[test]
fn a_reader_gets_the_waking_item_behind_a_quiet_one() {
    model(|| {
        let log = NumberLog::new(8);
        let mut reader = log.subscribe(StartAt::Live);
        let publisher = thread::spawn({
            let log = log.clone();
            move || assert!(log.append_quiet(0) && log.append(1))
        });
        // No close, which would wake: where a wake-up is lost, the model finds nobody running.
        for number in 0..2 {
            let item = block_on(reader.recv()).expect("the log is open");
            assert_eq!(item.0, number);
        }
        publisher.join().expect("no panic");
    });
}

#[test]
fn a_reader_woken_by_the_relay_gets_the_waking_item_behind_a_quiet_one() {
    model(|| {
        let log = NumberLog::new(8);
        let mut reader = log.subscribe(StartAt::Live);
        let relay = thread::spawn({
            let log = log.clone();
            move || block_on(log.run_relay())
        });
        assert!(log.append_quiet(0));
        let reading = thread::spawn(move || {
            block_on(async { [reader.recv().await.is_some(), reader.recv().await.is_some()] })
        });
        assert!(log.append(1));
        assert_eq!(reading.join().expect("no panic"), [true; 2]);
        log.close();
        relay.join().expect("no panic");
    });
}

#[test]
fn a_quiet_item_that_is_filled_late_holds_nobody_back() {
    model(|| {
        let log = NumberLog::new(8);
        let mut reader = log.subscribe(StartAt::Live);
        let quiet = thread::spawn({
            let log = log.clone();
            move || assert!(log.append_quiet(0))
        });
        let waking = thread::spawn({
            let log = log.clone();
            move || assert!(log.append(1))
        });
        // Up to the waking one; the quiet one may have come first, and its slot may be filled last.
        while block_on(reader.recv()).expect("the log is open").0 != 1 {}
        quiet.join().expect("no panic");
        waking.join().expect("no panic");
    });
}

#[test]
fn a_close_during_a_quiet_append_leaves_nobody_waiting() {
    model(|| {
        let log = NumberLog::new(8);
        let reader = log.subscribe(StartAt::Live);
        let quiet = thread::spawn({
            let log = log.clone();
            move || usize::from(log.append_quiet(0))
        });
        let closer = thread::spawn(move || log.close());
        let read = drain(reader).len();
        closer.join().expect("no panic");
        assert_eq!(read, quiet.join().expect("no panic"));
    });
}

/// `WakeHub`'s two flags, `any_armed` of a shard and of the hub, with the steps of `Place::arm` and of the root relay.
#[test]
fn a_shard_whose_flag_is_up_is_looked_at_or_will_be() {
    use loom::sync::atomic::{AtomicBool, Ordering, fence};
    use std::sync::Arc;
    model(|| {
        // Raised by a reader of another shard before.
        let hub = Arc::new(AtomicBool::new(true));
        let shard = Arc::new(AtomicBool::new(false));
        let root = thread::spawn({
            let (hub, shard) = (Arc::clone(&hub), Arc::clone(&shard));
            move || {
                hub.store(false, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                shard.load(Ordering::Relaxed)
            }
        });
        fence(Ordering::SeqCst);
        for flag in [&shard, &hub] {
            if !flag.load(Ordering::Relaxed) {
                flag.store(true, Ordering::Relaxed);
                fence(Ordering::SeqCst);
            }
        }
        let looked_at = root.join().expect("no panic");
        assert!(
            looked_at || hub.load(Ordering::Relaxed),
            "nobody will look at the shard"
        );
    });
}
