//! Who plays, and how the host ends it; sources and sinks of the host's own.
#![allow(missing_docs, reason = "a test")]

use arcly_core::bytes::Bytes;
use arcly_core::{
    AppSpec, CancellationToken, CodecId, Engine, Event, EventKind, IngestContext, MediaFrame,
    MediaSink, MediaSource, PlayRequest, PlaybackRegistry, PublishRegistry, PublishRequest, Result,
    StartAt, StreamError, StreamHandle, StreamKey, StreamLimits, SubscribeOptions, ViewerId,
    ViewerLoss, async_trait,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn cam() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn audio(millis: i64, bytes: usize) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from(vec![0; bytes]), CodecId::Aac)
}

#[tokio::test]
async fn a_host_sees_viewers_and_ends_them() {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ended);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| {
            if let EventKind::PlayEnded { viewer, .. } = event.kind {
                seen.lock().expect("whole").push(viewer);
            }
        })
        .build();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    let wish = || {
        PlayRequest::new(cam())
            .protocol("test")
            .peer(([127, 0, 0, 1], 9).into())
    };
    let first = engine.open_play(wish()).await.expect("live");
    let second = engine.open_play(wish()).await.expect("live");
    let listed: Vec<_> = engine.viewers().iter().map(|info| info.viewer).collect();
    assert_eq!(listed, [first.viewer(), second.viewer()]);
    let info = &engine.viewers()[0];
    assert_eq!((&info.key, &*info.protocol), (&cam(), "test"));
    assert_eq!(info.peer, Some(([127, 0, 0, 1], 9).into()));

    let waiting = tokio::time::timeout(Duration::from_millis(10), first.ended());
    assert!(waiting.await.is_err() && !first.is_ended());
    assert!(engine.end_play(first.viewer()));
    assert!(!engine.end_play(first.viewer()), "it has been told");
    assert!(!engine.end_play(ViewerId::new(u64::MAX)), "there is none");
    first.ended().await;
    assert!(first.is_ended() && !second.is_ended());
    assert!(ended.lock().expect("whole").is_empty(), "it is still there");

    let gone = first.viewer();
    drop(first);
    assert_eq!(*ended.lock().expect("whole"), [gone]);
    assert_eq!(engine.viewers().len(), 1);
    assert!(!engine.end_play(gone));

    // The end of the stream is told by subscriptions, after they have drained.
    let mut frames = second.subscribe(SubscribeOptions::start(StartAt::Live));
    session.publish_frame(audio(0, 1)).expect("live");
    session.finish().await.expect("finished");
    assert!(frames.recv().await.is_some());
    assert!(frames.recv().await.is_none());
    assert!(!second.is_ended());
}

/// Brings the frames of a list, then stays silent.
struct List(Vec<MediaFrame>, bool);

#[async_trait]
impl MediaSource for List {
    async fn next_frame(&mut self) -> Result<Option<MediaFrame>> {
        if self.0.is_empty() && self.1 {
            std::future::pending::<()>().await;
        }
        Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
    }
}

#[tokio::test]
async fn a_source_goes_on_after_a_frame_that_is_refused() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").max_frame_bytes(10))
        .build();
    let mut source = List(vec![audio(0, 1), audio(20, 11), audio(40, 2)], false);
    let pumped = engine
        .pump_source(
            PublishRequest::new(cam()),
            &mut source,
            CancellationToken::new(),
        )
        .await;
    assert_eq!(pumped.expect("to the end"), 2);
}

#[tokio::test]
async fn a_source_whose_session_is_ended_from_outside_stops() {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let pumping = tokio::spawn({
        let engine = engine.clone();
        async move {
            let mut source = List(Vec::new(), true);
            let wish = PublishRequest::new(cam());
            engine
                .pump_source(wish, &mut source, CancellationToken::new())
                .await
        }
    });
    let wait = PlayRequest::new(cam()).wait(Duration::from_secs(5));
    let _viewer = engine.open_play(wait).await.expect("goes live");
    engine.end_publish(&cam()).await.expect("live");
    assert!(matches!(
        pumping.await.expect("no panic"),
        Err(StreamError::SessionEnded { .. })
    ));
}

#[derive(Default)]
struct Count(usize, bool);

#[async_trait]
impl MediaSink for Count {
    async fn send_frame(&mut self, _frame: &MediaFrame, _skipped: u64) -> Result<()> {
        self.0 += 1;
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        self.1 = true;
        Ok(())
    }
}

#[tokio::test]
async fn a_sink_gets_nothing_more_after_shutdown_but_its_end() {
    let stream = StreamHandle::standalone(cam(), StreamLimits::default());
    for n in 0..100 {
        stream.publish_frame(audio(n * 20, 1)).expect("live");
    }
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let mut sink = Count::default();
    let sent = stream
        .drive(&mut sink, StartAt::LatestKeyframe, shutdown)
        .await;
    assert_eq!((sent.expect("finished"), sink.0, sink.1), (0, 0, true));
}

#[tokio::test(start_paused = true)]
async fn what_a_viewer_loses_is_told_once_a_second_and_the_rest_when_it_goes() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| match &event.kind {
            EventKind::ViewerLost { loss, items, .. } => {
                seen.lock().expect("whole").push((loss.name(), *items));
            }
            EventKind::PlayEnded { .. } => seen.lock().expect("whole").push(("ended", 0)),
            _ => {}
        })
        .build();
    let _session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    let viewer = engine.open_play(PlayRequest::new(cam())).await;
    let viewer = viewer.expect("live");
    for _ in 0..25 {
        viewer.lost(ViewerLoss::DisposableShed, 2);
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    viewer.lost(ViewerLoss::SkippedToKeyframe, 7);
    viewer.lost(ViewerLoss::EvictedForLag, 0);
    drop(viewer);
    let expected = [
        ("disposable-shed", 2),
        ("disposable-shed", 20),
        ("disposable-shed", 20),
        ("skipped-to-keyframe", 7),
        ("evicted-for-lag", 0),
        ("disposable-shed", 8),
        ("ended", 0),
    ];
    assert_eq!(*told.lock().expect("whole"), expected);
}
