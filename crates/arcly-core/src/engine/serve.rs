//! Running protocols on an engine, and shutting down.

use super::Engine;
use crate::health::{Health, HealthReporter};
use crate::media::MediaSource;
use crate::own_sessions::OwnSessions;
use crate::{
    EndReason, EventKind, InboundProtocol, IngestContext, PublishRequest, Result, StreamError,
};
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, PoisonError};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// A protocol that runs.
struct Worker {
    name: &'static str,
    /// Its part of the engine's health; the protocol has it too, in its context.
    part: Arc<HealthReporter>,
}

impl Engine {
    /// Runs `protocols` until `shutdown` is cancelled or one of them fails, then winds all of them down: each has the
    /// drain deadline to return, after which it is aborted; the log and an [`EventKind::ProtocolFailed`] say which were.
    ///
    /// Each is a part of the engine's [`health`](Self::health), starting until it calls
    /// [`IngestContext::report_health`], as it must once it can serve. Each gets a registry through which it can end only what was
    /// started through it: ending a stranger's stream fails with [`StreamError::StreamNotFound`], ending a stranger's session does nothing.
    ///
    /// Without any protocol it waits for `shutdown`, so that a host that only publishes from within can be written the same way.
    /// Dropping the returned future aborts the protocols at once, and cancels the token that they were given.
    ///
    /// # Errors
    /// The first protocol's that failed. A protocol that panicked has failed; one that returned by itself has not, and the others go on, until
    /// the last has.
    pub async fn serve(
        &self,
        protocols: Vec<Box<dyn InboundProtocol>>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        let parts = protocols
            .into_iter()
            .map(|protocol| {
                let part = self.health.register(protocol.name());
                (protocol, part)
            })
            .collect();
        self.serve_parts(parts, shutdown).await
    }

    async fn serve_parts(
        &self,
        protocols: Vec<(Box<dyn InboundProtocol>, HealthReporter)>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        if protocols.is_empty() {
            shutdown.cancelled().await;
            return Ok(());
        }
        let stop = shutdown.child_token();
        // What protocols have spawned learns of the end also where this future is dropped.
        let _cancels = stop.clone().drop_guard();
        let mut tasks = JoinSet::new();
        let mut workers = HashMap::new();
        for (protocol, part) in protocols {
            let (name, part) = (protocol.name(), Arc::new(part));
            let ctx = IngestContext::new(Arc::new(OwnSessions::new(self.shared())))
                .with_playback(self.playback())
                .with_shared_health(Arc::clone(&part));
            let stop = stop.clone();
            let task = tasks.spawn(async move { protocol.serve(ctx, stop).await });
            workers.insert(task.id(), Worker { name, part });
        }
        let mut outcome = Ok(());
        while outcome.is_ok() {
            tokio::select! {
                finished = tasks.join_next_with_id() => match finished {
                    Some(finished) => outcome = self.worker_ended(&mut workers, finished),
                    None => break,
                },
                () = stop.cancelled() => break,
            }
        }
        stop.cancel();
        let drain = async {
            while let Some(finished) = tasks.join_next_with_id().await {
                let ended = self.worker_ended(&mut workers, finished);
                outcome = std::mem::replace(&mut outcome, Ok(())).and(ended);
            }
        };
        let deadline = self.settings.drain_deadline;
        if tokio::time::timeout(deadline, drain).await.is_err() {
            tasks.shutdown().await;
            for (_, worker) in workers {
                let error = format!("did not wind down within {deadline:?} and was aborted");
                self.report_failure(&worker, error);
            }
        }
        outcome
    }

