//! What pulling and pushing have in common: their settings, and opening a connection.

use super::failure::Failure;
use super::link::{Link, Progress};
use crate::proto::client::{
    Carriage, ClientConfig, ClientSession, End, Event, Presentation, RemoteUrl,
};
use arcly_core::IngestContext;
use arcly_core::net::{Dialer, now};
use arcly_core::relay::{self, MAX_TURNS, Outcome, RelayStatus, SocketError, Supervisor};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// What media is carried over. With `rtsps` it is always the connection itself: datagrams would not be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TransportPolicy {
    /// Datagrams; the connection, where the server refuses them or none comes within three seconds. Once it was the connection, it stays
    /// that.
    #[default]
    Auto,
    /// Datagrams.
    Udp,
    /// The connection.
    Tcp,
}

/// The settings of a client, and its state that others see.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) supervisor: Supervisor<RemoteUrl>,
    pub(super) dialer: Dialer,
    pub(super) config: ClientConfig,
    pub(super) transport: TransportPolicy,
    pub(super) udp_ports: Option<RangeInclusive<u16>>,
    /// Whether datagrams were found not to work.
    no_datagrams: AtomicBool,
}

/// A connection on which publishing or playing has been granted.
pub(super) struct Opened {
    pub(super) link: Link,
    pub(super) peer: SocketAddr,
}

/// How an attempt went.
pub(super) struct Attempt {
    /// Since when media went over.
    pub(super) live: Option<Instant>,
    /// `Ok` where there is no reason to pause.
    pub(super) result: Result<(), Failure>,
    /// Where this was, in the end.
    pub(super) url: RemoteUrl,
}

/// What is to be done on a connection.
pub(super) trait Errand: Sync {
    /// A fresh session.
    fn session(
        &self,
        config: ClientConfig,
        url: &RemoteUrl,
        seed: u64,
        now: Instant,
    ) -> ClientSession;

    /// The tracks that are wanted, by their places: of those that are described, or of those that were announced.
    fn tracks(&self, described: Option<&Presentation>) -> Vec<usize>;
}

impl Relay {
    pub(super) fn new(name: &'static str, url: RemoteUrl, transport: TransportPolicy) -> Self {
        Self {
            supervisor: Supervisor::new(name, url),
            dialer: Dialer::new(),
            config: ClientConfig::default(),
            transport,
            udp_ports: None,
            no_datagrams: AtomicBool::new(false),
        }
    }

    pub(super) fn set(&self, status: RelayStatus) {
        self.supervisor.set(status);
    }

    /// Attempts again and again until `shutdown`.
    pub(super) async fn run<F: Future<Output = Attempt> + Send>(
        &self,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        attempt: impl Fn(RemoteUrl, u32) -> F + Send,
    ) {
        let attempt = move |url, failures| {
            let attempt = attempt(url, failures);
            async {
                let Attempt { live, result, url } = attempt.await;
                relay::Attempt::new(live, self.outcome(result, url))
            }
        };
        self.supervisor.run(ctx, shutdown, attempt).await;
    }

    fn outcome(&self, result: Result<(), Failure>, url: RemoteUrl) -> Outcome<RemoteUrl> {
        match result {
            Ok(()) | Err(Failure::TracksChanged) => Outcome::Again,
            Err(Failure::Ended(End::Redirected { url: to })) => match url.redirected(&to) {
                Ok(to) => Outcome::Moved(to),
                Err(error) => Outcome::Failed(Failure::Redirection(error).to_string()),
            },
            Err(Failure::Ended(end @ End::NoDatagrams)) if self.falls_back() => {
                info!(%url, "{end}; the connection is tried instead");
                Outcome::Moved(url)
            }
            Err(failure) => Outcome::Failed(failure.to_string()),
        }
    }

    /// Whether datagrams are to be done without from now on.
    fn falls_back(&self) -> bool {
        self.transport == TransportPolicy::Auto && !self.no_datagrams.swap(true, Ordering::Relaxed)
    }

    fn by_datagrams(&self, url: &RemoteUrl) -> bool {
        let wanted = match self.transport {
            TransportPolicy::Udp => true,
            TransportPolicy::Tcp => false,
            TransportPolicy::Auto => !self.no_datagrams.load(Ordering::Relaxed),
        };
        wanted && !url.as_url().tls
    }

    /// Connects to `url`, or to where its server sends us, which it then is, until publishing or playing is granted.
    pub(super) async fn open(
        &self,
        url: &mut RemoteUrl,
        errand: &impl Errand,
    ) -> Result<Opened, Failure> {
        for _ in 0..=MAX_TURNS {
            let parts = url.as_url();
            let (host, port) = (&parts.host, parts.effective_port());
            let (transport, peer) = self.dialer.dial(host, port, parts.tls).await?;
            let session = errand.session(self.config.clone(), url, seed(), now());
            let traffic = self.supervisor.traffic().clone();
            let mut link = Link::new(transport, session, &self.config.limits, traffic);
            match self.granted(&mut link, peer, url, errand).await {
                Ok(()) => {
                    return Ok(Opened { link, peer });
                }
                Err(Failure::Ended(End::Redirected { url: to })) => {
                    link.close().await;
                    *url = url.redirected(&to)?;
                }
                Err(Failure::Ended(end @ End::TransportRefused)) if self.falls_back() => {
                    info!(%url, "{end}; the connection is tried instead");
                    link.close().await;
                }
                Err(failure) => {
                    if !failure.is_of_connection() {
                        link.close().await;
                    }
                    return Err(failure);
                }
            }
        }
        Err(Failure::TooManyRedirections(MAX_TURNS))
    }

