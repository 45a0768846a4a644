//! What happens in an engine, as events: to [`Observer`]s at once, and to any task through the [`EventBus`].

use crate::audit::{AuditRecord, AuditSink};
use crate::clock::Clock;
use crate::{AppName, EndReason, StreamKey, TimeSource, ViewerLoss};
use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;
use tokio::sync::broadcast;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// An id that no other call of this has returned in this process: what engines, also several of them, number with.
            #[must_use]
            pub fn fresh() -> Self {
                static LAST: AtomicU64 = AtomicU64::new(0);
                Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
            }

            /// The id with this number, as one that was written down or came from elsewhere. That it is the only one is the caller's
            /// business.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// Its number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id_type! {
    /// Identifies a publish session. Engines never use one twice within a process.
    SessionId
}
id_type! {
    /// Identifies a play session. Engines never use one twice within a process, and use them in ascending order.
    ViewerId
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// An application was registered.
    AppRegistered {
        /// Its name.
        app: AppName,
    },
    /// An application was removed, and its streams were ended.
    AppRemoved {
        /// Its name.
        app: AppName,
    },
    /// A stream went live.
    PublishStarted {
        /// The stream.
        key: StreamKey,
        /// The publish session.
        session: SessionId,
        /// The publisher's protocol.
        protocol: String,
        /// The publisher's address.
        peer: Option<SocketAddr>,
    },
    /// The publisher of a stream went away, and the stream waits for it to come back; see
    /// [`AppSpec::publisher_grace`](crate::AppSpec::publisher_grace).
    PublishInterrupted {
        /// The stream.
        key: StreamKey,
        /// The publish session that began it, as told when it started.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
    /// A publisher took up a stream that was interrupted, or took over one that goes on.
    PublishResumed {
        /// The stream.
        key: StreamKey,
        /// The publish session that began it, as told when it started.
        session: SessionId,
        /// The publisher's protocol.
        protocol: String,
        /// The publisher's address.
        peer: Option<SocketAddr>,
    },
    /// A stream ended.
    PublishEnded {
        /// The stream.
        key: StreamKey,
        /// The publish session that began it.
        session: SessionId,
        /// Why.
        reason: EndReason,
        /// Frames published.
        frames: u64,
        /// Payload bytes published.
        bytes: u64,
    },
    /// A publish was refused.
    PublishRefused {
        /// The stream asked for.
        key: StreamKey,
        /// The publisher's protocol.
        protocol: String,
        /// The publisher's address.
        peer: Option<SocketAddr>,
        /// Why, as a name: [`StreamError::name`](crate::StreamError::name).
        cause: &'static str,
        /// Why, in words.
        error: String,
    },
    /// The tracks of a stream, or what is known of them, changed: a track appeared, or brought a new codec config, or went with the publish
    /// session before (see [`AppSpec::publisher_grace`](crate::AppSpec::publisher_grace)).
    TracksChanged {
        /// The stream.
        key: StreamKey,
    },
    /// A viewer started to play.
    PlayStarted {
        /// The stream.
        key: StreamKey,
        /// The viewer.
        viewer: ViewerId,
        /// The viewer's protocol.
        protocol: String,
        /// The viewer's address.
        peer: Option<SocketAddr>,
    },
    /// A viewer left.
    PlayEnded {
        /// The stream.
        key: StreamKey,
        /// The viewer.
        viewer: ViewerId,
    },
    /// A play was refused.
    PlayRefused {
        /// The stream asked for.
        key: StreamKey,
        /// The viewer's protocol.
        protocol: String,
        /// The viewer's address.
        peer: Option<SocketAddr>,
        /// Why, as a name: [`StreamError::name`](crate::StreamError::name).
        cause: &'static str,
        /// Why, in words.
        error: String,
    },
    /// A reader of a stream fell behind and missed frames.
    SubscriberLagged {
        /// The stream.
        key: StreamKey,
        /// Frames missed this time.
        skipped: u64,
    },
    /// A reader of a stream was too slow for too long and was evicted.
    SubscriberEvicted {
        /// The stream.
        key: StreamKey,
        /// Frames missed since it last kept up.
        skipped: u64,
    },
    /// A viewer did not keep up and went without something. Once a second for each viewer and loss at most, and then summed up;
    /// what is left is told when the viewer goes, before [`PlayEnded`](Self::PlayEnded).
    ViewerLost {
        /// The stream.
        key: StreamKey,
        /// The viewer.
        viewer: ViewerId,
        /// What it went without, and so why.
        loss: ViewerLoss,
        /// How many frames, or packets of a rendition, since it was told last. 0 where an evicted viewer lost none before.
        items: u64,
    },
    /// The newest GOP of a stream alone broke a bound of its [`Retention`](crate::Retention): viewers cannot start before the
    /// next keyframe. Once a GOP; the cure is a shorter keyframe interval or a larger bound.
    GopTruncated {
        /// The stream.
        key: StreamKey,
    },
    /// The packager of a rendition panicked, or its runtime went; its viewers see the end, and the next viewer starts another.
    PackagerFailed {
        /// The stream.
        key: StreamKey,
    },
    /// A frame was refused, for instance for its size. Reported once a stream and reason.
    FrameRefused {
        /// The stream.
        key: StreamKey,
        /// Why.
        error: String,
    },
    /// A recording file was begun.
    RecordingStarted {
        /// The stream.
        key: StreamKey,
        /// The object's name in its storage.
        object: String,
    },
    /// A recording file was closed and is playable.
    RecordingFinished {
        /// The stream.
        key: StreamKey,
        /// The object's name in its storage.
        object: String,
        /// Its size.
        bytes: u64,
    },
    /// A recording failed; it goes on in a new file where it can.
    RecordingFailed {
        /// The stream.
        key: StreamKey,
        /// Why.
        error: String,
    },
    /// A connection was refused before it could ask for a stream, or was closed for misbehaviour.
    ConnectionRefused {
        /// The protocol.
        protocol: String,
        /// The peer's address.
        peer: SocketAddr,
        /// Why, as a name from the code, of which there are few: [`ConnectionRefusal::name`](crate::ConnectionRefusal::name), or the
        /// protocol's own.
        cause: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// A protocol worker ended with an error; its siblings are wound down.
    ProtocolFailed {
        /// The protocol.
        protocol: String,
        /// The error with its causes.
        error: String,
    },
}

impl EventKind {
    /// The event's lower-case name used in logs, metrics and the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AppRegistered { .. } => "app-registered",
            Self::AppRemoved { .. } => "app-removed",
            Self::PublishStarted { .. } => "publish-started",
            Self::PublishInterrupted { .. } => "publish-interrupted",
            Self::PublishResumed { .. } => "publish-resumed",
            Self::PublishEnded { .. } => "publish-ended",
            Self::PublishRefused { .. } => "publish-refused",
            Self::TracksChanged { .. } => "tracks-changed",
            Self::PlayStarted { .. } => "play-started",
            Self::PlayEnded { .. } => "play-ended",
            Self::PlayRefused { .. } => "play-refused",
            Self::SubscriberLagged { .. } => "subscriber-lagged",
            Self::SubscriberEvicted { .. } => "subscriber-evicted",
            Self::ViewerLost { .. } => "viewer-lost",
            Self::GopTruncated { .. } => "gop-truncated",
            Self::PackagerFailed { .. } => "packager-failed",
            Self::FrameRefused { .. } => "frame-refused",
            Self::RecordingStarted { .. } => "recording-started",
            Self::RecordingFinished { .. } => "recording-finished",
            Self::RecordingFailed { .. } => "recording-failed",
            Self::ConnectionRefused { .. } => "connection-refused",
            Self::ProtocolFailed { .. } => "protocol-failed",
        }
    }

    /// The stream the event is about, if it is about one.
    #[must_use]
    pub const fn key(&self) -> Option<&StreamKey> {
        match self {
            Self::PublishStarted { key, .. }
            | Self::PublishInterrupted { key, .. }
            | Self::PublishResumed { key, .. }
            | Self::PublishEnded { key, .. }
            | Self::PublishRefused { key, .. }
            | Self::TracksChanged { key }
            | Self::PlayStarted { key, .. }
            | Self::PlayEnded { key, .. }
            | Self::PlayRefused { key, .. }
            | Self::SubscriberLagged { key, .. }
            | Self::SubscriberEvicted { key, .. }
            | Self::ViewerLost { key, .. }
            | Self::GopTruncated { key }
            | Self::PackagerFailed { key }
            | Self::FrameRefused { key, .. }
            | Self::RecordingStarted { key, .. }
            | Self::RecordingFinished { key, .. }
            | Self::RecordingFailed { key, .. } => Some(key),
            Self::AppRegistered { .. }
            | Self::AppRemoved { .. }
            | Self::ConnectionRefused { .. }
            | Self::ProtocolFailed { .. } => None,
        }
    }
}

