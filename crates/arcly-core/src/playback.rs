//! The playback seam: how an output gets at streams, and is authorised for each.

use crate::ViewerLoss;
use crate::viewer_loss::Losses;
use crate::{
    Credentials, Result, SharedFrame, StartAt, StreamHandle, StreamKey, SubscribeOptions,
    Subscription, ViewerId,
};
use async_trait::async_trait;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// A wish to play.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlayRequest {
    /// The stream.
    pub key: StreamKey,
    /// What the viewer showed.
    pub credentials: Credentials,
    /// The viewer's address.
    pub peer: Option<SocketAddr>,
    /// The protocol's name, as in `rtmp`.
    pub protocol: String,
    /// How long to wait for a stream that is not live yet.
    pub wait: Duration,
}

impl PlayRequest {
    /// An anonymous wish to play `key`, from the host itself, without waiting.
    #[must_use]
    pub fn new(key: StreamKey) -> Self {
        Self {
            key,
            credentials: Credentials::anonymous(),
            peer: None,
            protocol: "host".into(),
            wait: Duration::ZERO,
        }
    }

    /// Sets what the viewer showed.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the viewer's address.
    #[must_use]
    pub const fn peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Sets the protocol's name.
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = protocol.into();
        self
    }

    /// Waits up to this long for a stream that is not live yet.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

/// Where streams are found. [`Engine`](crate::Engine) is one.
///
/// [`get_stream`](Self::get_stream) and [`list_streams`](Self::list_streams) are the host's own view and ask nobody; a protocol is
/// given a [`PlaybackContext`] instead, which offers only what is authorised.
///
/// A stream is live from the start of its first publish session until it ends. One that is
/// [interrupted](StreamHandle::is_interrupted), within its application's [grace period](crate::AppSpec::publisher_grace), is live: it is
/// found, listed and counted as any other, it can be played, and who plays it gets what it holds and then waits for its publisher to
/// come back. Outputs that would rather say so ask [`StreamHandle::is_interrupted`].
#[async_trait]
pub trait PlaybackRegistry: Send + Sync + 'static {
    /// The live stream `key`, also where it is interrupted, for reading. Not authorised: for the host itself.
    ///
    /// # Errors
    /// [`StreamError::StreamNotFound`](crate::StreamError::StreamNotFound),
    /// [`StreamError::AppNotFound`](crate::StreamError::AppNotFound).
    fn get_stream(&self, key: &StreamKey) -> Result<StreamHandle>;

    /// The live streams of application `app`, those that are interrupted among them, sorted. Not authorised: for the host itself.
    ///
    /// # Errors
    /// [`StreamError::AppNotFound`](crate::StreamError::AppNotFound).
    fn list_streams(&self, app: &str) -> Result<Vec<StreamKey>>;

    /// Whether `request` may be played, for protocols without play sessions, as HTTP. Says nothing about whether it is live.
    ///
    /// # Errors
    /// [`StreamError::Unauthorized`](crate::StreamError::Unauthorized), with
    /// [`StreamError::InvalidKey`](crate::StreamError::InvalidKey) and
    /// [`StreamError::AppNotFound`](crate::StreamError::AppNotFound).
    async fn authorize_play(&self, request: &PlayRequest) -> Result<()>;

    /// Authorises `request` and opens a play session.
    ///
    /// # Errors
    /// As of [`authorize_play`](Self::authorize_play);
    /// [`StreamError::StreamNotFound`](crate::StreamError::StreamNotFound) where the stream is not live, also after waiting;
    /// [`StreamError::ShuttingDown`](crate::StreamError::ShuttingDown). The wait ends early where the application is removed or the engine
    /// shuts down.
    async fn open_play(&self, request: PlayRequest) -> Result<PlaySession>;
}

/// What a protocol or output gets to play with. Cloning is cheap.
#[derive(Clone)]
pub struct PlaybackContext {
    registry: Arc<dyn PlaybackRegistry>,
}

impl PlaybackContext {
    /// A context that plays from `registry`.
    #[must_use]
    pub fn new(registry: Arc<dyn PlaybackRegistry>) -> Self {
        Self { registry }
    }