    /// Waits until publishing or playing is granted.
    async fn granted(
        &self,
        link: &mut Link,
        peer: SocketAddr,
        url: &RemoteUrl,
        errand: &impl Errand,
    ) -> Result<(), Failure> {
        loop {
            match link.poll() {
                Progress::Event(Event::Described(presentation)) => {
                    self.set_up(link, url, &errand.tracks(Some(&presentation)))?;
                }
                Progress::Event(Event::Announced) => {
                    self.set_up(link, url, &errand.tracks(None))?;
                }
                Progress::Event(Event::Agreed(agreement)) => {
                    // A server that is sent a stream does not choose who gets it.
                    let elsewhere = link.session().is_playing();
                    link.datagrams.agree(&agreement, peer.ip(), elsewhere);
                }
                Progress::Event(Event::Started) => return Ok(()),
                Progress::Event(Event::Ended(end)) => return Err(Failure::Ended(end)),
                Progress::Event(Event::Notice(notice)) => warn!(%url, "{notice}"),
                Progress::Event(_) => {}
                Progress::Idle => link.pump().await?,
                Progress::Closed => {
                    let stage = link.session().stage();
                    return Err(Failure::ClosedByServer(stage));
                }
            }
        }
    }

    fn set_up(&self, link: &mut Link, url: &RemoteUrl, tracks: &[usize]) -> Result<(), Failure> {
        if tracks.is_empty() {
            return Err(Failure::NoTracks);
        }
        let local = link.transport().tcp().local_addr();
        let local = local.map_err(|source| SocketError::Io {
            action: "asking for our address",
            source,
        })?;
        let mut wanted = Vec::new();
        for &track in tracks {
            let carriage = match self.by_datagrams(url) {
                true => {
                    let range = self.udp_ports.as_ref();
                    Carriage::Datagrams(link.datagrams.bind(track, local.ip(), range)?)
                }
                false => Carriage::Interleaved,
            };
            wanted.push((track, carriage));
        }
        Ok(link.session().setup(&wanted, now())?)
    }
}

/// A random number: the keys of a fresh hash map.
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// The settings that pulls and pushes have alike.
macro_rules! relay_settings {
    () => {
        /// Sets how the connection behaves: limits, quirks of the server, what we call ourselves.
        #[must_use]
        pub fn config(mut self, config: $crate::proto::client::ClientConfig) -> Self {
            self.relay.config = config;
            self
        }

        /// Sets how to get along with servers that have ways of their own.
        #[must_use]
        pub fn quirks(mut self, quirks: $crate::proto::client::Quirks) -> Self {
            self.relay.config.quirks = quirks;
            self
        }

        /// Sets the ports that datagrams come to, for firewalls: an even one and the next for each track. Default: any that are free.
        #[must_use]
        pub fn udp_ports(mut self, range: std::ops::RangeInclusive<u16>) -> Self {
            self.relay.udp_ports = Some(range);
            self
        }

        /// Sets the pauses between attempts, and how many there are.
        #[must_use]
        pub fn backoff(mut self, backoff: arcly_core::relay::Backoff) -> Self {
            self.relay.supervisor.set_backoff(backoff);
            self
        }

        /// Sets how long connecting may take, with name resolution and TLS. Default 10 s; each of the name's addresses (eight at most) is
        /// given an equal share.
        #[must_use]
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.relay.dialer.set_connect_timeout(timeout);
            self
        }

        /// Sets whose certificates are trusted with `rtsps`. Default: those that the system trusts.
        #[cfg(feature = "tls")]
        #[must_use]
        pub fn trust(mut self, trust: arcly_core::net::tls::ServerTrust) -> Self {
            self.relay.dialer.set_trust(trust);
            self
        }

        /// Sets where [`RelayStatus::Live`](arcly_core::relay::RelayStatus::Live) takes the time of day from.
        #[must_use]
        pub fn time_source(mut self, wall: arcly_core::TimeSource) -> Self {
            self.relay.supervisor.set_time_source(wall);
            self
        }

        /// The bytes that went over, counted as they do.
        #[must_use]
        pub fn traffic(&self) -> arcly_core::relay::RelayTraffic {
            self.relay.supervisor.traffic().clone()
        }

        /// How it stands, now and as it changes.
        #[must_use]
        pub fn status(&self) -> tokio::sync::watch::Receiver<arcly_core::relay::RelayStatus> {
            self.relay.supervisor.status()
        }
    };
}
pub(super) use relay_settings;
