//! Joining loses nothing and doubles nothing: a publisher at full speed, joiners at random moments, and slow readers.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AppSpec, CodecId, Engine, EventKind, IngestContext, MediaFrame, Retention, StartAt,
    StreamHandle, StreamKey, StreamLimits, SubscribeOptions, Subscription, SubscriptionEnd,
    Timestamp,
};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const GOP: u64 = 37;

/// Frame `number` of a stream that starts with a config: the sequence number in the log is the number plus one.
fn frame(number: u64) -> MediaFrame {
    let pts = Timestamp::from_millis(number as i64);
    let payload = Bytes::copy_from_slice(&number.to_be_bytes());
    if number % 3 == 2 {
        MediaFrame::new_audio(pts, payload, CodecId::Aac)
    } else {
        MediaFrame::new_video(
            pts,
            pts,
            payload,
            CodecId::H264,
            number.is_multiple_of(GOP * 3),
        )
    }
}

fn number(frame: &MediaFrame) -> u64 {
    u64::from_be_bytes(frame.payload[..].try_into().expect("eight bytes"))
}

fn config() -> MediaFrame {
    MediaFrame::new_video(0, 0, Bytes::from_static(b"config"), CodecId::H264, false).into_config()
}

fn stream(retention: impl FnOnce(&mut Retention)) -> StreamHandle {
    let mut limits = StreamLimits::default();
    retention(&mut limits.retention);
    StreamHandle::standalone(StreamKey::new("live", "x"), limits)
}

fn publish(handle: &StreamHandle, number: u64) {
    handle.publish_frame(frame(number)).expect("live");
}

