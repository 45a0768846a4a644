//! Nothing is published or played that the authenticator refuses, every decision is audited, and every event is emitted.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AccessDenied, AccessRequest, Action, AppSpec, AuditOutcome, AuditRecord, AuditSink,
    Authenticator, CodecId, Credentials, EndReason, Engine, Event, EventBus, EventKind,
    IngestContext, MAX_CREDENTIAL_BYTES, MAX_NAME_BYTES, MediaFrame, PlayRequest, PlaybackRegistry,
    PublishRegistry, PublishRequest, StreamError, StreamKey, Takeover, async_trait,
};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Lets `token` do what it names: `publish`, `play`.
struct Tokens;

#[async_trait]
impl Authenticator for Tokens {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        match request.credentials.token.as_deref() {
            Some(token) if token == request.action.name() => Ok(()),
            Some("slow") => std::future::pending().await,
            _ => Err(AccessDenied::new(format!("no right to {}", request.action))),
        }
    }
}

#[derive(Clone, Default)]
struct Audit(Arc<Mutex<Vec<AuditRecord>>>);

impl AuditSink for Audit {
    fn record(&self, record: &AuditRecord) {
        self.0.lock().expect("whole").push(record.clone());
    }
}

#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<EventKind>>>);

impl Events {
    fn names(&self) -> Vec<&'static str> {
        self.0
            .lock()
            .expect("whole")
            .iter()
            .map(EventKind::name)
            .collect()
    }
}

fn cam() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn guarded() -> (Arc<Engine>, Audit, Events) {
    let (audit, events) = (Audit::default(), Events::default());
    let seen = events.clone();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(Tokens)
        .auth_timeout(Duration::from_secs(2))
        .audit(audit.clone())
        .observer(move |event: &Event| seen.0.lock().expect("whole").push(event.kind.clone()))
        .build();
    (engine, audit, events)
}

fn publish(token: &str) -> PublishRequest {
    PublishRequest::new(cam())
        .credentials(Credentials::token(token))
        .protocol("test")
        .peer(([127, 0, 0, 1], 9).into())
}

fn play(token: &str) -> PlayRequest {
    PlayRequest::new(cam())
        .credentials(Credentials::token(token))
        .protocol("test")
}

fn is_refused<T>(result: Result<T, StreamError>) -> bool {
    matches!(result, Err(StreamError::Unauthorized { .. }))
}

#[tokio::test(start_paused = true)]
async fn no_way_to_publish_leads_around_the_authenticator() {
    let (engine, audit, events) = guarded();
    let ctx = IngestContext::new(engine.clone());
    assert!(is_refused(ctx.open_publish(cam()).await), "anonymous");
    assert!(is_refused(ctx.open_publish_with(publish("play")).await));
    assert!(is_refused(engine.start_publish(&cam()).await));
    assert!(is_refused(
        ctx.registry().start_publish_with(publish("wrong")).await
    ));
    assert!(
        is_refused(ctx.open_publish_with(publish("slow")).await),
        "silence is a refusal"
    );
    assert!(is_refused(
        ctx.open_publish_with(publish(&"x".repeat(MAX_CREDENTIAL_BYTES + 1)))
            .await
    ));
    assert_eq!(engine.total_stream_count(), 0);

    let session = ctx
        .open_publish_with(publish("publish"))
        .await
        .expect("allowed");
    assert!(is_refused(
        ctx.open_publish_with(publish("wrong").takeover(Takeover::Replace))
            .await
    ));
    assert!(
        session.handle().is_live(),
        "an unauthorised newcomer takes nothing over"
    );

    let records = audit.0.lock().expect("whole");
    let allowed: Vec<_> = records
        .iter()
        .filter(|record| record.outcome == AuditOutcome::Allowed)
        .collect();
    assert_eq!((records.len(), allowed.len()), (8, 1));
    assert_eq!(
        (allowed[0].action, allowed[0].peer),
        (Action::Publish, Some(([127, 0, 0, 1], 9).into()))
    );
    assert_eq!(
        events.names(),
        [
            &["publish-refused"; 6][..],
            &["publish-started", "publish-refused"]
        ]
        .concat()
    );
}

