//! The engine: applications, live streams, authorisation, and the protocols that run on it.

mod app;
mod builder;
mod demand;
mod lifecycle;
mod reaper;
mod registry;
mod serve;
#[cfg(test)]
mod tests;
mod viewers;

pub use app::AppSpec;
pub use builder::EngineBuilder;
pub use demand::Demand;

use crate::clock::Clock;
use crate::health::{Health, HealthRegistry, HealthReporter};
use crate::observe::Reporter;
use crate::stream::LiveStream;
use crate::{
    AppName, Authenticator, EndReason, EventKind, InboundProtocol, PlaybackContext, Result,
    SessionId, StreamError, StreamHandle, StreamKey,
};
use demand::Offers;
use lifecycle::{Change, Lifecycle};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use viewers::Viewers;

/// Settings that hold for all applications.
#[derive(Debug, Clone)]
struct Settings {
    max_publishers: Option<usize>,
    idle_timeout: Option<Duration>,
    drain_deadline: Duration,
    auth_timeout: Duration,
}

/// A media engine: the streams that are live, and who may publish and play them.
///
/// The families of its methods, in the order in which a host calls them:
///
/// 1. [`builder`](Self::builder) puts it together.
/// 2. [`register_app`](Self::register_app), [`remove_app`](Self::remove_app) change its applications while it runs.
/// 3. [`serve`](Self::serve), [`serve_registered`](Self::serve_registered),
///    [`serve_registered_until_signal`](Self::serve_registered_until_signal) run protocols;
///    [`pump_source`](Self::pump_source) publishes from within.
/// 4. The registry traits publish, look up and play: [`PublishRegistry`](crate::PublishRegistry),
///    [`PlaybackRegistry`](crate::PlaybackRegistry), [`EventBus`](crate::EventBus).
/// 5. [`viewers`](Self::viewers) and [`end_play`](Self::end_play) show who plays, and end it.
/// 6. [`reap_idle`](Self::reap_idle), [`begin_shutdown`](Self::begin_shutdown), [`shutdown`](Self::shutdown) end streams.
///
/// The starts and ends of streams are told to observers one at a time, in the order in which they happened: a stream's start before its
/// end, and a stream that took over starts after the one that it replaced has ended. Where several tasks start and end streams at
/// once, one of them tells what the others did, which may then be told a moment after their calls have returned.
///
/// ```
/// use arcly_core::{
///     AppSpec, CodecId, Engine, IngestContext, MediaFrame, PlaybackRegistry, StartAt, StreamKey,
/// };
/// use bytes::Bytes;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> arcly_core::Result<()> {
/// let engine = Engine::builder().application(AppSpec::new("live")).build();
///
/// let camera = StreamKey::new("live", "camera");
/// let session = IngestContext::new(engine.clone()).open_publish(camera.clone()).await?;
/// session.publish_frame(MediaFrame::new_video(0, 0, Bytes::from_static(b"picture"), CodecId::H264, true))?;
///
/// let mut viewer = engine.get_stream(&camera)?.subscribe_from(StartAt::LatestKeyframe);
/// assert!(viewer.recv().await.is_some_and(|frame| frame.is_keyframe()));
///
/// session.finish().await?;
/// assert!(viewer.recv().await.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Engine {
    this: Weak<Self>,
    settings: Settings,
    apps: RwLock<HashMap<AppName, Arc<AppSpec>>>,
    streams: RwLock<HashMap<StreamKey, Arc<LiveStream>>>,
    lifecycle: Lifecycle,
    /// Notified when a stream goes live, for those who wait for one, and when none can any more.
    awaited: Notify,
    offers: Arc<Offers>,
    viewers: Arc<Viewers>,
    authenticator: Arc<dyn Authenticator>,
    reporter: Arc<Reporter>,
    health: HealthRegistry,
    /// The engine's own part.
    own_health: HealthReporter,
    /// Those that were registered with the builder and are not served yet, each a part that is starting.
    protocols: Mutex<Vec<(Box<dyn InboundProtocol>, HealthReporter)>>,
    reaper_runs: AtomicBool,
    /// Tells the reaper that there is another application.
    apps_changed: Arc<Notify>,
}

