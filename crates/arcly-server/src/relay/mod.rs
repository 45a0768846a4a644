//! Streams that are brought from other servers, and sent to others.

mod push_all;
mod record;

pub(crate) use record::{Record, RelayState};

use crate::config::{Config, Relay, RelayTarget};
use arcly_stream::media::{AppName, StreamKey};
use arcly_stream::net::tls::ServerTrust;
use arcly_stream::prelude::*;
use arcly_stream::presets::{rtsp_source, srt_pull, srt_push, ts_udp_input, ts_udp_push};
use arcly_stream::protocol::rtmp::Backoff;
use arcly_stream::protocol::rtsp::OnDemand;
use push_all::PushAll;
use record::Followed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For how long the tokens hold that relays show to the server's own authenticator: as long as any process runs.
const TOKEN_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);

/// All relays: those configured, and those that came of an application-wide push.
pub(crate) struct Relays {
    engine: Arc<Engine>,
    pulls: Vec<Relay>,
    pushes: Vec<Relay>,
    /// Where publish and play take a token, what signs one: relays are the host's own.
    signer: Option<JwtSigner>,
    records: Mutex<Vec<Arc<Record>>>,
}

/// Which way a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Pull,
    Push,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Pull, Self::Push];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

impl Relays {
    pub(crate) fn new(
        config: &Config,
        engine: Arc<Engine>,
        signer: Option<JwtSigner>,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            pulls: config.pull.clone(),
            pushes: config.push.clone(),
            signer,
            records: Mutex::default(),
        })
    }

    /// How each stands, in the order of their configuration.
    pub(crate) fn records(&self) -> Vec<Arc<Record>> {
        self.lock().clone()
    }

    /// What runs the configured relays. URLs that cannot be used have been refused with the configuration.
    pub(crate) fn protocols(self: &Arc<Self>) -> Vec<Box<dyn InboundProtocol>> {
        let mut protocols: Vec<Box<dyn InboundProtocol>> = Vec::new();
        for relay in &self.pulls {
            let (app, stream) = relay.target();
            if let Some(stream) = stream
                && let Ok(url) = relay.url.for_stream(stream)
            {
                protocols.push(Box::new(self.pull(relay, url, StreamKey::new(app, stream))));
            }
        }
        for relay in &self.pushes {
            let (app, stream) = relay.target();
            let Some(stream) = stream else {
                let app = AppName::from(app);
                let all = PushAll::new(self.clone(), self.engine.clone(), relay.clone(), app);
                protocols.push(Box::new(all));
                continue;
            };
            let key = StreamKey::new(app, stream);
            if let Some(push) = self.push(relay, key) {
                protocols.push(Box::new(push));
            }
        }
        protocols
    }

    fn pull(&self, relay: &Relay, target: RelayTarget, key: StreamKey) -> Followed {
        let shown = target.to_string();
        let credentials = self.credentials(Action::Publish, &key);
        let backoff = Backoff::new(relay.retry_min.0, relay.retry_max.0);
        match target {
            RelayTarget::Rtmp(url) => {
                let pull = RtmpPull::new(url, key.clone())
                    .credentials(credentials)
                    .backoff(backoff)
                    .trust(trust(relay));
                let record = Record::new(Way::Pull, key, shown, pull.status(), pull.traffic());
                Followed::new(pull, self.add(record))
            }
            RelayTarget::Rtsp(url) => {
                let mut pull = rtsp_source(url, key.clone())
                    .credentials(credentials)
                    .backoff(backoff)
                    .trust(trust(relay));
                if let Some(transport) = relay.transport {
                    pull = pull.transport(transport.into());
                }
                if relay.on_demand {
                    pull = pull.on_demand(OnDemand::default());
                }
                let record = Record::new(Way::Pull, key, shown, pull.status(), pull.traffic());
                Followed::new(pull, self.add(record))
            }
            RelayTarget::Srt(url) => {
                let pull = srt_pull(url, key.clone())
                    .credentials(credentials)
                    .backoff(backoff);
                let record = Record::new(Way::Pull, key, shown, pull.status(), pull.traffic());
                Followed::new(pull, self.add(record))
            }
            RelayTarget::TsUdp(url) => {
                let pull = ts_udp_input(url, key.clone())
                    .credentials(credentials)
                    .backoff(backoff);
                let record = Record::new(Way::Pull, key, shown, pull.status(), pull.traffic());
                Followed::new(pull, self.add(record))
            }
        }
    }

    /// A push of one stream; none where its name makes no URL.
    fn push(&self, relay: &Relay, key: StreamKey) -> Option<Followed> {
        let target = relay.url.for_stream(&key.stream).ok()?;
        let shown = target.to_string();
        let credentials = self.credentials(Action::Play, &key);
        let backoff = Backoff::new(relay.retry_min.0, relay.retry_max.0);
        Some(match target {
            RelayTarget::Rtmp(url) => {
                let push = RtmpPush::new(key.clone(), url)
                    .credentials(credentials)
                    .backoff(backoff)
                    .trust(trust(relay));
                let record = Record::new(Way::Push, key, shown, push.status(), push.traffic());
                Followed::new(push, self.add(record))
            }
            RelayTarget::Rtsp(url) => {
                let mut push = RtspPush::new(key.clone(), url)
                    .credentials(credentials)
                    .backoff(backoff)
                    .trust(trust(relay));
                if let Some(transport) = relay.transport {
                    push = push.transport(transport.into());
                }
                let record = Record::new(Way::Push, key, shown, push.status(), push.traffic());
                Followed::new(push, self.add(record))
            }
            RelayTarget::Srt(url) => {
                let push = srt_push(key.clone(), url)
                    .credentials(credentials)
                    .backoff(backoff);
                let record = Record::new(Way::Push, key, shown, push.status(), push.traffic());
                Followed::new(push, self.add(record))
            }
            RelayTarget::TsUdp(url) => {
                let push = ts_udp_push(key.clone(), url)
                    .credentials(credentials)
                    .backoff(backoff);
                let record = Record::new(Way::Push, key, shown, push.status(), push.traffic());
                Followed::new(push, self.add(record))
            }
        })
    }

    #[expect(clippy::disallowed_methods, reason = "the token's expiry")]
    fn credentials(&self, action: Action, key: &StreamKey) -> Credentials {
        match &self.signer {
            Some(signer) => {
                let expiry = std::time::SystemTime::now() + TOKEN_LIFE;
                let claims = JwtClaims::expiring_at(expiry).allow(action, key.to_string());
                Credentials::token(signer.sign(&claims))
            }
            None => Credentials::anonymous(),
        }
    }

    fn add(&self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        self.lock().push(Arc::clone(&record));
        record
    }

    fn remove(&self, record: &Arc<Record>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, record));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Record>>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn trust(relay: &Relay) -> ServerTrust {
    match &relay.tls_ca {
        Some(path) => ServerTrust::CaFile(path.clone()),
        None => ServerTrust::System,
    }
}

impl std::fmt::Debug for Relays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relays").finish_non_exhaustive()
    }
}
