//! What publishers, viewers and hosts hold of a live stream.

use super::live::{LiveStream, StreamLimits};
use super::publication::{Origin, Publication};
use super::qos::Qos;
use super::rendition::{Packager, Rendition};
use super::track::StreamMetadata;
use crate::bus::{LagObserver, Shared, StartAt, SubscribeOptions, Subscription};
use crate::observe::Reporter;
use crate::{EndReason, MediaFrame, MediaKind, Result, SessionId, StreamError, StreamKey};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A frame as a subscription hands it out, shared with all other readers.
pub type SharedFrame = Shared<MediaFrame>;

/// A live stream. Cloning is cheap, and a handle that is kept after the stream ended keeps none of its frames.
///
/// A handle comes from a publish, and then may publish; or from a play or a look-up, and then may not.
#[derive(Clone)]
pub struct StreamHandle {
    stream: Arc<LiveStream>,
    /// The publish session, where the handle may publish.
    publication: Option<Arc<Publication>>,
}

impl StreamHandle {
    pub(crate) fn publisher(stream: Arc<LiveStream>, publication: Arc<Publication>) -> Self {
        Self {
            stream,
            publication: Some(publication),
        }
    }

    pub(crate) fn viewer(stream: Arc<LiveStream>) -> Self {
        Self {
            stream,
            publication: None,
        }
    }

    /// A stream without an engine, for hosts that bring their own registry, and for tests. It reports to nobody, and is ended by
    /// [`end`](Self::end).
    #[must_use]
    pub fn standalone(key: StreamKey, limits: StreamLimits) -> Self {
        let reporter = Arc::new(Reporter::silent());
        let stream = Arc::new(LiveStream::new(
            key,
            SessionId::fresh(),
            "host".into(),
            None,
            limits,
            Duration::ZERO,
            reporter,
        ));
        let publication = stream.publication();
        Self::publisher(stream, publication)
    }

    pub(crate) fn stream(&self) -> &Arc<LiveStream> {
        &self.stream
    }

    /// The stream's name.
    #[must_use]
    pub fn key(&self) -> &StreamKey {
        &self.stream.key
    }

