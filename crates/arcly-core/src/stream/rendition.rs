//! Renditions: what is the same for every viewer, computed once a stream.
//!
//! A [`Packager`] turns the frames of a stream into packets of some wire format (RTMP chunks, TS packets, RTP packets, CMAF parts). Its packets
//! stand in a log of their own, with the same sync points as the stream, so that a viewer joins, lags and resumes as it would on the stream
//! itself and only ever writes shared bytes.

use super::handle::StreamHandle;
use super::live::{LiveStream, StreamEvents};
use crate::bus::{
    Appended, Delivery, LagObserver, Log, LogClosed, LogItem, Preamble, StartAt, SubscribeOptions,
    Subscription, SubscriptionEnd,
};
use crate::{MediaFrame, Timestamp};
use bytes::Bytes;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Sleep;
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

    /// Called before a rendition is started beside others of the same type, whose variants are `live`: the packager may change its
    /// variant, to one of these or to another. What viewers can make a stream serialise is bounded here, where they choose the
    /// variant. Called under a lock: it must be quick and must not start a rendition. The default keeps what was asked for.
    fn settle(&mut self, live: &[Self::Variant]) {
        let _ = live;
    }

    /// Packs one frame, which it dereferences to. [`Delivery::skipped`] frames are missing directly before it.
    ///
    /// Where [`Delivery::is_sync_point`] says so, the first packet made of it goes out by [`Packets::push_sync`]: viewers start there and
    /// nowhere else. Codec configs come as frames, before the first sync point and whenever they change.
    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, Self::Packet>);

    /// How long packets that [wake nobody](LogItem::wakes) are held back at most: that long after the first of them readers are woken, unless
    /// a packet that wakes came before. One timer a stream; the runtime needs timers where a packager makes such packets. Default 40 ms.
    fn flush_window(&self) -> Duration {
        Duration::from_millis(40)
    }

    /// Called when all frames that are ready have been packed: the place to hand out what was held back to fill a batch.
    fn flush(&mut self, out: &mut Packets<'_, Self::Packet>) {
        let _ = out;
    }

    /// Called when the [flush window](Self::flush_window) is over, and before the end of the stream: hands out what the packager
    /// [holds](Packets::hold) itself. Readers are woken afterwards.
    fn release(&mut self, out: &mut Packets<'_, Self::Packet>) {
        let _ = out;
    }
}

/// Where a [`Packager`] puts its packets.
pub struct Packets<'a, T: LogItem> {
    log: &'a Log<T>,
    preamble: &'a mut Arc<Preamble<T>>,
    events: &'a StreamEvents,
    /// Whether there are packets that nobody has been woken for.
    held_back: &'a mut bool,
}

impl<T: LogItem> Packets<'_, T> {
    /// Appends a packet.
    pub fn push(&mut self, packet: T) {
        *self.held_back = !packet.wakes();
        self.appended(self.log.append(packet));
    }

    /// Appends a packet that viewers can start with, after the preamble.
    pub fn push_sync(&mut self, packet: T) {
        *self.held_back = false;
        let preamble = || Arc::clone(self.preamble);
        self.appended(self.log.append_sync(packet, preamble));
    }

    /// Says that the packager holds something back that is no packet yet, to join it with what comes next: the flush window begins, unless it has
    /// begun already, and [`Packager::release`] is called at its end.
    pub fn hold(&mut self) {
        *self.held_back = true;
    }

    fn appended(&self, appended: Result<Appended, LogClosed>) {
        // An error means that the rendition was closed with its stream; its task is about to end.
        if appended.is_ok_and(|appended| appended.truncated) {
            self.events.truncated();
        }
    }

    /// Sets what a viewer needs before any sync point from now on: headers, parameter sets. It gets them, with no sequence number, where
    /// it starts and where it goes on after lagging. Viewers that are there do not: what they need as well is to be pushed too.
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
    /// Whether a viewer should write now rather than wait for more: the end of a video frame. Without it the packet
    /// [wakes nobody](LogItem::wakes).
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

    fn wakes(&self) -> bool {
        self.flush
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
    failed: Arc<AtomicBool>,
    _stop: DropGuard,
}

/// How many packets a frame is taken to make: what bounds a stream in frames bounds its renditions in this many times as many packets.
/// A frame of 8 Mbit/s video is some 28 RTP packets.
const PACKETS_PER_FRAME: usize = 32;

/// A subscription to a rendition; keeps the rendition going.
pub struct RenditionSubscription<T: LogItem> {
    subscription: Subscription<T>,
    rendition: Arc<SharedRendition<T>>,
}

