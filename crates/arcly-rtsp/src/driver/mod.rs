//! The server on tokio: it moves bytes and sleeps; [`proto`](crate::proto) decides.

mod access;
mod batch;
mod connection;
mod feed;
mod outcome;
mod player;
mod playing;
mod publishing;
mod sending;
mod udp;

pub use access::PasswordLookup;

use crate::{Config, UdpPorts};
use arcly_core::health::Health;
use arcly_core::mux::DemuxerFactory;
use arcly_core::net::fan_out::Flushers;
#[cfg(feature = "tls")]
use arcly_core::net::tls::TlsConfig;
use arcly_core::{
    EventKind, InboundProtocol, IngestContext, Result, StreamError, TcpIngestConfig, async_trait,
    run_tcp_ingest_server,
};
use connection::Shared;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use udp::UdpMedia;

/// The protocol's name in logs, events and metrics.
const NAME: &str = "rtsp";

/// RTSP publishers in, RTSP players out: an [`InboundProtocol`] for [`Engine::serve`](arcly_core::Engine::serve).
///
/// One task a connection, and one more for each 256 players of a stream. Who is refused or fails gets the fitting status, one log line says whose
/// connection it was and why, and nobody else notices.
pub struct RtspServer {
    address: SocketAddr,
    /// Taken by the first `serve`.
    listener: Mutex<Option<TcpListener>>,
    config: Config,
    udp: UdpPorts,
    /// Taken by the first `serve`.
    media: Mutex<Option<UdpMedia>>,
    tcp: TcpIngestConfig,
    passwords: Option<Arc<dyn PasswordLookup>>,
    demuxers: Option<Arc<dyn DemuxerFactory>>,
    #[cfg(feature = "tls")]
    tls: Option<TlsConfig>,
}

impl RtspServer {
    /// A server that binds `address` when it is served. Media goes by UDP on [any](UdpPorts::Any) pair of ports, and over the connections.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        let config = Config::default();
        let tcp = TcpIngestConfig::new(NAME).handshake_timeout(config.limits.handshake_timeout);
        Self {
            address,
            listener: Mutex::new(None),
            config,
            udp: UdpPorts::default(),
            media: Mutex::new(None),
            tcp,
            passwords: None,
            demuxers: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// A server that is bound already: port 0 picks a free one, see [`local_addr`](Self::local_addr). Connections wait in
    /// the listener's backlog until it is served. UDP ports are bound when it is served.
    ///
    /// # Errors
    /// [`StreamError::Io`] where the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let listener = bind(address).await?;
        let address = listener
            .local_addr()
            .map_err(|error| StreamError::io("reading the RTSP listener's address", error))?;
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

    /// Sets the UDP ports of media.
    #[must_use]
    pub fn udp(mut self, ports: UdpPorts) -> Self {
        self.udp = ports;
        self
    }

    /// Sets the UDP ports of media, and binds those that all sessions share at once. To be called on a tokio runtime; datagrams are dropped until it
    /// is served.
    ///
    /// # Errors
    /// [`StreamError::Io`] where they cannot be had.
    pub fn bind_udp(mut self, ports: UdpPorts) -> Result<Self> {
        let media = UdpMedia::bind(&ports, self.address.ip())?;
        self.media = Mutex::new(Some(media));
        self.udp = ports;
        Ok(self)
    }

    /// Sets the limits of the TCP loop: connections in all and from one address, handshake timeout, drain deadline. As a connection has one session
    /// at a time, these are the limits of sessions too.
    #[must_use]
    pub fn tcp_config(mut self, tcp: TcpIngestConfig) -> Self {
        self.tcp = tcp;
        self
    }

    /// Offers Digest (SHA-256 and MD5) beside Basic: a digest is verified with the user's password, which `passwords` knows, and what was proven goes to
    /// the engine's authenticator like a password that was sent.
    #[must_use]
    pub fn passwords(mut self, passwords: impl PasswordLookup) -> Self {
        self.passwords = Some(Arc::new(passwords));
        self
    }

    /// Takes MPEG transport streams (`MP2T`) of publishers by these demultiplexers. Default: such tracks are left out, and who has no other is refused.
    #[must_use]
    pub fn demuxer(mut self, demuxers: impl DemuxerFactory) -> Self {
        self.demuxers = Some(Arc::new(demuxers));
        self
    }

    /// Speaks RTSPS: every connection starts with a TLS handshake, which counts against the handshake timeout and the caps of the TCP
    /// loop. Media then goes over the connection alone. For RTSP and RTSPS both, run two servers.
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
                let shared = Arc::clone(&shared);
                Box::pin(connection::serve_tls(connection, tls.clone(), shared))
            })
            .await;
        }
        run_tcp_ingest_server(listener, tcp, shutdown, move |connection| {
            Box::pin(connection::serve(connection, Arc::clone(&shared)))
        })
        .await
    }

    fn has_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }
}

#[async_trait]
impl InboundProtocol for RtspServer {
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
        let ports = if self.has_tls() {
            &UdpPorts::Off
        } else {
            &self.udp
        };
        let media = self.media.lock();
        let media = media.unwrap_or_else(PoisonError::into_inner).take();
        let udp = match media.filter(|_| !self.has_tls()) {
            Some(media) => media,
            None => UdpMedia::bind(ports, self.address.ip())?,
        };
        if let Some(ports) = udp.shared_ports() {
            tracing::info!("RTSP media by UDP on ports {ports}");
        }
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
        let shared = Arc::new(Shared {
            ctx,
            config: Arc::new(self.config.clone()),
            flushers: Flushers::default(),
            udp,
            passwords: self.passwords.clone(),
            demuxers: self.demuxers.clone(),
        });
        self.run(listener, tcp, shared, shutdown).await
    }
}

impl std::fmt::Debug for RtspServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtspServer")
            .field("address", &self.address)
            .field("udp", &self.udp)
            .finish_non_exhaustive()
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| StreamError::io(format!("binding {address} for RTSP"), error))
}
