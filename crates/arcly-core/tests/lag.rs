//! Readers that fall behind: what they are told, when they are told it, and what they hold.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AppSpec, CodecId, Engine, Event, EventKind, IngestContext, MediaFrame, MediaKind,
    PublishSession, StartAt, StreamError, StreamHandle, StreamKey, StreamLimits, SubscribeOptions,
    SubscriptionEnd, TimeDelta, Timestamp, TrackId,
};
use bytes::Bytes;
use std::sync::{Arc, Mutex};

type Events = Arc<Mutex<Vec<EventKind>>>;

async fn publisher(app: AppSpec) -> (Arc<Engine>, PublishSession, Events) {
    let events = Events::default();
    let seen = Arc::clone(&events);
    let engine = Engine::builder()
        .application(app)
        .observer(move |event: &Event| seen.lock().expect("whole").push(event.kind.clone()))
        .build();
    let ctx = IngestContext::new(engine.clone());
    let session = ctx
        .open_publish(StreamKey::new("live", "x"))
        .await
        .expect("free");
    (engine, session, events)
}

fn frame(millis: i64, key: bool) -> MediaFrame {
    MediaFrame::new_video(
        millis,
        millis,
        Bytes::from_static(b"picture"),
        CodecId::H264,
        key,
    )
}

fn standalone() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "x"), StreamLimits::default())
}

fn lagged(events: &Events) -> u64 {
    let events = events.lock().expect("whole");
    let skipped = events.iter().map(|event| match event {
        EventKind::SubscriberLagged { skipped, .. } => *skipped,
        _ => 0,
    });
    skipped.sum()
}

#[tokio::test]
async fn a_reader_that_starves_is_told_so_at_once() {
    // One GOP without end, of which the start is dropped: there is nothing to go on with.
    let (_engine, session, events) = publisher(AppSpec::new("live").gop_cache(64)).await;
    session.publish_frame(frame(0, true)).expect("live");
    let mut reader = session.handle().subscribe_from(StartAt::LatestKeyframe);
    assert!(reader.try_recv().is_some());
    (1..1_001).for_each(|n| drop(session.publish_frame(frame(n, false))));
    assert!(reader.try_recv().is_none());
    assert_eq!(reader.total_skipped(), 1_000);
    assert_eq!(lagged(&events), 1_000);
    assert_eq!(reader.end(), None, "the stream is live");

    (1_001..5_000).for_each(|n| drop(session.publish_frame(frame(n, false))));
    assert!(reader.try_recv().is_none());
    assert!(
        matches!(
            reader.end(),
            Some(SubscriptionEnd::Evicted { skipped: 4_999 })
        ),
        "{:?}",
        reader.end()
    );
    assert_eq!(lagged(&events), 4_999);
}

#[tokio::test]
async fn what_is_missing_at_the_end_is_told_too() {
    let (_engine, session, events) = publisher(AppSpec::new("live").gop_cache(64)).await;
    session.publish_frame(frame(0, true)).expect("live");
    let mut reader = session.handle().subscribe_from(StartAt::LatestKeyframe);
    assert!(reader.recv().await.is_some());
    (1..501).for_each(|n| drop(session.publish_frame(frame(n, false))));
    session.finish().await.expect("finished");
    assert!(reader.recv().await.is_none());
    assert_eq!(reader.end(), Some(SubscriptionEnd::StreamEnded));
    assert_eq!((reader.total_skipped(), lagged(&events)), (500, 500));
}

#[tokio::test]
async fn what_is_told_in_parts_is_told_once() {
    let (_engine, session, events) = publisher(AppSpec::new("live").gop_cache(64)).await;
    session.publish_frame(frame(0, true)).expect("live");
    let mut reader = session.handle().subscribe_from(StartAt::LatestKeyframe);
    assert!(reader.try_recv().is_some());
    (1..301).for_each(|n| drop(session.publish_frame(frame(n, false))));
    assert!(reader.try_recv().is_none());
    (301..401).for_each(|n| drop(session.publish_frame(frame(n, false))));
    session.publish_frame(frame(401, true)).expect("live");
    let resumed = reader.try_recv().expect("a keyframe to go on with");
    assert_eq!((resumed.pts, resumed.skipped()), (401.into(), 400));
    assert_eq!((reader.total_skipped(), lagged(&events)), (400, 400));
}