impl<T: LogItem> Rendition<T> {
    /// Reads from `start` on.
    #[must_use]
    pub fn subscribe_from(&self, start: StartAt) -> RenditionSubscription<T> {
        let max_lag = self.stream.limits.max_lag;
        let max_lag = max_lag.map(|frames| frames.saturating_mul(PACKETS_PER_FRAME as u64));
        self.subscribe(SubscribeOptions::start(start).max_lag(max_lag))
    }

    /// Reads as `options` say. [`SubscribeOptions::max_lag`] counts packets here.
    #[must_use]
    pub fn subscribe(&self, options: SubscribeOptions) -> RenditionSubscription<T> {
        let lag: Arc<dyn LagObserver> = Arc::clone(self.stream.events()) as _;
        RenditionSubscription {
            subscription: Subscription::new(Arc::clone(&self.shared.log), options, Some(lag)),
            rendition: Arc::clone(&self.shared),
        }
    }
}

impl<T: LogItem> RenditionSubscription<T> {
    /// Why there is nothing more to read, once [`recv`](Subscription::recv) has returned `None`.
    #[must_use]
    pub fn end(&self) -> Option<SubscriptionEnd> {
        match self.subscription.end() {
            Some(SubscriptionEnd::StreamEnded) if self.rendition.failed.load(Ordering::Acquire) => {
                Some(SubscriptionEnd::PackagerFailed)
            }
            end => end,
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
        mut packager: P,
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
        if !of_type.contains_key(&packager.variant()) && !of_type.is_empty() {
            let live: Vec<_> = of_type.keys().cloned().collect();
            packager.settle(&live);
        }
        let variant = packager.variant();
        let live = of_type.get(&variant).and_then(Weak::upgrade);
        if let Some(shared) = live.filter(|rendition| !rendition.log.is_closed()) {
            return Rendition { shared, stream };
        }
        let stop = CancellationToken::new();
        let mut retention = stream.limits.retention;
        retention.max_items = retention.max_items.saturating_mul(PACKETS_PER_FRAME);
        let log = Arc::new(Log::new(retention));
        let failed = Arc::new(AtomicBool::new(false));
        let run = Run {
            // Not evicted for lagging: its viewers would pay for it.
            frames: handle
                .subscribe(SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None)),
            log: CloseOnDrop(Arc::clone(&log)),
            stop: stop.clone(),
            failure: Failure {
                events: Arc::clone(stream.events()),
                failed: Arc::clone(&failed),
                finished: false,
            },
        };
        tokio::spawn(run.run(packager));
        let shared = Arc::new(SharedRendition {
            log,
            failed,
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

/// The task that packs. In the order in which its fields are dropped, also where the packager panics: what failed is said, then the
/// viewers see the end.
struct Run<T: LogItem> {
    frames: Subscription,
    stop: CancellationToken,
    failure: Failure,
    log: CloseOnDrop<T>,
}

impl<T: LogItem> Run<T> {
    async fn run<P: Packager<Packet = T>>(mut self, mut packager: P) {
        let mut preamble = Arc::new(Preamble {
            items: Box::default(),
        });
        let mut held_back = false;
        let mut release = pin!(None);
        loop {
            if !held_back {
                release.set(None);
            } else if release.is_none() {
                release.set(Some(tokio::time::sleep(packager.flush_window())));
            }
            let more = tokio::select! {
                more = self.frames.ready() => Some(more),
                () = self.stop.cancelled() => Some(false),
                () = expired(release.as_mut()), if held_back => None,
            };
            let mut out = Packets {
                log: &self.log.0,
                preamble: &mut preamble,
                events: &self.failure.events,
                held_back: &mut held_back,
            };
            let Some(more) = more else {
                packager.release(&mut out);
                self.log.0.wake();
                held_back = false;
                continue;
            };
            if !more {
                packager.release(&mut out);
                self.failure.finished = true;
                return;
            }
            self.frames
                .for_each_ready(BATCH, |frame| packager.pack(&frame, &mut out));
            packager.flush(&mut out);
            tokio::task::consume_budget().await;
        }
    }
}

async fn expired(timer: Pin<&mut Option<Sleep>>) {
    if let Some(timer) = timer.as_pin_mut() {
        timer.await;
    }
}

struct Failure {
    events: Arc<StreamEvents>,
    failed: Arc<AtomicBool>,
    finished: bool,
}

impl Drop for Failure {
    fn drop(&mut self) {
        if !self.finished {
            self.failed.store(true, Ordering::Release);
            self.events.packager_failed();
        }
    }
}

struct CloseOnDrop<T: LogItem>(Arc<Log<T>>);

impl<T: LogItem> Drop for CloseOnDrop<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}
