//! Writes what a rendition has to all its players.
//!
//! A player with a task of its own wakes for each picture, looks at all it could have been woken for, writes, and goes to sleep again; the write
//! is half of what that costs. So players of the same rendition share one task, up to [`GROUP`] of them, that waits for the next picture once
//! and then sends to one after the other.

use super::batch::Batch;
use super::wire::Wire;
use arcly_core::rtp::{RtpFrame, RtpVariant};
use arcly_core::{Rendition, RenditionSubscription, SessionId, StartAt, SubscribeOptions};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// How many players share a task: about a millisecond of writing, after which other tasks get their turn and other cores their share.
const GROUP: usize = 256;

/// The groups of all renditions that a server plays, by stream and variant.
#[derive(Default)]
pub(super) struct Flushers(Mutex<HashMap<RenditionKey, Vec<Weak<Group>>>>);

type RenditionKey = (SessionId, RtpVariant);

/// Players that share a task.
struct Group {
    /// Those who have come since the task last looked.
    newcomers: Mutex<Newcomers>,
    members: AtomicUsize,
}

#[derive(Default)]
struct Newcomers {
    wires: Vec<Weak<Wire>>,
    /// Whether the task has ended, or is about to.
    closed: bool,
}

impl Flushers {
    /// Has `wire` written to whenever `rendition`, which is that of `stream` and `variant`, has something, for as long as its connection holds it.
    pub(super) fn join(
        &self,
        stream: SessionId,
        variant: RtpVariant,
        rendition: &Rendition<RtpFrame>,
        wire: &Arc<Wire>,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Streams come and go; their entries go when somebody joins.
        all.retain(|_, groups| {
            groups.retain(|group| group.strong_count() > 0);
            !groups.is_empty()
        });
        let groups = all.entry((stream, variant)).or_default();
        let admits = |group: &Weak<Group>| group.upgrade().is_some_and(|group| group.admit(wire));
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
        // Never evicted: its players are, each on its own.
        let pilot = rendition.subscribe(SubscribeOptions::start(StartAt::Live).max_lag(None));
        tokio::spawn(run(group, pilot));
    }
}

impl Group {
    fn newcomers(&self) -> MutexGuard<'_, Newcomers> {
        self.newcomers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a player in; false where the group is full or over.
    fn admit(&self, wire: &Arc<Wire>) -> bool {
        let mut newcomers = self.newcomers();
        let admits = !newcomers.closed && self.members.load(Ordering::Relaxed) < GROUP;
        if admits {
            self.members.fetch_add(1, Ordering::Relaxed);
            newcomers.wires.push(Arc::downgrade(wire));
        }
        admits
    }

    /// Whether nobody is left, and so nobody will be let in any more.
    fn close_if_empty(&self, wires: &[Weak<Wire>]) -> bool {
        let mut newcomers = self.newcomers();
        newcomers.closed |= wires.is_empty() && newcomers.wires.is_empty();
        newcomers.closed
    }

    /// Writes to all `wires`, and lets go of those that are over.
    fn flush(&self, wires: &mut Vec<Weak<Wire>>, batch: &mut Batch) {
        wires.append(&mut self.newcomers().wires);
        batch.begin(wires.len());
        let before = wires.len();
        wires.retain(|wire| match wire.upgrade() {
            Some(wire) => {
                wire.lock().flush(batch);
                true
            }
            None => false,
        });
        self.members
            .fetch_sub(before - wires.len(), Ordering::Relaxed);
    }
}

/// The task of a group.
async fn run(group: Arc<Group>, mut pilot: RenditionSubscription<RtpFrame>) {
    let (mut wires, mut batch) = (Vec::new(), Batch::default());
    while pilot.ready().await {
        // Before writing: what comes from here on wakes again.
        pilot.for_each_ready(usize::MAX, |_| {});
        group.flush(&mut wires, &mut batch);
        if group.close_if_empty(&wires) {
            return;
        }
    }
    // Who comes now starts another group, which ends at once. All are told of the end.
    group.newcomers().closed = true;
    group.flush(&mut wires, &mut batch);
}