    /// The publish session: the handle's own, where it may publish; else the one that began the stream, which stays the same where the stream
    /// outlives it (see [`AppSpec::publisher_grace`](crate::AppSpec::publisher_grace)).
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.publication
            .as_ref()
            .map_or(self.stream.session, |publication| publication.session)
    }

    /// Where the stream comes from: who publishes it now, or did last.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.stream.publication().origin.clone()
    }

    /// Whether the publisher has gone away and the stream waits for it to come back; it is live meanwhile.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.stream.is_interrupted()
    }

    // ---- Publishing ----

    /// Publishes a frame; returns how many subscriptions there are. Never waits, whatever the readers do. Safe to call from
    /// several tasks; the frames then stand in some order in which each comes after all whose calls had returned before.
    ///
    /// # Errors
    /// [`StreamError::NotPublisher`] where the handle may not publish, [`StreamError::SessionEnded`] once the stream has ended,
    /// [`StreamError::LimitExceeded`], [`StreamError::TrackKindChanged`] and [`StreamError::CodecKindMismatch`] where this frame is
    /// refused and the next can go on.
    pub fn publish_frame(&self, frame: MediaFrame) -> Result<usize> {
        let Some(publication) = &self.publication else {
            return Err(StreamError::NotPublisher(self.key().clone()));
        };
        self.stream.publish(publication, frame)
    }

    /// Ends the stream, if the handle may publish: subscribers read what is buffered, then see the end. For streams of an engine,
    /// prefer [`PublishSession::finish`](crate::PublishSession::finish), which also frees the name.
    pub fn end(&self) {
        self.end_for(EndReason::Finished);
    }

    /// Ends the publish session, where the handle has one.
    pub(crate) fn end_for(&self, reason: EndReason) {
        if let Some(publication) = &self.publication {
            self.stream.end_publication(publication, reason);
        }
    }

    /// Waits until a viewer asks for a keyframe. Requests that come while nobody waits count as one. How often its source is asked
    /// is the protocol's to limit. On a handle that may not publish, this waits for ever.
    pub async fn keyframe_requested(&self) {
        if self.publication.is_none() {
            std::future::pending::<()>().await;
        }
        self.stream.keyframe_wanted.notified().await;
    }

    // ---- Reading ----

    /// Reads from the next frame on, whatever it is; see [`StartAt::Live`].
    #[must_use]
    pub fn subscribe_resilient(&self) -> Subscription {
        self.subscribe_from(StartAt::Live)
    }

    /// Reads from `start` on, without gap or duplicate: what every output uses.
    #[must_use]
    pub fn subscribe_from(&self, start: StartAt) -> Subscription {
        self.subscribe(SubscribeOptions::start(start).max_lag(self.stream.limits.max_lag))
    }

    /// Reads as `options` say.
    #[must_use]
    pub fn subscribe(&self, options: SubscribeOptions) -> Subscription {
        Subscription::new(
            Arc::clone(&self.stream.log),
            options,
            Some(Arc::clone(self.stream.events()) as Arc<dyn LagObserver>),
        )
    }

    /// A copy of what a viewer that joined now would get at once: codec configs, then the newest GOP. To go on from there without a
    /// gap, use [`subscribe_from`](Self::subscribe_from) instead.
    #[must_use]
    pub fn replay_buffer(&self) -> Vec<SharedFrame> {
        let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
        let mut reader: Subscription =
            Subscription::new(Arc::clone(&self.stream.log), options, None);
        std::iter::from_fn(|| reader.try_recv()).collect()
    }

    /// The codec configs in force of the first video and the first audio track.
    #[must_use]
    pub fn cached_configs(&self) -> (Option<MediaFrame>, Option<MediaFrame>) {
        let configs = self.stream.configs();
        let first = |kind| {
            configs
                .items
                .iter()
                .find(|config: &&MediaFrame| config.kind == kind)
                .cloned()
        };
        (first(MediaKind::Video), first(MediaKind::Audio))
    }

    /// The codec configs in force of all tracks, in the order of [`metadata`](Self::metadata).
    #[must_use]
    pub fn configs(&self) -> Vec<MediaFrame> {
        self.stream.configs().items.to_vec()
    }

    /// Asks the publisher for a keyframe, where its protocol can pass that on.
    pub fn request_keyframe(&self) {
        self.stream.keyframe_wanted.notify_one();
    }

    /// The rendition that `packager` makes of this stream: started by the first viewer that asks, shared by all that ask with the
    /// same type and variant (their `packager` is dropped), gone after the last.
    ///
    /// Must be called on a tokio runtime: the packager runs as a task there.
    pub fn rendition<P: Packager>(&self, packager: P) -> Rendition<P::Packet> {
        self.stream.renditions.get_or_start(self, packager)
    }

    // ---- State ----

    /// What is known of the tracks.
    #[must_use]
    pub fn metadata(&self) -> StreamMetadata {
        self.stream.metadata()
    }

    /// What flows. Reads counters only: no lock, no effect on the publisher.
    #[must_use]
    pub fn qos(&self) -> Qos {
        self.stream.qos()
    }

    /// How many subscriptions read the stream, renditions and recorders among them.
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.stream.log.readers()
    }

    /// How many play sessions the stream has.
    #[must_use]
    pub fn viewer_count(&self) -> usize {
        self.stream.viewers.count()
    }

    /// Waits until the stream has had no play session for `linger`; those that just read it, as recorders do, do not count. For a
    /// stream that is [brought in on demand](crate::IngestContext::offer). Cancel-safe.
    pub async fn unwatched(&self, linger: Duration) {
        self.stream.viewers.none_for(linger).await;
    }

    /// Frames and payload bytes kept at the moment.
    #[must_use]
    pub fn retained(&self) -> (usize, usize) {
        self.stream.log.retained()
    }

    /// Whether the stream goes on; of a handle that may publish, whether it still may.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.end_reason().is_none()
    }

    /// Why the stream ended, or the publish session of a handle that has one; `None` while it is live.
    #[must_use]
    pub fn end_reason(&self) -> Option<EndReason> {
        match &self.publication {
            Some(publication) => publication.end_reason(),
            None => self.stream.end_reason(),
        }
    }

    /// Waits until the stream ends, or the publish session of a handle that has one, and tells why. Cancel-safe.
    pub async fn ended(&self) -> EndReason {
        match &self.publication {
            Some(publication) => publication.ended.cancelled().await,
            None => self.stream.ended.cancelled().await,
        }
        self.end_reason().unwrap_or(EndReason::Finished)
    }
}

impl fmt::Debug for StreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamHandle")
            .field("key", self.key())
            .field("session", &self.session())
            .field("may_publish", &self.publication.is_some())
            .field("end_reason", &self.end_reason())
            .finish_non_exhaustive()
    }
}
