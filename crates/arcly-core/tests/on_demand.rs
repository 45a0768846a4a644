//! Streams that are brought in when somebody wants them, and until nobody does.

#![expect(clippy::disallowed_methods, reason = "how long something took")]

use arcly_core::{
    AppSpec, Engine, IngestContext, PlayRequest, PlaybackRegistry, StreamError, StreamKey,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(5);

fn engine() -> Arc<Engine> {
    Engine::builder().application(AppSpec::new("live")).build()
}

fn key() -> StreamKey {
    StreamKey::new("live", "camera")
}

#[tokio::test(start_paused = true)]
async fn a_viewer_waits_for_what_is_offered_and_is_heard_of() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let demand = ctx.offer(&key(), PATIENCE).expect("an engine can tell");
    assert!(engine.is_offered(&key()) && !demand.is_awaited());
    assert!(
        timeout(PATIENCE, demand.wanted()).await.is_err(),
        "nobody came"
    );
    let (viewer, session) = tokio::join!(engine.open_play(PlayRequest::new(key())), async {
        demand.wanted().await;
        assert!(demand.is_awaited());
        ctx.open_publish(key()).await.expect("free")
    });
    let viewer = viewer.expect("it went live");
    assert!(!demand.is_awaited());

    let start = Instant::now();
    let unwatched = session.handle().unwatched(PATIENCE);
    tokio::join!(unwatched, async {
        tokio::time::sleep(2 * PATIENCE).await;
        drop(viewer);
        // One that comes back in time keeps it on.
        tokio::time::sleep(PATIENCE / 2).await;
        let again = engine.open_play(PlayRequest::new(key())).await;
        tokio::time::sleep(2 * PATIENCE).await;
        drop(again);
    });
    assert_eq!(start.elapsed(), PATIENCE * 11 / 2);
}

#[tokio::test(start_paused = true)]
async fn who_waits_gives_up_in_time_and_a_withdrawn_offer_is_none() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let demand = ctx.offer(&key(), PATIENCE).expect("an engine can tell");
    let start = Instant::now();
    let play = engine.open_play(PlayRequest::new(key())).await;
    assert!(
        matches!(play, Err(StreamError::StreamNotFound(_))),
        "{play:?}"
    );
    assert_eq!(start.elapsed(), PATIENCE);
    // A later offer replaces it, and outlives it.
    let later = ctx.offer(&key(), PATIENCE).expect("an engine can tell");
    drop(demand);
    assert!(engine.is_offered(&key()));
    drop(later);
    assert!(!engine.is_offered(&key()));
    let start = Instant::now();
    assert!(engine.open_play(PlayRequest::new(key())).await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_offer_hears_of_those_who_wait_already() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let request = PlayRequest::new(key()).wait(PATIENCE);
    let (played, _session) = tokio::join!(engine.open_play(request), async {
        tokio::task::yield_now().await;
        let demand = ctx.offer(&key(), PATIENCE).expect("an engine can tell");
        demand.wanted().await;
        ctx.open_publish(key()).await.expect("free")
    });
    assert!(played.is_ok(), "{played:?}");
}
