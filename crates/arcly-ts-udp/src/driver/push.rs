//! A stream that is sent by UDP.

use super::{now, relay_settings, sleep_until, socket};
use crate::TsUrl;
use crate::proto::{Framing, Sender};
use arcly_core::health::Health;
use arcly_core::mux::MuxerFactory;
use arcly_core::net::udp::UdpPort;
use arcly_core::relay::{Attempt, Outcome, RelayStatus, Supervisor};
use arcly_core::{
    Credentials, InboundProtocol, IngestContext, PlayRequest, PlaySession, Result, StartAt,
    StreamError, StreamKey, Subscription, SubscriptionEnd, ViewerLoss, async_trait,
};
use std::fmt;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// The protocol's name in logs, events and metrics.
const NAME: &str = "ts-udp-push";

/// How long one look for the local stream waits for it; then it is looked for anew.
const LOOK: Duration = Duration::from_secs(3_600);

/// The pause between two looks.
const NEXT_LOOK: Duration = Duration::from_millis(500);

/// How many frames are taken at once.
const FRAMES: usize = 64;

/// Sends a local stream to an address or group whenever it is live, for as long as the engine runs: an [`InboundProtocol`] for
/// [`Engine::serve`](arcly_core::Engine::serve), which lets it play. A stream may have several.
///
/// It begins at the newest keyframe. Datagrams are spread by the stream's own clock; what the stream had in store when it was joined is sent a
/// quarter faster than that, until the delay is down to 200 ms. Nobody tells whether anybody receives.
pub struct TsUdpPush {
    supervisor: Supervisor<TsUrl>,
    key: StreamKey,
    muxers: Box<dyn MuxerFactory>,
    credentials: Credentials,
}

impl TsUdpPush {
    /// One that sends `key` to `url`, in MPEG-TS of muxers of `muxers`.
    #[must_use]
    pub fn new(key: StreamKey, url: TsUrl, muxers: impl MuxerFactory) -> Self {
        Self {
            supervisor: Supervisor::new(NAME, url),
            key,
            muxers: Box::new(muxers),
            credentials: Credentials::anonymous(),
        }
    }

    relay_settings!();