#[tokio::test]
async fn a_reader_that_comes_before_the_first_keyframe_starts_at_the_first() {
    for start in [
        StartAt::LatestKeyframe,
        StartAt::NextKeyframe,
        StartAt::Back(std::time::Duration::from_secs(1)),
    ] {
        let stream = standalone();
        let mut reader = stream.subscribe_from(start);
        (0..20).for_each(|n| drop(stream.publish_frame(frame(n, n % 5 == 0))));
        let first = reader.try_recv().expect("a keyframe");
        assert_eq!(
            (first.sequence(), first.skipped()),
            (Some(0), 0),
            "{start:?}"
        );
        assert!(first.is_sync_point());
    }
}

#[tokio::test]
async fn a_joiner_that_comes_too_late_for_its_keyframe_knows_what_it_missed() {
    let (_engine, session, _) =
        publisher(AppSpec::new("live").history(std::time::Duration::ZERO)).await;
    let mut reader = session.handle().subscribe_from(StartAt::NextKeyframe);
    (0..20).for_each(|n| drop(session.publish_frame(frame(n, n % 5 == 0))));
    let first = reader.try_recv().expect("a keyframe");
    assert_eq!((first.sequence(), first.skipped()), (Some(15), 15));
}

#[tokio::test]
async fn draining_is_catching_up_however_it_is_done() {
    let stream = standalone();
    let options = SubscribeOptions::start(StartAt::Live).max_lag(Some(3_500));
    let mut reader = stream.subscribe(options);
    for round in 0..10_i64 {
        // More than is kept, so that each round loses some.
        (0..3_000).for_each(|n| drop(stream.publish_frame(frame(round * 3_000 + n, n % 100 == 0))));
        match round % 2 {
            0 => while reader.try_recv().is_some() {},
            _ => while reader.for_each_ready(64, |_| ()) > 0 {},
        }
        assert_eq!(
            reader.end(),
            None,
            "round {round}, {} skipped",
            reader.total_skipped()
        );
    }
    assert!(reader.total_skipped() > 3_500);
}

#[tokio::test]
async fn a_subscription_that_has_ended_holds_nothing() {
    let stream = standalone();
    let payload = Bytes::from(vec![0; 1_000]);
    for n in 0..200 {
        let frame = MediaFrame::new_video(n, n, payload.clone(), CodecId::H264, n == 0);
        stream.publish_frame(frame).expect("live");
    }
    let mut reader = stream.subscribe_from(StartAt::LatestKeyframe);
    stream.end();
    while reader.recv().await.is_some() {}
    assert!(payload.is_unique(), "kept, but ended");
    drop(reader);
}

#[tokio::test]
async fn a_stream_whose_handles_are_gone_has_ended() {
    let stream = standalone();
    let mut reader = stream.subscribe_resilient();
    stream.publish_frame(frame(0, true)).expect("live");
    drop(stream);
    assert!(reader.recv().await.is_some());
    assert!(reader.recv().await.is_none());
}

#[tokio::test]
async fn without_a_cache_readers_that_keep_up_lose_nothing() {
    let (_engine, session, events) = publisher(AppSpec::new("live").gop_cache(0)).await;
    let mut reader = session.handle().subscribe_resilient();
    for n in 0..400 {
        session
            .publish_frame(frame(n * 2, n % 20 == 0))
            .expect("live");
        let sound = MediaFrame::new_audio(n * 2 + 1, Bytes::from_static(b"sound"), CodecId::Aac);
        session.publish_frame(sound).expect("live");
        assert_eq!(reader.for_each_ready(usize::MAX, |_| ()), 2);
    }
    assert_eq!(lagged(&events), 0);
}

#[tokio::test]
async fn refusals_are_reported_once_a_reason() {
    let app = AppSpec::new("live").max_frame_bytes(10).max_config_bytes(5);
    let (_engine, session, events) = publisher(app).await;
    let large = || MediaFrame::new_audio(0, Bytes::from(vec![0; 11]), CodecId::Aac);
    let config = || MediaFrame::new_audio(0, Bytes::from(vec![0; 6]), CodecId::Aac).into_config();
    for _ in 0..100 {
        assert!(matches!(
            session.publish_frame(large()),
            Err(StreamError::LimitExceeded { max: 10, .. })
        ));
        assert!(matches!(
            session.publish_frame(config()),
            Err(StreamError::LimitExceeded { max: 5, .. })
        ));
    }
    let events = events.lock().expect("whole");
    let refused = events
        .iter()
        .filter(|event| matches!(event, EventKind::FrameRefused { .. }));
    assert_eq!(refused.count(), 2);
}

