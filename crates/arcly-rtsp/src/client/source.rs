//! A camera or remote stream, brought in.

use super::demand::{Current, OnDemand};
use super::failure::Failure;
use super::link::{Link, Progress};
use super::relay::{Attempt, Errand, Opened, Relay, TransportPolicy, relay_settings};
use crate::proto::client::{ClientConfig, ClientSession, End, Event, Presentation, RemoteUrl};
use arcly_core::health::Health;
use arcly_core::mux::{Demuxer, DemuxerFactory};
use arcly_core::net::now;
use arcly_core::relay::RelayStatus;
use arcly_core::rtp::PayloadFormat;
use arcly_core::{
    Credentials, Demand, EndReason, InboundProtocol, IngestContext, MediaFrame, PublishRequest,
    PublishSession, Result, StreamError, StreamKey, Takeover, async_trait,
};
use bytes::Bytes;
use std::fmt;
use std::future::pending;
use std::net::SocketAddr;
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// The protocol's name in logs, events and metrics.
const NAME: &str = "rtsp-pull";

/// Plays a camera or remote stream and publishes it under a local name, for as long as the engine runs, or
/// [while somebody watches](Self::on_demand): an [`InboundProtocol`] for [`Engine::serve`](arcly_core::Engine::serve).
///
/// All tracks that can be carried are played. The local stream goes live with the first media that comes. A connection that breaks counts as a
/// publisher that dropped, so that the application's [grace period](arcly_core::AppSpec::publisher_grace) can bridge it. Then it
/// connects again, after a pause. Where the local name is taken, the takeover policy decides; if it keeps the other, this is a failure like
/// others.
pub struct RtspSource {
    relay: Relay,
    key: StreamKey,
    credentials: Credentials,
    takeover: Option<Takeover>,
    on_demand: Option<OnDemand>,
    demuxers: Option<Box<dyn DemuxerFactory>>,
}

impl RtspSource {
    /// One that plays `url` and publishes `key`.
    #[must_use]
    pub fn new(url: RemoteUrl, key: StreamKey) -> Self {
        Self {
            relay: Relay::new(NAME, url, TransportPolicy::Auto),
            key,
            credentials: Credentials::anonymous(),
            takeover: None,
            on_demand: None,
            demuxers: None,
        }
    }

    relay_settings!();

    /// Sets what media is carried over. Default [`TransportPolicy::Auto`].
    #[must_use]
    pub fn transport(mut self, transport: TransportPolicy) -> Self {
        self.relay.transport = transport;
        self
    }

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

    /// Runs only while somebody watches. Default: always.
    #[must_use]
    pub fn on_demand(mut self, on_demand: OnDemand) -> Self {
        self.on_demand = Some(on_demand);
        self
    }

    /// Takes MPEG transport streams (`MP2T`) by these demultiplexers. Default: such tracks are left out.
    #[must_use]
    pub fn demuxer(mut self, demuxers: impl DemuxerFactory) -> Self {
        self.demuxers = Some(Box::new(demuxers));
        self
    }

    async fn attempt(
        &self,
        mut url: RemoteUrl,
        failures: u32,
        run: &Run<'_>,
        shutdown: &CancellationToken,
    ) -> Attempt {
        self.relay.set(RelayStatus::Connecting { failures });
        let mut live = None;
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            opened = self.relay.open(&mut url, self) => match opened {
                Ok(opened) => self.play(opened, run, shutdown, &mut live).await,
                Err(failure) => Err(failure),
            },
        };
        Attempt { live, result, url }
    }

    async fn play(
        &self,
        opened: Opened,
        run: &Run<'_>,
        shutdown: &CancellationToken,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let Opened { mut link, peer } = opened;
        let mut publishing = Publishing {
            source: self,
            run,
            peer,
            session: None,
            demuxer: self.demuxers.as_ref().map(|made| made.new_demuxer()),
        };
        let result = tokio::select! {
            biased;
            () = shutdown.cancelled() => Ok(()),
            failure = publishing.receive(&mut link, live) => Err(failure),
        };
        // A clean end is told as one; a broken connection leaves the session to its drop, which may have a grace period.
        let clean = matches!(result, Ok(()) | Err(Failure::Ended(End::Ended)));
        if clean && let Some(session) = publishing.session.take() {
            info!(stream = %self.key, "the source has ended");
            if let Err(error) = session.finish().await {
                warn!(stream = %self.key, %error, "a publish session could not be released");
            }
        }
        if !matches!(&result, Err(failure) if failure.is_of_connection()) {
            link.close().await;
        }
        result
    }

    async fn open(&self, peer: SocketAddr, ctx: &IngestContext) -> Result<PublishSession> {
        let mut request = PublishRequest::new(self.key.clone())
            .credentials(self.credentials.clone())
            .peer(peer)
            .protocol(NAME);
        request.takeover = self.takeover;
        ctx.open_publish_with(request).await
    }

    async fn run(&self, run: &Run<'_>, shutdown: &CancellationToken) {
        let attempt = |url, failures| self.attempt(url, failures, run, shutdown);
        self.relay.run(run.ctx, shutdown, attempt).await;
    }

    /// Runs whenever somebody wants the stream, until nobody does.
    async fn run_on_demand(
        &self,
        ctx: &IngestContext,
        demand: &Demand,
        on_demand: OnDemand,
        shutdown: &CancellationToken,
    ) {
        loop {
            self.relay.set(RelayStatus::Waiting);
            // That nobody watches is no fault.
            ctx.report_health(Health::Healthy);
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = demand.wanted() => {}
            }
            let stop = shutdown.child_token();
            let run = Run {
                ctx,
                current: Current::default(),
            };
            let idle = async {
                run.current.unwanted(demand, on_demand.linger).await;
                info!(stream = %self.key, "nobody watches any more");
                stop.cancel();
            };
            tokio::select! {
                () = self.run(&run, &stop) => {}
                // Only where it was cancelled, which the other then sees to.
                () = async { idle.await; pending::<()>().await } => {}
            }
        }
        self.relay.set(RelayStatus::Stopped);
    }
}

