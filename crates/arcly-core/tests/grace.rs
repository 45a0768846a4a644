//! Publishers that blip: within the grace period a stream goes on with whoever publishes it next.
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "time is measured here")]

use arcly_core::{
    AppSpec, CodecId, EndReason, Engine, Event, EventKind, IngestContext, MediaFrame, PlayRequest,
    PlaybackRegistry, PublishRegistry, PublishRequest, PublishSession, StartAt, StreamError,
    StreamKey, Takeover, TimeDelta, Timestamp,
};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::advance;

const GRACE: Duration = Duration::from_secs(10);

fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn video(millis: i64, key: bool) -> MediaFrame {
    let bytes = Bytes::from_static(b"picture");
    MediaFrame::new_video(millis, millis, bytes, CodecId::H264, key)
}

fn audio(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from_static(b"sound"), CodecId::Aac)
}

type Names = Arc<Mutex<Vec<&'static str>>>;

struct Fixture {
    engine: Arc<Engine>,
    ctx: IngestContext,
    events: Names,
}

impl Fixture {
    fn new(app: AppSpec) -> Self {
        let events = Names::default();
        let seen = Arc::clone(&events);
        let engine = Engine::builder()
            .application(app)
            .observer(move |event: &Event| {
                if !matches!(event.kind, EventKind::TracksChanged { .. }) {
                    seen.lock().expect("whole").push(event.kind.name());
                }
            })
            .build();
        let ctx = IngestContext::new(engine.clone());
        Self {
            engine,
            ctx,
            events,
        }
    }

    fn with_grace() -> Self {
        Self::new(AppSpec::new("live").publisher_grace(GRACE))
    }

    async fn publish(&self) -> PublishSession {
        self.ctx.open_publish(key()).await.expect("free")
    }

