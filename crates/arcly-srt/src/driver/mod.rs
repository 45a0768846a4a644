//! The server on tokio: it moves datagrams and sleeps; [`proto`](crate::proto) decides.

mod admitting;
pub(crate) mod link;
pub(crate) mod outcome;
pub(crate) mod playing;
mod port;
pub(crate) mod publishing;
pub(crate) mod report;

use crate::proto::handshake::RejectReason;
use crate::proto::listener::{Listener, Path};
use crate::{Config, Connections};
use admitting::Shared;
use arcly_core::health::Health;
use arcly_core::mux::{DemuxerFactory, MuxerFactory};
use arcly_core::net::Rate;
use arcly_core::net::udp::UdpPort;
use arcly_core::{InboundProtocol, IngestContext, Result, StreamError, async_trait};
use port::Port;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The protocol's name in logs, events and metrics.
const NAME: &str = "srt";

/// How long connections may take to say goodbye once the server stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Refusals that are logged and told a second.
const TOLD_A_SECOND: u32 = 20;

/// SRT callers, publishers and players, on one UDP port: an [`InboundProtocol`] for
/// [`Engine::serve`](arcly_core::Engine::serve).
///
/// The container, MPEG-TS with everyone who speaks SRT, comes as factories of the core's traits; this crate knows none. One task reads
/// the socket, one more serves each connection. Who is refused gets the fitting code, one log line says who it was and why,
/// and nobody else notices.
pub struct SrtServer {
    address: SocketAddr,
    /// Taken by the first `serve`.
    bound: Mutex<Option<UdpPort>>,
    config: Config,
    demuxers: Arc<dyn DemuxerFactory>,
    muxers: Arc<dyn MuxerFactory>,
    connections: Connections,
}

impl SrtServer {
    /// A server that binds `address` when it is served, reads what is published by `demuxers` and writes what is played by `muxers`.
    #[must_use]
    pub fn new(
        address: SocketAddr,
        demuxers: impl DemuxerFactory,
        muxers: impl MuxerFactory,
    ) -> Self {
        Self {
            address,
            bound: Mutex::new(None),
            config: Config::default(),
            demuxers: Arc::new(demuxers),
            muxers: Arc::new(muxers),
            connections: Connections::default(),
        }
    }

    /// A server that is bound already: port 0 picks a free one, see [`local_addr`](Self::local_addr). Must be called on a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`StreamError::Io`] where the address cannot be bound.
    pub fn bind(
        address: SocketAddr,
        demuxers: impl DemuxerFactory,
        muxers: impl MuxerFactory,
    ) -> Result<Self> {
        let port = UdpPort::bind(address)?;
        Ok(Self {
            address: port.local_addr(),
            bound: Mutex::new(Some(port)),
            ..Self::new(address, demuxers, muxers)
        })
    }

    /// Sets how connections behave.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The address that it is, or will be, bound to.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its connections, now and later, with their figures.
    #[must_use]
    pub fn connections(&self) -> Connections {
        self.connections.clone()
    }
}

impl fmt::Debug for SrtServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtServer")
            .field("address", &self.address)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl InboundProtocol for SrtServer {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let bound = self
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let udp = match bound {
            Some(udp) => udp,
            None => UdpPort::bind(self.address)?,
        };
        let config = Arc::new(self.config.clone());
        let listener = Listener::new(config.handshake.clone(), config.limits.clone(), link::now())
            .map_err(|error| StreamError::io("starting SRT", io::Error::other(error)))?;
        let port = Arc::new(Port::new(udp, listener, config.queued_datagrams));
        tracing::info!(protocol = NAME, local = %port.udp.local_addr(), "listening");
        ctx.report_health(Health::Healthy);
        let shared = Arc::new(Shared {
            ctx,
            config,
            port: Arc::clone(&port),
            demuxers: Arc::clone(&self.demuxers),
            muxers: Arc::clone(&self.muxers),
            connections: self.connections.clone(),
            shutdown: shutdown.clone(),
            told: Mutex::new(Rate::new(TOLD_A_SECOND, link::now())),
        });
        let mut tasks = JoinSet::new();
        let decide = |request| {
            // Those that are over are let go of, so that there are as many as the listener allows.
            while tasks.try_join_next().is_some() {}
            tasks.spawn(admitting::serve(Arc::clone(&shared), request));
        };
        let refused = |path: Path, reason: RejectReason| shared.refused(path, reason.to_string());
        let read = port.read(decide, refused);
        let result = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            read = read => read,
        };
        let drained = async { while tasks.join_next().await.is_some() {} };
        // The socket is read no longer; what is left is to say goodbye.
        let _ = tokio::time::timeout(DRAIN_DEADLINE, drained).await;
        result.map_err(|error| StreamError::io("reading the SRT socket", error))
    }
}
