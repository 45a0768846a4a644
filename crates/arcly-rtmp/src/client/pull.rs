//! A remote stream, brought in.

use super::failure::Failure;
use super::link::{Link, Progress};
use super::moving::Moving;
use super::relay::{Attempt, Opened, Relay, relay_settings};
use crate::proto::client::{End, Event, Purpose, RtmpUrl};
use arcly_core::health::Health;
use arcly_core::net::now;
use arcly_core::relay::{RelayStatus, SocketError};
use arcly_core::{
    Credentials, EndReason, InboundProtocol, IngestContext, MediaFrame, MediaKind, PublishRequest,
    PublishSession, Result, StreamError, StreamKey, Takeover, async_trait,
};
use std::future::pending;
use std::net::SocketAddr;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The protocol's name in logs, events and metrics.
const NAME: &str = "rtmp-pull";

/// Plays a remote stream and publishes it under a local name, for as long as the engine runs: an [`InboundProtocol`] for
/// [`Engine::serve`](arcly_core::Engine::serve).
///
/// The local stream goes live with the first media that comes and ends when the remote one does, after which the next is waited for on the
/// same connection if the server leaves it open. A connection that breaks counts as a publisher that dropped, so that the application's
/// [grace period](arcly_core::AppSpec::publisher_grace) can bridge it. Then it connects again, after a pause. Where the local
/// name is taken, the takeover policy decides; if it keeps the other, this is a failure like others.
#[derive(Debug)]
pub struct RtmpPull {
    relay: Relay,
    key: StreamKey,
    credentials: Credentials,
    takeover: Option<Takeover>,
}

impl RtmpPull {
    /// One that plays `url` and publishes `key`.
    #[must_use]
    pub fn new(url: RtmpUrl, key: StreamKey) -> Self {
        Self {
            relay: Relay::new(NAME, url),
            key,
            credentials: Credentials::anonymous(),
            takeover: None,
        }
    }

    relay_settings!();

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
        url: RtmpUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt {
        self.relay.set(RelayStatus::Connecting { failures });
        let mut live = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            opened = self.relay.open(url, Purpose::Play) => match opened {
                Ok(opened) => self.play(opened, ctx, shutdown, &mut live).await,
                Err(failure) => Err(failure),
            },
        };
        Attempt { live, result }
    }

    async fn play(
        &self,
        opened: Opened,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let Opened {
            mut link,
            peer,
            url,
            ..
        } = opened;
        let (mut publication, mut moving) = (None, Moving::new(url));
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            failure = self.receive(&mut link, peer, ctx, &mut publication, &mut moving, live) => Err(failure),
        };
        // A clean end is told as one; a broken connection leaves the session to its drop, which may have a grace period.
        let clean = matches!(result, Ok(()) | Err(Failure::Ended(End::Ended { .. })));
        if clean && let Some(publication) = publication {
            self.finish(publication).await;
        }
        if !matches!(
            result,
            Err(Failure::ClosedByServer(_) | Failure::Socket(SocketError::Io { .. }))
        ) {
            link.close().await;
        }
        moving.settle(result)
    }

    async fn finish(&self, publication: PublishSession) {
        if let Err(error) = publication.finish().await {
            warn!(stream = %self.key, %error, "a publish session could not be released");
        }
    }

    /// Publishes what comes until that fails, which it does in the end.
    async fn receive(
        &self,
        link: &mut Link,
        peer: SocketAddr,
        ctx: &IngestContext,
        publication: &mut Option<PublishSession>,
        moving: &mut Moving,
        live: &mut Option<Instant>,
    ) -> Failure {
        loop {
            match link.poll() {
                Progress::Event(Event::Frame(frame)) => {
                    if moving.is_wanted() && starts_a_gop(&frame) {
                        return Failure::ReconnectRequested;
                    }
                    let session = match publication {
                        Some(session) => session,
                        None => match self.publish(peer, ctx).await {
                            Ok(session) => {
                                live.get_or_insert_with(now);
                                self.relay.supervisor.set_live(ctx);
                                publication.insert(session)
                            }
                            Err(error) => return error.into(),
                        },
                    };
                    match session.publish_frame(frame) {
                        Ok(_subscribers) => {}
                        Err(StreamError::SessionEnded { reason, .. }) => {
                            return Failure::LocalEnded(reason);
                        }
                        // Refused for its size or the like; the engine has told its observers.
                        Err(error) => debug!(%error, "frame refused"),
                    }
                }
                Progress::Event(Event::StreamEnded) => {
                    if let Some(session) = publication.take() {
                        info!(stream = %self.key, url = %self.relay.supervisor.target(), "the remote stream has ended");
                        self.finish(session).await;
                        self.relay.set(RelayStatus::Connecting { failures: 0 });
                        let waits = "the remote stream has ended; the next is waited for";
                        ctx.report_health(Health::Degraded(waits.to_owned()));
                    }
                }
                Progress::Event(Event::ReconnectRequested { url }) => {
                    if let Err(failure) = moving.request(&url) {
                        warn!(stream = %self.key, %failure, "a request to connect anew is passed over");
                    }
                }
                Progress::Event(Event::Notice(notice)) => warn!(stream = %self.key, "{notice}"),
                Progress::Event(Event::Ended(end)) => return Failure::Ended(end),
                Progress::Event(_) => {}
                Progress::Closed => return Failure::ClosedByServer(link.session().stage()),
                Progress::Idle => tokio::select! {
                    reason = ended(publication.as_ref()) => return Failure::LocalEnded(reason),
                    () = moving.overdue() => return Failure::ReconnectRequested,
                    pumped = link.pump() => if let Err(failure) = pumped {
                        return failure;
                    },
                },
            }
        }
    }

    async fn publish(&self, peer: SocketAddr, ctx: &IngestContext) -> Result<PublishSession> {
        let mut request = PublishRequest::new(self.key.clone())
            .credentials(self.credentials.clone())
            .peer(peer)
            .protocol(NAME);
        request.takeover = self.takeover;
        ctx.open_publish_with(request).await
    }
}

/// Whether what came before it is whole without it.
fn starts_a_gop(frame: &MediaFrame) -> bool {
    frame.kind == MediaKind::Video && frame.is_keyframe() && !frame.is_config()
}

async fn ended(publication: Option<&PublishSession>) -> EndReason {
    match publication {
        Some(publication) => publication.ended().await,
        None => pending().await,
    }
}

#[async_trait]
impl InboundProtocol for RtmpPull {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.relay.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}
