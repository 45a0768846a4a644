//! The documented contract of the ingestion seam.

use arcly_core::{
    AppSpec, CodecId, EndReason, Engine, InboundProtocol, IngestContext, MediaFrame, PlayRequest,
    PlaybackRegistry, ProtocolHandler, PublishRegistry, PublishRequest, Result, StartAt,
    StreamError, StreamHandle, StreamKey, Takeover, async_trait,
};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

fn video(millis: i64, key: bool) -> MediaFrame {
    MediaFrame::new_video(
        millis,
        millis,
        Bytes::from_static(b"picture"),
        CodecId::H264,
        key,
    )
}

fn config() -> MediaFrame {
    MediaFrame::new_video(0, 0, Bytes::from_static(b"avcC"), CodecId::H264, false).into_config()
}

fn cam() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn engine() -> Arc<Engine> {
    Engine::builder().application(AppSpec::new("live")).build()
}

async fn wait_for(engine: &Engine, key: &StreamKey) -> StreamHandle {
    let wait = PlayRequest::new(key.clone()).wait(Duration::from_secs(5));
    engine
        .open_play(wait)
        .await
        .expect("the stream goes live")
        .handle()
        .clone()
}

struct Custom;

#[async_trait]
impl InboundProtocol for Custom {
    fn name(&self) -> &'static str {
        "custom"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let session = ctx.open_publish(cam()).await?;
        session.publish_frame(config())?;
        session.publish_frame(video(0, true))?;
        session.publish_frame(video(40, false))?;
        shutdown.cancelled().await;
        session.finish().await
    }
}

#[tokio::test]
async fn a_custom_protocol_publishes_and_its_keyframe_is_replayed() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(Custom)
        .build();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.serve_registered(shutdown).await }
    });
    let handle = wait_for(&engine, &cam()).await;
    let mut viewer = handle.subscribe_from(StartAt::LatestKeyframe);
    let first = viewer.recv().await.expect("the config");
    assert!(first.is_config() && first.sequence().is_none());
    let second = viewer.recv().await.expect("the keyframe");
    assert!(second.is_keyframe());
    let (video_config, audio_config) = handle.cached_configs();
    assert_eq!(video_config, Some(config()));
    assert_eq!(audio_config, None);
    assert_eq!(viewer.recv().await.expect("the next frame").pts, 40.into());
    assert_eq!(handle.replay_buffer().len(), 3);

    shutdown.cancel();
    assert!(viewer.recv().await.is_none());
    serving.await.expect("no panic").expect("a clean end");
    assert_eq!(engine.total_stream_count(), 0);
}

#[tokio::test]
async fn dropping_a_session_frees_the_name() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let session = ctx.open_publish(cam()).await.expect("free");
    assert!(matches!(
        ctx.open_publish(cam()).await,
        Err(StreamError::StreamAlreadyPublishing { .. })
    ));
    drop(session);
    // At once, whether or not the runtime has run the release yet.
    ctx.open_publish(cam())
        .await
        .expect("free again")
        .finish()
        .await
        .expect("finished");
    assert_eq!(engine.total_stream_count(), 0);
}

#[tokio::test]
async fn a_session_in_a_panicking_task_frees_the_name() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let session = ctx.open_publish(cam()).await.expect("free");
    let handle = session.handle().clone();
    let task = tokio::spawn(async move {
        let _session = session;
        panic!("a bug in a protocol");
    });
    assert!(task.await.is_err());
    assert_eq!(handle.end_reason(), Some(EndReason::Dropped));
    ctx.open_publish(cam()).await.expect("free again");
}

#[test]
fn a_session_dropped_outside_any_runtime_frees_the_name() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .max_publishers(1)
        .build();
    let ctx = IngestContext::new(engine.clone());
    let session = runtime.block_on(ctx.open_publish(cam())).expect("free");
    drop(session);
    assert_eq!(engine.total_stream_count(), 0);
    runtime
        .block_on(ctx.open_publish(StreamKey::new("live", "other")))
        .expect("does not count against the limit");
}

#[tokio::test]
async fn finishing_ends_each_subscriber_after_it_has_drained() {
    let engine = engine();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    let mut viewers: Vec<_> = (0..3)
        .map(|_| session.handle().subscribe_resilient())
        .collect();
    assert_eq!(session.publish_frame(video(0, true)).expect("live"), 3);
    session.publish_frame(video(40, false)).expect("live");
    session.finish().await.expect("finished");
    for viewer in &mut viewers {
        assert_eq!(viewer.recv().await.expect("buffered").pts, 0.into());
        assert_eq!(viewer.recv().await.expect("buffered").pts, 40.into());
        assert!(viewer.recv().await.is_none());
        assert!(viewer.recv().await.is_none(), "and stays ended");
    }
}

