//! A local stream, sent to a remote listener.

use super::dial::{Dialed, Dialer};
use super::failure::Failure;
use super::url::SrtUrl;
use crate::Connections;
use crate::driver::link::now;
use crate::driver::playing::{fitting, play};
use crate::egress::MessagePackager;
use arcly_core::health::Health;
use arcly_core::mux::MuxerFactory;
use arcly_core::relay::{Attempt, Outcome, RelayStatus, Supervisor};
use arcly_core::{
    Action, Credentials, InboundProtocol, IngestContext, PlayRequest, PlaySession, Result, StartAt,
    StreamError, StreamKey, async_trait,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The protocol's name in logs, events and metrics.
const NAME: &str = "srt-push";

/// How long one look for the local stream waits for it; then it is looked for anew.
const LOOK: Duration = Duration::from_secs(3_600);
/// The pause between two looks.
const NEXT_LOOK: Duration = Duration::from_millis(500);
/// A packet of MPEG-TS, and a message of seven.
const PACKET_BYTES: usize = 188;
const MESSAGE_BYTES: usize = 7 * PACKET_BYTES;
/// How long sound waits for the next picture.
const FLUSH_WINDOW: Duration = Duration::from_millis(40);

/// Publishes a local stream to a remote listener by SRT whenever it is live, for as long as the engine runs: an [`InboundProtocol`] for
/// [`Engine::serve`](arcly_core::Engine::serve), which lets it play. A stream may have several, each with its own connection.
///
/// It waits for the stream, calls, starts at the newest keyframe, and says goodbye when the stream ends. All that send the same stream out, players
/// among them, share one multiplex of it.
pub struct SrtPush {
    supervisor: Supervisor<SrtUrl>,
    dialer: Dialer,
    key: StreamKey,
    muxers: Arc<dyn MuxerFactory>,
    credentials: Credentials,
    max_delay: Duration,
    connections: Connections,
}

impl SrtPush {
    /// One that publishes `key` to `url`, written by `muxers`.
    #[must_use]
    pub fn new(key: StreamKey, url: SrtUrl, muxers: impl MuxerFactory) -> Self {
        Self {
            supervisor: Supervisor::new(NAME, url),
            dialer: Dialer::default(),
            key,
            muxers: Arc::new(muxers),
            credentials: Credentials::anonymous(),
            max_delay: Duration::from_secs(3),
            connections: Connections::default(),
        }
    }

    super::client_settings!();

    /// Sets what it shows to the local authenticator, which is asked as for any viewer. Default: nothing.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets how far a slow remote may fall behind before it goes on at the newest keyframe. Default 3 s.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    async fn attempt(
        &self,
        url: SrtUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt<SrtUrl> {
        let mut live = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            opened = self.open(&url, failures, ctx) => match opened {
                Ok((session, dialed)) => {
                    self.push(&session, dialed, ctx, shutdown, &mut live).await
                }
                Err(failure) => Err(failure),
            },
        };
        let outcome = match result {
            Ok(()) => Outcome::Again,
            Err(failure) => Outcome::Failed(failure.to_string()),
        };
        Attempt::new(live, outcome)
    }

    /// Waits for the stream, then calls.
    async fn open(
        &self,
        url: &SrtUrl,
        failures: u32,
        ctx: &IngestContext,
    ) -> Result<(PlaySession, Dialed), Failure> {
        let playback = ctx.playback().ok_or(Failure::NoPlayback)?;
        self.supervisor.set(RelayStatus::Waiting);
        if failures == 0 {
            // That nobody publishes is no fault.
            ctx.report_health(Health::Healthy);
        }
        let session = loop {
            let request = PlayRequest::new(self.key.clone())
                .credentials(self.credentials.clone())
                .protocol(NAME)
                .wait(LOOK);
            match playback.open_play(request).await {
                Ok(session) => break session,
                // Also from a registry that does not wait.
                Err(StreamError::StreamNotFound(_)) => tokio::time::sleep(NEXT_LOOK).await,
                Err(error) => return Err(error.into()),
            }
        };
        self.supervisor.set(RelayStatus::Connecting { failures });
        let dialed = self
            .dialer
            .dial(url, &self.connections, &self.key, Action::Publish)
            .await?;
        Ok((session, dialed))
    }

    async fn push(
        &self,
        session: &PlaySession,
        mut dialed: Dialed,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        *live = Some(now());
        self.supervisor.set_live(ctx);
        let message_bytes = fitting(&dialed.link, MESSAGE_BYTES, PACKET_BYTES);
        let packager =
            MessagePackager::new(&*self.muxers, message_bytes, FLUSH_WINDOW).of(self.key.clone());
        let rendition = session.handle().rendition(packager);
        let mut messages = rendition.subscribe_from(StartAt::LatestKeyframe);
        let link = &mut dialed.link;
        let ended = play(link, session, &mut messages, self.max_delay, shutdown).await;
        // The stream has ended where all of it went out; else the remote hung up.
        let ours = messages.end().is_some() || shutdown.is_cancelled();
        link.close().await;
        self.supervisor.traffic().add_sent(link.sent_bytes());
        ended?;
        if ours {
            Ok(())
        } else {
            Err(Failure::ClosedByRemote)
        }
    }
}

impl std::fmt::Debug for SrtPush {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtPush")
            .field("url", self.supervisor.target())
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl InboundProtocol for SrtPush {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.supervisor.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}
