//! A local stream, sent to a remote server.

use super::failure::Failure;
use super::link::{Link, Progress};
use super::relay::{Attempt, Errand, Opened, Relay, TransportPolicy, relay_settings};
use super::sending::{Announcement, catch_up};
use crate::pacing::Burst;
use crate::proto::client::{ClientConfig, ClientSession, Event, Presentation, RemoteUrl};
use arcly_core::health::Health;
use arcly_core::net::now;
use arcly_core::relay::RelayStatus;
use arcly_core::rtp::{RtpFrame, RtpPackager, RtpVariant};
use arcly_core::{
    Credentials, InboundProtocol, IngestContext, LogItem, PlayRequest, PlaySession,
    RenditionSubscription, Result, StartAt, StreamError, StreamKey, SubscriptionEnd, async_trait,
};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The protocol's name in logs, events and metrics.
const NAME: &str = "rtsp-push";

/// How long one look for the local stream waits for it; then it is looked for anew.
const LOOK: Duration = Duration::from_secs(3_600);

/// The pause between two looks.
const NEXT_LOOK: Duration = Duration::from_millis(500);

/// How often the tracks are compared with what was announced.
const COMPARE: Duration = Duration::from_secs(1);

/// How many frames are handed to the session at once.
const BATCH_FRAMES: usize = 32;

/// How much faster than real time a remote is sent by UDP what lies between the keyframe that it starts at and now: as a server's players are by default.
const UDP_BURST: u32 = 4;

/// Publishes a local stream to a remote server (ANNOUNCE, RECORD) whenever it is live, for as long as the engine runs: an
/// [`InboundProtocol`] for [`Engine::serve`](arcly_core::Engine::serve), which lets it play. A stream may have several, each with its own
/// connection.
///
/// It waits for the stream and for its codec configs, connects, starts at the newest keyframe, and says goodbye when the stream ends. The
/// packets are those of the rendition that all RTP viewers of the stream share. A remote that is too slow is sent on from the newest keyframe; one that takes nothing
/// for [`write_timeout`](crate::proto::client::ClientLimits::write_timeout) is connected to anew, and so is one to which other tracks were announced than
/// the stream now has. A remote that asks for a keyframe gets the publisher asked.
#[derive(Debug)]
pub struct RtspPush {
    relay: Relay,
    key: StreamKey,
    credentials: Credentials,
    max_delay: Duration,
}

impl RtspPush {
    /// One that publishes `key` to `url`.
    #[must_use]
    pub fn new(key: StreamKey, url: RemoteUrl) -> Self {
        Self {
            relay: Relay::new(NAME, url, TransportPolicy::Tcp),
            key,
            credentials: Credentials::anonymous(),
            max_delay: Duration::from_secs(3),
        }
    }

    relay_settings!();

    /// Sets what media is carried over. Default [`TransportPolicy::Tcp`]: whoever sends datagrams is not told that none arrives.
    #[must_use]
    pub fn transport(mut self, transport: TransportPolicy) -> Self {
        self.relay.transport = transport;
        self
    }

    /// Sets what it shows to the local authenticator, which is asked as for any viewer. Default: nothing.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets how far a slow remote may fall behind before it is sent on from the newest keyframe. Default 3 s. Cost: none, the stream's
    /// log is what it lags in.
    #[must_use]
    pub fn max_delay(mut self, max_delay: Duration) -> Self {
        self.max_delay = max_delay;
        self
    }

    async fn attempt(
        &self,
        mut url: RemoteUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt {
        let mut live = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            opened = self.open(&mut url, failures, ctx) => match opened {
                Ok((play, announcement, opened)) => {
                    let sent = self.push(&play, &announcement, opened, ctx, shutdown, &mut live);
                    sent.await
                }
                Err(failure) => Err(failure),
            },
        };
        Attempt { live, result, url }
    }

    /// Waits for the stream, then connects.
    async fn open(
        &self,
        url: &mut RemoteUrl,
        failures: u32,
        ctx: &IngestContext,
    ) -> Result<(PlaySession, Announcement, Opened), Failure> {
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
        let announcement = Announcement::of(play.handle(), &self.key.stream)
            .await
            .ok_or(Failure::NothingToSend)?;
        let opened = self.relay.open(url, &announcement).await?;
        Ok((play, announcement, opened))
    }

