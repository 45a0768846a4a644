//! A server in this process, and peers that reach it over real sockets.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod peer;

use arcly_core::{
    AppSpec, Engine, InboundProtocol as _, IngestContext, PlaybackContext, StreamKey,
};
use arcly_whip::{WhipConfig, WhipMethod, WhipRequest, WhipResource, WhipResponse, WhipServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) whip: WhipServer,
    shutdown: CancellationToken,
    task: JoinHandle<arcly_core::Result<()>>,
}

pub(crate) fn cam() -> StreamKey {
    StreamKey::new("live", "cam")
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(configure: impl FnOnce(&mut WhipConfig)) -> Self {
        let live = AppSpec::new("live").gop_cache(300);
        let engine = Engine::builder().application(live).build();
        Self::start_on(engine, configure).await
    }

    pub(crate) async fn start_on(
        engine: Arc<Engine>,
        configure: impl FnOnce(&mut WhipConfig),
    ) -> Self {
        let mut config = WhipConfig::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        configure(&mut config);
        let whip = WhipServer::bind(config).await.expect("free ports");
        let ctx = IngestContext::new(Arc::clone(&engine) as _)
            .with_playback(PlaybackContext::new(Arc::clone(&engine) as _));
        let shutdown = CancellationToken::new();
        let task = {
            let (whip, token) = (whip.clone(), shutdown.clone());
            tokio::spawn(async move { whip.serve(ctx, token).await })
        };
        let server = Self {
            engine,
            whip,
            shutdown,
            task,
        };
        until("it is served", || !server.whip.addresses().is_empty()).await;
        server
    }

    pub(crate) fn media_address(&self) -> SocketAddr {
        self.whip.local_addr().expect("it is served")
    }

    /// `POST` of an offer.
    pub(crate) async fn post(&self, resource: WhipResource, offer: &str) -> WhipResponse {
        self.whip.handle(post(resource, offer)).await
    }

    pub(crate) async fn delete(&self, session: &str) -> WhipResponse {
        let session = WhipResource::Session(session.to_owned());
        self.whip
            .handle(WhipRequest::new(WhipMethod::Delete, session))
            .await
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let stopped = tokio::time::timeout(PATIENCE, self.task).await;
        stopped.expect("it stops").expect("no panic").expect("well");
    }
}

pub(crate) fn post(resource: WhipResource, offer: &str) -> WhipRequest {
    let mut request = WhipRequest::new(WhipMethod::Post, resource);
    request.content_type = Some("application/sdp".to_owned());
    request.endpoint = "/live/cam/endpoint".to_owned();
    request.peer = Some(SocketAddr::from(([127, 0, 0, 1], 4_000)));
    request.body = offer.to_owned().into();
    request
}

/// The session of a response, by what follows the endpoint in its `Location`.
pub(crate) fn session_of(response: &WhipResponse) -> String {
    let location = response.header("location").unwrap_or_default();
    let session = location.strip_prefix("/live/cam/endpoint/");
    session
        .unwrap_or_else(|| panic!("no session: {response:?}"))
        .to_owned()
}

/// Waits for something that others bring about.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        panic!("in vain: {what}");
    }
}
