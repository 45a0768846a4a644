//! The ingestion seam: how a protocol brings streams in.
//!
//! A protocol implements [`InboundProtocol`]: one long-lived call that owns its listener. For each peer that wants to publish it
//! asks its [`IngestContext`] for a [`PublishSession`], and publishes frames into that. The engine knows no protocol; a
//! protocol knows no engine.

use crate::health::{Health, HealthReporter};
use crate::playback::PlaybackContext;
use crate::{
    Credentials, EventKind, MediaFrame, Result, SessionId, StreamError, StreamHandle, StreamKey,
};
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// What happens when a stream is published that is live already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Takeover {
    /// The newcomer is refused with [`StreamError::StreamAlreadyPublishing`].
    #[default]
    Refuse,
    /// The newcomer replaces the publisher that is there, once authorised. Viewers of the old stream see its end.
    Replace,
}

/// A wish to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishRequest {
    /// The stream.
    pub key: StreamKey,
    /// What the publisher showed.
    pub credentials: Credentials,
    /// The publisher's address.
    pub peer: Option<SocketAddr>,
    /// The protocol's name, as in `rtmp`.
    pub protocol: String,
    /// What happens when the stream is live already; `None` leaves it to the application.
    pub takeover: Option<Takeover>,
}

impl PublishRequest {
    /// An anonymous wish to publish `key`, from the host itself.
    #[must_use]
    pub fn new(key: StreamKey) -> Self {
        Self {
            key,
            credentials: Credentials::anonymous(),
            peer: None,
            protocol: "host".into(),
            takeover: None,
        }
    }

    /// Sets what the publisher showed.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Sets the publisher's address.
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

    /// Sets what happens when the stream is live already.
    #[must_use]
    pub const fn takeover(mut self, takeover: Takeover) -> Self {
        self.takeover = Some(takeover);
        self
    }
}

/// Where streams are published. [`Engine`](crate::Engine) is one; a host with a bus of its own can be another.
#[async_trait]
pub trait PublishRegistry: Send + Sync + 'static {
    /// Authorises `request` and makes the stream live.
    ///
    /// # Errors
    /// [`StreamError::Unauthorized`], [`StreamError::AppNotFound`], [`StreamError::InvalidKey`],
    /// [`StreamError::StreamAlreadyPublishing`], [`StreamError::PublisherLimitReached`], [`StreamError::ShuttingDown`].
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle>;

    /// Ends the publish session `session` of `key`. Does nothing where another session has taken the name since, or none is
    /// there.
    ///
    /// # Errors
    /// What the registry's own storage reports; none in [`Engine`](crate::Engine).
    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()>;

    /// Ends whatever session publishes `key`: the host's decision. A protocol ends its own with
    /// [`PublishSession::finish`].
    ///
    /// # Errors
    /// [`StreamError::StreamNotFound`] where `key` is not live.
    async fn end_publish(&self, key: &StreamKey) -> Result<()>;

    /// [`start_publish_with`](Self::start_publish_with) as anonymous.
    ///
    /// # Errors
    /// As there.
    async fn start_publish(&self, key: &StreamKey) -> Result<StreamHandle> {
        self.start_publish_with(PublishRequest::new(key.clone()))
            .await
    }

    /// Whether streams can be published in application `app`, for protocols that name it before the stream. A registry that cannot
    /// tell says yes, and [`start_publish_with`](Self::start_publish_with) refuses later.
    fn has_app(&self, app: &str) -> bool {
        let _ = app;
        true
    }

    /// Makes an event known to the host's observers, such as a refused connection.
    fn emit(&self, event: EventKind) {
        let _ = event;
    }
}

