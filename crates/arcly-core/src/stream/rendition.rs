//! Renditions: what is the same for every viewer, computed once a stream.
//!
//! A [`Packager`] turns the frames of a stream into packets of some wire format (RTMP chunks, TS packets, RTP packets, CMAF parts). Its packets
//! stand in a log of their own, with the same sync points as the stream, so that a viewer joins, lags and resumes as it would on the stream
//! itself and only ever writes shared bytes.

use super::handle::StreamHandle;
use super::live::LiveStream;
use crate::bus::{LagObserver, Log, LogItem, Preamble, StartAt, SubscribeOptions, Subscription};
use crate::{MediaFrame, Timestamp};
use bytes::Bytes;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Turns frames into packets, once for all viewers of a stream.
///
/// Viewers that ask for the same type with an equal [`variant`](Self::variant) share one packager. It is fed every frame from the
/// newest keyframe on, and runs as a task of its own; it must not block.
pub trait Packager: Send + 'static {
    /// What it makes. [`Packet`] serves most.
    type Packet: LogItem;
    /// What tells renditions of this packager apart, where it has settings; `()` where not.
    type Variant: Hash + Eq + Clone + Send + Sync + 'static;

    /// This packager's settings.
    fn variant(&self) -> Self::Variant;

    /// Packs one frame. `skipped` frames are missing directly before it.
    fn pack(&mut self, frame: &MediaFrame, skipped: u64, out: &mut Packets<'_, Self::Packet>);

    /// Called when all frames that are ready have been packed: the place to hand out what was held back to fill a batch.
    fn flush(&mut self, out: &mut Packets<'_, Self::Packet>) {
        let _ = out;
    }
}

/// Where a [`Packager`] puts its packets.
pub struct Packets<'a, T: LogItem> {
    log: &'a Log<T>,
    preamble: &'a mut Arc<Preamble<T>>,
}

impl<T: LogItem> Packets<'_, T> {
    /// Appends a packet.
    pub fn push(&mut self, packet: T) {
        // An error means that the rendition was closed with its stream; its task is about to end.
        let _ = self.log.append(packet);
    }

    /// Appends a packet that viewers can start with, after the preamble.
    pub fn push_sync(&mut self, packet: T) {
        let _ = self.log.append_sync(packet, || Arc::clone(self.preamble));
    }

    /// Sets what a viewer needs before any sync point from now on: headers, parameter sets.
    pub fn set_preamble(&mut self, packets: impl IntoIterator<Item = T>) {
        *self.preamble = Arc::new(Preamble {
            items: packets.into_iter().collect(),
        });
    }
}

/// Ready bytes of a wire format.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet {
    /// The bytes, shared by all viewers.
    pub bytes: Bytes,
    /// DTS of the frame they come from.
    pub dts: Timestamp,
    /// Whether a viewer should write now rather than wait for more: the end of a video frame.
    pub flush: bool,
    /// Whether a congested viewer can leave the packet out and keep a correct picture.
    pub disposable: bool,
}

impl Packet {
    /// A packet that is to be written at once.
    #[must_use]
    pub const fn new(bytes: Bytes, dts: Timestamp) -> Self {
        Self {
            bytes,
            dts,
            flush: true,
            disposable: false,
        }
    }

    /// Sets [`flush`](Self::flush).
    #[must_use]
    pub const fn flush(mut self, flush: bool) -> Self {
        self.flush = flush;
        self
    }

    /// Sets [`disposable`](Self::disposable).
    #[must_use]
    pub const fn disposable(mut self, disposable: bool) -> Self {
        self.disposable = disposable;
        self
    }
}

impl LogItem for Packet {
    fn weight(&self) -> usize {
        self.bytes.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }
}

/// A derived log of a stream, see [`StreamHandle::rendition`]. Cloning shares it; it is dropped with the last clone and the
/// last of its subscriptions.
pub struct Rendition<T: LogItem> {
    shared: Arc<SharedRendition<T>>,
    stream: Arc<LiveStream>,
}

struct SharedRendition<T: LogItem> {
    log: Arc<Log<T>>,
    _stop: DropGuard,
}

/// A subscription to a rendition; keeps the rendition going.
pub struct RenditionSubscription<T: LogItem> {
    subscription: Subscription<T>,
    _rendition: Arc<SharedRendition<T>>,
}