    async fn push(
        &self,
        play: &PlaySession,
        announcement: &Announcement,
        opened: Opened,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let Opened { mut link, .. } = opened;
        let packager = RtpPackager::new(play.handle().clone(), RtpVariant::default());
        let rendition = play.handle().rendition(packager);
        let mut frames = rendition.subscribe_from(StartAt::LatestKeyframe);
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            () = play.ended() => Err(Failure::PlayEnded),
            result = self.send(&mut link, &mut frames, play, announcement, ctx, live) => result,
        };
        if !matches!(&result, Err(failure) if failure.is_of_connection()) {
            link.close().await;
        }
        result
    }

    /// Sends to the end of the stream; by UDP at a pace, until it has caught up with now.
    async fn send(
        &self,
        link: &mut Link,
        frames: &mut RenditionSubscription<RtpFrame>,
        play: &PlaySession,
        announcement: &Announcement,
        ctx: &IngestContext,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let mut compare = interval(COMPARE);
        compare.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ended = false;
        let mut burst = None;
        let mut by_udp = !link.datagrams.is_empty();
        loop {
            match link.poll() {
                Progress::Event(Event::KeyframeWanted) => {
                    play.handle().request_keyframe();
                    continue;
                }
                Progress::Event(Event::Ended(end)) => return Err(Failure::Ended(end)),
                Progress::Event(Event::Notice(notice)) => {
                    warn!(stream = %self.key, "{notice}");
                    continue;
                }
                Progress::Event(_) => continue,
                Progress::Closed => return Err(Failure::ClosedByServer(link.session().stage())),
                Progress::Idle => {}
            }
            // What pumping would wait for behind it is not what the next frame waits for.
            link.write()?;
            let mut paced = None;
            if link.is_drained() {
                if burst.is_none() {
                    catch_up(frames, play, self.max_delay);
                }
                if std::mem::take(&mut by_udp) {
                    let first = frames.peek_ready(1).next().map(LogItem::dts);
                    burst = first.map(|first| Burst::new(first, UDP_BURST, now()));
                    by_udp = first.is_none();
                }
                let filled = self.fill(link, frames, &mut burst)?;
                paced = filled.again;
                if filled.any {
                    if live.is_none() {
                        *live = Some(now());
                        self.relay.supervisor.set_live(ctx);
                    }
                    continue;
                }
                if ended && paced.is_none() {
                    info!(stream = %self.key, url = %self.relay.supervisor.target(), "pushed to its end");
                    return Ok(());
                }
            }
            let drained = link.is_drained();
            tokio::select! {
                more = frames.ready(), if !ended && drained && paced.is_none() => if !more {
                    if matches!(frames.end(), Some(SubscriptionEnd::Evicted { .. })) {
                        return Err(Failure::Evicted);
                    }
                    ended = true;
                },
                () = sleep_until(paced.unwrap_or_else(now).into()), if paced.is_some() => {}
                pumped = link.pump() => pumped?,
                _ = compare.tick() => if !announcement.still_holds(play.handle()) {
                    return Err(Failure::TracksChanged);
                },
            }
        }
    }

    /// Hands the session what is ready, and may go out by now.
    fn fill(
        &self,
        link: &mut Link,
        frames: &mut RenditionSubscription<RtpFrame>,
        burst: &mut Option<Burst>,
    ) -> Result<Filled, Failure> {
        let mut filled = Filled::default();
        for _ in 0..BATCH_FRAMES {
            if let Some(pace) = burst {
                match frames.peek_ready(1).next().map(LogItem::dts) {
                    Some(dts) => {
                        let now = now();
                        let wait = pace.wait(dts, now);
                        if !wait.is_zero() {
                            filled.again = now.checked_add(wait);
                            break;
                        }
                    }
                    // All there is was sent, or what comes next is a gap: from here on frames go out as they come.
                    None => *burst = None,
                }
            }
            let Some(frame) = frames.try_recv() else {
                break;
            };
            link.session().publish(&frame)?;
            filled.any = true;
        }
        Ok(filled)
    }
}

/// What [`RtspPush::fill`] did.
#[derive(Default)]
struct Filled {
    /// Whether the session was handed something.
    any: bool,
    /// When what is held back by the pace may go out.
    again: Option<Instant>,
}

impl Errand for Announcement {
    fn session(
        &self,
        config: ClientConfig,
        url: &RemoteUrl,
        seed: u64,
        now: Instant,
    ) -> ClientSession {
        let description = self.description.clone();
        ClientSession::publish_to(config, url, description, &self.channels, seed, now)
    }

    fn tracks(&self, _: Option<&Presentation>) -> Vec<usize> {
        (0..self.channels.len()).collect()
    }
}

#[async_trait]
impl InboundProtocol for RtspPush {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.relay.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}
