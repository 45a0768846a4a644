//! The origin: streams run through packagers on tokio, requests answered from what they made.

mod refusals;
mod requests;
mod sessions;
mod stream;

use crate::config::HlsConfig;
use crate::packager::Packaging;
use crate::presentation::Presentation;
use arcly_core::mux::SegmentMuxerFactory;
use arcly_core::{StreamKey, Subscription, WallClock};
use sessions::Sessions;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use stream::{Run, Stream};
use tokio::sync::watch;

/// Packages live streams and answers requests for them. Cloning is cheap; clones are the same origin.
///
/// Per live stream, one task runs [`run_stream`](Self::run_stream); per request, the host calls
/// [`handle`](Self::handle). Access is the host's to control: whoever may call `handle` for a
/// stream may watch it. [`open_session`](Self::open_session) lets it do so once a viewer.
#[derive(Clone)]
pub struct HlsOrigin {
    shared: Arc<Shared>,
}

struct Shared {
    config: HlsConfig,
    containers: Vec<Container>,
    /// The variants of streams that are nothing but these.
    groups: HashMap<StreamKey, Vec<StreamKey>>,
    streams: Mutex<HashMap<StreamKey, Arc<Stream>>>,
    /// Told of each run that begins.
    begun: watch::Sender<()>,
    sessions: Sessions,
}

/// A container that streams are packaged in, and how.
#[derive(Clone)]
pub struct Container {
    folder: &'static str,
    packaging: Packaging,
    muxers: Arc<dyn SegmentMuxerFactory>,
    /// The extension of segments.
    extension: &'static str,
}

impl Container {
    /// Segments by muxers from `muxers`, below `/<app>/<stream>/<folder>/`.
    #[must_use]
    pub fn new(
        folder: &'static str,
        packaging: Packaging,
        muxers: impl SegmentMuxerFactory,
    ) -> Self {
        let extension = muxers.new_segment_muxer().format().extension;
        Self {
            folder,
            packaging,
            muxers: Arc::new(muxers),
            extension,
        }
    }
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container")
            .field("folder", &self.folder)
            .field("packaging", &self.packaging)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for HlsOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HlsOrigin")
            .field("config", &self.shared.config)
            .field("containers", &self.shared.containers)
            .finish_non_exhaustive()
    }
}

/// Makes a [`HlsOrigin`].
#[derive(Debug)]
pub struct HlsOriginBuilder {
    config: HlsConfig,
    containers: Vec<Container>,
    groups: HashMap<StreamKey, Vec<StreamKey>>,
}

impl HlsOriginBuilder {
    /// Adds a container. The first one is what `index.m3u8` of a stream plays.
    #[must_use]
    pub fn container(mut self, container: Container) -> Self {
        self.containers.push(container);
        self
    }

    /// Serves `members` as the variants of one stream: `index.m3u8` of `group` is a multivariant playlist over those of them that
    /// are live, in this order. Nobody publishes `group` itself.
    ///
    /// Players change between variants without a break where the members have the same timestamps and keyframes at the same times, as
    /// one encoder makes them; their segments are cut alike then.
    #[must_use]
    pub fn group(mut self, group: StreamKey, members: impl IntoIterator<Item = StreamKey>) -> Self {
        self.groups.insert(group, members.into_iter().collect());
        self
    }

    /// The origin, without streams.
    #[must_use]
    pub fn build(self) -> HlsOrigin {
        HlsOrigin {
            shared: Arc::new(Shared {
                sessions: Sessions::new(self.config.limits.sessions),
                config: self.config,
                containers: self.containers,
                groups: self.groups,
                streams: Mutex::default(),
                begun: watch::Sender::new(()),
            }),
        }
    }
}

impl HlsOrigin {
    /// An origin that packages streams in one container only, without parts: segments by muxers from
    /// `muxers`, in a folder named like their extension.
    #[must_use]
    pub fn new(config: HlsConfig, muxers: impl SegmentMuxerFactory) -> Self {
        let mut container = Container::new("", Packaging::PLAIN, muxers);
        container.folder = container.extension;
        Self::builder(config).container(container).build()
    }

    /// An origin with any number of containers.
    #[must_use]
    pub fn builder(config: HlsConfig) -> HlsOriginBuilder {
        HlsOriginBuilder {
            config,
            containers: Vec::new(),
            groups: HashMap::new(),
        }
    }

