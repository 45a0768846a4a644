//! Telling the starts and ends of streams in the order in which they happened.

use super::Engine;
use crate::stream::{LiveStream, Publication};
use crate::{EndReason, EventKind};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A change of the table of streams.
pub(super) enum Change {
    Started(Arc<LiveStream>, Arc<Publication>),
    Ended(Arc<LiveStream>, EndReason),
    /// The publication ended and the stream waits for the next.
    Interrupted(Arc<LiveStream>, Arc<Publication>),
    Resumed(Arc<LiveStream>, Arc<Publication>),
}

/// Changes that have happened and are yet to be told.
///
/// They are put here under the lock of the table, which makes their order that of the table, and told after it is released, by one task at a
/// time: an observer may call the engine. What it changes there is told when all observers have heard of the change before.
#[derive(Default)]
pub(super) struct Lifecycle(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    changes: VecDeque<Change>,
    /// Whether somebody is telling.
    telling: bool,
}

impl Lifecycle {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called under the lock of the table.
    pub(super) fn note(&self, change: Change) {
        self.lock().changes.push_back(change);
    }

    /// The next change to tell; `None` where there is none, and telling ends.
    fn next(&self) -> Option<Change> {
        let mut pending = self.lock();
        let next = pending.changes.pop_front();
        pending.telling = next.is_some();
        next
    }
}

impl Engine {
    /// Tells what is pending, unless somebody is at it already and will tell this too. Not to be called under any lock.
    pub(super) fn tell_changes(&self) {
        {
            let mut pending = self.lifecycle.lock();
            if pending.telling {
                return;
            }
            pending.telling = true;
        }
        while let Some(change) = self.lifecycle.next() {
            match change {
                Change::Started(stream, publication) => {
                    self.reporter.report(EventKind::PublishStarted {
                        key: stream.key.clone(),
                        session: stream.session,
                        protocol: publication.origin.protocol.clone(),
                        peer: publication.origin.peer,
                    });
                }
                Change::Interrupted(stream, publication) => {
                    self.reporter.report(EventKind::PublishInterrupted {
                        key: stream.key.clone(),
                        session: stream.session,
                        reason: publication.end_reason().unwrap_or(EndReason::Dropped),
                    });
                }
                Change::Resumed(stream, publication) => {
                    self.reporter.report(EventKind::PublishResumed {
                        key: stream.key.clone(),
                        session: stream.session,
                        protocol: publication.origin.protocol.clone(),
                        peer: publication.origin.peer,
                    });
                }
                Change::Ended(stream, reason) => {
                    // Whoever took it off the table ends it too, but may not have come to it yet.
                    stream.end(reason);
                    let qos = stream.qos();
                    self.reporter.report(EventKind::PublishEnded {
                        key: stream.key.clone(),
                        session: stream.session,
                        // Its session may have closed it before, for a reason of its own.
                        reason: stream.end_reason().unwrap_or(reason),
                        frames: qos.frames,
                        bytes: qos.bytes,
                    });
                }
            }
        }
    }
}
