//! A protocol's server, and the frames of what is published to it, from the first on.

use arcly_core::{
    Engine, EventBus, EventKind, EventReceiver, InboundProtocol, IngestContext, MediaFrame,
    PlaybackContext, PublishRegistry, PublishRequest, Result, SessionId, StreamHandle, StreamKey,
    Subscription, async_trait,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything in a test takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A protocol's server that is served.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its engine.
    pub engine: Arc<Engine>,
    /// What happens in the engine, from the start on.
    pub events: EventReceiver,
    publications: mpsc::UnboundedReceiver<(StreamKey, Subscription)>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl TestServer {
    /// Serves `protocol`, which listens at `address`.
    #[must_use]
    pub fn start(engine: Arc<Engine>, protocol: impl InboundProtocol, address: SocketAddr) -> Self {
        let (sender, publications) = mpsc::unbounded_channel();
        let ctx = IngestContext::new(Arc::new(Tap {
            engine: Arc::clone(&engine),
            sender,
        }))
        .with_playback(PlaybackContext::new(Arc::clone(&engine) as _));
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let task = tokio::spawn(async move { protocol.serve(ctx, token).await });
        Self {
            address,
            events: engine.subscribe_events(),
            engine,
            publications,
            shutdown,
            task,
        }
    }

    /// The next publication, with a subscription that misses nothing of it.
    ///
    /// # Panics
    /// Where none comes in time.
    pub async fn next_publication(&mut self) -> (StreamKey, Subscription) {
        let publication = timeout(PATIENCE, self.publications.recv()).await;
        publication
            .expect("a publication in time")
            .expect("the server runs")
    }

    /// The next reason for which a connection was refused.
    ///
    /// # Panics
    /// Where none is refused in time.
    pub async fn next_refusal(&mut self) -> String {
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

    /// Stops it.
    ///
    /// # Panics
    /// Where it does not end in time, or fails.
    pub async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task)
            .await
            .expect("a prompt end")
            .expect("no panic")
            .expect("no error");
    }
}

/// All frames to the end of the stream.
///
/// # Panics
/// Where it does not end in time, or the test was too slow to read all.
pub async fn collect(mut frames: Subscription) -> Vec<MediaFrame> {
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
