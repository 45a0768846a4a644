//! What pulling and pushing have in common: their settings, opening a connection, and trying again.

use super::failure::Failure;
use super::link::{Link, Progress};
use crate::proto::capabilities::Capabilities;
use crate::proto::client::{ClientConfig, ClientSession, End, Event, Purpose, RtmpUrl};
use arcly_core::IngestContext;
use arcly_core::net::{Dialer, now};
use arcly_core::relay::{self, MAX_TURNS, Outcome, RelayStatus, Supervisor};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The settings of a client, and its state that others see.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) supervisor: Supervisor<RtmpUrl>,
    pub(super) dialer: Dialer,
    pub(super) config: ClientConfig,
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
            supervisor: Supervisor::new(name, url),
            dialer: Dialer::new(),
            config: ClientConfig::default(),
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
        attempt: impl Fn(RtmpUrl, u32) -> F + Send,
    ) {
        let attempt = move |url, failures| {
            let attempt = attempt(url, failures);
            async {
                let Attempt { live, result } = attempt.await;
                relay::Attempt::new(
                    live,
                    match result {
                        Ok(()) => Outcome::Again,
                        Err(Failure::Moved(to)) => Outcome::Moved(*to),
                        Err(failure) => Outcome::Failed(failure.to_string()),
                    },
                )
            }
        };
        self.supervisor.run(ctx, shutdown, attempt).await;
    }

    /// Connects to `url`, or to where its server sends us, until publishing or playing is granted.
    pub(super) async fn open(&self, mut url: RtmpUrl, purpose: Purpose) -> Result<Opened, Failure> {
        let mut answer = String::new();
        for _ in 0..=MAX_TURNS {
            let (transport, peer) = self
                .dialer
                .dial(url.host(), url.port(), url.is_tls())
                .await?;
            let mut session = ClientSession::new(self.config.clone(), &url, purpose, seed(), now());
            session.authenticate(&answer);
            let limits = &self.config.limits;
            let mut link = Link::new(
                transport,
                session,
                limits,
                self.supervisor.traffic().clone(),
            );
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

/// What a handshake's random bytes are made of: the keys of a fresh hash map, which differ each time.
fn seed() -> u64 {
    RandomState::new().hash_one(0)
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

        /// Sets whose certificates are trusted with `rtmps`. Default: those that the system trusts.
        #[cfg(feature = "tls")]
        #[must_use]
        pub fn trust(mut self, trust: arcly_core::net::tls::ServerTrust) -> Self {
            self.relay.dialer.set_trust(trust);
            self
        }

        /// Sets where [`RelayStatus::Live`](crate::RelayStatus::Live) takes the time of day from.
        #[must_use]
        pub fn time_source(mut self, wall: arcly_core::TimeSource) -> Self {
            self.relay.supervisor.set_time_source(wall);
            self
        }

        /// The bytes that went over, counted as they do.
        #[must_use]
        pub fn traffic(&self) -> $crate::RelayTraffic {
            self.relay.supervisor.traffic().clone()
        }

        /// How it stands, now and as it changes.
        #[must_use]
        pub fn status(&self) -> tokio::sync::watch::Receiver<$crate::RelayStatus> {
            self.relay.supervisor.status()
        }
    };
}
pub(super) use relay_settings;
