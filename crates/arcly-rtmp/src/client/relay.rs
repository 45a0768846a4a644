//! What pulling and pushing have in common: their settings, opening a connection, and trying again.

use super::backoff::{Backoff, random_u64};
use super::dial::Dialer;
use super::failure::Failure;
use super::link::{Link, Progress, now};
use super::status::RelayStatus;
use super::traffic::RelayTraffic;
use crate::proto::capabilities::Capabilities;
use crate::proto::client::{ClientConfig, ClientSession, End, Event, Purpose, RtmpUrl};
use arcly_core::health::Health;
use arcly_core::{IngestContext, TimeSource};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often a server may send us elsewhere, or ask for a password, without a pause or a connection that was live.
const MAX_TURNS: u32 = 5;

/// A connection that was live for so long counts as a success.
const SUCCESS: Duration = Duration::from_secs(10);

/// The settings of a client, and its state that others see.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) name: &'static str,
    pub(super) url: RtmpUrl,
    pub(super) dialer: Dialer,
    pub(super) config: ClientConfig,
    pub(super) backoff: Backoff,
    pub(super) wall: TimeSource,
    status: watch::Sender<RelayStatus>,
    pub(super) traffic: RelayTraffic,
}

/// A connection on which publishing or playing has been granted.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) capabilities: Capabilities,
    pub(super) peer: SocketAddr,
    /// Where this is, after all redirections.
    pub(super) url: RtmpUrl,
}

/// How an attempt went.
pub(super) struct Attempt {
    /// Since when media went over.
    pub(super) live: Option<Instant>,
    /// `Ok` where there is no reason to pause.
    pub(super) result: Result<(), Failure>,
}

impl Relay {
    pub(super) fn new(name: &'static str, url: RtmpUrl) -> Self {
        Self {
            name,
            url,
            dialer: Dialer::new(),
            config: ClientConfig::default(),
            backoff: Backoff::default(),
            wall: TimeSource::system(),
            status: watch::Sender::new(RelayStatus::Stopped),
            traffic: RelayTraffic::default(),
        }
    }