/// Is told each event at once, in the task where it happens: the publisher's for most, so an implementation must be
/// quick and must not block. For anything slower, subscribe to the [`EventBus`]. One that panics is logged, and harms nobody else.
pub trait Observer: Send + Sync + 'static {
    /// Takes one event.
    fn on_event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn on_event(&self, event: &Event) {
        self(event);
    }
}

/// Lets any task follow the events.
pub trait EventBus: Send + Sync + 'static {
    /// The events from now on.
    fn subscribe_events(&self) -> EventReceiver;
    /// Makes an event known, as outputs and recorders do that the engine does not see.
    fn emit(&self, kind: EventKind);
}

/// The events of an engine, from the time of subscribing on. Holds up to [`EVENT_BACKLOG`] events for a slow receiver, then drops the
/// oldest.
#[derive(Debug)]
pub struct EventReceiver {
    events: broadcast::Receiver<Arc<Event>>,
    missed: u64,
}

/// How many events wait for a slow [`EventReceiver`].
pub const EVENT_BACKLOG: usize = 1_024;

impl EventReceiver {
    /// The next event; `None` once the engine is gone. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Arc<Event>> {
        loop {
            match self.events.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => self.missed += missed,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many events were missed for slowness.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}

/// Where the parts of an engine report to.
pub(crate) struct Reporter {
    pub(crate) clock: Clock,
    observers: Vec<Arc<dyn Observer>>,
    audit: Vec<Arc<dyn AuditSink>>,
    events: broadcast::Sender<Arc<Event>>,
    shutting_down: AtomicBool,
}

impl Reporter {
    pub(crate) fn new(
        clock: Clock,
        observers: Vec<Arc<dyn Observer>>,
        audit: Vec<Arc<dyn AuditSink>>,
    ) -> Self {
        Self {
            clock,
            observers,
            audit,
            events: broadcast::channel(EVENT_BACKLOG).0,
            shutting_down: AtomicBool::new(false),
        }
    }