    /// Takes note of a protocol that has returned or panicked.
    fn worker_ended(
        &self,
        workers: &mut HashMap<Id, Worker>,
        finished: Result<(Id, Result<()>), JoinError>,
    ) -> Result<()> {
        let (id, served) = match finished {
            Ok((id, served)) => (id, Ok(served)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(worker) = workers.remove(&id) else {
            return Ok(());
        };
        let served = match served {
            Ok(served) => served,
            Err(panic) => Err(StreamError::protocol(worker.name, panic)),
        };
        served.inspect_err(|error| self.report_failure(&worker, with_causes(error)))
    }

    fn report_failure(&self, worker: &Worker, error: String) {
        tracing::error!(protocol = worker.name, error, "protocol failed");
        worker.part.fail(error.clone());
        self.reporter.report(EventKind::ProtocolFailed {
            protocol: worker.name.to_owned(),
            error,
        });
    }

    /// [`serve`](Self::serve) with the protocols that were registered with the builder. They are taken: a second call has none, and waits
    /// for `shutdown`.
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
        self.serve_parts(protocols, shutdown).await
    }

    /// [`serve_registered`](Self::serve_registered) until SIGINT (Ctrl-C) or SIGTERM, then
    /// [`begin_shutdown`](Self::begin_shutdown), the winding down of the protocols, and [`shutdown`](Self::shutdown).
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
                self.begin_shutdown();
                shutdown.cancel();
                let served = serving.await;
                heard.and(served)
            }
        };
        self.shutdown();
        served
    }

    /// Begins to shut down: refuses further publishes and plays, also those that wait for a stream, with [`StreamError::ShuttingDown`]. Streams
    /// and viewers that are there go on; publishers that finish or go away from now on end for [`EndReason::Shutdown`]. The engine's
    /// [`health`](Self::health) fails, so that load balancers send nobody.
    ///
    /// To be called before the protocols' `shutdown` is cancelled; then [`shutdown`](Self::shutdown) ends what is left. There is no way back.
    pub fn begin_shutdown(&self) {
        let first = {
            // Under the lock under which streams start, so that none starts unseen.
            let _streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
            self.reporter.begin_shutdown()
        };
        if first {
            self.own_health
                .set(Health::Failed("shutting down".to_owned()));
            self.awaited.notify_waiters();
        }
    }

    /// [`begin_shutdown`](Self::begin_shutdown), and ends all streams; returns how many. Their subscribers read what is buffered, then see
    /// the end.
    pub fn shutdown(&self) -> usize {
        self.begin_shutdown();
        self.end_where(EndReason::Shutdown, |_| true)
    }

    /// Publishes what `source` brings, until it ends, the session is ended from outside, or `shutdown` is cancelled. Returns how many
    /// frames were published. A frame that is refused, as one that is too large, is skipped and reported
    /// ([`EventKind::FrameRefused`]); how many were is logged at the end.
    ///
    /// # Errors
    /// As of [`PublishRegistry::start_publish_with`](crate::PublishRegistry::start_publish_with); the source's own, of which the stream ends
    /// with [`EndReason::Dropped`]; and [`StreamError::SessionEnded`] where the session was ended from outside.
    pub async fn pump_source(
        &self,
        request: PublishRequest,
        source: &mut dyn MediaSource,
        shutdown: CancellationToken,
    ) -> Result<u64> {
        let session = IngestContext::new(self.shared())
            .open_publish_with(request)
            .await?;
        let (mut published, mut refused) = (0, 0_u64);
        loop {
            let frame = tokio::select! {
                biased;
                () = shutdown.cancelled() => None,
                reason = session.ended() => {
                    return Err(StreamError::SessionEnded { key: session.key().clone(), reason });
                }
                frame = source.next_frame() => frame?,
            };
            let Some(frame) = frame else { break };
            match session.publish_frame(frame) {
                Ok(_) => published += 1,
                Err(ended @ StreamError::SessionEnded { .. }) => return Err(ended),
                Err(_) => refused += 1,
            }
        }
        if refused > 0 {
            tracing::warn!(stream = %session.key(), refused, published, "frames of a source were refused");
        }
        session.finish().await?;
        Ok(published)
    }
}

/// An error with its causes, in one line.
fn with_causes(error: &StreamError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
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
