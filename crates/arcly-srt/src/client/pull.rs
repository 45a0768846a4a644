//! A remote stream, brought in.

use super::dial::{Dialed, Dialer};
use super::failure::Failure;
use super::url::SrtUrl;
use crate::Connections;
use crate::driver::link::now;
use crate::driver::outcome::{ConnectionError, closed};
use crate::driver::publishing::{publish_all, release};
use crate::proto::connection::Event;
use arcly_core::mux::DemuxerFactory;
use arcly_core::relay::{Attempt, Outcome, RelayStatus, Supervisor};
use arcly_core::{
    Action, Credentials, EndReason, InboundProtocol, IngestContext, PublishRequest, PublishSession,
    Result, StreamKey, Takeover, async_trait,
};
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The protocol's name in logs, events and metrics.
const NAME: &str = "srt-pull";

/// Plays a remote stream by SRT and publishes it under a local name, for as long as the engine runs: an [`InboundProtocol`] for
/// [`Engine::serve`](arcly_core::Engine::serve).
///
/// The local stream goes live with the first frame that comes, and ends when the remote says goodbye; a remote that falls silent counts as a
/// publisher that dropped, so that the application's [grace period](arcly_core::AppSpec::publisher_grace) can bridge it. Then it calls
/// again, after a pause.
pub struct SrtPull {
    supervisor: Supervisor<SrtUrl>,
    dialer: Dialer,
    key: StreamKey,
    demuxers: Arc<dyn DemuxerFactory>,
    credentials: Credentials,
    takeover: Option<Takeover>,
    connections: Connections,
}

impl SrtPull {
    /// One that plays `url`, reads what comes by `demuxers` and publishes `key`.
    #[must_use]
    pub fn new(url: SrtUrl, key: StreamKey, demuxers: impl DemuxerFactory) -> Self {
        Self {
            supervisor: Supervisor::new(NAME, url),
            dialer: Dialer::default(),
            key,
            demuxers: Arc::new(demuxers),
            credentials: Credentials::anonymous(),
            takeover: None,
            connections: Connections::default(),
        }
    }

    super::client_settings!();

    /// Sets what it shows to the local authenticator, which is asked as for any publisher. Default: nothing.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets what happens where the local name is taken. Default: what the application says.
    #[must_use]
    pub fn takeover(mut self, takeover: Takeover) -> Self {
        self.takeover = Some(takeover);
        self
    }

    async fn attempt(
        &self,
        url: SrtUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt<SrtUrl> {
        self.supervisor.set(RelayStatus::Connecting { failures });
        let mut live = None;
        let dialing = self
            .dialer
            .dial(&url, &self.connections, &self.key, Action::Play);
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            dialed = dialing => match dialed {
                Ok(dialed) => self.play(dialed, ctx, shutdown, &mut live).await,
                Err(failure) => Err(failure),
            },
        };
        let outcome = match result {
            Ok(()) => Outcome::Again,
            Err(failure) => Outcome::Failed(failure.to_string()),
        };
        Attempt::new(live, outcome)
    }

    async fn play(
        &self,
        mut dialed: Dialed,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let mut session = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            result = self.receive(&mut dialed, ctx, &mut session, live) => result,
        };
        // A remote that says goodbye ends the stream; one that is silent may come back to it.
        let clean = matches!(result, Ok(()) | Err(Failure::ClosedByRemote));
        if let Some(session) = session {
            let end = if clean {
                Ok(())
            } else {
                Err(ConnectionError::Idle)
            };
            release(session, &end).await;
        }
        dialed.link.close().await;
        result
    }

    /// Publishes what comes until that ends.
    async fn receive(
        &self,
        dialed: &mut Dialed,
        ctx: &IngestContext,
        session: &mut Option<PublishSession>,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let mut demuxer = self.demuxers.new_demuxer();
        let mut frames = Vec::new();
        loop {
            let mut end = None;
            while let Some(event) = dialed.link.poll_event() {
                match event {
                    Event::Data(data) => {
                        self.supervisor.traffic().add_received(data.payload.len());
                        let read = demuxer.read(data.payload, &mut frames);
                        read.map_err(ConnectionError::from)?;
                    }
                    Event::Lost { .. } => {}
                    Event::Closed(how) => {
                        demuxer.finish(&mut frames);
                        end = Some(how);
                    }
                }
            }
            if !frames.is_empty() {
                let publication = match session {
                    Some(publication) => publication,
                    None => {
                        let publication = self.publish(dialed, ctx).await?;
                        live.get_or_insert_with(now);
                        self.supervisor.set_live(ctx);
                        session.insert(publication)
                    }
                };
                publish_all(publication, &mut frames)?;
            }
            if let Some(how) = end {
                closed(how)?;
                return Err(Failure::ClosedByRemote);
            }
            dialed.link.flush().await?;
            tokio::select! {
                reason = ended(session.as_ref()) => return Err(Failure::LocalEnded(reason)),
                () = dialed.link.turn() => {}
            }
        }
    }

    async fn publish(&self, dialed: &Dialed, ctx: &IngestContext) -> Result<PublishSession> {
        let mut request = PublishRequest::new(self.key.clone())
            .credentials(self.credentials.clone())
            .peer(dialed.peer)
            .protocol(NAME);
        request.takeover = self.takeover;
        ctx.open_publish_with(request).await
    }
}

async fn ended(session: Option<&PublishSession>) -> EndReason {
    match session {
        Some(session) => session.ended().await,
        None => pending().await,
    }
}

impl std::fmt::Debug for SrtPull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtPull")
            .field("url", self.supervisor.target())
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl InboundProtocol for SrtPull {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.supervisor.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}