    pub(super) fn status(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    pub(super) fn set(&self, status: RelayStatus) {
        self.status.send_if_modified(|current| {
            let differs = *current != status;
            *current = status;
            differs
        });
    }

    /// Media goes over.
    pub(super) fn set_live(&self, ctx: &IngestContext) {
        info!(url = %self.url, protocol = self.name, "live");
        ctx.report_health(Health::Healthy);
        let since = self.wall.now();
        self.set(RelayStatus::Live { since });
    }

    /// Attempts again and again until `shutdown`, with pauses after failures. What fails is the remote's matter, so the part counts as
    /// degraded, not as failed; only one that was given up has.
    pub(super) async fn run<F: Future<Output = Attempt> + Send>(
        &self,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        attempt: impl Fn(RtmpUrl, u32) -> F + Send,
    ) {
        ctx.report_health(Health::Degraded("not connected yet".to_owned()));
        let (mut failures, mut turns) = (0_u32, 0);
        let mut target = self.url.clone();
        while !shutdown.is_cancelled() {
            let Attempt { live, result } = attempt(target, failures).await;
            target = self.url.clone();
            if live.is_some_and(|since| now().saturating_duration_since(since) >= SUCCESS) {
                (failures, turns) = (0, 0);
            }
            let failure = match result {
                Ok(()) => {
                    (failures, turns) = (0, 0);
                    continue;
                }
                Err(Failure::Moved(_)) if turns == MAX_TURNS => {
                    Failure::TooManyRedirections(MAX_TURNS)
                }
                Err(Failure::Moved(to)) => {
                    info!(url = %self.url, protocol = self.name, %to, "the server sends us elsewhere");
                    (target, turns) = (*to, turns + 1);
                    continue;
                }
                Err(failure) => failure,
            };
            if shutdown.is_cancelled() {
                break;
            }
            (failures, turns) = (failures + 1, 0);
            let retry_in = self.backoff.pause(failures);
            let reason = failure.to_string();
            warn!(url = %self.url, protocol = self.name, reason, ?retry_in, "no connection");
            let health = if retry_in.is_some() {
                Health::Degraded
            } else {
                Health::Failed
            };
            ctx.report_health(health(reason.clone()));
            self.set(RelayStatus::Failed { reason, retry_in });
            match retry_in {
                Some(pause) => tokio::select! {
                    biased;
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                },
                // Given up, which must not wind down the engine's other protocols.
                None => return shutdown.cancelled().await,
            }
        }
        self.set(RelayStatus::Stopped);
    }

    /// Connects to `url`, or to where its server sends us, until publishing or playing is granted.
    pub(super) async fn open(&self, mut url: RtmpUrl, purpose: Purpose) -> Result<Opened, Failure> {
        let mut answer = String::new();
        for _ in 0..=MAX_TURNS {
            let (transport, peer) = self.dialer.dial(&url).await?;
            let mut session =
                ClientSession::new(self.config.clone(), &url, purpose, random_u64(), now());
            session.authenticate(&answer);
            let limits = &self.config.limits;
            let mut link = Link::new(transport, session, limits, self.traffic.clone());
            match granted(&mut link).await {
                Ok(capabilities) => {
                    return Ok(Opened {
                        link,
                        capabilities,
                        peer,
                        url,
                    });
                }
                Err(Failure::Ended(End::Redirected { url: to })) => {
                    url = url.redirected(&to).map_err(Failure::Redirection)?;
                    // What proves the password to one server is none of the next one's business.
                    answer.clear();
                }
                Err(Failure::Ended(End::AuthenticationRequired { answer: next })) => answer = next,
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::TooManyRedirections(MAX_TURNS))
    }
}

/// Waits until publishing or playing is granted.
async fn granted(link: &mut Link) -> Result<Capabilities, Failure> {
    let mut capabilities = Capabilities::default();
    loop {
        match link.poll() {
            Progress::Event(Event::Connected(said)) => capabilities = said,
            Progress::Event(Event::Started) => return Ok(capabilities),
            Progress::Event(Event::Ended(end)) => return Err(Failure::Ended(end)),
            Progress::Event(_) => {}
            Progress::Idle => link.pump().await?,
            Progress::Closed => {
                let stage = link.session().stage();
                return Err(Failure::ClosedByServer(stage));
            }
        }
    }
}

/// The settings that pulls and pushes have alike.
macro_rules! relay_settings {
    () => {
        /// Sets how the connection behaves: limits, handshake, what we call ourselves.
        #[must_use]
        pub fn config(mut self, config: $crate::proto::client::ClientConfig) -> Self {
            self.relay.config = config;
            self
        }

        /// Sets the pauses between attempts, and how many there are.
        #[must_use]
        pub fn backoff(mut self, backoff: $crate::Backoff) -> Self {
            self.relay.backoff = backoff;
            self
        }

        /// Sets how long connecting may take, with name resolution and TLS. Default 10 s; each of the name's addresses (eight at most) is
        /// given an equal share.
        #[must_use]
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.relay.dialer.connect_timeout = timeout;
            self
        }

        /// Sets whose certificates are trusted with `rtmps`. Default: those that the system trusts.
        #[cfg(feature = "tls")]
        #[must_use]
        pub fn trust(mut self, trust: arcly_core::net::tls::ServerTrust) -> Self {
            self.relay.dialer.trust = trust;
            self
        }

        /// Sets where [`RelayStatus::Live`](crate::RelayStatus::Live) takes the time of day from.
        #[must_use]
        pub fn time_source(mut self, wall: arcly_core::TimeSource) -> Self {
            self.relay.wall = wall;
            self
        }

        /// The bytes that went over, counted as they do.
        #[must_use]
        pub fn traffic(&self) -> $crate::RelayTraffic {
            self.relay.traffic.clone()
        }

        /// How it stands, now and as it changes.
        #[must_use]
        pub fn status(&self) -> tokio::sync::watch::Receiver<$crate::RelayStatus> {
            self.relay.status()
        }
    };
}
pub(super) use relay_settings;