/// A protocol that brings streams in: RTMP, RTSP, SRT, WHIP, or one of your own.
///
/// ```
/// use arcly_core::{
///     CodecId, InboundProtocol, IngestContext, MediaFrame, PublishRequest, Result, StreamKey, async_trait,
/// };
/// use bytes::Bytes;
/// use tokio_util::sync::CancellationToken;
///
/// struct Beacon;
///
/// #[async_trait]
/// impl InboundProtocol for Beacon {
///     fn name(&self) -> &'static str {
///         "beacon"
///     }
///
///     async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
///         let request = PublishRequest::new(StreamKey::new("live", "beacon")).protocol(self.name());
///         let session = ctx.open_publish_with(request).await?;
///         session.publish_frame(MediaFrame::new_audio(0, Bytes::from_static(b"beep"), CodecId::Opus))?;
///         shutdown.cancelled().await;
///         session.finish().await
///     }
/// }
/// ```
#[async_trait]
pub trait InboundProtocol: Send + Sync + 'static {
    /// The protocol's lower-case name, used in logs, events and metrics.
    fn name(&self) -> &'static str;

    /// Owns the protocol's listener until `shutdown` is cancelled, then returns promptly: what lasts longer than the engine's drain
    /// deadline is aborted.
    ///
    /// # Errors
    /// An error is fatal, such as a port that is taken: the engine winds down all other protocols. What goes wrong with one peer
    /// is not an error of `serve`.
    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()>;
}

/// The older contract of a protocol, which knows the registry only. Each is an [`InboundProtocol`].
#[async_trait]
pub trait ProtocolHandler: Send + Sync + 'static {
    /// The protocol's lower-case name.
    fn name(&self) -> &'static str;

    /// Serves until `shutdown` is cancelled. [`PublishRegistry::end_publish`] of this `registry` ends only what was started
    /// through it, so that a late end does not hit a successor.
    ///
    /// # Errors
    /// As of [`InboundProtocol::serve`].
    async fn run(
        &self,
        registry: Arc<dyn PublishRegistry>,
        shutdown: CancellationToken,
    ) -> Result<()>;
}

#[async_trait]
impl<P: ProtocolHandler> InboundProtocol for P {
    fn name(&self) -> &'static str {
        ProtocolHandler::name(self)
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        ctx.report_health(Health::Healthy);
        let registry = Arc::new(OwnSessions {
            registry: Arc::clone(ctx.registry()),
            sessions: Mutex::default(),
        });
        self.run(registry, shutdown).await
    }
}

/// A registry that remembers which sessions were started through it, for protocols that end them by name.
struct OwnSessions {
    registry: Arc<dyn PublishRegistry>,
    sessions: Mutex<HashMap<StreamKey, SessionId>>,
}

impl OwnSessions {
    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<StreamKey, SessionId>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PublishRegistry for OwnSessions {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        let handle = self.registry.start_publish_with(request).await?;
        self.sessions()
            .insert(handle.key().clone(), handle.session());
        Ok(handle)
    }

    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()> {
        self.registry.end_session(key, session).await
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        let session = self.sessions().remove(key);
        match session {
            Some(session) => self.registry.end_session(key, session).await,
            None => Err(StreamError::StreamNotFound(key.clone())),
        }
    }

    fn has_app(&self, app: &str) -> bool {
        self.registry.has_app(app)
    }

    fn emit(&self, event: EventKind) {
        self.registry.emit(event);
    }
}

/// What a protocol gets to work with. Cloning is cheap: each connection's task takes its own.
#[derive(Clone)]
pub struct IngestContext {
    registry: Arc<dyn PublishRegistry>,
    playback: Option<PlaybackContext>,
    health: Option<Arc<HealthReporter>>,
}

impl IngestContext {
    /// A context that publishes into `registry`, and plays nothing.
    #[must_use]
    pub fn new(registry: Arc<dyn PublishRegistry>) -> Self {
        Self {
            registry,
            playback: None,
            health: None,
        }
    }

    /// Lets the protocol also play.
    #[must_use]
    pub fn with_playback(mut self, playback: PlaybackContext) -> Self {
        self.playback = Some(playback);
        self
    }

    /// Says where the protocol's health is reported.
    #[must_use]
    pub fn with_health(mut self, health: HealthReporter) -> Self {
        self.health = Some(Arc::new(health));
        self
    }

    /// Opens an anonymous publish of `key`.
    ///
    /// # Errors
    /// As of [`PublishRegistry::start_publish_with`].
    pub async fn open_publish(&self, key: StreamKey) -> Result<PublishSession> {
        self.open_publish_with(PublishRequest::new(key)).await
    }

