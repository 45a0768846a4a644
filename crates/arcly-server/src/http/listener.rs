//! Connections: accepted by the loop that all protocols share, then served by hyper.

use super::flv::FlvBody;
use super::response_body::ResponseBody;
use super::write_timeout::{Congestion, WriteTimeout};
use super::{AppState, router};
use crate::config::Limits;
use arcly_stream::health::Health;
use arcly_stream::net::tls::{TlsConfig, TlsError};
use arcly_stream::net::{Handshake, TcpConnection, Transport};
use arcly_stream::prelude::*;
use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// The address of a request's peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// What connections are read from and written to.
pub(super) type HttpStream = WriteTimeout<Transport>;

type Takeover = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The connection that a request came by.
#[derive(Clone)]
pub(super) struct Connection {
    congestion: Congestion,
    shutdown: CancellationToken,
    timeout: Duration,
    /// What goes on with the connection after its last response.
    takeover: Arc<Mutex<Option<Takeover>>>,
}

impl Connection {
    fn new(stream: &HttpStream, shutdown: CancellationToken, timeout: Duration) -> Self {
        Self {
            congestion: stream.congestion(),
            shutdown,
            timeout,
            takeover: Arc::default(),
        }
    }

    /// Whether it takes what is written.
    pub(super) fn congestion(&self) -> Congestion {
        self.congestion.clone()
    }

    /// Cancelled when the server stops.
    pub(super) fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Has `then` go on with the connection, and what was read of it already, once the response was sent that says so. It stays under
    /// the limits of connections.
    pub(super) fn take_over<F: Future<Output = ()> + Send + 'static>(
        &self,
        upgrade: OnUpgrade,
        then: impl FnOnce(HttpStream, Bytes) -> F + Send + 'static,
    ) {
        let taken: Takeover = Box::pin(async move {
            let Ok(upgraded) = upgrade.await else { return };
            if let Ok(parts) = upgraded.downcast::<TokioIo<HttpStream>>() {
                let Parts { io, read_buf, .. } = parts;
                then(io.into_inner(), read_buf).await;
            }
        });
        *self.lock() = Some(taken);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Takeover>> {
        self.takeover.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The HTTP server, as one of the engine's protocols: it is wound down with them, and they with it.
pub(crate) struct HttpServer {
    /// Taken when it is served.
    listener: Mutex<Option<TcpListener>>,
    tls: Option<TlsConfig>,
    app: AppState,
}

impl HttpServer {
    pub(crate) fn new(listener: TcpListener, app: AppState) -> Self {
        Self {
            listener: Mutex::new(Some(listener)),
            tls: None,
            app,
        }
    }

    /// Speaks HTTPS.
    pub(crate) fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls.alpn([b"http/1.1".to_vec()]));
        self
    }
}

#[async_trait]
impl InboundProtocol for HttpServer {
    fn name(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let taken = self
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(listener) = taken else { return Ok(()) };
        ctx.report_health(Health::Healthy);
        let limits = self.app.limits.clone();
        let (name, refusals) = (self.name(), ctx.clone());
        let config = TcpIngestConfig::new(name)
            .max_connections(limits.http_connections)
            .max_connections_per_ip(limits.http_connections_per_ip)
            .handshake_timeout(limits.http_head_timeout.0)
            .on_refused(move |peer, refusal| {
                refused(&refusals, name, peer, refusal.name(), &refusal);
            });
        let service = Service {
            router: router(Arc::clone(&self.app)),
            // Players wait for what is to come by design: for a stream, or for the next version of a playlist.
            response_timeout: limits.http_request_timeout.0
                + self.app.play_wait.max(self.app.hls_wait),
            limits,
            tls: self.tls.clone(),
            ctx,
        };
        let service = Arc::new(service);
        let sweeping = self.app.viewers.sweep();
        let serving = run_tcp_ingest_server(listener, config, shutdown, move |connection| {
            Arc::clone(&service).accept(connection)
        });
        tokio::select! {
            served = serving => served,
            never = sweeping => match never {},
        }
    }
}

fn refused(
    ctx: &IngestContext,
    protocol: &str,
    peer: SocketAddr,
    cause: &'static str,
    reason: &impl ToString,
) {
    ctx.emit(EventKind::ConnectionRefused {
        protocol: protocol.to_owned(),
        peer,
        cause,
        reason: reason.to_string(),
    });
}

/// What all connections of a listener are served with.
struct Service {
    router: Router,
    limits: Limits,
    response_timeout: Duration,
    tls: Option<TlsConfig>,
    ctx: IngestContext,
}

impl Service {
    /// Shakes hands where there is TLS, then serves a connection.
    async fn accept(self: Arc<Self>, connection: TcpConnection) -> Result<(), TlsError> {
        let TcpConnection {
            stream,
            peer,
            handshake,
            shutdown,
            ..
        } = connection;
        let stream = match &self.tls {
            None => Transport::plain(stream),
            Some(tls) => {
                let accepted = tls.accept(stream).await;
                accepted.inspect_err(|error| refused(&self.ctx, "https", peer, "tls", error))?
            }
        };
        self.serve(stream, peer, handshake, shutdown).await;
        Ok(())
    }

    /// Serves one connection. What the peer does wrong is answered by hyper, and ends the connection; there is nothing to log about it.
    async fn serve(
        &self,
        stream: Transport,
        peer: SocketAddr,
        handshake: Handshake,
        shutdown: CancellationToken,
    ) {
        let limits = &self.limits;
        let stream = WriteTimeout::new(stream, limits.http_write_timeout.0);
        let connection = Connection::new(&stream, shutdown.clone(), self.response_timeout);
        let handshake: Mutex<Option<Handshake>> = Mutex::new(Some(handshake));
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(|request: hyper::Request<Incoming>| {
            // The first request has come; from now on hyper watches over the time for the next.
            if let Some(handshake) = handshake
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
            {
                handshake.complete();
            }
            respond(router.clone(), request, peer, connection.clone())
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.http_head_timeout.0)
            .max_headers(MAX_HEADERS)
            .max_buf_size(limits.http_head_bytes.max(8 << 10))
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut serving = pin!(serving);
        let ended = tokio::select! {
            _ = serving.as_mut() => true,
            () = shutdown.cancelled() => false,
        };
        if !ended {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
        let takeover = connection.lock().take();
        if let Some(takeover) = takeover {
            takeover.await;
        }
    }
}

/// The response, which has to begin in time.
async fn respond(
    router: TowerToHyperService<Router>,
    mut request: hyper::Request<Incoming>,
    peer: SocketAddr,
    connection: Connection,
) -> Result<Response<ResponseBody>, Infallible> {
    use hyper::service::Service as _;
    let timeout = connection.timeout;
    let extensions = request.extensions_mut();
    extensions.insert(Peer(peer));
    extensions.insert(connection);
    let Ok(response) = tokio::time::timeout(timeout, router.call(request)).await else {
        let body = ResponseBody::Whole(Body::from("the server was too slow\n"));
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Ok(response);
    };
    let mut response = response?;
    Ok(match FlvBody::detach(&mut response) {
        Some(body) => {
            // That of the empty body that it came along with.
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response.map(|_| ResponseBody::Flv(Box::new(body)))
        }
        None => response.map(ResponseBody::Whole),
    })
}
