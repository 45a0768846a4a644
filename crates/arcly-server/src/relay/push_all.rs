//! An application-wide push: one push for each stream of the application while it is live.

use super::Relays;
use super::record::{Followed, RelayState};
use crate::config::Relay;
use arcly_stream::health::Health;
use arcly_stream::media::{AppName, StreamKey};
use arcly_stream::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How often the streams are looked at, beside the events that say which begin.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The protocol that runs the pushes.
pub(super) struct PushAll {
    relays: Arc<Relays>,
    engine: Arc<Engine>,
    relay: Relay,
    app: AppName,
}

impl PushAll {
    pub(super) const fn new(
        relays: Arc<Relays>,
        engine: Arc<Engine>,
        relay: Relay,
        app: AppName,
    ) -> Self {
        Self {
            relays,
            engine,
            relay,
            app,
        }
    }

    /// Pushes a stream until it has ended and all of it was sent; its name, when that is over.
    fn push(
        &self,
        key: StreamKey,
        ctx: IngestContext,
        shutdown: CancellationToken,
    ) -> impl Future<Output = StreamKey> + Send + 'static {
        let push = self.relays.push(&self.relay, key.clone());
        let (relays, engine) = (Arc::clone(&self.relays), Arc::clone(&self.engine));
        async move {
            if let Some(push) = push {
                tokio::select! {
                    _ = push.serve(ctx, shutdown) => {}
                    () = over(&push, &engine, &key) => {}
                }
                relays.remove(push.record());
            } else {
                // Nothing can be done for a stream of that name; it is not tried again at once.
                tokio::time::sleep(LOOK_EVERY).await;
            }
            key
        }
    }
}

/// Waits until a push waits for a stream that is no longer there.
async fn over(push: &Followed, engine: &Engine, key: &StreamKey) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if push.record().state() == RelayState::Waiting && engine.get_stream(key).is_err() {
            return;
        }
    }
}

#[async_trait]
impl InboundProtocol for PushAll {
    fn name(&self) -> &'static str {
        "rtmp-push-all"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        ctx.report_health(Health::Healthy);
        let mut events = self.engine.subscribe_events();
        let mut pushes = JoinSet::new();
        let mut pushed = HashSet::new();
        loop {
            // The list is what counts: events can be missed, and only say when to look.
            for key in self.engine.list_streams(&self.app).unwrap_or_default() {
                if pushed.insert(key.clone()) {
                    pushes.spawn(self.push(key, ctx.clone(), shutdown.clone()));
                }
            }
            loop {
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => {
                        // Each says goodbye.
                        while pushes.join_next().await.is_some() {}
                        return Ok(());
                    }
                    Some(ended) = pushes.join_next() => {
                        if let Ok(key) = ended {
                            pushed.remove(&key);
                        }
                        break;
                    }
                    event = events.recv() => match event {
                        Some(event) if !matches!(event.kind, EventKind::PublishStarted { .. }) => {}
                        _ => break,
                    },
                    () = tokio::time::sleep(LOOK_EVERY) => break,
                }
            }
        }
    }
}