/// Reads to the end, checking every number against the one before; returns how many frames it got and how many it missed.
async fn check(handle: StreamHandle, options: SubscribeOptions, slow: bool) -> (u64, u64) {
    let mut reader = handle.subscribe(options);
    let mut expected: Option<u64> = None;
    let (mut read, mut missed) = (0, 0);
    // Told with the first item after the gap, which is the codec config.
    let mut skipped = 0;
    while let Some(item) = reader.recv().await {
        skipped += item.skipped();
        let Some(sequence) = item.sequence() else {
            assert!(item.is_config());
            continue;
        };
        if item.is_config() {
            continue;
        }
        let number = number(&item);
        assert_eq!(sequence, number + 1, "the log's order is the publisher's");
        match expected {
            None => assert!(
                item.is_keyframe(),
                "a viewer starts at a keyframe, not at {number}"
            ),
            Some(expected) if skipped > 0 => {
                assert_eq!(
                    number,
                    expected + skipped,
                    "what is missing is what was reported"
                );
                assert!(
                    item.is_keyframe(),
                    "a viewer that lagged resumes at a keyframe, not at {number}"
                );
            }
            Some(expected) => {
                assert_eq!(number, expected, "nothing is missing, nothing comes twice")
            }
        }
        expected = Some(number + 1);
        missed += std::mem::take(&mut skipped);
        read += 1;
        if slow && read % 50 == 0 {
            // Lets the publisher run away; an event would let it wait.
            tokio::task::spawn_blocking(|| {
                std::thread::sleep(std::time::Duration::from_micros(500))
            })
            .await
            .expect("no panic");
        }
    }
    (read, missed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn joiners_at_random_moments_miss_nothing_from_their_keyframe_on() {
    const FRAMES: u64 = 300_000;
    let handle = stream(|retention| {
        retention.max_items = 4_000;
        retention.window = arcly_core::TimeDelta::from_millis(2_000);
    });
    handle.publish_frame(config()).expect("live");
    let published = Arc::new(AtomicU64::new(0));
    let publisher = std::thread::spawn({
        let (handle, published) = (handle.clone(), Arc::clone(&published));
        move || {
            for number in 0..FRAMES {
                handle.publish_frame(frame(number)).expect("live");
                published.store(number, Ordering::Relaxed);
            }
            handle.end();
        }
    });
    let mut readers = Vec::new();
    let mut joined = 0_u64;
    while published.load(Ordering::Relaxed) < FRAMES - 1 && joined < 400 {
        let start = [
            StartAt::LatestKeyframe,
            StartAt::NextKeyframe,
            StartAt::Back(std::time::Duration::from_millis(500)),
        ][joined as usize % 3];
        let options = SubscribeOptions::start(start).max_lag(None);
        readers.push(tokio::spawn(check(
            handle.clone(),
            options,
            joined.is_multiple_of(4),
        )));
        joined += 1;
        tokio::task::yield_now().await;
    }
    publisher.join().expect("no panic");
    let (mut read, mut missed) = (0, 0);
    for reader in readers {
        let (own, lost) = reader.await.expect("each frame checked");
        read += own;
        missed += lost;
    }
    println!("{joined} joiners read {read} frames and knew of {missed} that they missed");
    assert!(
        joined > 10 && read > 1_000,
        "{joined} joiners read {read} frames: too few to mean anything"
    );
    assert_eq!(handle.retained(), (0, 0), "after the end nothing is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_publishers_of_one_stream_keep_their_own_order() {
    const FRAMES: u64 = 20_000;
    let handle = stream(|retention| retention.max_items = 100_000);
    let mut reader = handle.subscribe(SubscribeOptions::start(StartAt::Live).max_lag(None));
    let publishers: Vec<_> = (0..4_u64)
        .map(|publisher| {
            let handle = handle.clone();
            std::thread::spawn(move || {
                for number in 0..FRAMES {
                    let payload = Bytes::copy_from_slice(&(publisher << 32 | number).to_be_bytes());
                    let key = publisher == 0 && number % 500 == 0;
                    let track = arcly_core::TrackId(publisher as u16);
                    let frame =
                        MediaFrame::new_video(0, 0, payload, CodecId::H264, key).on_track(track);
                    handle.publish_frame(frame).expect("live");
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    let mut total = 0;
    while total < 4 * FRAMES {
        let item = reader.recv().await.expect("not ended");
        assert_eq!(item.skipped(), 0);
        assert_eq!(item.sequence(), Some(total));
        let (publisher, number) = (number(&item) >> 32, number(&item) & 0xffff_ffff);
        assert_eq!(number, next[publisher as usize]);
        next[publisher as usize] += 1;
        total += 1;
    }
    for publisher in publishers {
        publisher.join().expect("no panic");
    }
}

#[tokio::test]
async fn a_viewer_gets_the_configs_in_force_where_it_starts() {
    let handle = stream(|_| ());
    let config = |name: &'static str| {
        MediaFrame::new_video(
            0,
            0,
            Bytes::from_static(name.as_bytes()),
            CodecId::H264,
            false,
        )
        .into_config()
    };
    handle.publish_frame(config("first")).expect("live");
    handle.publish_frame(frame(0)).expect("live");
    handle.publish_frame(config("second")).expect("live");
    let mut early = handle.subscribe_from(StartAt::LatestKeyframe);
    handle.publish_frame(frame(GOP * 3)).expect("live");
    let mut late = handle.subscribe_from(StartAt::LatestKeyframe);
    handle.end();

    let mut read = Vec::new();
    while let Some(frame) = early.recv().await {
        read.push((frame.is_config(), frame.payload.clone()));
    }
    let number = |number: u64| (false, Bytes::copy_from_slice(&number.to_be_bytes()));
    let first = (true, Bytes::from_static(b"first"));
    let second = (true, Bytes::from_static(b"second"));
    assert_eq!(
        read,
        [first, number(0), second.clone(), number(GOP * 3)],
        "a change is seen in order"
    );
    assert_eq!(late.recv().await.expect("the config").payload, second.1);
    assert!(late.recv().await.expect("the keyframe").is_keyframe());
}

#[tokio::test]
async fn a_reader_that_lags_too_long_is_evicted_and_said_to_be() {
    let events = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let engine = Engine::builder()
        .application(
            AppSpec::new("live")
                .gop_cache(64)
                .history(std::time::Duration::ZERO)
                .max_lag(Some(100)),
        )
        .observer(move |event: &arcly_core::Event| {
            seen.lock().expect("whole").push(event.kind.clone())
        })
        .build();
    let session = IngestContext::new(engine.clone())
        .open_publish(StreamKey::new("live", "x"))
        .await
        .expect("free");
    let mut slow = session.handle().subscribe_from(StartAt::LatestKeyframe);
    let intra = |number: u64| {
        let time = Timestamp::from_millis(number as i64);
        session
            .publish_frame(MediaFrame::new_video(
                time,
                time,
                Bytes::from_static(b"x"),
                CodecId::H264,
                true,
            ))
            .expect("live");
    };
    intra(0);
    assert_eq!(slow.recv().await.expect("a frame").pts, 0.into());
    (1..50).for_each(intra);
    let resumed = slow.recv().await.expect("a frame");
    assert!(
        resumed.skipped() > 0 && resumed.skipped() < 50,
        "{}",
        resumed.skipped()
    );
    (50..300).for_each(intra);
    assert!(slow.recv().await.is_none());
    assert!(
        matches!(slow.end(), Some(SubscriptionEnd::Evicted { skipped }) if skipped > 100),
        "{:?}",
        slow.end()
    );
    let events = events.lock().expect("whole");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, EventKind::SubscriberLagged { .. }))
    );
    assert!(
        events
            .iter()
            .any(|event| matches!(event, EventKind::SubscriberEvicted { .. }))
    );
}

#[tokio::test]
async fn a_reader_that_catches_up_starts_its_lag_anew() {
    let handle = stream(|retention| retention.window = arcly_core::TimeDelta::ZERO);
    let mut reader = handle.subscribe(SubscribeOptions::start(StartAt::Live).max_lag(Some(60)));
    for round in 0..10 {
        for number in 0..50 {
            let time = Timestamp::from_millis(round * 50 + number);
            handle
                .publish_frame(MediaFrame::new_video(
                    time,
                    time,
                    Bytes::from_static(b"x"),
                    CodecId::H264,
                    true,
                ))
                .expect("live");
        }
        while reader.try_recv().is_some() {}
        // Waiting is what tells that it has caught up.
        assert!(futures_poll_once(reader.ready()).await.is_none());
    }
    assert!(reader.total_skipped() > 60);
    assert_eq!(reader.end(), None);
}

/// Polls once; `None` where that is not enough.
async fn futures_poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_gop_that_breaks_the_bound_is_reported_once_and_nobody_starts_in_its_middle() {
    let truncations = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&truncations);
    let engine = Engine::builder()
        .application(AppSpec::new("live").gop_cache(100))
        .observer(move |event: &arcly_core::Event| {
            if matches!(event.kind, EventKind::GopTruncated { .. }) {
                seen.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build();
    let session = IngestContext::new(engine.clone())
        .open_publish(StreamKey::new("live", "x"))
        .await
        .expect("free");
    let publish = |number: u64, key: bool| {
        let time = Timestamp::from_millis(number as i64);
        let frame = MediaFrame::new_video(time, time, Bytes::from_static(b"x"), CodecId::H264, key);
        session.publish_frame(frame).expect("live");
    };
    for number in 0..300 {
        publish(number, number == 0);
    }
    assert_eq!(truncations.load(Ordering::Relaxed), 1);
    let mut joiner = session.handle().subscribe_from(StartAt::LatestKeyframe);
    assert!(
        joiner.try_recv().is_none(),
        "there is no whole GOP to start with"
    );
    publish(300, true);
    assert_eq!(joiner.try_recv().expect("the keyframe").pts, 300.into());
    for number in 301..600 {
        publish(number, false);
    }
    assert_eq!(truncations.load(Ordering::Relaxed), 2, "once a GOP");
    let (items, _) = session.handle().retained();
    assert!(items <= 125, "{items} items are kept");
}

#[tokio::test]
async fn bytes_are_bounded_too() {
    let handle = stream(|retention| retention.max_bytes = 100_000);
    let mut most = 0;
    for number in 0..2_000_u64 {
        let time = Timestamp::from_millis(number as i64);
        let payload = Bytes::from(vec![0; 1_000]);
        let key = number.is_multiple_of(50);
        handle
            .publish_frame(MediaFrame::new_video(
                time,
                time,
                payload,
                CodecId::H264,
                key,
            ))
            .expect("live");
        most = most.max(handle.retained().1);
    }
    assert!(
        most <= 100_000 + 100_000 / 8 + 1_000,
        "{most} bytes were kept at once"
    );
    assert!(most > 50_000, "the bound is used: {most}");
}

#[tokio::test]
async fn without_a_cache_viewers_start_at_the_next_keyframe() {
    let handle = stream(|retention| retention.max_items = 0);
    handle.publish_frame(frame(0)).expect("live");
    handle.publish_frame(frame(1)).expect("live");
    let mut viewer = handle.subscribe_from(StartAt::LatestKeyframe);
    handle.publish_frame(frame(3)).expect("live");
    assert!(viewer.try_recv().is_none());
    handle.publish_frame(frame(GOP * 3)).expect("live");
    assert_eq!(number(&viewer.try_recv().expect("the keyframe")), GOP * 3);
}

#[tokio::test]
async fn history_reaches_as_far_back_as_asked_for() {
    let handle = stream(|retention| retention.window = arcly_core::TimeDelta::from_millis(1_000));
    for number in 0..3_000 {
        handle.publish_frame(frame(number)).expect("live");
    }
    let start = |back| {
        let mut viewer =
            handle.subscribe_from(StartAt::Back(std::time::Duration::from_millis(back)));
        number(&viewer.try_recv().expect("a keyframe"))
    };
    assert_eq!(start(0), 2_997);
    assert_eq!(
        start(500),
        2_442,
        "the last keyframe at least this far back"
    );
    assert!(start(60_000) <= 1_999, "all of the window is there");
    assert!(
        start(60_000) >= 1_776,
        "and not much more: {}",
        start(60_000)
    );
}

#[tokio::test]
async fn a_reader_that_stalled_goes_on_with_what_is_new() {
    let handle = stream(|retention| retention.window = arcly_core::TimeDelta::ZERO);
    (0..10).for_each(|number| publish(&handle, number));
    let mut stalled = handle.subscribe_from(StartAt::LatestKeyframe);
    assert!(stalled.recv().await.is_some());
    (10..GOP * 3 * 5 + 1).for_each(|number| publish(&handle, number));
    let next = stalled.recv().await.expect("live");
    assert_eq!(
        number(&next),
        GOP * 3 * 5,
        "not what was left of the chunk it stood in"
    );
}

#[tokio::test]
async fn the_newest_gop_is_kept_however_short_the_window() {
    let handle = stream(|retention| retention.window = arcly_core::TimeDelta::ZERO);
    (0..GOP * 3).for_each(|number| publish(&handle, number));
    let mut viewer = handle.subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(number(&viewer.recv().await.expect("live")), 0);
    assert_eq!(handle.replay_buffer().len() as u64, GOP * 3);
}

#[test]
fn readers_on_another_runtime_outlive_the_one_that_ran_the_relay() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .expect("a runtime")
    };
    let (first, second) = (runtime(), runtime());
    let handle = stream(|_| ());
    let read = |handle: StreamHandle| async move {
        let mut reader = handle.subscribe_resilient();
        while reader.recv().await.is_some() {}
    };
    let on_first = first.spawn(read(handle.clone()));
    // Until it waits, and so has started the relay on its runtime.
    while handle.subscriber_count() == 0 {
        std::thread::yield_now();
    }
    handle.publish_frame(frame(0)).expect("live");
    let waiting = second.spawn({
        let handle = handle.clone();
        async move {
            let mut reader = handle.subscribe_resilient();
            reader.recv().await.is_some()
        }
    });
    while handle.subscriber_count() == 1 {
        std::thread::yield_now();
    }
    first.shutdown_background();
    drop(on_first);
    let publisher = std::thread::spawn({
        let handle = handle.clone();
        move || {
            for number in 1..5_000 {
                handle.publish_frame(frame(number)).expect("live");
                std::thread::yield_now();
            }
        }
    });
    assert!(
        second.block_on(waiting).expect("no panic"),
        "woken by somebody"
    );
    publisher.join().expect("no panic");
}

#[tokio::test]
async fn what_is_peeked_at_is_taken_only_when_that_is_said() {
    let stream = StreamHandle::standalone(StreamKey::new("live", "x"), StreamLimits::default());
    let publish = |millis: i64, key: bool| {
        let frame = MediaFrame::new_video(millis, millis, Bytes::new(), CodecId::H264, key);
        stream.publish_frame(frame).expect("live");
    };
    let config = MediaFrame::new_video(0, 0, Bytes::new(), CodecId::H264, false).into_config();
    stream.publish_frame(config).expect("live");
    publish(0, true);
    let mut reader = stream.subscribe_from(StartAt::LatestKeyframe);
    let times = |reader: &mut Subscription, max| -> Vec<i64> {
        let frames = reader.peek_ready(max);
        frames.map(|frame| frame.dts.to_ticks(1_000)).collect()
    };
    assert_eq!(
        times(&mut reader, 9),
        [] as [i64; 0],
        "a config comes first"
    );
    assert!(reader.try_recv().expect("live").is_config());
    (1..5).for_each(|n| publish(n, n == 3));
    assert_eq!(times(&mut reader, 9), [0, 1, 2], "up to the next GOP");
    assert_eq!(times(&mut reader, 2), [0, 1]);
    reader.take_peeked(2);
    assert_eq!(times(&mut reader, 9), [2]);
    reader.take_peeked(9);
    assert_eq!(times(&mut reader, 9), [3, 4]);
    reader.take_peeked(2);
    assert_eq!(times(&mut reader, 9), [] as [i64; 0]);
    publish(5, false);
    assert_eq!(reader.recv().await.expect("live").sequence(), Some(6));
}