#[tokio::test]
async fn no_way_to_play_leads_around_the_authenticator() {
    let (engine, audit, events) = guarded();
    let ctx = IngestContext::new(engine.clone());
    let _session = ctx
        .open_publish_with(publish("publish"))
        .await
        .expect("allowed");
    let playback = engine.playback();
    assert!(
        is_refused(playback.open_play(PlayRequest::new(cam())).await),
        "anonymous"
    );
    assert!(is_refused(playback.open_play(play("publish")).await));
    assert!(is_refused(playback.authorize_play(&play("wrong")).await));
    assert!(is_refused(engine.open_play(play("wrong")).await));
    // Whether a stream is live is not told to those who may not play it.
    let other = PlayRequest::new(StreamKey::new("live", "other"));
    assert!(is_refused(playback.open_play(other.clone()).await));
    let other = other.credentials(Credentials::token("play"));
    assert!(matches!(
        playback.open_play(other).await,
        Err(StreamError::StreamNotFound(_))
    ));

    playback
        .authorize_play(&play("play"))
        .await
        .expect("allowed");
    let viewer = playback.open_play(play("play")).await.expect("allowed");
    assert_eq!(viewer.handle().viewer_count(), 1);
    let kept = viewer.handle().clone();
    drop(viewer);
    assert_eq!(kept.viewer_count(), 0);
    assert!(matches!(
        kept.publish_frame(MediaFrame::new_audio(0, Bytes::new(), CodecId::Aac)),
        Err(StreamError::NotPublisher(_))
    ));
    assert_eq!(audit.0.lock().expect("whole").len(), 9);
    let names = events.names();
    assert_eq!(
        names.iter().filter(|&&name| name == "play-refused").count(),
        6
    );
    assert_eq!(names[names.len() - 2..], ["play-started", "play-ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_can_wait_for_a_stream_that_is_not_live_yet() {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let waiting = tokio::spawn({
        let playback = engine.playback();
        async move {
            playback
                .open_play(PlayRequest::new(cam()).wait(Duration::from_secs(10)))
                .await
        }
    });
    tokio::time::sleep(Duration::from_secs(9)).await;
    let _session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    assert!(waiting.await.expect("no panic").is_ok());

    let never = PlayRequest::new(StreamKey::new("live", "never")).wait(Duration::from_secs(10));
    assert!(matches!(
        engine.open_play(never).await,
        Err(StreamError::StreamNotFound(_))
    ));
}

#[tokio::test]
async fn the_life_of_a_stream_is_told_to_observers_and_to_the_bus() {
    let (engine, _, events) = guarded();
    let mut bus = engine.subscribe_events();
    engine
        .register_app(AppSpec::new("event").takeover(Takeover::Replace))
        .expect("new");
    let ctx = IngestContext::new(engine.clone());
    let request = || {
        PublishRequest::new(StreamKey::new("event", "main"))
            .credentials(Credentials::token("publish"))
    };
    let first = ctx.open_publish_with(request()).await.expect("allowed");
    first
        .publish_frame(MediaFrame::new_audio(
            0,
            Bytes::from_static(b"one"),
            CodecId::Aac,
        ))
        .expect("live");
    let second = ctx.open_publish_with(request()).await.expect("replaces");
    drop(second);
    tokio::task::yield_now().await;
    let third = ctx.open_publish_with(request()).await.expect("allowed");
    third.finish().await.expect("finished");
    engine.remove_app("event").expect("there");

    let kinds = events.0.lock().expect("whole").clone();
    let names: Vec<_> = kinds.iter().map(EventKind::name).collect();
    assert_eq!(
        names,
        [
            "app-registered",
            "publish-started",
            "tracks-changed",
            "publish-ended",
            "publish-started",
            "publish-ended",
            "publish-started",
            "publish-ended",
            "app-removed",
        ]
    );
    let reasons: Vec<_> = kinds
        .iter()
        .filter_map(|kind| match kind {
            EventKind::PublishEnded {
                reason,
                frames,
                bytes,
                ..
            } => Some((*reason, *frames, *bytes)),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [
            (EndReason::Replaced, 1, 3),
            (EndReason::Dropped, 0, 0),
            (EndReason::Finished, 0, 0)
        ]
    );
    for kind in kinds {
        assert_eq!(bus.recv().await.expect("the bus tells the same").kind, kind);
    }
}

#[tokio::test]
async fn an_observer_that_panics_harms_nobody() {
    let seen = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&seen);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(|_: &Event| panic!("a bug in an observer"))
        .observer(move |_: &Event| *counter.lock().expect("whole") += 1)
        .build();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    session.finish().await.expect("finished");
    assert_eq!(*seen.lock().expect("whole"), 2);
}

