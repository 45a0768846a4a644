//! Waking readers, off the publisher's path.
//!
//! Waking a task costs far more than publishing a frame, and a stream may have thousands waiting. So a publisher wakes at most
//! one task, the *root relay*; it wakes the relays of the other shards, and each relay wakes the readers of its shard. Shards fill
//! up one after the other, so a stream with few viewers has one relay.
//!
//! Relays are tokio tasks, spawned by the first reader that waits. Where there is no tokio runtime, publishers wake the readers
//! themselves.
//!
//! After a round of waking, the root relay rests in proportion to the number of readers. The first frame after a pause is told at once; under load,
//! frames that come close together are delivered together. Streams with two hundred readers or more need a runtime with
//! timers for it.
//!
//! # Why no wake-up is lost
//!
//! Each level is the same handshake, with a sequentially consistent fence between the two steps of either side:
//! the sleeper raises its flag, then looks again for what it waits for; the waker makes that visible, then looks for flags.
//! Whichever fence comes first in their total order, one side sees the other.

use super::sync::{Arc, AtomicBool, AtomicUsize, AtomicWaker, Mutex, Ordering, fence};
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// How many relays a stream has at most.
const SHARDS: usize = if cfg!(arcly_loom) { 1 } else { 8 };
/// A shard is filled with this many readers before the next one is used.
const SHARD_FILL: usize = 64;
/// How many readers a relay wakes before it lets other tasks run: half of what a tokio worker's own queue holds, so that the
/// woken are not pushed over to the shared one.
const WAKE_BATCH: usize = 128;

/// How long the root relay rests for each reader after a round of waking, so that waking takes a bounded share of a core however many
/// read: what is published meanwhile is delivered together. 5 ms with a thousand readers, nothing with a hundred.
const REST_PER_READER: Duration = Duration::from_micros(5);
/// Shorter rests than tokio's timers can measure are left out.
const SHORTEST_REST: Duration = Duration::from_millis(1);
/// The longest rest: no reader is told later than this.
const LONGEST_REST: Duration = Duration::from_millis(20);

