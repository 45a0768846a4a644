//! A stream that comes by UDP.

use super::{now, relay_settings, sleep_until, socket};
use crate::proto::{Received, Receiver, ReceiverCounters};
use crate::{Limits, TsUrl};
use arcly_core::mux::DemuxerFactory;
use arcly_core::net::udp::{UdpBatch, UdpPort};
use arcly_core::relay::{Attempt, Outcome, RelayStatus, Supervisor};
use arcly_core::{
    Credentials, EndReason, InboundProtocol, IngestContext, MediaFrame, PublishRequest,
    PublishSession, Result, StreamError, StreamKey, Takeover, async_trait,
};
use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The protocol's name in logs, events and metrics.
const NAME: &str = "ts-udp";

/// How many datagrams are read at once.
const BATCH: usize = 32;

/// Listens to a port or a group, and publishes the MPEG-TS that comes, for as long as the engine runs: an [`InboundProtocol`].
///
/// The stream goes live with the first frames of whoever sends first, and ends when that source has been silent for
/// [`Limits::source_timeout`]: as a publisher that dropped, so that the application's
/// [grace period](arcly_core::AppSpec::publisher_grace) can bridge a pause. Then the next that sends is heard. A port that cannot be had, and a
/// name that is taken, is tried again after a pause.
pub struct TsUdpInput {
    supervisor: Supervisor<TsUrl>,
    key: StreamKey,
    demuxers: Arc<dyn DemuxerFactory>,
    credentials: Credentials,
    takeover: Option<Takeover>,
    limits: Limits,
    counters: Mutex<ReceiverCounters>,
    local: tokio::sync::watch::Sender<Option<SocketAddr>>,
}

/// What ends an attempt.
enum End {
    Shutdown,
    Failed(String),
}

impl TsUdpInput {
    /// One that listens at `url` and publishes `key`, reading MPEG-TS with demuxers of `demuxers`.
    #[must_use]
    pub fn new(url: TsUrl, key: StreamKey, demuxers: impl DemuxerFactory) -> Self {
        Self {
            supervisor: Supervisor::new(NAME, url),
            key,
            demuxers: Arc::new(demuxers),
            credentials: Credentials::anonymous(),
            takeover: None,
            limits: Limits::default(),
            counters: Mutex::default(),
            local: tokio::sync::watch::Sender::new(None),
        }
    }

    relay_settings!();

    /// Sets what happens where the local name is taken. Default: what the application says.
    #[must_use]
    pub fn takeover(mut self, takeover: Takeover) -> Self {
        self.takeover = Some(takeover);
        self
    }

    /// Sets what a sender may ask.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What became of the datagrams since the port was opened last.
    #[must_use]
    pub fn counters(&self) -> ReceiverCounters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it listens, once it does: of use where the URL leaves the port to the system.
    #[must_use]
    pub fn local_addr(&self) -> tokio::sync::watch::Receiver<Option<SocketAddr>> {
        self.local.subscribe()
    }

    async fn attempt(
        &self,
        url: TsUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt<TsUrl> {
        self.supervisor.set(RelayStatus::Connecting { failures });
        let mut live = None;
        let end = match socket::listen(&url) {
            Ok(port) => {
                self.local.send_replace(Some(port.local_addr()));
                tokio::select! {
                    biased;
                    () = shutdown.cancelled() => End::Shutdown,
                    end = self.listen(&port, &url, ctx, &mut live) => end,
                }
            }
            Err(error) => End::Failed(format!("the port cannot be had: {error}")),
        };
        self.local.send_replace(None);
        let outcome = match end {
            End::Shutdown => Outcome::Again,
            End::Failed(reason) => Outcome::Failed(reason),
        };
        Attempt::new(live, outcome)
    }

    /// Publishes what comes, source after source, until that fails.
    async fn listen(
        &self,
        port: &UdpPort,
        url: &TsUrl,
        ctx: &IngestContext,
        live: &mut Option<Instant>,
    ) -> End {
        let mut receiver = Receiver::new(
            url.is_rtp(),
            self.limits.clone(),
            Arc::clone(&self.demuxers),
            now(),
        );
        let mut batch = UdpBatch::new(BATCH);
        let mut publication: Option<PublishSession> = None;
        let mut frames = Vec::new();
        loop {
            let came = tokio::select! {
                reason = ended(publication.as_ref()) => {
                    return End::Failed(format!("the local stream was ended: {reason}"));
                }
                () = sleep_until(receiver.next_timeout()) => Ok(false),
                came = port.recv(&mut batch) => came.map(|()| true),
            };
            let now = now();
            // Before what came, which may be the next source's.
            let received = receiver.handle_timeout(now, &mut frames);
            self.note(&received);
            if received == Received::Silent {
                // Dropped, not finished: the source may come back within the grace period.
                self.publish(&mut publication, &mut frames, None, ctx, live)
                    .await
                    .ok();
                frames.clear();
                publication = None;
                self.supervisor.set(RelayStatus::Connecting { failures: 0 });
            }
            match came {
                Ok(false) => {}
                Ok(true) => {
                    for datagram in batch.datagrams() {
                        self.supervisor.traffic().add_received(datagram.data.len());
                        let received =
                            receiver.receive(datagram.from, datagram.data, now, &mut frames);
                        self.note(&received);
                    }
                }
                Err(error) => return End::Failed(format!("receiving failed: {error}")),
            }
            *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = receiver.counters();
            let source = receiver.source();
            if let Err(error) = self
                .publish(&mut publication, &mut frames, source, ctx, live)
                .await
            {
                return End::Failed(error.to_string());
            }
        }
    }

    /// Publishes frames, opening the stream with the first.
    async fn publish(
        &self,
        publication: &mut Option<PublishSession>,
        frames: &mut Vec<MediaFrame>,
        source: Option<SocketAddr>,
        ctx: &IngestContext,
        live: &mut Option<Instant>,
    ) -> Result<()> {
        for frame in frames.drain(..) {
            let session = match publication {
                Some(session) => session,
                None => {
                    let mut request = PublishRequest::new(self.key.clone())
                        .credentials(self.credentials.clone())
                        .protocol(NAME);
                    request.peer = source;
                    request.takeover = self.takeover;
                    let session = ctx.open_publish_with(request).await?;
                    live.get_or_insert_with(now);
                    self.supervisor.set_live(ctx);
                    publication.insert(session)
                }
            };
            match session.publish_frame(frame) {
                Ok(_subscribers) => {}
                Err(error @ StreamError::SessionEnded { .. }) => return Err(error),
                // Refused for its size or the like; the engine has told its observers.
                Err(error) => debug!(%error, "frame refused"),
            }
        }
        Ok(())
    }

    fn note(&self, received: &Received) {
        let stream = &self.key;
        match received {
            Received::Started(from) => info!(%stream, %from, "a source sends"),
            Received::Silent => info!(%stream, "the source is silent"),
            Received::NotTs(error) => warn!(%stream, %error, "what comes is not MPEG-TS"),
            Received::Going => {}
        }
    }
}

async fn ended(publication: Option<&PublishSession>) -> EndReason {
    match publication {
        Some(publication) => publication.ended().await,
        None => pending().await,
    }
}

#[async_trait]
impl InboundProtocol for TsUdpInput {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.supervisor.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}

impl fmt::Debug for TsUdpInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsUdpInput")
            .field("supervisor", &self.supervisor)
            .field("key", &self.key)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