#[tokio::test]
async fn handles_kept_after_the_end_pin_no_frames() {
    let engine = engine();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    let payload = Bytes::from(vec![0; 1000]);
    session
        .publish_frame(MediaFrame::new_video(
            0,
            0,
            payload.clone(),
            CodecId::H264,
            true,
        ))
        .expect("live");
    let viewer_handle = engine.get_stream(&cam()).expect("live");
    let viewer = viewer_handle.subscribe_from(StartAt::LatestKeyframe);
    session.finish().await.expect("finished");
    assert!(!payload.is_unique(), "the viewer may still read it");
    drop(viewer);
    assert!(payload.is_unique(), "nobody can read it any more");
    assert_eq!(viewer_handle.retained(), (0, 0));
    assert!(
        viewer_handle
            .subscribe_from(StartAt::LatestKeyframe)
            .recv()
            .await
            .is_none()
    );
}

struct Failing;

#[async_trait]
impl InboundProtocol for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    async fn serve(&self, _ctx: IngestContext, _shutdown: CancellationToken) -> Result<()> {
        Err(StreamError::io(
            "binding 127.0.0.1:1",
            std::io::ErrorKind::AddrInUse.into(),
        ))
    }
}

struct Panicking;

#[async_trait]
impl InboundProtocol for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    async fn serve(&self, _ctx: IngestContext, _shutdown: CancellationToken) -> Result<()> {
        panic!("a bug in a protocol");
    }
}

struct Sibling(Arc<AtomicBool>);

#[async_trait]
impl InboundProtocol for Sibling {
    fn name(&self) -> &'static str {
        "sibling"
    }

    async fn serve(&self, _ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        shutdown.cancelled().await;
        self.0.store(true, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_that_fails_winds_down_its_siblings() {
    let wound_down = Arc::new(AtomicBool::new(false));
    let engine = Engine::builder()
        .protocol(Sibling(Arc::clone(&wound_down)))
        .protocol(Failing)
        .build();
    let error = engine
        .serve_registered(CancellationToken::new())
        .await
        .expect_err("the worker's error");
    assert!(matches!(error, StreamError::Io { .. }), "{error}");
    assert!(wound_down.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_worker_that_panics_winds_down_its_siblings() {
    let wound_down = Arc::new(AtomicBool::new(false));
    let engine = Engine::builder()
        .protocol(Sibling(Arc::clone(&wound_down)))
        .protocol(Panicking)
        .build();
    engine
        .serve_registered(CancellationToken::new())
        .await
        .expect_err("the panic as an error");
    assert!(wound_down.load(Ordering::Relaxed));
}

struct Deaf;

#[async_trait]
impl InboundProtocol for Deaf {
    fn name(&self) -> &'static str {
        "deaf"
    }

    async fn serve(&self, ctx: IngestContext, _shutdown: CancellationToken) -> Result<()> {
        let _session = ctx.open_publish(cam()).await?;
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_ignores_shutdown_is_aborted_at_the_deadline() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .drain_deadline(Duration::from_secs(3))
        .protocol(Deaf)
        .build();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.serve_registered(shutdown).await }
    });
    let handle = wait_for(&engine, &cam()).await;
    shutdown.cancel();
    serving
        .await
        .expect("no panic")
        .expect("aborting is no error");
    assert_eq!(handle.ended().await, EndReason::Dropped);
}

/// Written against the older contract only.
struct Legacy;

#[async_trait]
impl ProtocolHandler for Legacy {
    fn name(&self) -> &'static str {
        "legacy"
    }

    async fn run(
        &self,
        registry: Arc<dyn PublishRegistry>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let key = cam();
        let handle = registry.start_publish(&key).await?;
        handle.publish_frame(video(0, true))?;
        shutdown.cancelled().await;
        registry.end_publish(&key).await
    }
}

#[tokio::test]
async fn a_legacy_handler_runs_unchanged_and_cannot_end_its_successor() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(Legacy)
        .build();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn({
        let (engine, shutdown) = (engine.clone(), shutdown.clone());
        async move { engine.serve_registered(shutdown).await }
    });
    let first = wait_for(&engine, &cam()).await;
    let take = PublishRequest::new(cam()).takeover(Takeover::Replace);
    let successor = IngestContext::new(engine.clone())
        .open_publish_with(take)
        .await
        .expect("replaces");
    assert_eq!(first.end_reason(), Some(EndReason::Replaced));
    shutdown.cancel();
    serving.await.expect("no panic").expect("a clean end");
    assert!(
        successor.handle().is_live(),
        "the legacy handler's late end by name hit nobody"
    );
    successor.finish().await.expect("finished");
}