    /// One that nobody listens to.
    pub(crate) fn silent() -> Self {
        Self::new(Clock::new(TimeSource::system()), Vec::new(), Vec::new())
    }

    /// Whether the engine shuts down: streams that end from then on end for that.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.shutting_down.load(Ordering::Acquire)
    }

    /// True the first time.
    pub(crate) fn begin_shutdown(&self) -> bool {
        !self.shutting_down.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn report(&self, kind: EventKind) {
        let event = Event {
            at: self.clock.wall(),
            kind,
        };
        for observer in &self.observers {
            // Some events are reported while a task unwinds, where another panic would abort the process.
            let told = catch_unwind(AssertUnwindSafe(|| observer.on_event(&event)));
            if told.is_err() {
                tracing::error!(event = event.kind.name(), "an observer panicked");
            }
        }
        // An error means that nobody has subscribed.
        let _ = self.events.send(Arc::new(event));
    }

    pub(crate) fn audit(&self, record: &AuditRecord) {
        for sink in &self.audit {
            if catch_unwind(AssertUnwindSafe(|| sink.record(record))).is_err() {
                tracing::error!(action = %record.action, key = %record.key, "an audit sink panicked");
            }
        }
    }

    pub(crate) fn subscribe(&self) -> EventReceiver {
        EventReceiver {
            events: self.events.subscribe(),
            missed: 0,
        }
    }
}
