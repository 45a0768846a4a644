//! Connections: accepted by the loop that all protocols share, then served by hyper.

use super::write_timeout::WriteTimeout;
use super::{AppState, router};
use crate::config::Limits;
use arcly_stream::health::Health;
use arcly_stream::net::{Handshake, TcpConnection};
use arcly_stream::prelude::*;
use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// The address of a request's peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) SocketAddr);

/// The HTTP server, as one of the engine's protocols: it is wound down with them, and they with it.
pub(crate) struct HttpServer {
    /// Taken when it is served.
    listener: Mutex<Option<TcpListener>>,
    app: AppState,
}

impl HttpServer {
    pub(crate) fn new(listener: TcpListener, app: AppState) -> Self {
        Self {
            listener: Mutex::new(Some(listener)),
            app,
        }
    }
}

#[async_trait]
impl InboundProtocol for HttpServer {
    fn name(&self) -> &'static str {
        "http"
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
        let config = TcpIngestConfig::new("http")
            .max_connections(limits.http_connections)
            .max_connections_per_ip(limits.http_connections_per_ip)
            .handshake_timeout(limits.http_head_timeout.0)
            .on_refused(move |peer, refusal| {
                let (protocol, reason) = ("http".to_owned(), refusal.to_string());
                ctx.emit(EventKind::ConnectionRefused {
                    protocol,
                    peer,
                    reason,
                });
            });
        let router = router(Arc::clone(&self.app));
        let sweeping = self.app.viewers.sweep();
        let serving = run_tcp_ingest_server(listener, config, shutdown, move |connection| {
            serve(connection, router.clone(), limits.clone())
        });
        tokio::select! {
            served = serving => served,
            never = sweeping => match never {},
        }
    }
}

/// Serves one connection. What the peer does wrong is answered by hyper, and ends the connection; there is nothing to log about it.
async fn serve(
    connection: TcpConnection,
    router: Router,
    limits: Limits,
) -> Result<(), Infallible> {
    let TcpConnection {
        stream,
        peer,
        handshake,
        shutdown,
        ..
    } = connection;
    let handshake: Mutex<Option<Handshake>> = Mutex::new(Some(handshake));
    let router = TowerToHyperService::new(router);
    let timeout = limits.http_request_timeout.0;
    let service = service_fn(|request: hyper::Request<Incoming>| {
        // The first request has come; from now on hyper watches over the time for the next.
        if let Some(handshake) = handshake
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            handshake.complete();
        }
        respond(router.clone(), request, peer, timeout)
    });
    let stream = WriteTimeout::new(stream, limits.http_write_timeout.0);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.http_head_timeout.0)
        .max_headers(MAX_HEADERS)
        .max_buf_size(limits.http_head_bytes.max(8 << 10))
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = pin!(serving);
    tokio::select! {
        _ = serving.as_mut() => return Ok(()),
        () = shutdown.cancelled() => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = serving.await;
    Ok(())
}

/// The response, which has to begin in time.
async fn respond(
    router: TowerToHyperService<Router>,
    mut request: hyper::Request<Incoming>,
    peer: SocketAddr,
    timeout: Duration,
) -> Result<Response<Body>, Infallible> {
    use hyper::service::Service as _;
    request.extensions_mut().insert(Peer(peer));
    match tokio::time::timeout(timeout, router.call(request)).await {
        Ok(response) => response,
        Err(_) => {
            let mut response = Response::new(Body::from("the server was too slow\n"));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Ok(response)
        }
    }
}
