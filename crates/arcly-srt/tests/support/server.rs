//! A server on a free port, and the frames of what is published to it, from the first on.

use super::process::PATIENCE;
use arcly_core::{
    AppSpec, Engine, EventBus, EventKind, EventReceiver, InboundProtocol, IngestContext,
    MediaFrame, PlaybackContext, PublishRegistry, PublishRequest, Result, SessionId, StreamHandle,
    StreamKey, Subscription, async_trait,
};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::{Config, Connections, SrtServer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    pub(crate) events: EventReceiver,
    pub(crate) connections: Connections,
    publications: mpsc::UnboundedReceiver<(StreamKey, Subscription)>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Server {
    pub(crate) async fn start(configure: impl FnOnce(&mut Config)) -> Self {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        Self::start_with(engine, configure).await
    }

    pub(crate) async fn start_with(
        engine: Arc<Engine>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = SrtServer::bind(address, TsDemuxer::default, TsMuxer::default)
            .expect("a free port")
            .config(config);
        let address = server.local_addr();
        let connections = server.connections();
        let (sender, publications) = mpsc::unbounded_channel();
        let ctx = IngestContext::new(Arc::new(Tap {
            engine: Arc::clone(&engine),
            sender,
        }))
        .with_playback(PlaybackContext::new(Arc::clone(&engine) as _));
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let task = tokio::spawn(async move { server.serve(ctx, token).await });
        Self {
            address,
            events: engine.subscribe_events(),
            engine,
            connections,
            publications,
            shutdown,
            task,
        }
    }

    /// The URL of a stream id, with further parameters.
    pub(crate) fn url(&self, stream_id: &str, parameters: &str) -> String {
        let address = self.address;
        format!("srt://{address}?streamid={stream_id}&mode=caller{parameters}")
    }

    /// The next publication, with a subscription that misses nothing of it.
    pub(crate) async fn next_publication(&mut self) -> (StreamKey, Subscription) {
        let publication = timeout(PATIENCE, self.publications.recv()).await;
        publication
            .expect("a publication in time")
            .expect("the server runs")
    }

    /// The next reason for which a caller was refused.
    pub(crate) async fn next_refusal(&mut self) -> String {
        let refusal = async {
            loop {
                let event = self.events.recv().await.expect("the engine runs");
                if let EventKind::ConnectionRefused { reason, .. } = &event.kind {
                    return reason.clone();
                }
            }
        };
        timeout(PATIENCE, refusal).await.expect("a refusal in time")
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task)
            .await
            .expect("a prompt end")
            .expect("no panic")
            .expect("no error");
    }
}

/// All frames to the end of the stream.
pub(crate) async fn collect(mut frames: Subscription) -> Vec<MediaFrame> {
    let mut all = Vec::new();
    let collecting = async {
        while let Some(frame) = frames.recv().await {
            assert_eq!(frame.skipped(), 0, "the test reads fast enough");
            all.push((*frame).clone());
        }
    };
    timeout(PATIENCE, collecting)
        .await
        .expect("the stream ends in time");
    all
}

/// An engine that hands out a subscription before the publisher hears that it may publish.
struct Tap {
    engine: Arc<Engine>,
    sender: mpsc::UnboundedSender<(StreamKey, Subscription)>,
}

#[async_trait]
impl PublishRegistry for Tap {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        let handle = self.engine.start_publish_with(request).await?;
        // The test may have seen enough already.
        let _ = self
            .sender
            .send((handle.key().clone(), handle.subscribe_resilient()));
        Ok(handle)
    }

    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()> {
        self.engine.end_session(key, session).await
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        PublishRegistry::end_publish(&*self.engine, key).await
    }

    fn has_app(&self, app: &str) -> bool {
        self.engine.has_app(app)
    }

    fn emit(&self, event: EventKind) {
        PublishRegistry::emit(&*self.engine, event);
    }
}