    /// Opens a publish, once it is authorised.
    ///
    /// # Errors
    /// As of [`PublishRegistry::start_publish_with`].
    pub async fn open_publish_with(&self, request: PublishRequest) -> Result<PublishSession> {
        let handle = self.registry.start_publish_with(request).await?;
        Ok(PublishSession {
            handle,
            registry: Some(Arc::clone(&self.registry)),
        })
    }

    /// The registry behind this context.
    #[must_use]
    pub fn registry(&self) -> &Arc<dyn PublishRegistry> {
        &self.registry
    }

    /// How the protocol plays streams, where the host lets it: an engine does.
    #[must_use]
    pub fn playback(&self) -> Option<&PlaybackContext> {
        self.playback.as_ref()
    }

    /// Whether streams can be published in application `app`; see [`PublishRegistry::has_app`].
    #[must_use]
    pub fn has_app(&self, app: &str) -> bool {
        self.registry.has_app(app)
    }

    /// Tells the host how the protocol is: [`Health::Healthy`] once its listener is bound.
    pub fn report_health(&self, health: Health) {
        if let Some(reporter) = &self.health {
            reporter.set(health);
        }
    }

    /// Makes an event known to the host's observers, such as [`EventKind::ConnectionRefused`].
    pub fn emit(&self, event: EventKind) {
        self.registry.emit(event);
    }
}

impl fmt::Debug for IngestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestContext")
            .field("plays", &self.playback.is_some())
            .finish_non_exhaustive()
    }
}

/// The right to publish one stream, until it is finished, dropped, or taken away.
///
/// Dropping it ends the stream at once and frees its name on the current tokio runtime, so an early return or a panic leaks
/// nothing; [`finish`](Self::finish) does the same and waits for it.
///
/// A session can also be ended from outside: by the idle reaper, a takeover, the host. Then
/// [`publish_frame`](Self::publish_frame) fails and [`ended`](Self::ended) completes, and dropping or finishing it touches nobody
/// who has taken the name since.
pub struct PublishSession {
    handle: StreamHandle,
    /// Taken when the session is released.
    registry: Option<Arc<dyn PublishRegistry>>,
}

impl PublishSession {
    /// The stream's name.
    #[must_use]
    pub fn key(&self) -> &StreamKey {
        self.handle.key()
    }

    /// The stream, with the right to publish.
    #[must_use]
    pub fn handle(&self) -> &StreamHandle {
        &self.handle
    }

    /// Publishes a frame; returns how many subscriptions there are.
    ///
    /// # Errors
    /// As of [`StreamHandle::publish_frame`].
    pub fn publish_frame(&self, frame: MediaFrame) -> Result<usize> {
        self.handle.publish_frame(frame)
    }

    /// Waits until the session is ended from outside, and tells why. Cancel-safe.
    pub async fn ended(&self) -> crate::EndReason {
        self.handle.ended().await
    }

    /// Ends the stream: subscribers read what is buffered, then see the end. When this returns, the name is free.
    ///
    /// # Errors
    /// As of [`PublishRegistry::end_session`].
    pub async fn finish(mut self) -> Result<()> {
        // Taken before the first await: a call that is cancelled there has at least closed the stream.
        let registry = self.registry.take();
        self.handle.end();
        match registry {
            Some(registry) => {
                registry
                    .end_session(self.handle.key(), self.handle.session())
                    .await
            }
            None => Ok(()),
        }
    }
}

impl Drop for PublishSession {
    fn drop(&mut self) {
        let Some(registry) = self.registry.take() else {
            return;
        };
        self.handle.stream().end(crate::EndReason::Dropped);
        let (key, session) = (self.handle.key().clone(), self.handle.session());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = registry.end_session(&key, session).await {
                    tracing::warn!(%key, %error, "a publish session could not be released");
                }
            });
        }
        // Without a runtime the name stays in the registry; an engine takes a stream that has ended for free.
    }
}

impl fmt::Debug for PublishSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishSession")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
