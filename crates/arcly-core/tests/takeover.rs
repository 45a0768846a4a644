//! Starts, ends and takeovers of streams that meet each other: who keeps the name, and what observers are told.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AccessDenied, AccessRequest, AppSpec, Authenticator, EndReason, Engine, Event, EventKind,
    InboundProtocol, IngestContext, ProtocolHandler, PublishRegistry, PublishRequest, Result,
    SessionId, StreamError, StreamHandle, StreamKey, StreamLimits, Takeover, async_trait,
};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

fn cam() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn replace() -> PublishRequest {
    PublishRequest::new(cam()).takeover(Takeover::Replace)
}

/// Removes the application while it thinks.
#[derive(Clone, Default)]
struct Remover(Arc<OnceLock<Weak<Engine>>>);

#[async_trait]
impl Authenticator for Remover {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        if let Some(engine) = self.0.get().and_then(Weak::upgrade) {
            let _ = engine.remove_app(&request.key.app);
        }
        Ok(())
    }
}

#[tokio::test]
async fn an_application_that_is_removed_while_the_authenticator_thinks_gets_no_stream() {
    let remover = Remover::default();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(remover.clone())
        .build();
    remover.0.set(Arc::downgrade(&engine)).expect("once");
    assert!(matches!(
        engine.start_publish(&cam()).await,
        Err(StreamError::AppNotFound(_))
    ));
    assert_eq!(engine.total_stream_count(), 0);
}

/// A registry whose release never comes, so that its sessions end but keep their names: as when the process is busy.
struct Stuck(Arc<Engine>);

#[async_trait]
impl PublishRegistry for Stuck {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        self.0.start_publish_with(request).await
    }

    async fn end_session(&self, _key: &StreamKey, _session: SessionId) -> Result<()> {
        std::future::pending().await
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        self.0.end_publish(key).await
    }
}

#[tokio::test]
async fn a_name_that_an_ended_stream_still_holds_is_no_way_around_the_limit() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .max_publishers(1)
        .build();
    let stuck = IngestContext::new(Arc::new(Stuck(engine.clone())));
    drop(stuck.open_publish(cam()).await.expect("free"));
    let ctx = IngestContext::new(engine.clone());
    let _other = ctx
        .open_publish(StreamKey::new("live", "other"))
        .await
        .expect("an ended stream does not count");
    assert!(matches!(
        ctx.open_publish(cam()).await,
        Err(StreamError::PublisherLimitReached { limit: 1 })
    ));
}

/// Checks each event as it comes: what is live by the events, and what was wrong with their order.
#[derive(Default)]
struct Ledger {
    live: HashMap<StreamKey, SessionId>,
    ended: HashSet<SessionId>,
    started: usize,
    faults: Vec<String>,
}