impl Engine {
    /// Puts an engine together.
    #[must_use]
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    fn new(builder: EngineBuilder) -> Arc<Self> {
        let reporter = Arc::new(Reporter::new(
            Clock::new(builder.time_source),
            builder.observers,
            builder.audit,
        ));
        let apps = builder
            .apps
            .into_iter()
            .map(|app| (app.name.clone(), Arc::new(app)))
            .collect();
        let health = HealthRegistry::new();
        let own_health = health.register("engine");
        own_health.set(Health::Healthy);
        let protocols = builder
            .protocols
            .into_iter()
            .map(|protocol| {
                let part = health.register(protocol.name());
                (protocol, part)
            })
            .collect();
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            settings: builder.settings,
            apps: RwLock::new(apps),
            streams: RwLock::default(),
            lifecycle: Lifecycle::default(),
            awaited: Notify::new(),
            offers: Arc::default(),
            viewers: Arc::default(),
            authenticator: builder.authenticator,
            reporter,
            health,
            own_health,
            protocols: Mutex::new(protocols),
            reaper_runs: AtomicBool::new(false),
            apps_changed: Arc::default(),
        })
    }

    // ---- Applications ----

    /// Adds an application.
    ///
    /// # Errors
    /// [`StreamError::AppAlreadyExists`]; [`StreamError::InvalidKey`] for an unusable name.
    pub fn register_app(&self, app: AppSpec) -> Result<()> {
        StreamKey::new(app.name.clone(), "x").validate()?;
        let name = app.name.clone();
        {
            let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
            if apps.contains_key(&name) {
                return Err(StreamError::AppAlreadyExists(name));
            }
            apps.insert(name.clone(), Arc::new(app));
        }
        self.apps_changed.notify_one();
        self.reporter.report(EventKind::AppRegistered { app: name });
        Ok(())
    }

    /// Removes an application and ends its streams; returns how many.
    ///
    /// # Errors
    /// [`StreamError::AppNotFound`].
    pub fn remove_app(&self, app: &str) -> Result<usize> {
        let (removed, streams) = {
            // With the table held, in which no stream can start meanwhile: those of a later application of the same name are not
            // among these.
            let live = self.live();
            let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
            let removed = apps.remove(app);
            let removed = removed.ok_or_else(|| StreamError::AppNotFound(app.into()))?;
            let of_app = live.values().filter(|stream| &*stream.key.app == app);
            (removed, of_app.cloned().collect())
        };
        let ended = self.end_all(EndReason::AppRemoved, streams);
        self.awaited.notify_waiters();
        self.reporter.report(EventKind::AppRemoved {
            app: removed.name.clone(),
        });
        Ok(ended)
    }

    /// The names of all applications, sorted.
    #[must_use]
    pub fn list_apps(&self) -> Vec<AppName> {
        let mut names: Vec<_> = self
            .apps
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    }

    fn app(&self, name: &str) -> Result<Arc<AppSpec>> {
        let apps = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        apps.get(name)
            .cloned()
            .ok_or_else(|| StreamError::AppNotFound(name.into()))
    }

    // ---- State ----

    /// All live streams of all applications, those that are [interrupted](StreamHandle::is_interrupted) among them, sorted by name. For the
    /// host itself: asks nobody.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamHandle> {
        let mut streams: Vec<_> = self
            .live()
            .values()
            .filter(|stream| stream.end_reason().is_none())
            .cloned()
            .collect();
        streams.sort_by(|a, b| a.key.cmp(&b.key));
        streams.into_iter().map(StreamHandle::viewer).collect()
    }

    /// How many streams are live, those that are [interrupted](StreamHandle::is_interrupted) among them.
    #[must_use]
    pub fn total_stream_count(&self) -> usize {
        self.live()
            .values()
            .filter(|stream| stream.end_reason().is_none())
            .count()
    }

    /// The health of the engine's parts: `engine` itself, which fails once it [shuts down](Self::begin_shutdown); each protocol that is
    /// registered or served; and what the host registers. A protocol that failed stays listed, see [`HealthReporter::fail`].
    #[must_use]
    pub fn health(&self) -> &HealthRegistry {
        &self.health
    }

    /// Whether somebody [offers](crate::IngestContext::offer) to bring in `key` when it is wanted: then
    /// [`open_play`](crate::PlaybackRegistry::open_play) waits for it. For outputs that else ask whether a stream is live before they open
    /// a play session.
    #[must_use]
    pub fn is_offered(&self, key: &StreamKey) -> bool {
        self.offers.patience(key).is_some()
    }

    /// How outputs outside any protocol, as an HTTP server, play streams.
    #[must_use]
    pub fn playback(&self) -> PlaybackContext {
        PlaybackContext::new(self.shared())
    }

    fn shared(&self) -> Arc<Self> {
        match self.this.upgrade() {
            Some(engine) => engine,
            None => unreachable!("an engine lives in the Arc that it was built in"),
        }
    }

    fn live(&self) -> std::sync::RwLockReadGuard<'_, HashMap<StreamKey, Arc<LiveStream>>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- Ending streams ----

    /// Ends all streams for which `which` holds; returns how many.
    fn end_where(&self, reason: EndReason, which: impl Fn(&LiveStream) -> bool) -> usize {
        let chosen: Vec<_> = self
            .live()
            .values()
            .filter(|stream| which(stream))
            .cloned()
            .collect();
        self.end_all(reason, chosen)
    }

    /// Ends those of `streams` that are still on the table; returns how many.
    fn end_all(&self, reason: EndReason, streams: Vec<Arc<LiveStream>>) -> usize {
        streams
            .into_iter()
            .filter(|stream| self.remove(stream, reason))
            .count()
    }

    /// Ends the publication of this very session, which has ended or is to; true where it was under way on the table. Its stream goes with it,
    /// unless that waits for the publisher to come back. A successor under the same name is not touched.
    fn release(&self, key: &StreamKey, session: SessionId, reason: EndReason) -> bool {
        let stream = {
            let streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
            let Some(stream) = streams.get(key).cloned() else {
                return false;
            };
            let publication = stream.publication();
            if publication.session != session {
                return false;
            }
            // It may have ended before, for a reason of its own.
            let reason = publication.end_reason().unwrap_or(reason);
            if stream.survives(reason) {
                stream.interrupt(&publication, reason);
                if publication.take_interruption() {
                    let publication = Arc::clone(&publication);
                    self.lifecycle
                        .note(Change::Interrupted(stream, publication));
                }
                drop(streams);
                publication.wake();
                self.tell_changes();
                return true;
            }
            stream
        };
        self.remove(&stream, reason)
    }

    /// Takes this very stream off the table and ends it; true where it was there.
    fn remove(&self, stream: &Arc<LiveStream>, reason: EndReason) -> bool {
        self.remove_if(stream, reason, || true)
    }

    /// [`remove`](Self::remove), where `still` holds under the lock of the table, with which a publisher comes back.
    fn remove_if(
        &self,
        stream: &Arc<LiveStream>,
        reason: EndReason,
        still: impl FnOnce() -> bool,
    ) -> bool {
        {
            let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
            match streams.get(&stream.key) {
                Some(held) if Arc::ptr_eq(held, stream) && still() => streams.remove(&stream.key),
                _ => return false,
            };
            self.lifecycle
                .note(Change::Ended(Arc::clone(stream), reason));
        }
        stream.end(reason);
        self.tell_changes();
        true
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("settings", &self.settings)
            .field("apps", &self.list_apps())
            .field("streams", &self.total_stream_count())
            .finish_non_exhaustive()
    }
}
