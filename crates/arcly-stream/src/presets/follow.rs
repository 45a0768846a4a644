//! Doing something with each stream that goes live.

use arcly_core::{Engine, EventBus, EventKind, SessionId, StreamHandle};
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs what `start` returns for each publish on `engine`, in a task of its own: for those that are live, and those that come, until
/// `shutdown` is cancelled. Then waits for the tasks, so they too have to end then.
///
/// A publish that ends before this gets to see it is left out. A task that panics ends alone.
///
/// ```
/// use arcly_stream::prelude::*;
/// use arcly_stream::presets::for_each_stream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let engine = Engine::builder().application(AppSpec::new("live")).build();
/// let shutdown = CancellationToken::new();
/// # shutdown.cancel();
/// for_each_stream(engine, shutdown, |stream| async move {
///     println!("{} is live", stream.key());
///     println!("{} ended: {}", stream.key(), stream.ended().await);
/// }).await;
/// # }
/// ```
pub async fn for_each_stream<S, F>(engine: Arc<Engine>, shutdown: CancellationToken, mut start: S)
where
    S: FnMut(StreamHandle) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    // Before the first look, so that nothing goes live unseen in between.
    let mut events = engine.subscribe_events();
    let mut seen = HashSet::<SessionId>::new();
    let mut tasks = JoinSet::new();
    loop {
        // All that are live, rather than the one of the event: events that a slow receiver missed then do no harm.
        let live = engine.streams();
        seen.retain(|session| live.iter().any(|stream| stream.session() == *session));
        for stream in live {
            if seen.insert(stream.session()) {
                tasks.spawn(start(stream));
            }
        }
        if !a_stream_started(&mut events, &mut tasks, &shutdown).await {
            break;
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Waits until a stream may have started; false on shutdown.
async fn a_stream_started(
    events: &mut arcly_core::EventReceiver,
    tasks: &mut JoinSet<()>,
    shutdown: &CancellationToken,
) -> bool {
    loop {
        let missed = events.missed();
        tokio::select! {
            () = shutdown.cancelled() => return false,
            event = events.recv() => match event {
                None => return false,
                Some(event) if matches!(event.kind, EventKind::PublishStarted { .. }) => return true,
                Some(_) if events.missed() > missed => return true,
                Some(_) => {}
            },
            // So that those that have ended take no memory.
            Some(_) = tasks.join_next() => {}
        }
    }
}