    fn events(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.events.lock().expect("whole"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_comes_back_in_time_keeps_its_viewers() {
    let fixture = Fixture::with_grace();
    let first = fixture.publish().await;
    for (millis, key) in [(5_000, true), (5_040, false)] {
        first.publish_frame(video(millis, key)).expect("live");
        first.publish_frame(audio(millis)).expect("live");
    }
    let play = fixture
        .engine
        .open_play(PlayRequest::new(key()))
        .await
        .expect("live");
    let mut viewer = play.subscribe_from(StartAt::LatestKeyframe);
    for _ in 0..4 {
        assert!(viewer.recv().await.is_some());
    }
    drop(first);
    assert!(play.handle().is_interrupted() && play.handle().is_live());
    assert!(viewer.try_recv().is_none());
    assert_eq!(viewer.end(), None, "the viewer stays");
    assert_eq!(
        fixture.events(),
        ["publish-started", "play-started", "publish-interrupted"]
    );

    advance(Duration::from_secs(3)).await;
    let second = fixture.publish().await;
    assert!(!play.handle().is_interrupted());
    assert_eq!(fixture.events(), ["publish-resumed"]);
    assert_eq!(fixture.engine.total_stream_count(), 1);
    // Its own timeline starts anywhere, and in the middle of a GOP.
    let config = video(0, false).into_config();
    second.publish_frame(config).expect("live");
    second.publish_frame(video(77_000, false)).expect("live");
    second.publish_frame(audio(77_000)).expect("live");
    second.publish_frame(audio(77_021)).expect("live");
    second.publish_frame(video(77_040, true)).expect("live");
    second.publish_frame(video(77_080, false)).expect("live");

    let config = viewer.recv().await.expect("live");
    assert!(config.is_config() && config.dts == Timestamp::from_millis(5_040));
    let expected = [
        (8_040, false, true),
        (8_061, false, false),
        (8_080, true, true),
        (8_120, true, false),
    ];
    for (millis, is_video, discontinuity) in expected {
        let frame = viewer.recv().await.expect("live");
        assert_eq!(
            (frame.dts, frame.is_video(), frame.is_discontinuity()),
            (Timestamp::from_millis(millis), is_video, discontinuity)
        );
    }
    second.finish().await.expect("released");
    assert_eq!(fixture.events(), ["publish-interrupted"]);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_stays_away_ends_its_stream_after_the_grace_period() {
    let fixture = Fixture::with_grace();
    let session = fixture.publish().await;
    session.publish_frame(video(0, true)).expect("live");
    let handle = fixture.engine.get_stream(&key()).expect("live");
    let mut viewer = handle.subscribe_from(StartAt::LatestKeyframe);
    assert!(viewer.recv().await.is_some());
    let left = tokio::time::Instant::now();
    session.finish().await.expect("released");
    assert!(viewer.recv().await.is_none());
    let waited = left.elapsed();
    assert!(
        waited >= GRACE && waited <= GRACE + GRACE / 4 + Duration::from_millis(10),
        "{waited:?}"
    );
    assert_eq!(handle.end_reason(), Some(EndReason::Finished));
    assert_eq!(
        fixture.events(),
        ["publish-started", "publish-interrupted", "publish-ended"]
    );
    let again = fixture.publish().await;
    assert_ne!(again.handle().session(), handle.session());
}

#[tokio::test(start_paused = true)]
async fn while_it_waits_a_stream_can_be_joined_and_is_refused_to_nobody() {
    let fixture = Fixture::with_grace();
    let session = fixture.publish().await;
    session.publish_frame(video(0, true)).expect("live");
    drop(session);
    let handle = fixture.engine.get_stream(&key()).expect("it waits");
    let mut late = handle.subscribe_from(StartAt::LatestKeyframe);
    assert!(late.recv().await.is_some_and(|frame| frame.is_keyframe()));
    let second = fixture.publish().await;
    second.publish_frame(video(0, true)).expect("live");
    assert!(late.recv().await.is_some_and(|f| f.is_discontinuity()));
    assert!(matches!(
        fixture.ctx.open_publish(key()).await,
        Err(StreamError::StreamAlreadyPublishing { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_over_continues_the_stream() {
    let app = AppSpec::new("live")
        .publisher_grace(GRACE)
        .takeover(Takeover::Replace);
    let fixture = Fixture::new(app);
    let first = fixture.publish().await;
    first.publish_frame(video(0, true)).expect("live");
    let handle = fixture.engine.get_stream(&key()).expect("live");
    let mut viewer = handle.subscribe_from(StartAt::LatestKeyframe);
    assert!(viewer.recv().await.is_some());

    let second = fixture.publish().await;
    assert_eq!(first.ended().await, EndReason::Replaced);
    assert!(matches!(
        first.publish_frame(video(40, false)),
        Err(StreamError::SessionEnded {
            reason: EndReason::Replaced,
            ..
        })
    ));
    second.publish_frame(video(0, true)).expect("live");
    let frame = viewer.recv().await.expect("goes on");
    assert!(frame.is_discontinuity());
    assert_eq!(frame.dts, Timestamp::from_millis(100), "the least pause");

    drop(first);
    assert!(second.handle().is_live(), "a late end hits nobody");
    assert!(!handle.is_interrupted());
    assert_eq!(
        fixture.events(),
        ["publish-started", "publish-interrupted", "publish-resumed"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_host_ends_ends_at_once() {
    let fixture = Fixture::with_grace();
    let session = fixture.publish().await;
    let handle = fixture.engine.get_stream(&key()).expect("live");
    fixture.engine.end_publish(&key()).await.expect("live");
    assert_eq!(handle.end_reason(), Some(EndReason::EndedByHost));
    assert_eq!(session.ended().await, EndReason::EndedByHost);

    drop(fixture.publish().await);
    let waiting = fixture.engine.get_stream(&key()).expect("it waits");
    fixture.engine.end_publish(&key()).await.expect("it waits");
    assert_eq!(waiting.end_reason(), Some(EndReason::EndedByHost));

    drop(fixture.publish().await);
    let waiting = fixture.engine.get_stream(&key()).expect("it waits");
    fixture.engine.shutdown();
    assert_eq!(waiting.end_reason(), Some(EndReason::Shutdown));
    assert_eq!(fixture.engine.total_stream_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_falls_silent_may_come_back_as_well() {
    let app = AppSpec::new("live")
        .publisher_grace(GRACE)
        .idle_timeout(Duration::from_secs(4));
    let fixture = Fixture::new(app);
    let first = fixture.publish().await;
    first.publish_frame(video(0, true)).expect("live");
    assert_eq!(first.ended().await, EndReason::Idle);
    let handle = fixture.engine.get_stream(&key()).expect("it waits");
    assert!(handle.is_interrupted());
    let second = fixture.publish().await;
    second.publish_frame(video(0, true)).expect("live");
    assert!(handle.is_live() && !handle.is_interrupted());
}

#[tokio::test]
async fn a_stream_that_waits_counts_against_the_limit_of_publishers() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").publisher_grace(GRACE))
        .max_publishers(1)
        .build();
    let ctx = IngestContext::new(engine.clone());
    drop(ctx.open_publish(key()).await.expect("free"));
    let other = PublishRequest::new(StreamKey::new("live", "other"));
    assert!(matches!(
        ctx.open_publish_with(other).await,
        Err(StreamError::PublisherLimitReached { limit: 1 })
    ));
    ctx.open_publish(key()).await.expect("its own place");
}

#[tokio::test]
async fn blips_by_the_hundred_never_have_the_timeline_go_back() {
    let app = AppSpec::new("live")
        .publisher_grace(GRACE)
        .takeover(Takeover::Replace);
    let fixture = Fixture::new(app);
    let mut session = fixture.publish().await;
    session.publish_frame(video(0, true)).expect("live");
    let handle = fixture.engine.get_stream(&key()).expect("live");
    let mut viewer = handle.subscribe_from(StartAt::LatestKeyframe);
    let mut last = viewer.recv().await.expect("live").dts;
    for blip in 0..200 {
        let next = fixture.publish().await;
        let late = std::mem::replace(&mut session, next);
        let _ = late.publish_frame(video(999_999, true));
        for frame in 0..3 {
            let millis = i64::from(blip) * 7 - 500 + frame * 40;
            session
                .publish_frame(video(millis, frame == 0))
                .expect("live");
            let dts = viewer.recv().await.expect("live").dts;
            assert!(dts > last && dts.since(last) < TimeDelta::from_millis(1_000));
            last = dts;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_is_not_idle_for_the_time_it_was_away() {
    let app = AppSpec::new("live")
        .publisher_grace(GRACE)
        .idle_timeout(Duration::from_secs(4));
    let fixture = Fixture::new(app);
    let first = fixture.publish().await;
    first.publish_frame(video(0, true)).expect("live");
    drop(first);
    advance(Duration::from_secs(8)).await;
    let second = fixture.publish().await;
    assert_eq!(fixture.engine.reap_idle().await, 0);
    advance(Duration::from_secs(3)).await;
    assert_eq!(fixture.engine.reap_idle().await, 0);
    assert!(second.handle().is_live());
    advance(Duration::from_secs(1)).await;
    // It brought nothing.
    assert_eq!(second.ended().await, EndReason::Idle);
}

#[tokio::test(start_paused = true)]
async fn one_whose_keyframe_is_yet_to_come_is_not_idle() {
    let app = AppSpec::new("live")
        .publisher_grace(GRACE)
        .idle_timeout(Duration::from_secs(4));
    let fixture = Fixture::new(app);
    let first = fixture.publish().await;
    first.publish_frame(video(0, true)).expect("live");
    drop(first);
    let second = fixture.publish().await;
    for millis in (0..10_000).step_by(500) {
        second.publish_frame(video(millis, false)).expect("live");
        advance(Duration::from_millis(500)).await;
        assert_eq!(fixture.engine.reap_idle().await, 0);
    }
    assert!(second.handle().is_live());
}

/// What the host's views show of a stream that waits, as `PlaybackRegistry` documents it.
#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_is_listed_found_and_played() {
    let fixture = Fixture::with_grace();
    drop(fixture.publish().await);
    let engine = &fixture.engine;
    assert_eq!(engine.list_streams("live").expect("an app"), [key()]);
    assert_eq!(engine.total_stream_count(), 1);
    let listed = engine.streams();
    assert!(listed.len() == 1 && listed[0].is_interrupted() && listed[0].is_live());
    assert!(engine.get_stream(&key()).is_ok());
    let play = engine.open_play(PlayRequest::new(key())).await;
    let play = play.expect("it may come back");
    advance(GRACE).await;
    assert_eq!(engine.reap_idle().await, 1);
    assert_eq!(play.handle().ended().await, EndReason::Dropped);
    assert!(engine.streams().is_empty() && engine.get_stream(&key()).is_err());
}

#[tokio::test(start_paused = true)]
async fn an_application_registered_at_run_time_has_its_own_pace() {
    let slow = AppSpec::new("slow").idle_timeout(Duration::from_secs(3_600));
    let fixture = Fixture::new(slow);
    let slow = StreamKey::new("slow", "cam");
    let _slow = fixture.ctx.open_publish(slow).await.expect("free");
    // The reaper sleeps for a quarter of an hour by now.
    advance(Duration::from_secs(1)).await;
    let app = AppSpec::new("live").publisher_grace(GRACE);
    fixture.engine.register_app(app).expect("new");
    drop(fixture.publish().await);
    let handle = fixture.engine.get_stream(&key()).expect("it waits");
    let left = tokio::time::Instant::now();
    handle.ended().await;
    let waited = left.elapsed();
    assert!(
        waited >= GRACE && waited <= GRACE + GRACE / 4 + Duration::from_millis(10),
        "{waited:?}"
    );
}
