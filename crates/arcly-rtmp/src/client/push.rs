//! A local stream, sent to a remote server.

use super::failure::Failure;
use super::link::{Link, Progress};
use super::moving::Moving;
use super::relay::{Attempt, Opened, Relay, relay_settings};
use super::sending::Sending;
use crate::proto::client::{Event, Purpose, RtmpUrl};
use arcly_core::health::Health;
use arcly_core::net::now;
use arcly_core::relay::{RelayStatus, SocketError};
use arcly_core::{
    Credentials, InboundProtocol, IngestContext, PlayRequest, PlaySession, Result, StartAt,
    StreamError, StreamKey, Subscription, SubscriptionEnd, async_trait,
};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The protocol's name in logs, events and metrics.
const NAME: &str = "rtmp-push";

/// How long one look for the local stream waits for it; then it is looked for anew.
const LOOK: Duration = Duration::from_secs(3_600);

/// The pause between two looks.
const NEXT_LOOK: Duration = Duration::from_millis(500);

/// Publishes a local stream to a remote server whenever it is live, for as long as the engine runs: an [`InboundProtocol`] for
/// [`Engine::serve`](arcly_core::Engine::serve), which lets it play. A stream may have several, each with its own connection.
///
/// It waits for the stream, connects, starts at the newest keyframe, and says goodbye when the stream ends. A remote that is too slow loses
/// disposable frames first, then everything up to the newest keyframe; one that takes nothing for
/// [`write_timeout`](crate::Limits::write_timeout) is connected to anew. Timestamps start at 0 with each connection.
#[derive(Debug)]
pub struct RtmpPush {
    relay: Relay,
    key: StreamKey,
    credentials: Credentials,
    max_delay: Duration,
    assume_enhanced: bool,
}

impl RtmpPush {
    /// One that publishes `key` to `url`.
    #[must_use]
    pub fn new(key: StreamKey, url: RtmpUrl) -> Self {
        Self {
            relay: Relay::new(NAME, url),
            key,
            credentials: Credentials::anonymous(),
            max_delay: Duration::from_secs(3),
            assume_enhanced: false,
        }
    }

    relay_settings!();

    /// Sets what it shows to the local authenticator, which is asked as for any viewer. Default: nothing.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets how far a slow remote may fall behind before frames are given up. Default 3 s. Cost: that much media, and 32 MiB at most.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    /// Sends codecs that need Enhanced RTMP also to a server that does not say it takes them, as some do not. Default false: such a
    /// stream fails, with a status that says why.
    #[must_use]
    pub fn assume_enhanced(mut self, assumed: bool) -> Self {
        self.assume_enhanced = assumed;
        self
    }

    async fn attempt(
        &self,
        url: RtmpUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt {
        let mut live = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            opened = self.open(url, failures, ctx) => match opened {
                Ok((play, opened)) => self.push(&play, opened, ctx, shutdown, &mut live).await,
                Err(failure) => Err(failure),
            },
        };
        Attempt { live, result }
    }

    /// Waits for the stream, then connects.
    async fn open(
        &self,
        url: RtmpUrl,
        failures: u32,
        ctx: &IngestContext,
    ) -> Result<(PlaySession, Opened), Failure> {
        let playback = ctx.playback().ok_or(Failure::NoPlayback)?;
        self.relay.set(RelayStatus::Waiting);
        if failures == 0 {
            // That nobody publishes is no fault.
            ctx.report_health(Health::Healthy);
        }
        let play = loop {
            let request = PlayRequest::new(self.key.clone())
                .credentials(self.credentials.clone())
                .protocol(NAME)
                .wait(LOOK);
            match playback.open_play(request).await {
                Ok(play) => break play,
                // Also from a registry that does not wait.
                Err(StreamError::StreamNotFound(_)) => tokio::time::sleep(NEXT_LOOK).await,
                Err(error) => return Err(error.into()),
            }
        };
        self.relay.set(RelayStatus::Connecting { failures });
        let opened = self.relay.open(url, Purpose::Publish).await?;
        Ok((play, opened))
    }

    async fn push(
        &self,
        play: &PlaySession,
        opened: Opened,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let Opened {
            mut link,
            mut capabilities,
            url,
            ..
        } = opened;
        if self.assume_enhanced {
            capabilities = capabilities.assuming_all_codecs();
        }
        let mut sending = Sending::new(&self.key, capabilities, self.max_delay, Moving::new(url));
        let mut frames = play.subscribe_from(StartAt::LatestKeyframe);
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            () = play.ended() => Err(Failure::PlayEnded),
            result = self.send(&mut link, &mut sending, &mut frames, play, ctx, live) => result,
        };
        if !matches!(
            result,
            Err(Failure::ClosedByServer(_) | Failure::Socket(SocketError::Io { .. }))
        ) {
            link.close().await;
        }
        sending.moving.settle(result)
    }

    /// Sends to the end of the stream, or to the keyframe before which the server wants us to leave.
    async fn send(
        &self,
        link: &mut Link,
        sending: &mut Sending<'_>,
        frames: &mut Subscription,
        play: &PlaySession,
        ctx: &IngestContext,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let (mut ended, mut leaving) = (false, false);
        loop {
            match link.poll() {
                Progress::Event(Event::ReconnectRequested { url }) => {
                    if let Err(failure) = sending.moving.request(&url) {
                        warn!(stream = %self.key, %failure, "a request to connect anew is passed over");
                    }
                    continue;
                }
                Progress::Event(Event::Ended(end)) => return Err(Failure::Ended(end)),
                Progress::Event(_) => continue,
                Progress::Closed => return Err(Failure::ClosedByServer(link.session().stage())),
                Progress::Idle => {}
            }
            if link.is_drained() {
                if sending.fill(link, play)? {
                    if live.is_none() {
                        *live = Some(now());
                        self.relay.supervisor.set_live(ctx);
                    }
                    continue;
                }
                if leaving {
                    return Err(Failure::ReconnectRequested);
                }
                if ended {
                    info!(stream = %self.key, url = %self.relay.supervisor.target(), "pushed to its end");
                    return Ok(());
                }
            }
            tokio::select! {
                more = frames.ready(), if !(ended || leaving) => {
                    if more {
                        leaving = sending.take(frames);
                    } else if matches!(frames.end(), Some(SubscriptionEnd::Evicted { .. })) {
                        return Err(Failure::Evicted);
                    } else {
                        ended = true;
                    }
                }
                pumped = link.pump() => pumped?,
                () = sending.moving.overdue() => return Err(Failure::ReconnectRequested),
            }
        }
    }
}

#[async_trait]
impl InboundProtocol for RtmpPush {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.relay.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}