#[tokio::test(start_paused = true)]
async fn a_reaped_publisher_learns_of_it_and_cannot_end_its_successor() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .idle_timeout(Duration::from_secs(5))
        .build();
    let ctx = IngestContext::new(engine.clone());
    let session = ctx.open_publish(cam()).await.expect("free");
    session.publish_frame(video(0, true)).expect("live");
    tokio::time::sleep(Duration::from_secs(4)).await;
    session
        .publish_frame(video(4_000, true))
        .expect("still live");
    // The reaper runs by itself.
    assert_eq!(session.ended().await, EndReason::Idle);
    assert!(matches!(
        session.publish_frame(video(8_000, true)),
        Err(StreamError::SessionEnded {
            reason: EndReason::Idle,
            ..
        })
    ));
    let successor = ctx.open_publish(cam()).await.expect("the name is free");
    session.finish().await.expect("does nothing");
    assert!(successor.handle().is_live());
    assert_eq!(engine.total_stream_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn reaping_by_hand_takes_only_what_is_idle() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .idle_timeout(Duration::from_secs(3600))
        .build();
    let ctx = IngestContext::new(engine.clone());
    let quiet = ctx
        .open_publish(StreamKey::new("live", "quiet"))
        .await
        .expect("free");
    let busy = ctx
        .open_publish(StreamKey::new("live", "busy"))
        .await
        .expect("free");
    tokio::time::advance(Duration::from_secs(3601)).await;
    busy.publish_frame(video(0, true)).expect("live");
    assert_eq!(engine.reap_idle().await, 1);
    assert_eq!(quiet.handle().end_reason(), Some(EndReason::Idle));
    assert!(busy.handle().is_live());
}

#[tokio::test]
async fn a_replaced_publisher_learns_of_it_and_cannot_end_its_successor() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").takeover(Takeover::Replace))
        .max_publishers(1)
        .build();
    let ctx = IngestContext::new(engine.clone());
    let first = ctx.open_publish(cam()).await.expect("free");
    let mut viewer = first.handle().subscribe_resilient();
    let second = ctx
        .open_publish(cam())
        .await
        .expect("replaces, within the limit of one publisher");
    assert_eq!(first.ended().await, EndReason::Replaced);
    assert!(viewer.recv().await.is_none());
    assert!(first.publish_frame(video(0, true)).is_err());
    drop(first);
    tokio::task::yield_now().await;
    assert!(second.handle().is_live());
    second.publish_frame(video(0, true)).expect("live");
}

#[tokio::test]
async fn limits_and_names_are_enforced() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").max_frame_bytes(10))
        .max_publishers(1)
        .build();
    let ctx = IngestContext::new(engine.clone());
    assert!(matches!(
        ctx.open_publish(StreamKey::new("ghost", "x")).await,
        Err(StreamError::AppNotFound(_))
    ));
    assert!(matches!(
        ctx.open_publish(StreamKey::new("live", "../x")).await,
        Err(StreamError::InvalidKey { .. })
    ));
    let session = ctx.open_publish(cam()).await.expect("free");
    assert!(matches!(
        ctx.open_publish(StreamKey::new("live", "second")).await,
        Err(StreamError::PublisherLimitReached { limit: 1 })
    ));
    let large = MediaFrame::new_audio(0, Bytes::from(vec![0; 11]), CodecId::Aac);
    assert!(matches!(
        session.publish_frame(large),
        Err(StreamError::LimitExceeded { max: 10, .. })
    ));
    session
        .publish_frame(video(0, true))
        .expect("the next frame goes on");
    let mut changed = video(40, false);
    changed.kind = arcly_core::MediaKind::Audio;
    changed.codec = CodecId::Aac;
    assert!(matches!(
        session.publish_frame(changed),
        Err(StreamError::TrackKindChanged { .. })
    ));
}

#[tokio::test]
async fn a_viewer_s_handle_may_not_publish() {
    let engine = engine();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    let viewer = engine.get_stream(&cam()).expect("live");
    assert!(matches!(
        viewer.publish_frame(video(0, true)),
        Err(StreamError::NotPublisher(_))
    ));
    viewer.end();
    assert!(session.handle().is_live());
}

#[tokio::test]
async fn applications_come_and_go_at_run_time() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    engine.register_app(AppSpec::new("event")).expect("new");
    assert!(matches!(
        engine.register_app(AppSpec::new("event")),
        Err(StreamError::AppAlreadyExists(_))
    ));
    assert!(engine.register_app(AppSpec::new("a/b")).is_err());
    let session = ctx
        .open_publish(StreamKey::new("event", "main"))
        .await
        .expect("free");
    assert_eq!(engine.list_streams("event").expect("there").len(), 1);
    assert_eq!(engine.remove_app("event").expect("there"), 1);
    assert_eq!(session.ended().await, EndReason::AppRemoved);
    assert!(matches!(
        engine.list_streams("event"),
        Err(StreamError::AppNotFound(_))
    ));
    assert!(matches!(
        engine.remove_app("event"),
        Err(StreamError::AppNotFound(_))
    ));
}

#[tokio::test]
async fn shutdown_ends_all_and_refuses_more() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let session = ctx.open_publish(cam()).await.expect("free");
    assert_eq!(engine.shutdown(), 1);
    assert_eq!(session.ended().await, EndReason::Shutdown);
    assert!(matches!(
        ctx.open_publish(cam()).await,
        Err(StreamError::ShuttingDown)
    ));
}

#[tokio::test]
async fn keyframe_requests_reach_the_publisher() {
    let engine = engine();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    engine.get_stream(&cam()).expect("live").request_keyframe();
    session.handle().keyframe_requested().await;
}
