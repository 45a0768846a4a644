//! Running protocols on an engine, and shutting down.

use super::Engine;
use crate::media::MediaSource;
use crate::{
    EndReason, EventKind, InboundProtocol, IngestContext, PublishRequest, Result, StreamError,
};
use std::error::Error;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

impl Engine {
    /// Runs `protocols` until `shutdown` is cancelled or one of them fails, then winds all of them down: each has the
    /// drain deadline to return, after which it is aborted.
    ///
    /// # Errors
    /// The first protocol's that failed. A protocol that panicked has failed; one that returned by itself has not, and the others go on.
    pub async fn serve(
        &self,
        protocols: Vec<Box<dyn InboundProtocol>>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let stop = shutdown.child_token();
        let mut workers = JoinSet::new();
        for protocol in protocols {
            let ctx = IngestContext::new(self.shared())
                .with_playback(self.playback())
                .with_health(self.health.register(protocol.name()));
            let stop = stop.clone();
            workers.spawn(async move {
                let name = protocol.name();
                // In a task of its own, so that a panic is an error of this protocol with its name.
                let served = tokio::spawn(async move { protocol.serve(ctx, stop).await });
                let served = AbortOnDrop(served);
                (name, served.join().await)
            });
        }
        let mut outcome = Ok(());
        while !workers.is_empty() {
            let finished = tokio::select! {
                finished = workers.join_next() => finished,
                () = stop.cancelled() => break,
            };
            if let Some(Ok((name, Err(error)))) = finished {
                self.report_failure(name, &error);
                outcome = Err(error);
                break;
            }
        }
        stop.cancel();
        let drain = async {
            while let Some(finished) = workers.join_next().await {
                if let Ok((name, Err(error))) = finished {
                    self.report_failure(name, &error);
                    if outcome.is_ok() {
                        outcome = Err(error);
                    }
                }
            }
        };
        if tokio::time::timeout(self.settings.drain_deadline, drain)
            .await
            .is_err()
        {
            tracing::warn!(deadline = ?self.settings.drain_deadline, "protocols did not wind down in time and are aborted");
            workers.shutdown().await;
        }
        outcome
    }

    /// [`serve`](Self::serve) with the protocols that were registered with the builder. They are taken: a second call has none.
    ///
    /// # Errors
    /// As of [`serve`](Self::serve).
    pub async fn serve_registered(&self, shutdown: CancellationToken) -> Result<()> {
        let protocols = std::mem::take(
            &mut *self
                .protocols
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.serve(protocols, shutdown).await
    }

    /// [`serve_registered`](Self::serve_registered) until SIGINT (Ctrl-C) or SIGTERM, then [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// As of [`serve`](Self::serve), and where signals cannot be listened for.
    pub async fn serve_registered_until_signal(&self) -> Result<()> {
        let shutdown = CancellationToken::new();
        let mut signal = Box::pin(shutdown_signal());
        let mut serving = Box::pin(self.serve_registered(shutdown.clone()));
        let served = tokio::select! {
            served = &mut serving => served,
            heard = &mut signal => {
                shutdown.cancel();
                let served = serving.await;
                heard.and(served)
            }
        };
        self.shutdown();
        served
    }

    /// Refuses further publishes and ends all streams; returns how many. Their subscribers read what is buffered, then see the end.
    pub fn shutdown(&self) -> usize {
        {
            // Under the lock under which streams start, so that none starts unseen.
            let _streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
            self.shutting_down.store(true, Ordering::Release);
        }
        self.end_where(EndReason::Shutdown, |_| true)
    }

    /// Publishes what `source` brings, until it ends, the session is ended from outside, or `shutdown` is cancelled. Returns how many
    /// frames were published.
    ///
    /// # Errors
    /// As of [`PublishRegistry::start_publish_with`](crate::PublishRegistry::start_publish_with), the source's own, and
    /// [`StreamError::SessionEnded`] where the session was ended from outside.
    pub async fn pump_source(
        &self,
        request: PublishRequest,
        source: &mut dyn MediaSource,
        shutdown: CancellationToken,
    ) -> Result<u64> {
        let session = IngestContext::new(self.shared())
            .open_publish_with(request)
            .await?;
        let mut published = 0;
        loop {
            let frame = tokio::select! {
                frame = source.next_frame() => frame?,
                reason = session.ended() => {
                    return Err(StreamError::SessionEnded { key: session.key().clone(), reason });
                }
                () = shutdown.cancelled() => None,
            };
            let Some(frame) = frame else { break };
            session.publish_frame(frame)?;
            published += 1;
        }
        session.finish().await?;
        Ok(published)
    }

    fn report_failure(&self, protocol: &'static str, error: &StreamError) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        tracing::error!(protocol, error = %text, "protocol failed");
        self.reporter.report(EventKind::ProtocolFailed {
            protocol: protocol.to_owned(),
            error: text,
        });
    }
}

/// A protocol's task, aborted when the worker that waits for it is.
struct AbortOnDrop(tokio::task::JoinHandle<Result<()>>);

impl AbortOnDrop {
    async fn join(mut self) -> Result<()> {
        match (&mut self.0).await {
            Ok(served) => served,
            Err(error) => Err(StreamError::protocol("worker", error)),
        }
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Completes at SIGINT or SIGTERM.
async fn shutdown_signal() -> Result<()> {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())
            .map_err(|error| StreamError::io("listening for SIGTERM", error))?;
        tokio::select! {
            heard = interrupt => heard.map_err(|error| StreamError::io("listening for SIGINT", error)),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    interrupt
        .await
        .map_err(|error| StreamError::io("listening for Ctrl-C", error))
}