impl<T: LogItem> Rendition<T> {
    /// Reads from `start` on.
    #[must_use]
    pub fn subscribe_from(&self, start: StartAt) -> RenditionSubscription<T> {
        self.subscribe(SubscribeOptions::start(start).max_lag(self.stream.limits.max_lag))
    }

    /// Reads as `options` say. [`SubscribeOptions::max_lag`] counts packets.
    #[must_use]
    pub fn subscribe(&self, options: SubscribeOptions) -> RenditionSubscription<T> {
        let lag: Arc<dyn LagObserver> = self.stream.lag_observer();
        RenditionSubscription {
            subscription: Subscription::new(Arc::clone(&self.shared.log), options, Some(lag)),
            _rendition: Arc::clone(&self.shared),
        }
    }
}

impl<T: LogItem> Clone for Rendition<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            stream: Arc::clone(&self.stream),
        }
    }
}

impl<T: LogItem> fmt::Debug for Rendition<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendition")
            .field("key", &self.stream.key)
            .field("readers", &self.shared.log.readers())
            .finish_non_exhaustive()
    }
}

impl<T: LogItem> std::ops::Deref for RenditionSubscription<T> {
    type Target = Subscription<T>;
    fn deref(&self) -> &Subscription<T> {
        &self.subscription
    }
}

impl<T: LogItem> std::ops::DerefMut for RenditionSubscription<T> {
    fn deref_mut(&mut self) -> &mut Subscription<T> {
        &mut self.subscription
    }
}

impl<T: LogItem> fmt::Debug for RenditionSubscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subscription.fmt(f)
    }
}

/// The renditions of one type of packager, by variant.
type ByVariant<P> =
    HashMap<<P as Packager>::Variant, Weak<SharedRendition<<P as Packager>::Packet>>>;

/// The renditions of a stream that have viewers.
#[derive(Default)]
pub(crate) struct Renditions {
    by_packager: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

impl Renditions {
    pub(super) fn get_or_start<P: Packager>(
        &self,
        handle: &StreamHandle,
        packager: P,
    ) -> Rendition<P::Packet> {
        let stream = Arc::clone(handle.stream());
        let mut by_packager = self
            .by_packager
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let of_type = by_packager
            .entry(TypeId::of::<P>())
            .or_insert_with(|| Box::new(ByVariant::<P>::new()));
        let Some(of_type) = of_type.downcast_mut::<ByVariant<P>>() else {
            unreachable!("the map's keys are the types of its values");
        };
        of_type.retain(|_, rendition| rendition.strong_count() > 0);
        let variant = packager.variant();
        if let Some(shared) = of_type.get(&variant).and_then(Weak::upgrade) {
            return Rendition { shared, stream };
        }
        let stop = CancellationToken::new();
        let log = Arc::new(Log::new(stream.limits.retention));
        let frames = handle.subscribe_from(StartAt::LatestKeyframe);
        tokio::spawn(run(packager, frames, Arc::clone(&log), stop.clone()));
        let shared = Arc::new(SharedRendition {
            log,
            _stop: stop.drop_guard(),
        });
        of_type.insert(variant, Arc::downgrade(&shared));
        Rendition { shared, stream }
    }

    /// Lets go of the table; renditions that are being read end by themselves.
    pub(super) fn clear(&self) {
        self.by_packager
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// How many frames are packed before other tasks get their turn.
const BATCH: usize = 256;

async fn run<P: Packager>(
    mut packager: P,
    mut frames: Subscription,
    log: Arc<Log<P::Packet>>,
    stop: CancellationToken,
) {
    // Also where the packager panics: its viewers see the end instead of waiting for ever.
    let _close = CloseOnDrop(Arc::clone(&log));
    let mut preamble = Arc::new(Preamble {
        items: Box::default(),
    });
    loop {
        let more = tokio::select! {
            more = frames.ready() => more,
            () = stop.cancelled() => false,
        };
        if !more {
            return;
        }
        let mut out = Packets {
            log: &log,
            preamble: &mut preamble,
        };
        frames.for_each_ready(BATCH, |frame| {
            packager.pack(frame.item, frame.skipped, &mut out)
        });
        packager.flush(&mut out);
        tokio::task::consume_budget().await;
    }
}

struct CloseOnDrop<T: LogItem>(Arc<Log<T>>);

impl<T: LogItem> Drop for CloseOnDrop<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
