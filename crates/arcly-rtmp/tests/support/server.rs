//! A server on a free port, and the frames of what is published to it, from the first on.

use arcly_core::{
    AppSpec, Engine, EventBus, EventKind, EventReceiver, InboundProtocol, IngestContext,
    MediaFrame, PlaybackContext, PublishRegistry, PublishRequest, Result, SessionId, StreamHandle,
    StreamKey, Subscription, async_trait,
};
use arcly_rtmp::RtmpServer;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Arc<Engine>,
    pub(crate) events: EventReceiver,
    publications: mpsc::UnboundedReceiver<(StreamKey, Subscription)>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Server {
    pub(crate) async fn start(configure: impl FnOnce(RtmpServer) -> RtmpServer) -> Self {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        Self::start_with(engine, configure).await
    }

    pub(crate) async fn start_with(
        engine: Arc<Engine>,
        configure: impl FnOnce(RtmpServer) -> RtmpServer,
    ) -> Self {
        let server = RtmpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .expect("a free port");
        let server = configure(server);
        let address = server.local_addr();
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
            publications,
            shutdown,
            task,
        }
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.address)
    }

    /// The next publication, with a subscription that misses nothing of it.
    pub(crate) async fn next_publication(&mut self) -> (StreamKey, Subscription) {
        let publication = timeout(PATIENCE, self.publications.recv()).await;
        publication
            .expect("a publication in time")
            .expect("the server runs")
    }

    /// The next reason for which a connection was refused.
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

/// Runs a program to its end: whether it succeeded, and all that it printed.
pub(crate) async fn run(program: &str, install: &str, arguments: &[&str]) -> (bool, String) {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{program} cannot be run ({error}); install it: apt-get install {install}")
        });
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .expect("its output");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

pub(crate) async fn ffmpeg(arguments: &[&str]) -> (bool, String) {
    run(
        "ffmpeg",
        "ffmpeg",
        &[
            &["-hide_banner", "-nostdin", "-y", "-loglevel", "warning"],
            arguments,
        ]
        .concat(),
    )
    .await
}