    /// Opens a play session, once it is authorised.
    ///
    /// # Errors
    /// As of [`PlaybackRegistry::open_play`].
    pub async fn open_play(&self, request: PlayRequest) -> Result<PlaySession> {
        self.registry.open_play(request).await
    }

    /// Whether `request` may be played, for protocols without play sessions, as HTTP.
    ///
    /// # Errors
    /// As of [`PlaybackRegistry::authorize_play`].
    pub async fn authorize_play(&self, request: &PlayRequest) -> Result<()> {
        self.registry.authorize_play(request).await
    }
}

impl fmt::Debug for PlaybackContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlaybackContext").finish_non_exhaustive()
    }
}

/// A play session, as the host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewerInfo {
    /// The viewer.
    pub viewer: ViewerId,
    /// The stream that is played.
    pub key: StreamKey,
    /// The viewer's protocol.
    pub protocol: String,
    /// The viewer's address.
    pub peer: Option<SocketAddr>,
    /// When it started.
    pub started: SystemTime,
}

/// One viewer of a stream, from its start until it is dropped.
///
/// The host can [end it](crate::Engine::end_play): a protocol selects on [`ended`](Self::ended) beside the frames that it sends, and closes
/// the connection then. Subscriptions that were made through the session do not end by themselves.
pub struct PlaySession {
    handle: StreamHandle,
    viewer: ViewerId,
    on_end: Option<Box<dyn FnOnce() + Send + Sync>>,
    ended: CancellationToken,
    losses: Losses,
}

impl PlaySession {
    /// A session that calls `on_end` when it is dropped, for hosts that bring their own registry.
    #[must_use]
    pub fn new(
        handle: StreamHandle,
        viewer: ViewerId,
        on_end: impl FnOnce() + Send + Sync + 'static,
    ) -> Self {
        Self {
            handle,
            viewer,
            on_end: Some(Box::new(on_end)),
            ended: CancellationToken::new(),
            losses: Losses::default(),
        }
    }

    /// Has the session ended by the host when `ended` is cancelled.
    #[must_use]
    pub fn ended_by(mut self, ended: CancellationToken) -> Self {
        self.ended = ended;
        self
    }

    /// Waits until the host ends the session, maybe forever: that the stream ends is told by its subscriptions. Cancel-safe.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// As [`ended`](Self::ended), for who waits again and again beside other events: a future that is kept is registered once, and costs little to poll.
    pub fn ended_owned(&self) -> impl Future<Output = ()> + Send + use<> {
        self.ended.clone().cancelled_owned()
    }

    /// Whether the host has ended the session.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// The stream.
    #[must_use]
    pub fn handle(&self) -> &StreamHandle {
        &self.handle
    }

    /// The viewer.
    #[must_use]
    pub fn viewer(&self) -> ViewerId {
        self.viewer
    }

    /// Counts `items` frames or packets that the viewer goes without: [`EventKind::ViewerLost`](crate::EventKind::ViewerLost) tells
    /// of it, once a second at most. For the protocol to call with each batch that it leaves something out of, and with each eviction.
    pub fn lost(&self, loss: ViewerLoss, items: u64) {
        let events = self.handle.stream().events();
        events.viewer_lost(self.viewer, &self.losses, loss, items);
    }

    /// Reads the stream from `start` on. What one reads stays readable after the session is dropped: keep both.
    #[must_use]
    pub fn subscribe_from(&self, start: StartAt) -> Subscription {
        self.handle.subscribe_from(start)
    }

    /// Reads the stream as `options` say; see [`StreamHandle::subscribe`].
    #[must_use]
    pub fn subscribe(&self, options: SubscribeOptions) -> Subscription {
        self.handle.subscribe(options)
    }

    /// What the viewer gets at once; see [`StreamHandle::replay_buffer`].
    #[must_use]
    pub fn replay_buffer(&self) -> Vec<SharedFrame> {
        self.handle.replay_buffer()
    }
}

impl Drop for PlaySession {
    fn drop(&mut self) {
        let events = self.handle.stream().events();
        events.viewer_gone(self.viewer, &self.losses);
        if let Some(on_end) = self.on_end.take() {
            on_end();
        }
    }
}

impl fmt::Debug for PlaySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlaySession")
            .field("viewer", &self.viewer)
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