impl Ledger {
    fn note(&mut self, event: &EventKind) {
        match event {
            EventKind::PublishStarted { key, session, .. } => {
                self.started += 1;
                if self.ended.contains(session) {
                    self.faults.push(format!("{session} starts after its end"));
                }
                if let Some(before) = self.live.insert(key.clone(), *session) {
                    self.faults
                        .push(format!("{session} starts before the end of {before}"));
                }
            }
            EventKind::PublishEnded { key, session, .. } => {
                if !self.ended.insert(*session) {
                    self.faults.push(format!("{session} ends twice"));
                }
                if self.live.remove(key) != Some(*session) {
                    self.faults.push(format!("{session} ends but is not live"));
                }
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn observers_hear_of_takeovers_in_their_order() {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let seen = Arc::clone(&ledger);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| seen.lock().expect("whole").note(&event.kind))
        .build();
    let publishers: Vec<_> = (0..8)
        .map(|n| {
            let ctx = IngestContext::new(engine.clone());
            tokio::spawn(async move {
                for round in 0..300 {
                    let session = ctx.open_publish_with(replace()).await.expect("replaces");
                    if (n + round) % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                    session.finish().await.expect("finished");
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
    let ledger = ledger.lock().expect("whole");
    assert_eq!(ledger.faults, Vec::<String>::new());
    assert_eq!(ledger.started, 8 * 300);
    assert!(ledger.live.is_empty(), "each start has its end");
}

#[tokio::test]
async fn an_observer_may_end_the_stream_of_whose_start_it_hears() {
    let engine = Arc::new(OnceLock::<Weak<Engine>>::new());
    let (names, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&engine));
    let told = Arc::clone(&names);
    let built = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| {
            if let EventKind::PublishStarted { .. } = event.kind
                && let Some(engine) = seen.get().and_then(Weak::upgrade)
            {
                engine.shutdown();
            }
        })
        .observer(move |event: &Event| told.lock().expect("whole").push(event.kind.name()))
        .build();
    engine.set(Arc::downgrade(&built)).expect("once");
    let handle = built.start_publish(&cam()).await.expect("free");
    assert_eq!(handle.end_reason(), Some(EndReason::Shutdown));
    assert_eq!(
        *names.lock().expect("whole"),
        ["publish-started", "publish-ended"]
    );
}

/// Does with its registry what a test says, by the older contract.
struct Handler<F>(F);

#[async_trait]
impl<F, R> ProtocolHandler for Handler<F>
where
    F: Fn(Arc<dyn PublishRegistry>) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    fn name(&self) -> &'static str {
        "handler"
    }

    async fn run(
        &self,
        registry: Arc<dyn PublishRegistry>,
        _shutdown: CancellationToken,
    ) -> Result<()> {
        (self.0)(registry).await;
        Ok(())
    }
}

fn live() -> Arc<Engine> {
    Engine::builder().application(AppSpec::new("live")).build()
}

async fn run(engine: &Arc<Engine>, handler: impl InboundProtocol) {
    handler
        .serve(IngestContext::new(engine.clone()), CancellationToken::new())
        .await
        .expect("served");
}

#[tokio::test]
async fn a_late_end_by_name_does_not_hit_the_handler_s_own_successor() {
    let engine = live();
    let handler = Handler(|registry: Arc<dyn PublishRegistry>| async move {
        let first = registry.start_publish_with(replace()).await.expect("free");
        let second = registry
            .start_publish_with(replace())
            .await
            .expect("replaces");
        assert_eq!(first.end_reason(), Some(EndReason::Replaced));
        registry.end_publish(&cam()).await.expect("the first's");
        assert!(second.is_live(), "the late end of the first hit the second");
        registry.end_publish(&cam()).await.expect("the second's");
        assert_eq!(second.end_reason(), Some(EndReason::Finished));
        assert!(matches!(
            registry.end_publish(&cam()).await,
            Err(StreamError::StreamNotFound(_))
        ));
    });
    run(&engine, handler).await;
}

#[tokio::test]
async fn what_a_handler_leaves_open_ends_with_it() {
    let engine = live();
    let left = Arc::new(Mutex::new(None));
    let leave = Arc::clone(&left);
    let handler = Handler(move |registry: Arc<dyn PublishRegistry>| {
        let leave = Arc::clone(&leave);
        async move {
            let handle = registry.start_publish(&cam()).await.expect("free");
            *leave.lock().expect("whole") = Some((handle, registry));
        }
    });
    run(&engine, handler).await;
    let (handle, registry) = left.lock().expect("whole").take().expect("ran");
    assert_eq!(handle.end_reason(), Some(EndReason::Dropped));
    assert_eq!(engine.total_stream_count(), 0);
    assert!(
        registry.start_publish(&cam()).await.is_err(),
        "a registry outlives its handler, but starts nothing"
    );
    assert_eq!(engine.total_stream_count(), 0);
}

#[tokio::test]
async fn what_a_handler_that_is_aborted_leaves_open_ends_with_it() {
    let engine = live();
    let started = Arc::new(Notify::new());
    let starting = Arc::clone(&started);
    let serving = tokio::spawn({
        let engine = engine.clone();
        async move {
            let handler = Handler(move |registry: Arc<dyn PublishRegistry>| {
                let starting = Arc::clone(&starting);
                async move {
                    registry.start_publish(&cam()).await.expect("free");
                    starting.notify_one();
                    std::future::pending().await
                }
            });
            run(&engine, handler).await;
        }
    });
    started.notified().await;
    assert_eq!(engine.total_stream_count(), 1);
    serving.abort();
    assert!(serving.await.is_err());
    assert_eq!(engine.total_stream_count(), 0);
}

/// Tries to end what it did not start.
struct Meddler(SessionId);

#[async_trait]
impl InboundProtocol for Meddler {
    fn name(&self) -> &'static str {
        "meddler"
    }

    async fn serve(&self, ctx: IngestContext, _shutdown: CancellationToken) -> Result<()> {
        assert!(matches!(
            ctx.registry().end_publish(&cam()).await,
            Err(StreamError::StreamNotFound(_))
        ));
        ctx.registry().end_session(&cam(), self.0).await
    }
}

#[tokio::test]
async fn a_protocol_can_end_only_what_it_has_started() {
    let engine = live();
    let session = IngestContext::new(engine.clone())
        .open_publish(cam())
        .await
        .expect("free");
    engine
        .serve(
            vec![Box::new(Meddler(session.handle().session()))],
            CancellationToken::new(),
        )
        .await
        .expect("served");
    assert!(session.handle().is_live());
}

/// A registry that has to wait before a session is released.
struct Slow(Arc<Engine>, Duration);

#[async_trait]
impl PublishRegistry for Slow {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        self.0.start_publish_with(request).await
    }

    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()> {
        tokio::time::sleep(self.1).await;
        self.0.end_session(key, session).await
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        self.0.end_publish(key).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_that_is_cancelled_midway_still_frees_the_name() {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ended);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| {
            if let EventKind::PublishEnded { reason, .. } = event.kind {
                seen.lock().expect("whole").push(reason);
            }
        })
        .build();
    let ctx = IngestContext::new(Arc::new(Slow(engine.clone(), Duration::from_secs(1))));
    let session = ctx.open_publish(cam()).await.expect("free");
    let finishing = tokio::time::timeout(Duration::from_millis(500), session.finish());
    assert!(finishing.await.is_err(), "cancelled");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(*ended.lock().expect("whole"), [EndReason::Finished]);
}

#[test]
fn a_drop_outside_any_runtime_is_reported_at_once() {
    let ended = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ended);
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .observer(move |event: &Event| {
            if let EventKind::PublishEnded { reason, .. } = event.kind {
                seen.lock().expect("whole").push(reason);
            }
        })
        .build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let ctx = IngestContext::new(engine);
    let session = runtime.block_on(ctx.open_publish(cam())).expect("free");
    drop(runtime);
    drop(session);
    assert_eq!(*ended.lock().expect("whole"), [EndReason::Dropped]);
}

#[tokio::test]
async fn sessions_of_several_engines_have_different_ids() {
    let ids: HashSet<_> = [
        live().start_publish(&cam()).await.expect("free").session(),
        live().start_publish(&cam()).await.expect("free").session(),
        StreamHandle::standalone(cam(), StreamLimits::default()).session(),
        StreamHandle::standalone(cam(), StreamLimits::default()).session(),
    ]
    .into();
    assert_eq!(ids.len(), 4);
    assert_eq!(SessionId::new(7).get(), 7);
}
