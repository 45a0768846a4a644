//! The server on tokio: it moves bytes and sleeps; [`proto`](crate::proto) decides.

mod connection;
mod feeds;
mod outcome;
mod pace;
mod playing;
mod publishing;
mod rare;

use crate::Config;
use arcly_core::health::Health;
use arcly_core::net::fan_out::Flushers;
use arcly_core::net::now;
#[cfg(feature = "tls")]
use arcly_core::net::tls::TlsConfig;
use arcly_core::{
    EventKind, InboundProtocol, IngestContext, Result, StreamError, TcpIngestConfig, async_trait,
    run_tcp_ingest_server,
};
use connection::Shared;
use pace::{Pacer, SAMPLE_EVERY, Tick};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The protocol's name in logs, events and metrics.
const NAME: &str = "rtmp";

/// RTMP publishers in, RTMP players out: an [`InboundProtocol`] for [`Engine::serve`](arcly_core::Engine::serve).
///
/// One task a connection. A connection costs a few KiB until it publishes, and no read buffer of its own ever: all on
/// one thread share one. Who is refused or fails gets the fitting status, one log line says whose connection it was
/// and why, and nobody else notices.
#[derive(Debug)]
pub struct RtmpServer {
    address: SocketAddr,
    /// Taken by the first `serve`.
    listener: Mutex<Option<TcpListener>>,
    config: Config,
    tcp: TcpIngestConfig,
    #[cfg(feature = "tls")]
    tls: Option<TlsConfig>,
}

impl RtmpServer {
    /// A server that binds `address` when it is served.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let config = Config::default();
        let tcp = TcpIngestConfig::new(NAME).handshake_timeout(config.limits.handshake_timeout);
        Self {
            address,
            listener: Mutex::new(None),
            config,
            tcp,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// A server that is bound already: port 0 picks a free one, see [`local_addr`](Self::local_addr). Connections wait in
    /// the listener's backlog until it is served.
    ///
    /// # Errors
    /// [`StreamError::Io`] where the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let listener = bind(address).await?;
        let address = listener
            .local_addr()
            .map_err(|error| StreamError::io("reading the RTMP listener's address", error))?;
        Ok(Self {
            listener: Mutex::new(Some(listener)),
            ..Self::new(address)
        })
    }

    /// Sets how connections behave. The handshake timeout in it holds for the TCP loop too.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.tcp.handshake_timeout = config.limits.handshake_timeout;
        self.config = config;
        self
    }

    /// Sets the limits of the TCP loop: connections in all and from one address, handshake timeout, drain deadline.
    #[must_use]
    pub fn tcp_config(mut self, tcp: TcpIngestConfig) -> Self {
        self.tcp = tcp;
        self
    }

    /// Speaks RTMPS: every connection starts with a TLS handshake, which counts against the handshake timeout and the caps of the TCP
    /// loop. For RTMP and RTMPS both, run two servers.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The address that it is, or will be, bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl RtmpServer {
    async fn run(
        &self,
        listener: TcpListener,
        tcp: TcpIngestConfig,
        shared: Arc<Shared>,
        shutdown: CancellationToken,
    ) -> Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = self.tls.clone() {
            return run_tcp_ingest_server(listener, tcp, shutdown, move |connection| {
                Box::pin(connection::serve_tls(
                    connection,
                    tls.clone(),
                    Arc::clone(&shared),
                ))
            })
            .await;
        }
        run_tcp_ingest_server(listener, tcp, shutdown, move |connection| {
            Box::pin(connection::serve(connection, Arc::clone(&shared)))
        })
        .await
    }
}

#[async_trait]
impl InboundProtocol for RtmpServer {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let bound = self
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let listener = match bound {
            Some(listener) => listener,
            None => bind(self.address).await?,
        };
        ctx.report_health(Health::Healthy);
        let mut tcp = self.tcp.clone();
        if tcp.on_refused.is_none() {
            let ctx = ctx.clone();
            tcp = tcp.on_refused(move |peer, refusal| {
                let (protocol, reason) = (NAME.to_owned(), refusal.to_string());
                ctx.emit(EventKind::ConnectionRefused {
                    protocol,
                    peer,
                    cause: refusal.name(),
                    reason,
                });
            });
        }
        let config = Arc::new(self.config.clone());
        let tick = Tick::new(config.flush_interval, config.max_flush_interval);
        let pacer = Arc::new(Pacer::new(config.flush_interval));
        let shared = Arc::new(Shared {
            ctx,
            config,
            pacer: Arc::clone(&pacer),
            flushers: {
                let pacer = Arc::clone(&pacer);
                Flushers::ticking(move || pacer.tick())
            },
        });
        let serving = self.run(listener, tcp, shared, shutdown);
        tokio::select! {
            served = serving => served,
            never = keep_pace(pacer, tick) => match never {},
        }
    }
}

/// Widens the tick of all viewers while the runtime is busy, which shows in how late this task comes to run.
async fn keep_pace(pacer: Arc<Pacer>, mut tick: Tick) -> Infallible {
    if tick.is_fixed() {
        return std::future::pending().await;
    }
    loop {
        // Without viewers there is nothing to pace: the server rests.
        let every = if pacer.has_viewers() {
            SAMPLE_EVERY
        } else {
            20 * SAMPLE_EVERY
        };
        let due = now() + every;
        tokio::time::sleep_until(due.into()).await;
        if pacer.has_viewers() {
            pacer.set(tick.sample(now().saturating_duration_since(due)));
        }
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StreamError::io(format!("binding {address} for RTMP"), error))
}
