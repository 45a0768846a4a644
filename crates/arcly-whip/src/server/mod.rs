//! The endpoints of WHIP and WHEP, and the ports that media comes and goes by.

mod bound;
mod change;
mod open;
mod tracks;

use crate::WhipConfig;
use crate::driver::{Ports, Router, local_addresses, now, run_ports};
use crate::http::{Problem, WhipMethod, WhipRequest, WhipResource, WhipResponse};
use crate::peers::Peers;
use crate::self_test::{SelfTest, probe};
use crate::statistics::SessionReport;
use crate::transport::{Carrier, Identity};
use arcly_core::health::Health;
use arcly_core::transcode::AudioTranscoder;
use arcly_core::{InboundProtocol, IngestContext, Result, StreamError};
use async_trait::async_trait;
use bound::Bound;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

/// How long what a test of the ways here has found is told again.
const SELF_TEST_AGE: Duration = Duration::from_secs(5);

/// WHIP and WHEP. Cheap to clone: all clones are the same server.
///
/// As an [`InboundProtocol`] it owns the ports by which media comes and goes; requests reach it by [`handle`](Self::handle), from whatever HTTP
/// server the host has. Before it is served, and after, requests are refused with 503.
#[derive(Clone)]
pub struct WhipServer {
    shared: Arc<Shared>,
}

struct Shared {
    config: WhipConfig,
    identity: Identity,
    peers: Peers,
    /// Ports that are bound and not served yet.
    bound: Mutex<Option<Bound>>,
    running: Mutex<Option<Arc<Running>>>,
    /// What makes sound that browsers do not take one that they do.
    transcoder: OnceLock<Arc<dyn AudioTranscoder>>,
    /// The newest test of the ways here, and when it was.
    self_test: tokio::sync::Mutex<Option<(Instant, SelfTest)>>,
}

/// What there is while it is served.
struct Running {
    ctx: IngestContext,
    ports: Arc<Ports>,
    router: Arc<Router>,
    /// What peers are told.
    addresses: Vec<(Carrier, SocketAddr)>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl WhipServer {
    /// A server with a certificate of its own, whose ports are bound; they are served, once, by [`serve`](InboundProtocol::serve). Must be called on a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`StreamError::Io`] where a port cannot be had.
    pub async fn bind(config: WhipConfig) -> Result<Self> {
        let bound = Bound::bind(&config).await?;
        let server = Self::new(config)?;
        *server
            .shared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(bound);
        Ok(server)
    }

    /// The address that UDP is bound to; `None` before [`bind`](Self::bind) and once it is served no longer.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let bound = self
            .shared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bound = bound.as_ref().map(|bound| bound.udp.local_addr());
        bound.or_else(|| Some(self.running()?.ports.udp().local_addr()))
    }

    /// A server with a certificate of its own, which binds its ports when it is served.
    ///
    /// # Errors
    /// Where there is no randomness to make one.
    pub fn new(config: WhipConfig) -> Result<Self> {
        let identity = Identity::generate().map_err(|error| {
            StreamError::io("making a certificate", std::io::Error::other(error))
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                peers: Peers::new(config.limits.clone()),
                config,
                identity,
                bound: Mutex::default(),
                running: Mutex::default(),
                transcoder: OnceLock::new(),
                self_test: tokio::sync::Mutex::default(),
            }),
        })
    }

    /// Where media comes and goes, as peers are told; empty while it is not served.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Carrier, SocketAddr)> {
        self.running()
            .map(|running| running.addresses.clone())
            .unwrap_or_default()
    }

    /// How each session fares, the oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionReport> {
        self.shared.peers.reports(now())
    }

    /// Tries each address that peers are told; `None` while it is not served. Takes 1.5 s at most. There is one test at a time, and who asks
    /// within 5 s of one gets what it found.
    pub async fn self_test(&self) -> Option<SelfTest> {
        let mut newest = self.shared.self_test.lock().await;
        let running = self.running()?;
        let found = match newest.take() {
            Some((at, found)) if now().saturating_duration_since(at) < SELF_TEST_AGE => (at, found),
            _ => {
                let local = self.local_transport(&running);
                let (ports, router) = (Arc::clone(&running.ports), Arc::clone(&running.router));
                let found = probe(ports, router, &local).await;
                (now(), found)
            }
        };
        Some(newest.insert(found).1.clone())
    }

    /// Has AAC transcoded for viewers, who have no sound otherwise: once a stream, while there are such viewers. The first transcoder that is given
    /// stays.
    #[must_use]
    pub fn transcode_audio(self, transcoder: Arc<dyn AudioTranscoder>) -> Self {
        let _ = self.shared.transcoder.set(transcoder);
        self
    }

    /// Answers a request.
    pub async fn handle(&self, request: WhipRequest) -> WhipResponse {
        let peer = request.peer;
        let answered = match (request.method, request.resource.clone()) {
            (WhipMethod::Options, resource) => Ok(WhipResponse::options(&resource)),
            (WhipMethod::Post, WhipResource::Publish(key)) => self.publish(request, key).await,
            (WhipMethod::Post, WhipResource::Play(key)) => self.play(request, key).await,
            (WhipMethod::Patch, WhipResource::Session(id)) => self.patch(&request, &id).await,
            (WhipMethod::Delete, WhipResource::Session(id)) => self.delete(&id).await,
            (_, resource) => Err(Problem::method_not_allowed(&resource)),
        };
        answered.unwrap_or_else(|problem| {
            debug!(?peer, reason = problem.detail(), "refused");
            problem.into_response()
        })
    }

    fn running(&self) -> Option<Arc<Running>> {
        self.shared
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_running(&self, running: Option<Arc<Running>>) {
        *self
            .shared
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = running;
    }
}

#[async_trait]
impl InboundProtocol for WhipServer {
    fn name(&self) -> &'static str {
        "webrtc"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let config = &self.shared.config;
        let bound = self
            .shared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Bound { udp, tcp: listener } = match bound {
            Some(bound) => bound,
            None => Bound::bind(config).await?,
        };
        let tcp = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let ports = Arc::new(Ports::new(udp, tcp));
        let router = Arc::new(Router::default());
        let sessions = shutdown.child_token();
        let addresses = local_addresses(config, &ports);
        info!(udp = %ports.udp().local_addr(), ?tcp, ?addresses, "WebRTC");
        let running = Arc::new(Running {
            ctx: ctx.clone(),
            ports: Arc::clone(&ports),
            router: Arc::clone(&router),
            addresses,
            tasks: TaskTracker::new(),
            shutdown: sessions.clone(),
        });
        self.set_running(Some(Arc::clone(&running)));
        ctx.report_health(Health::Healthy);
        let served = run_ports(&config.limits, ports, router, listener, shutdown).await;
        self.set_running(None);
        sessions.cancel();
        running.tasks.close();
        running.tasks.wait().await;
        served
    }
}

impl std::fmt::Debug for WhipServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhipServer")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
