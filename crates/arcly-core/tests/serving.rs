//! Running protocols, their health, and shutting down.
#![allow(missing_docs, reason = "a test")]

use arcly_core::health::Health;
use arcly_core::{
    AppSpec, CancellationToken, EndReason, Engine, Event, EventKind, InboundProtocol,
    IngestContext, PlayRequest, PlaybackRegistry, Result, StreamError, StreamKey, async_trait,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn cam() -> StreamKey {
    StreamKey::new("live", "cam")
}

/// What a protocol of these tests does once it is served.
#[derive(Clone, Copy)]
enum Does {
    Serve,
    Fail,
    Panic,
    IgnoreShutdown,
}

struct Part {
    name: &'static str,
    does: Does,
    stopped: CancellationToken,
}

fn part(name: &'static str, does: Does) -> Part {
    let stopped = CancellationToken::new();
    Part {
        name,
        does,
        stopped,
    }
}

#[async_trait]
impl InboundProtocol for Part {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        match self.does {
            Does::Serve => {
                ctx.report_health(Health::Healthy);
                // As a connection's task would be.
                let (stopped, token) = (self.stopped.clone(), shutdown.clone());
                tokio::spawn(async move {
                    token.cancelled().await;
                    stopped.cancel();
                });
                shutdown.cancelled().await;
                Ok(())
            }
            Does::Fail => Err(StreamError::io(
                "binding 127.0.0.1:1",
                std::io::ErrorKind::AddrInUse.into(),
            )),
            Does::Panic => panic!("a bug in a protocol"),
            Does::IgnoreShutdown => {
                ctx.report_health(Health::Healthy);
                std::future::pending().await
            }
        }
    }
}

type Failures = Arc<Mutex<Vec<(String, String)>>>;

/// An engine, and what it tells of protocols that fail.
fn engine(parts: Vec<Part>) -> (Arc<Engine>, Failures) {
    let failures = Failures::default();
    let seen = Arc::clone(&failures);
    let mut builder = Engine::builder()
        .application(AppSpec::new("live"))
        .drain_deadline(Duration::from_secs(3))
        .observer(move |event: &Event| {
            if let EventKind::ProtocolFailed { protocol, error } = &event.kind {
                let failure = (protocol.clone(), error.clone());
                seen.lock().expect("whole").push(failure);
            }
        });
    for part in parts {
        builder = builder.protocol(part);
    }
    (builder.build(), failures)
}

fn spawn(engine: &Arc<Engine>) -> (tokio::task::JoinHandle<Result<()>>, CancellationToken) {
    let shutdown = CancellationToken::new();
    let (engine, token) = (engine.clone(), shutdown.clone());
    let serving = tokio::spawn(async move { engine.serve_registered(token).await });
    (serving, shutdown)
}

/// Lets everything run that can, in real or paused time.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn healthy(name: &str) -> (String, Health) {
    (name.to_owned(), Health::Healthy)
}

#[tokio::test(start_paused = true)]
async fn an_engine_is_ready_once_its_protocols_are() {
    let (engine, _) = engine(vec![part("a", Does::Serve), part("b", Does::Serve)]);
    assert!(!engine.health().is_ready(), "nothing is served yet");
    let starting = |name: &str| (name.to_owned(), Health::Starting);
    assert_eq!(
        engine.health().parts(),
        [starting("a"), starting("b"), healthy("engine")]
    );
    let (serving, shutdown) = spawn(&engine);
    settle().await;
    assert!(engine.health().is_ready());
    shutdown.cancel();
    serving.await.expect("no panic").expect("a clean end");
    assert_eq!(engine.health().parts(), [healthy("engine")]);
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_failed_is_seen_afterwards() {
    let (engine, failures) = engine(vec![part("good", Does::Serve), part("bad", Does::Fail)]);
    let (serving, _shutdown) = spawn(&engine);
    serving.await.expect("no panic").expect_err("bad's error");
    let parts = engine.health().parts();
    assert_eq!(parts[0].0, "bad");
    assert!(matches!(&parts[0].1, Health::Failed(why) if why.contains("binding 127.0.0.1:1")));
    assert!(!engine.health().is_ready());
    assert_eq!(failures.lock().expect("whole").len(), 1);

    // Served again, it is the new one's state that counts.
    let stop = CancellationToken::new();
    stop.cancel();
    engine
        .serve(vec![Box::new(part("bad", Does::Serve))], stop)
        .await
        .expect("a clean end");
    assert!(engine.health().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_protocol_that_panics_is_reported_by_its_name() {
    let (engine, failures) = engine(vec![part("shaky", Does::Panic)]);
    let (serving, _shutdown) = spawn(&engine);
    let error = serving.await.expect("no panic here").expect_err("shaky's");
    assert_eq!(error.to_string(), "shaky");
    let failures = failures.lock().expect("whole");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, "shaky");
    assert!(failures[0].1.contains("a bug in a protocol"));
}

#[tokio::test(start_paused = true)]
async fn protocols_that_are_aborted_at_the_deadline_are_named() {
    let (engine, failures) = engine(vec![
        part("deaf", Does::IgnoreShutdown),
        part("good", Does::Serve),
    ]);
    let (serving, shutdown) = spawn(&engine);
    settle().await;
    shutdown.cancel();
    serving.await.expect("no panic").expect("no error");
    let failures = failures.lock().expect("whole");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].0, "deaf");
}