    /// Packages one publish of `key` until `frames` ends, and then keeps the stream for those who
    /// still watch: for [`HlsConfig::end_grace`] as if it went on, then with EXT-X-ENDLIST for
    /// [`HlsConfig::ended_retention`]. The future completes when all of that is over, or another
    /// call for the same key has taken over.
    ///
    /// The stream is known to [`handle`](Self::handle) as soon as this returns. The future has to
    /// be driven, on a task of its own; dropping it ends the stream at once and lets go of its
    /// segments. The subscription is best made with `StartAt::LatestKeyframe` and without a lag
    /// limit: the packager is never slower than the stream for long.
    pub fn run_stream(
        &self,
        key: &StreamKey,
        frames: Subscription,
    ) -> impl Future<Output = ()> + Send + use<> + 'static {
        let run = Run::begin(&self.shared, key);
        self.shared.begun.send_replace(());
        let (key, config) = (key.clone(), self.shared.config.clone());
        async move { run.run(&key, frames, &config).await }
    }

    /// How it packages.
    #[must_use]
    pub fn config(&self) -> &HlsConfig {
        &self.shared.config
    }

    /// Completes when the last segment of the publish of `key` that is now being packaged is closed: a moment after its stream has ended. At
    /// once where none is.
    pub async fn packaged(&self, key: &StreamKey) {
        if let Some(stream) = self.shared.stream(key) {
            stream.closed().await;
        }
    }

    /// The members of a group, for hosts that decide who may watch each of them.
    #[must_use]
    pub fn group(&self, key: &StreamKey) -> Option<&[StreamKey]> {
        self.shared.groups.get(key).map(Vec::as_slice)
    }

    /// Opens a session for a viewer of `key` that the host has authorised, and names it: handed to [`handle`](Self::handle) with
    /// a request for a multivariant playlist ([`HlsRequest::session`](crate::HlsRequest::session)), the name is carried on every URL
    /// below it, as their first folder. So media playlists, segments and parts stay the same bytes for all viewers, and no token stands in
    /// their URLs. `ticket` is the host's, to know the viewer by: its token, say.
    ///
    /// The name is 128 random bits. None where the system has no randomness.
    #[must_use]
    pub fn open_session(&self, key: &StreamKey, ticket: impl Into<Arc<str>>) -> Option<String> {
        self.shared.sessions.open(key, ticket.into())
    }

    /// The ticket of the session that `path` carries, where there is one that is valid for `key`: opened for it, or for a group that it
    /// belongs to, and used within the last minute.
    #[must_use]
    pub fn session(&self, key: &StreamKey, path: &str) -> Option<Arc<str>> {
        let session = crate::origin::Route::read(path)?.session?;
        self.shared.sessions.ticket(session, |opened| {
            let members = || self.group(opened).unwrap_or_default();
            opened == key || members().contains(key)
        })
    }

    /// Ends a session: its URLs are valid no more.
    pub fn end_session(&self, session: &str) {
        self.shared.sessions.end(session);
    }

    /// What is being served of `key` in the first container, for hosts that show or store it otherwise.
    #[must_use]
    pub fn presentation(&self, key: &StreamKey) -> Option<Arc<Presentation>> {
        self.shared.stream(key)?.slots.first()?.presentation()
    }
}

impl Shared {
    fn stream(&self, key: &StreamKey) -> Option<Arc<Stream>> {
        lock(&self.streams).get(key).map(Arc::clone)
    }

    /// The stream of this name, made where there is none.
    fn stream_or_new(&self, key: &StreamKey) -> Arc<Stream> {
        let mut streams = lock(&self.streams);
        if let Some(stream) = streams.get(key) {
            return Arc::clone(stream);
        }
        if streams.len() >= self.config.limits.remembered_streams {
            forget_one(&mut streams);
        }
        let stream = Arc::new(Stream::new(
            &self.config,
            &self.containers,
            first_sequence(),
        ));
        streams.insert(key.clone(), Arc::clone(&stream));
        stream
    }
}

/// Forgets the numbering of a stream of which nothing else is left. Where there is none, all are
/// live or have just ended, and the publishers' limit bounds them.
fn forget_one(streams: &mut HashMap<StreamKey, Arc<Stream>>) {
    // A run holds its stream; so does a request, briefly, and it may go on to see that nothing is there.
    let gone = streams
        .iter()
        .find(|(_, stream)| Arc::strong_count(stream) == 1);
    if let Some(key) = gone.map(|(key, _)| key.clone()) {
        streams.remove(&key);
    }
}

/// The number of a stream's first segment: the seconds of the wall clock. So numbers do not go back
/// over a restart of the process either (as long as segments are a second or longer on average),
/// and caches never take a new segment for an old one.
fn first_sequence() -> u64 {
    u64::try_from(wall_clock().0 / 1_000_000_000).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "drivers read clocks")]
fn wall_clock() -> WallClock {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallClock(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A panic elsewhere while the lock was held leaves whole values behind: each update is done in one
/// call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