    async fn attempt(
        &self,
        url: TsUrl,
        failures: u32,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
    ) -> Attempt<TsUrl> {
        let mut live = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            result = self.push(&url, failures, ctx, &mut live) => result,
        };
        let outcome = match result {
            Ok(()) => Outcome::Again,
            Err(reason) => Outcome::Failed(reason),
        };
        Attempt::new(live, outcome)
    }

    /// Waits for the stream, and sends it to its end.
    async fn push(
        &self,
        url: &TsUrl,
        failures: u32,
        ctx: &IngestContext,
        live: &mut Option<Instant>,
    ) -> Result<(), String> {
        url.check_destination().map_err(|error| error.to_string())?;
        let play = self.open(failures, ctx).await?;
        self.supervisor.set(RelayStatus::Connecting { failures });
        let port = socket::sender(url).map_err(|error| format!("no socket: {error}"))?;
        let framing = framing(url).map_err(|error| format!("no random numbers: {error}"))?;
        let mut sender = Sender::new(self.muxers.new_muxer(), url.payload_bytes(), framing);
        let mut frames = play.subscribe_from(StartAt::LatestKeyframe);
        let mut run = Run::default();
        loop {
            // All that is due goes out in one call, as far as the datagrams are of one length.
            while run.fill(&mut sender, now()) {
                self.send(&port, url, &run).await?;
                if live.is_none() {
                    *live = Some(now());
                    self.supervisor.set_live(ctx);
                }
            }
            tokio::select! {
                () = play.ended() => return Err("the playing was ended".to_owned()),
                () = sleep_until(sender.next_timeout()) => {}
                more = frames.ready(), if !sender.is_full() => {
                    if more {
                        take(&mut frames, &mut sender, &play);
                        continue;
                    }
                    if matches!(frames.end(), Some(SubscriptionEnd::Evicted { .. })) {
                        return Err("it fell too far behind".to_owned());
                    }
                    break;
                }
            }
        }
        if let Err(error) = sender.finish(now()) {
            debug!(stream = %self.key, %error, "what was held back is left out");
        }
        while let Some(due) = sender.next_timeout() {
            sleep_until(Some(due)).await;
            while run.fill(&mut sender, now()) {
                self.send(&port, url, &run).await?;
            }
        }
        info!(stream = %self.key, %url, "sent to its end");
        Ok(())
    }

    async fn open(&self, failures: u32, ctx: &IngestContext) -> Result<PlaySession, String> {
        let playback = ctx
            .playback()
            .ok_or("the host does not let protocols play")?;
        self.supervisor.set(RelayStatus::Waiting);
        if failures == 0 {
            // That nobody publishes is no fault.
            ctx.report_health(Health::Healthy);
        }
        loop {
            let request = PlayRequest::new(self.key.clone())
                .credentials(self.credentials.clone())
                .protocol(NAME)
                .wait(LOOK);
            match playback.open_play(request).await {
                Ok(play) => return Ok(play),
                // Also from a registry that does not wait.
                Err(StreamError::StreamNotFound(_)) => tokio::time::sleep(NEXT_LOOK).await,
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn send(&self, port: &UdpPort, url: &TsUrl, run: &Run) -> Result<(), String> {
        let sent = port
            .send(url.address(), None, run.segment, &run.bytes)
            .await;
        sent.map_err(|error| format!("sending failed: {error}"))?;
        self.supervisor.traffic().add_sent(run.bytes.len());
        Ok(())
    }
}

/// Datagrams of one length, but for the last, that go out in one call.
#[derive(Debug, Default)]
struct Run {
    bytes: Vec<u8>,
    segment: usize,
    /// One that did not fit the run before.
    next: Option<bytes::Bytes>,
}

/// How much one call takes at most.
const MAX_RUN_BYTES: usize = 32 << 10;

impl Run {
    /// Takes what is due; whether there is anything.
    fn fill(&mut self, sender: &mut Sender, now: Instant) -> bool {
        self.bytes.clear();
        self.segment = 0;
        while let Some(datagram) = self.next.take().or_else(|| sender.poll(now)) {
            if self.segment == 0 {
                self.segment = datagram.len();
            }
            if datagram.len() > self.segment || self.bytes.len() + datagram.len() > MAX_RUN_BYTES {
                self.next = Some(datagram);
                break;
            }
            self.bytes.extend_from_slice(&datagram);
            if datagram.len() < self.segment {
                break;
            }
        }
        !self.bytes.is_empty()
    }
}

/// Muxes what is ready. Frames that the container cannot carry are left out.
fn take(frames: &mut Subscription, sender: &mut Sender, play: &PlaySession) {
    let (now, mut skipped) = (now(), 0);
    frames.for_each_ready(FRAMES, |delivery| {
        skipped += delivery.skipped;
        if let Err(error) = sender.write(delivery.item, now) {
            debug!(%error, "frame left out");
        }
    });
    if skipped > 0 {
        play.lost(ViewerLoss::SkippedToKeyframe, skipped);
    }
}

/// RTP starts at random numbers (RFC 3550, 5.1).
fn framing(url: &TsUrl) -> Result<Framing, getrandom::Error> {
    if !url.is_rtp() {
        return Ok(Framing::Plain);
    }
    let bytes = getrandom::u64()?.to_be_bytes();
    let [a, b, c, d, e, f, ..] = bytes;
    Ok(Framing::Rtp {
        ssrc: u32::from_be_bytes([a, b, c, d]),
        sequence: u16::from_be_bytes([e, f]),
        timestamp: getrandom::u32()?,
    })
}

#[async_trait]
impl InboundProtocol for TsUdpPush {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let attempt = |url, failures| self.attempt(url, failures, &ctx, &shutdown);
        self.supervisor.run(&ctx, &shutdown, attempt).await;
        Ok(())
    }
}

impl fmt::Debug for TsUdpPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TsUdpPush")
            .field("supervisor", &self.supervisor)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