#[tokio::test(start_paused = true)]
async fn serving_nothing_waits_for_shutdown() {
    let (engine, _) = engine(Vec::new());
    let (mut serving, shutdown) = spawn(&engine);
    let early = tokio::time::timeout(Duration::from_secs(60), &mut serving).await;
    assert!(early.is_err(), "returned before shutdown");
    shutdown.cancel();
    serving.await.expect("no panic").expect("a clean end");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_stops_what_protocols_have_spawned() {
    let part = part("a", Does::Serve);
    let stopped = part.stopped.clone();
    let (engine, _) = engine(vec![part]);
    let (serving, _shutdown) = spawn(&engine);
    settle().await;
    serving.abort();
    tokio::time::timeout(Duration::from_secs(1), stopped.cancelled())
        .await
        .expect("the connection's task was told");
}

#[tokio::test(start_paused = true)]
async fn shutting_down_refuses_newcomers_and_lets_the_others_finish() {
    let (engine, _) = engine(Vec::new());
    let ctx = IngestContext::new(engine.clone());
    let (first, second) = (
        ctx.open_publish(cam()).await.expect("free"),
        ctx.open_publish(StreamKey::new("live", "second"))
            .await
            .expect("free"),
    );
    let waiting = tokio::spawn({
        let engine = engine.clone();
        let wish = PlayRequest::new(StreamKey::new("live", "later"));
        async move { engine.open_play(wish.wait(Duration::from_secs(600))).await }
    });
    settle().await;
    engine.begin_shutdown();
    assert!(first.handle().is_live(), "what is there goes on");
    let woken = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(matches!(
        woken.expect("at once").expect("no panic"),
        Err(StreamError::ShuttingDown)
    ));
    assert!(matches!(
        engine.open_play(PlayRequest::new(cam())).await,
        Err(StreamError::ShuttingDown)
    ));
    assert!(matches!(
        ctx.open_publish(StreamKey::new("live", "third")).await,
        Err(StreamError::ShuttingDown)
    ));
    assert_eq!(
        engine.health().parts(),
        [(
            "engine".to_owned(),
            Health::Failed("shutting down".to_owned())
        )]
    );

    let (first_handle, second_handle) = (first.handle().clone(), second.handle().clone());
    first.finish().await.expect("finished");
    drop(second);
    assert_eq!(first_handle.end_reason(), Some(EndReason::Shutdown));
    assert_eq!(second_handle.end_reason(), Some(EndReason::Shutdown));
    assert_eq!(engine.shutdown(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_stream_ends_where_its_application_is_removed() {
    let (engine, _) = engine(Vec::new());
    let waiting = tokio::spawn({
        let engine = engine.clone();
        let wish = PlayRequest::new(cam()).wait(Duration::from_secs(600));
        async move { engine.open_play(wish).await }
    });
    settle().await;
    engine.remove_app("live").expect("there");
    let woken = tokio::time::timeout(Duration::from_secs(1), waiting).await;
    assert!(matches!(
        woken.expect("at once").expect("no panic"),
        Err(StreamError::AppNotFound(_))
    ));
}