#[tokio::test]
async fn credentials_that_are_too_long_are_refused_unasked() {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let long = Credentials::token("x".repeat(MAX_CREDENTIAL_BYTES + 1));
    let request = PublishRequest::new(cam()).credentials(long);
    assert!(is_refused(engine.start_publish_with(request).await));
}

/// Panics before or after its first await, as its user says.
struct Shaky;

#[async_trait]
impl Authenticator for Shaky {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        if request.credentials.token.as_deref() == Some("late") {
            tokio::task::yield_now().await;
        }
        panic!("a bug in an authenticator");
    }
}

#[tokio::test]
async fn an_authenticator_that_panics_refuses() {
    let (audit, events) = (Audit::default(), Events::default());
    let seen = events.clone();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(Shaky)
        .audit(audit.clone())
        .observer(move |event: &Event| seen.0.lock().expect("whole").push(event.kind.clone()))
        .build();
    for token in ["early", "late"] {
        match engine.start_publish_with(publish(token)).await {
            Err(StreamError::Unauthorized { reason }) => {
                assert_eq!(reason, "the authenticator failed");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(is_refused(engine.open_play(play("late")).await));
    let records = audit.0.lock().expect("whole");
    assert_eq!(records.len(), 3);
    assert!(records.iter().all(|record| matches!(
        &record.outcome,
        AuditOutcome::Denied { reason } if reason == "the authenticator failed"
    )));
    assert_eq!(
        events.names(),
        ["publish-refused", "publish-refused", "play-refused"]
    );
}

struct ShakyAudit;

impl AuditSink for ShakyAudit {
    fn record(&self, _record: &AuditRecord) {
        panic!("a bug in an audit sink");
    }
}

#[tokio::test]
async fn an_audit_sink_that_panics_harms_nobody() {
    let audit = Audit::default();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .audit(ShakyAudit)
        .audit(audit.clone())
        .build();
    engine.start_publish(&cam()).await.expect("allowed");
    assert_eq!(audit.0.lock().expect("whole").len(), 1);
}

#[tokio::test]
async fn what_is_reported_of_a_refusal_is_bounded() {
    let (engine, audit, events) = guarded();
    let wild = StreamKey::new("live", format!("a\nforged line{}", "x".repeat(100_000)));
    assert!(engine.start_publish(&wild).await.is_err());
    assert!(engine.open_play(PlayRequest::new(wild)).await.is_err());
    let kinds = events.0.lock().expect("whole").clone();
    assert_eq!(kinds.len(), 2);
    for kind in &kinds {
        let key = kind.key().expect("of a stream");
        assert!(key.stream.len() <= MAX_NAME_BYTES + 2);
        assert!(!key.stream.contains('\n'));
    }

    let long = Credentials::password("u".repeat(MAX_CREDENTIAL_BYTES + 1), "");
    let request = PublishRequest::new(cam()).credentials(long);
    assert!(is_refused(engine.start_publish_with(request).await));
    let records = audit.0.lock().expect("whole");
    let username = records[0].username.as_deref().expect("one was shown");
    assert_eq!(username.len(), MAX_NAME_BYTES);
}
