//! Writes what a rendition has to all its viewers.

use super::{Batch, Media, Wire};
use crate::net::now;
use crate::{LogItem, Rendition, RenditionSubscription, SessionId, StartAt, SubscribeOptions};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::sleep_until;

/// How many viewers share a task: about a millisecond of writing, after which other tasks get their turn and other cores their share.
const GROUP: usize = 256;
/// In how many parts the viewers of a group are written to during a tick.
const PARTS: u32 = 10;

/// Says in which time each viewer is written to once; zero: whenever there is something.
type Tick = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The tasks that write to the viewers of a server, up to 256 viewers each; `V` is what tells renditions of one stream apart
/// ([`Packager::Variant`](crate::Packager::Variant)).
pub struct Flushers<V, M: Media> {
    groups: Mutex<HashMap<(SessionId, V), Groups<M>>>,
    tick: Option<Tick>,
}

/// Those of one rendition.
type Groups<M> = Vec<Weak<Group<M>>>;

/// Viewers that share a task.
struct Group<M: Media> {
    /// Those who have come since the task last looked.
    newcomers: Mutex<Newcomers<M>>,
    members: AtomicUsize,
}

struct Newcomers<M: Media> {
    wires: Vec<Weak<Wire<M>>>,
    /// Whether the task has ended, or is about to.
    closed: bool,
}

impl<V: Hash + Eq, M: Media> Flushers<V, M> {
    /// Tasks that write whenever there is something.
    #[must_use]
    pub fn new() -> Self {
        Self {
            groups: Mutex::default(),
            tick: None,
        }
    }

    /// Tasks that write to each viewer once in the time that `tick` says at that moment, a tenth of the viewers at a time: fewer writes, later.
    /// Whenever there is something where it says zero.
    #[must_use]
    pub fn ticking(tick: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            groups: Mutex::default(),
            tick: Some(Arc::new(tick)),
        }
    }

    /// Has `wire` written to whenever `rendition`, which is that of `stream` and `variant`, has something, for as long as its connection holds it.
    /// To be called on a tokio runtime, on which the task runs.
    pub fn join<T: LogItem>(
        &self,
        stream: SessionId,
        variant: V,
        rendition: &Rendition<T>,
        wire: &Arc<Wire<M>>,
    ) {
        let mut all = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams come and go; their entries go when somebody joins.
        all.retain(|_, groups| {
            groups.retain(|group| group.strong_count() > 0);
            !groups.is_empty()
        });
        let groups = all.entry((stream, variant)).or_default();
        let admits =
            |group: &Weak<Group<M>>| group.upgrade().is_some_and(|group| group.admit(wire));
        if groups.iter().any(admits) {
            return;
        }
        let group = Arc::new(Group {
            newcomers: Mutex::new(Newcomers {
                wires: vec![Arc::downgrade(wire)],
                closed: false,
            }),
            members: AtomicUsize::new(1),
        });
        groups.push(Arc::downgrade(&group));
        // Never evicted: its viewers are, each on its own.
        let pilot = rendition.subscribe(SubscribeOptions::start(StartAt::Live).max_lag(None));
        tokio::spawn(run(group, pilot, self.tick.clone()));
    }
}

impl<V: Hash + Eq, M: Media> Default for Flushers<V, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V, M: Media> fmt::Debug for Flushers<V, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushers").finish_non_exhaustive()
    }
}

impl<M: Media> Group<M> {
    fn newcomers(&self) -> MutexGuard<'_, Newcomers<M>> {
        self.newcomers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a viewer in; false where the group is full or over.
    fn admit(&self, wire: &Arc<Wire<M>>) -> bool {
        let mut newcomers = self.newcomers();
        let admits = !newcomers.closed && self.members.load(Ordering::Relaxed) < GROUP;
        if admits {
            self.members.fetch_add(1, Ordering::Relaxed);
            newcomers.wires.push(Arc::downgrade(wire));
        }
        admits
    }

    /// Whether nobody is left, and so nobody will be let in any more.
    fn close_if_empty(&self, wires: &[Weak<Wire<M>>]) -> bool {
        let mut newcomers = self.newcomers();
        newcomers.closed |= wires.is_empty() && newcomers.wires.is_empty();
        newcomers.closed
    }

    /// Writes to each `PARTS`th of `wires` from `part` on, or to all, and lets go of those that are over.
    fn flush(&self, wires: &mut Vec<Weak<Wire<M>>>, batch: &mut M::Batch, part: Option<usize>) {
        wires.append(&mut self.newcomers().wires);
        let (first, step) = match part {
            Some(part) => (part, PARTS as usize),
            None => (0, 1),
        };
        batch.begin(wires.len());
        // Once for all: that a round takes a millisecond matters to no limit.
        let now = now();
        let mut over = false;
        for wire in wires.iter().skip(first).step_by(step) {
            match wire.upgrade() {
                Some(wire) => wire.lock().flush(batch, now),
                None => over = true,
            }
        }
        if over {
            let before = wires.len();
            wires.retain(|wire| wire.strong_count() > 0);
            self.members
                .fetch_sub(before - wires.len(), Ordering::Relaxed);
        }
    }
}

/// The task of a group.
async fn run<T: LogItem, M: Media>(
    group: Arc<Group<M>>,
    mut pilot: RenditionSubscription<T>,
    tick: Option<Tick>,
) {
    let (mut wires, mut batch) = (Vec::new(), M::Batch::default());
    while pilot.ready().await {
        // Before writing: what comes from here on wakes again.
        pilot.for_each_ready(usize::MAX, |_| {});
        match &tick {
            Some(tick) if !tick().is_zero() => {
                spread(&group, &mut wires, &mut batch, tick).await;
            }
            _ => group.flush(&mut wires, &mut batch, None),
        }
        if group.close_if_empty(&wires) {
            return;
        }
    }
    // Who comes now starts another group, which ends at once. All are told of the end.
    group.newcomers().closed = true;
    group.flush(&mut wires, &mut batch, None);
}

/// Writes to all viewers once, spread over a tick.
async fn spread<M: Media>(
    group: &Group<M>,
    wires: &mut Vec<Weak<Wire<M>>>,
    batch: &mut M::Batch,
    tick: &Tick,
) {
    let mut due = now();
    for part in 0..PARTS {
        group.flush(wires, batch, Some(part as usize));
        due = now().max(due + tick() / PARTS);
        sleep_until(due.into()).await;
    }
}