impl Errand for RtspSource {
    fn session(
        &self,
        config: ClientConfig,
        url: &RemoteUrl,
        seed: u64,
        now: Instant,
    ) -> ClientSession {
        ClientSession::play(config, url, seed, now)
    }

    fn tracks(&self, described: Option<&Presentation>) -> Vec<usize> {
        let tracks = described.map(|described| described.tracks.as_slice());
        let tracks = tracks.unwrap_or_default().iter().enumerate();
        let taken = tracks.filter(|(_, track)| {
            self.demuxers.is_some() || !matches!(track.format, PayloadFormat::MpegTs)
        });
        taken.map(|(place, _)| place).collect()
    }
}

/// What the attempts of one run share.
struct Run<'a> {
    ctx: &'a IngestContext,
    current: Current,
}

/// What comes on one connection, and where it is published.
struct Publishing<'a> {
    source: &'a RtspSource,
    run: &'a Run<'a>,
    peer: SocketAddr,
    session: Option<PublishSession>,
    demuxer: Option<Box<dyn Demuxer>>,
}

impl Publishing<'_> {
    /// Publishes what comes until that fails, which it does in the end.
    async fn receive(&mut self, link: &mut Link, live: &mut Option<Instant>) -> Failure {
        let stream = &self.source.key;
        loop {
            let published = match link.poll() {
                Progress::Event(Event::Frame(frame)) => self.publish(frame, live).await,
                Progress::Event(Event::TransportStream(data)) => self.demux(data, live).await,
                Progress::Event(Event::Notice(notice)) => {
                    warn!(%stream, "{notice}");
                    Ok(())
                }
                Progress::Event(Event::Ended(end)) => return Failure::Ended(end),
                Progress::Event(_) => Ok(()),
                Progress::Closed => return Failure::ClosedByServer(link.session().stage()),
                Progress::Idle => tokio::select! {
                    reason = ended(self.session.as_ref()) => return Failure::LocalEnded(reason),
                    () = keyframe_wanted(self.session.as_ref()) => {
                        link.session().request_keyframe(now());
                        Ok(())
                    }
                    pumped = link.pump() => pumped,
                },
            };
            if let Err(failure) = published {
                return failure;
            }
        }
    }

    async fn demux(&mut self, data: Bytes, live: &mut Option<Instant>) -> Result<(), Failure> {
        let Some(demuxer) = &mut self.demuxer else {
            return Ok(());
        };
        let mut frames = Vec::new();
        demuxer.read(data, &mut frames)?;
        for frame in frames {
            self.publish(frame, live).await?;
        }
        Ok(())
    }

    async fn publish(
        &mut self,
        frame: MediaFrame,
        live: &mut Option<Instant>,
    ) -> Result<(), Failure> {
        let session = match &mut self.session {
            Some(session) => session,
            None => {
                let session = self.source.open(self.peer, self.run.ctx).await?;
                live.get_or_insert_with(now);
                self.source.relay.supervisor.set_live(self.run.ctx);
                self.run.current.set(session.handle().clone());
                self.session.insert(session)
            }
        };
        match session.publish_frame(frame) {
            Ok(_subscribers) => {}
            Err(StreamError::SessionEnded { reason, .. }) => {
                return Err(Failure::LocalEnded(reason));
            }
            // Refused for its size or the like; the engine has told its observers.
            Err(error) => debug!(%error, "frame refused"),
        }
        Ok(())
    }
}

async fn ended(session: Option<&PublishSession>) -> EndReason {
    match session {
        Some(session) => session.ended().await,
        None => pending().await,
    }
}

async fn keyframe_wanted(session: Option<&PublishSession>) {
    match session {
        Some(session) => session.handle().keyframe_requested().await,
        None => pending().await,
    }
}

#[async_trait]
impl InboundProtocol for RtspSource {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let offered = self
            .on_demand
            .and_then(|on_demand| Some((ctx.offer(&self.key, on_demand.patience)?, on_demand)));
        match offered {
            Some((demand, on_demand)) => {
                self.run_on_demand(&ctx, &demand, on_demand, &shutdown)
                    .await;
            }
            None => {
                let run = Run {
                    ctx: &ctx,
                    current: Current::default(),
                };
                self.run(&run, &shutdown).await;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for RtspSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtspSource")
            .field("relay", &self.relay)
            .field("key", &self.key)
            .field("on_demand", &self.on_demand)
            .finish_non_exhaustive()
    }
}