/// One waiting place, owned by a reader.
pub(crate) struct Waiter {
    armed: AtomicBool,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Places {
    waiters: Vec<Option<Arc<Waiter>>>,
    free: Vec<usize>,
}

/// The readers that one relay wakes.
struct Shard {
    places: Mutex<Places>,
    readers: AtomicUsize,
    /// Whether any reader of the shard may be armed.
    any_armed: AtomicBool,
    relay: RelaySignal,
}

/// How a relay task is told to look for armed readers.
struct RelaySignal {
    signalled: AtomicBool,
    waker: AtomicWaker,
    /// Whether the task exists.
    running: AtomicBool,
}

impl RelaySignal {
    fn signal(&self) {
        if !self.signalled.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.signalled.swap(false, Ordering::AcqRel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// All readers of a log that may have to be woken.
pub(crate) struct WakeHub {
    shards: Box<[Shard]>,
    /// Whether any reader may be armed.
    any_armed: AtomicBool,
    joined: AtomicUsize,
    closed: AtomicBool,
}

/// A reader's place in a shard; gives it up when dropped.
pub(crate) struct Place {
    hub: Arc<WakeHub>,
    shard: usize,
    index: usize,
    waiter: Arc<Waiter>,
}

impl WakeHub {
    pub(crate) fn new() -> Self {
        let shard = |_| Shard {
            places: Mutex::new(Places::default()),
            readers: AtomicUsize::new(0),
            any_armed: AtomicBool::new(false),
            relay: RelaySignal {
                signalled: AtomicBool::new(false),
                waker: AtomicWaker::new(),
                running: AtomicBool::new(false),
            },
        };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            any_armed: AtomicBool::new(false),
            joined: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Gives a reader its place.
    pub(crate) fn join(self: &Arc<Self>) -> Place {
        // The first shard with room, so that few readers need few relays; once all are full, in turn.
        let room = |shard: &Shard| shard.readers.load(Ordering::Relaxed) < SHARD_FILL;
        let nth = self.joined.fetch_add(1, Ordering::Relaxed);
        let turn = nth % self.shards.len();
        let shard = self.shards.iter().position(room).unwrap_or(turn);
        self.shards[shard].readers.fetch_add(1, Ordering::Relaxed);
        let waiter = Arc::new(Waiter {
            armed: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let mut places = self.shards[shard].places.lock();
        let held = Some(Arc::clone(&waiter));
        let index = match places.free.pop() {
            Some(index) => {
                places.waiters[index] = held;
                index
            }
            None => {
                places.waiters.push(held);
                places.waiters.len() - 1
            }
        };
        drop(places);
        Place {
            hub: Arc::clone(self),
            shard,
            index,
            waiter,
        }
    }

    /// Called after each append: has the armed readers woken, if there are any.
    pub(crate) fn notify(&self) {
        fence(Ordering::SeqCst);
        if !self.any_armed.load(Ordering::Relaxed) {
            return;
        }
        if self.shards[0].relay.running.load(Ordering::Relaxed) {
            self.shards[0].relay.signal();
        } else {
            self.wake_all();
        }
    }

    /// Wakes everyone a last time and ends the relays.
    pub(crate) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            for shard in &self.shards {
                shard.relay.signal();
            }
            self.wake_all();
        }
    }

    /// Wakes all armed readers from here.
    fn wake_all(&self) {
        self.any_armed.store(false, Ordering::Relaxed);
        for shard in &self.shards {
            shard.wake_all();
        }
    }

    /// The body of the relay of `shard`.
    async fn relay(&self, shard: usize) {
        while !self.closed.load(Ordering::Acquire) {
            self.shards[shard].relay.wait().await;
            if shard == 0 {
                self.any_armed.store(false, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                for other in &self.shards[1..] {
                    if !other.any_armed.load(Ordering::Relaxed) {
                    } else if other.relay.running.load(Ordering::Relaxed) {
                        other.relay.signal();
                    } else {
                        other.wake_all();
                    }
                }
            }
            self.shards[shard].wake_in_batches().await;
            if shard == 0 {
                self.rest().await;
            }
        }
    }

    async fn rest(&self) {
        let readers = self
            .shards
            .iter()
            .map(|shard| shard.readers.load(Ordering::Relaxed));
        let readers = u32::try_from(readers.sum::<usize>()).unwrap_or(u32::MAX);
        let rest = REST_PER_READER.saturating_mul(readers).min(LONGEST_REST);
        #[cfg(not(arcly_loom))]
        if rest >= SHORTEST_REST {
            tokio::time::sleep(rest).await;
        }
        #[cfg(arcly_loom)]
        let _ = rest < SHORTEST_REST;
    }

    /// Sees to it that the relays that serve `shard` run, if there is a runtime to run them on.
    fn ensure_relays(self: &Arc<Self>, shard: usize) {
        for shard in [0, shard] {
            let running = &self.shards[shard].relay.running;
            if running.load(Ordering::Relaxed) || self.closed.load(Ordering::Relaxed) {
                continue;
            }
            #[cfg(not(arcly_loom))]
            if let Ok(runtime) = tokio::runtime::Handle::try_current()
                && !running.swap(true, Ordering::AcqRel)
            {
                let guard = RelayGuard {
                    hub: Arc::clone(self),
                    shard,
                };
                runtime.spawn(async move { guard.hub.relay(guard.shard).await });
            }
        }
    }

    /// Runs the root relay on the calling task, for the model checker.
    #[cfg(arcly_loom)]
    pub(crate) async fn run_relay(self: Arc<Self>) {
        self.shards[0].relay.running.store(true, Ordering::Release);
        let guard = RelayGuard {
            hub: self,
            shard: 0,
        };
        guard.hub.relay(0).await;
    }
}

/// Owned by a relay task: when it ends, also because its runtime is shut down, its readers are woken, and the next that waits
/// starts another.
struct RelayGuard {
    hub: Arc<WakeHub>,
    shard: usize,
}

impl Drop for RelayGuard {
    fn drop(&mut self) {
        self.hub.shards[self.shard]
            .relay
            .running
            .store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.shard == 0 {
            self.hub.wake_all();
        } else {
            self.hub.shards[self.shard].wake_all();
        }
    }
}

impl Shard {
    /// Takes the wakers of armed readers from place `from` on, at most [`WAKE_BATCH`]; returns where to go on, if anywhere.
    fn take_armed(&self, from: usize, wakers: &mut Vec<Waker>) -> Option<usize> {
        let places = self.places.lock();
        for (index, place) in places.waiters.iter().enumerate().skip(from) {
            if wakers.len() == WAKE_BATCH {
                return Some(index);
            }
            if let Some(waiter) = place
                && waiter.armed.load(Ordering::Relaxed)
            {
                // Lowered first: a reader that arms itself from here on is seen by the next scan, or its waker is taken now.
                waiter.armed.store(false, Ordering::Relaxed);
                wakers.extend(waiter.waker.take());
            }
        }
        None
    }

    fn begin_scan(&self) {
        self.any_armed.store(false, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    fn wake_all(&self) {
        self.begin_scan();
        let mut wakers = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            from = self.take_armed(place, &mut wakers);
            // Outside the lock: a waker runs code of the executor's.
            wakers.drain(..).for_each(Waker::wake);
        }
    }

    async fn wake_in_batches(&self) {
        self.begin_scan();
        let mut wakers = Vec::new();
        let mut from = Some(0);
        while let Some(place) = from {
            from = self.take_armed(place, &mut wakers);
            wakers.drain(..).for_each(Waker::wake);
            #[cfg(not(arcly_loom))]
            if from.is_some() {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Place {
    /// Asks to be woken at the next append. What is waited for must be looked for once more *after* this.
    pub(crate) fn arm(&self, cx: &Context<'_>) {
        self.waiter.waker.register(cx.waker());
        self.waiter.armed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        for flag in [&self.hub.shards[self.shard].any_armed, &self.hub.any_armed] {
            if !flag.load(Ordering::Relaxed) {
                flag.store(true, Ordering::Relaxed);
                // Between the two flags as well: the root relay lowers the hub's, then looks at the shards'. Where nothing is
                // stored, the fence above serves for what follows, too.
                fence(Ordering::SeqCst);
            }
        }
        self.hub.ensure_relays(self.shard);
    }

    /// Takes the request back: the reader found what it waited for.
    pub(crate) fn disarm(&self) {
        self.waiter.armed.store(false, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shard = &self.hub.shards[self.shard];
        shard.readers.fetch_sub(1, Ordering::Relaxed);
        let mut places = shard.places.lock();
        places.waiters[self.index] = None;
        places.free.push(self.index);
    }
}
