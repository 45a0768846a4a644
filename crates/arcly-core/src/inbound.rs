//! The ingestion seam: how a protocol brings streams in.
//!
//! A protocol implements [`InboundProtocol`]: one long-lived call that owns its listener. For each peer that wants to publish it
//! asks its [`IngestContext`] for a [`PublishSession`], and publishes frames into that. The engine knows no protocol; a
//! protocol knows no engine.

use crate::health::{Health, HealthReporter};
use crate::own_sessions::OwnSessions;
use crate::playback::PlaybackContext;
use crate::{
    Credentials, Demand, EventKind, MediaFrame, Result, SessionId, StreamHandle, StreamKey,
};
use async_trait::async_trait;
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What happens when a stream is published that is live already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Takeover {
    /// The newcomer is refused with [`StreamError::StreamAlreadyPublishing`](crate::StreamError::StreamAlreadyPublishing).
    #[default]
    Refuse,
    /// The newcomer replaces the publisher that is there, once authorised. Viewers of the old stream see its end, or go on with the new
    /// one where the application has a [grace period](crate::AppSpec::publisher_grace).
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
    /// Authorises `request` and makes the stream live. A call that is cancelled leaves no session behind: in an
    /// [`Engine`](crate::Engine), one that had begun counts as dropped.
    ///
    /// # Errors
    /// [`StreamError::Unauthorized`](crate::StreamError::Unauthorized), [`StreamError::AppNotFound`](crate::StreamError::AppNotFound),
    /// [`StreamError::InvalidKey`](crate::StreamError::InvalidKey),
    /// [`StreamError::StreamAlreadyPublishing`](crate::StreamError::StreamAlreadyPublishing),
    /// [`StreamError::PublisherLimitReached`](crate::StreamError::PublisherLimitReached),
    /// [`StreamError::ShuttingDown`](crate::StreamError::ShuttingDown).
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
    /// [`StreamError::StreamNotFound`](crate::StreamError::StreamNotFound) where `key` is not live.
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

    /// Takes an offer to bring in `key` when somebody wants to play it; see [`IngestContext::offer`]. A registry that cannot tell when
    /// gives `None`, as is the default.
    fn offer(&self, key: &StreamKey, patience: Duration) -> Option<Demand> {
        let _ = (key, patience);
        None
    }

    /// Makes an event known to the host's observers, such as a refused connection.
    fn emit(&self, event: EventKind) {
        let _ = event;
    }
}

/// A protocol that brings streams in: RTMP, RTSP, SRT, WHIP, or one of your own.
///
/// ```
/// use arcly_core::bytes::Bytes;
/// use arcly_core::health::Health;
/// use arcly_core::{
///     CancellationToken, CodecId, InboundProtocol, IngestContext, MediaFrame, PublishRequest, Result, StreamKey, async_trait,
/// };
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
///         ctx.report_health(Health::Healthy); // until then, the engine is not ready
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
    /// Calls [`IngestContext::report_health`] with [`Health::Healthy`] once it can serve: until then the engine counts as starting, and
    /// load balancers that ask send nobody.
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

    /// Serves until `shutdown` is cancelled. What was started through `registry` and is still open when this returns, or is aborted, is
    /// ended, and nothing more can be started through it.
    ///
    /// [`PublishRegistry::end_publish`] of this `registry` ends only what was started through it, and of several sessions of one name the
    /// oldest, so that a late end hits no successor: neither another protocol's nor one of this handler's own that has replaced the
    /// session. For that, each start is to be followed by one end, also where the session was ended from elsewhere meanwhile.
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
        let registry = Arc::new(OwnSessions::new(Arc::clone(ctx.registry())));
        let _closes = CloseOnDrop(Arc::clone(&registry));
        self.run(registry, shutdown).await
    }
}

/// Ends what a handler has left open, however its run ends.
struct CloseOnDrop(Arc<OwnSessions>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
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

    pub(crate) fn with_shared_health(mut self, health: Arc<HealthReporter>) -> Self {
        self.health = Some(health);
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

    /// The registry behind this context. That of an [`Engine`](crate::Engine::serve) ends only what was started through it, and of several
    /// sessions of one name the oldest first; what is started through it, rather than as a [`PublishSession`], is to be ended through it.
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

    /// Offers to bring in `key` when somebody wants to play it: from then on a viewer waits up to `patience` for the stream to go live, and
    /// [`Demand::wanted`] tells of it. The protocol then publishes, and ends when
    /// [`StreamHandle::unwatched`](crate::StreamHandle::unwatched) says that the last viewer has left. A later offer of the same stream
    /// replaces an earlier one. `None` where the host's registry cannot tell who wants what: the stream is then best brought in at once.
    #[must_use]
    pub fn offer(&self, key: &StreamKey, patience: Duration) -> Option<Demand> {
        self.registry.offer(key, patience)
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
/// Dropping it ends the stream and frees its name, so an early return or a panic leaks nothing. With an [`Engine`](crate::Engine) both are
/// done when the drop is; a registry that has to wait is waited for on the current tokio runtime.
/// [`finish`](Self::finish) does the same, waits for it, and tells what went wrong.
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

    /// Ends the stream: subscribers read what is buffered, then see the end. When this returns, the name is free. A call that is
    /// cancelled midway counts as a drop: the name is freed all the same.
    ///
    /// # Errors
    /// As of [`PublishRegistry::end_session`].
    pub async fn finish(mut self) -> Result<()> {
        self.handle.end();
        let Some(registry) = self.registry.clone() else {
            return Ok(());
        };
        let (key, session) = (self.handle.key(), self.handle.session());
        let released = registry.end_session(key, session).await;
        // Only now: a call that is cancelled at the await leaves the release to `drop`.
        self.registry = None;
        released
    }
}

impl Drop for PublishSession {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.take() {
            self.handle.end_for(crate::EndReason::Dropped);
            release_now(&registry, self.handle.key(), self.handle.session());
        }
    }
}

/// Releases a session that is dropped: at once where the registry is ready at once, as an engine is, on the current runtime else. Without
/// one, the name stays in that registry.
pub(crate) fn release_now(
    registry: &Arc<dyn PublishRegistry>,
    key: &StreamKey,
    session: SessionId,
) {
    let mut release = Box::pin({
        let (registry, key) = (Arc::clone(registry), key.clone());
        async move {
            if let Err(error) = registry.end_session(&key, session).await {
                tracing::warn!(%key, %error, "a publish session could not be released");
            }
        }
    });
    // This may run while a task unwinds, where another panic would abort the process.
    let polled = catch_unwind(AssertUnwindSafe(|| {
        release
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    }));
    match polled {
        Ok(Poll::Ready(())) => {}
        Ok(Poll::Pending) => {
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(release);
            }
        }
        Err(_) => tracing::error!(%key, "a registry panicked as it released a publish session"),
    }
}

impl fmt::Debug for PublishSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishSession")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}