#[tokio::test]
async fn a_codec_of_another_kind_is_refused() {
    let stream = standalone();
    let sound = MediaFrame::new_audio(0, Bytes::new(), CodecId::H264);
    assert!(matches!(
        stream.publish_frame(sound),
        Err(StreamError::CodecKindMismatch { .. })
    ));
    assert!(stream.metadata().tracks.is_empty());
}

#[tokio::test]
async fn a_repeated_config_changes_nothing() {
    let (_engine, session, events) = publisher(AppSpec::new("live")).await;
    let config = |text: &'static str| {
        MediaFrame::new_audio(0, Bytes::from_static(text.as_bytes()), CodecId::Aac).into_config()
    };
    (0..100).for_each(|_| drop(session.publish_frame(config("one"))));
    session.publish_frame(config("two")).expect("live");
    let events = events.lock().expect("whole");
    let changed = events
        .iter()
        .filter(|event| matches!(event, EventKind::TracksChanged { .. }));
    assert_eq!(changed.count(), 3, "the track, its config, its new config");
    assert_eq!(session.handle().configs(), [config("two")]);
}

#[tokio::test]
async fn tracks_are_limited_and_keep_their_kind() {
    let (_engine, session, _) = publisher(AppSpec::new("live").max_tracks(2)).await;
    let on = |track: u16| frame(0, true).on_track(TrackId(track));
    session.publish_frame(on(0)).expect("live");
    session.publish_frame(on(1)).expect("live");
    assert!(matches!(
        session.publish_frame(on(2)),
        Err(StreamError::LimitExceeded { max: 2, .. })
    ));
    let mut changed = on(1);
    (changed.kind, changed.codec) = (MediaKind::Audio, CodecId::Aac);
    assert!(matches!(
        session.publish_frame(changed),
        Err(StreamError::TrackKindChanged { .. })
    ));
}

#[tokio::test]
async fn a_slow_reader_knows_how_far_behind_it_is_and_can_go_on_at_the_newest_keyframe() {
    let stream = standalone();
    let config = frame(0, false).into_config();
    stream.publish_frame(config).expect("live");
    stream.publish_frame(frame(0, true)).expect("live");
    let mut reader = stream.subscribe_from(StartAt::LatestKeyframe);
    assert!(reader.recv().await.expect("live").is_config());
    assert!(reader.recv().await.expect("live").is_keyframe());
    assert_eq!(reader.backlog(), TimeDelta::ZERO);
    assert_eq!(reader.skip_to_newest_sync(), 0, "there is none");

    for n in 1..=10 {
        stream.publish_frame(frame(n * 100, n == 8)).expect("live");
    }
    assert_eq!(reader.backlog(), TimeDelta::from_millis(900));
    assert_eq!(reader.skip_to_newest_sync(), 7);
    assert_eq!(reader.skip_to_newest_sync(), 0, "it stands there");
    let config = reader.recv().await.expect("live");
    assert!(config.is_config(), "what a joiner would need");
    assert_eq!(config.skipped(), 7);
    let keyframe = reader.recv().await.expect("live");
    assert!(keyframe.is_keyframe() && keyframe.skipped() == 0);
    assert_eq!(keyframe.dts, Timestamp::from_millis(800));
    assert_eq!(reader.backlog(), TimeDelta::from_millis(100));
    assert_eq!(reader.total_skipped(), 7);
}

#[tokio::test]
async fn skipping_counts_towards_the_eviction_of_a_reader_that_never_catches_up() {
    let stream = standalone();
    stream.publish_frame(frame(0, true)).expect("live");
    let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(Some(5));
    let mut reader = stream.subscribe(options);
    assert!(reader.recv().await.is_some());
    for n in 1..=4 {
        (1..4).for_each(|_| drop(stream.publish_frame(frame(n, false))));
        stream.publish_frame(frame(n, true)).expect("live");
        stream.publish_frame(frame(n, false)).expect("live");
        reader.skip_to_newest_sync();
        let _ = reader.try_recv();
    }
    assert!(
        matches!(reader.end(), Some(SubscriptionEnd::Evicted { .. })),
        "{:?}",
        reader.end()
    );
}
