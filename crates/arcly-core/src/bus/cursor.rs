//! A reader's position in a log.

use super::chunk::{Beyond, Chunk, Preamble};
use super::log::{Log, Lookup};
use super::sync::Arc;
use super::{LogItem, StartAt};
use crate::{TimeDelta, Timestamp};

/// Whether a cursor has something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    Pending,
    End,
}

enum Position<T> {
    /// At a slot, filled or to be filled next.
    At { chunk: Arc<Chunk<T>>, slot: u32 },
    /// Waiting for a sync point.
    AwaitingSync(Awaiting),
    /// The log has been let go, or the reader is done with it.
    Nowhere,
}

/// What sync point is waited for.
#[derive(Clone, Copy)]
struct Awaiting {
    /// It stands in the chunk at this position or a later one.
    from: u64,
    /// The sequence number at which waiting began.
    since: u64,
    /// Whether items have been lost. Then the newest sync point will do; a joiner takes the first.
    lost: bool,
}

/// A position in a log: a chunk and a slot, so that reading touches no count but once a chunk.
///
/// [`seek`](Self::seek) moves it to the next item there is; [`current`](Self::current) is that item;
/// [`advance`](Self::advance) steps over it.
pub(crate) struct Cursor<T> {
    position: Position<T>,
    /// Items to hand out before the position's.
    preamble: Option<(Arc<Preamble<T>>, usize)>,
    /// Items skipped directly before the current one.
    skipped: u64,
}

/// What a cursor stands on.
pub(crate) enum Current<'a, T> {
    Preamble(&'a Arc<Preamble<T>>, usize),
    Item(&'a Arc<Chunk<T>>, u32),
}

impl<T: LogItem> Cursor<T> {
    pub(crate) fn new(log: &Log<T>, start: StartAt) -> Self {
        let joined = match start {
            StartAt::LatestKeyframe if log.keeps_history() => log.newest_sync(),
            StartAt::Back(back) if log.keeps_history() => log
                .head_dts()
                .and_then(|head| log.sync_before(head - TimeDelta::from(back))),
            _ => None,
        };
        let position = match (joined, log.tail()) {
            (_, None) => Position::Nowhere,
            (Some(chunk), _) => Position::At { chunk, slot: 0 },
            (None, Some(tail)) if start == StartAt::Live => {
                let slot = tail.reserved();
                Position::At { chunk: tail, slot }
            }
            (None, Some(tail)) => {
                // The tail may be a sync point that is not known as one yet: good for a joiner that takes any, too old for one
                // that wants the next.
                let takes_any = log.keeps_history() && start != StartAt::NextKeyframe;
                Position::AwaitingSync(Awaiting {
                    from: tail.id + u64::from(!takes_any),
                    since: tail.first_sequence + u64::from(tail.reserved()),
                    lost: false,
                })
            }
        };
        let mut cursor = Self {
            position,
            ..Self::nowhere()
        };
        cursor.take_preamble();
        cursor
    }

    /// A cursor with nothing to read.
    pub(crate) fn nowhere() -> Self {
        Self {
            position: Position::Nowhere,
            preamble: None,
            skipped: 0,
        }
    }

    /// Moves to the next item that can be read.
    pub(crate) fn seek(&mut self, log: &Log<T>) -> Readiness {
        if self.preamble.is_some() {
            return Readiness::Ready;
        }
        loop {
            match &self.position {
                Position::Nowhere => return Readiness::End,
                Position::AwaitingSync(awaiting) => {
                    let awaiting = *awaiting;
                    // In this order: what was appended before the close is found.
                    let closed = log.is_closed();
                    let sync = if awaiting.lost {
                        log.newest_sync().filter(|sync| sync.id >= awaiting.from)
                    } else {
                        log.first_sync(awaiting.from)
                    };
                    match sync {
                        Some(sync) => self.land(sync, awaiting, log),
                        None if closed => return Readiness::End,
                        None => return Readiness::Pending,
                    }
                    return Readiness::Ready;
                }
                Position::At { chunk, slot } => {
                    if log.has_outrun(chunk.id) {
                        self.lose_track();
                        continue;
                    }
                    if chunk.get(*slot).is_some() {
                        return Readiness::Ready;
                    }
                    match chunk.beyond(*slot) {
                        Beyond::Open => return Readiness::Pending,
                        Beyond::Closed => return Readiness::End,
                        Beyond::NextChunk => match log.lookup(chunk.id + 1) {
                            Lookup::Found(next) => {
                                self.position = Position::At {
                                    chunk: next,
                                    slot: 0,
                                }
                            }
                            Lookup::Ahead => return Readiness::Pending,
                            Lookup::Gone => self.lose_track(),
                        },
                    }
                }
            }
        }
    }

    /// The item that [`seek`](Self::seek) found.
    pub(crate) fn current(&self) -> Option<Current<'_, T>> {
        if let Some((preamble, index)) = &self.preamble {
            return Some(Current::Preamble(preamble, *index));
        }
        match &self.position {
            Position::At { chunk, slot } => Some(Current::Item(chunk, *slot)),
            Position::AwaitingSync(_) | Position::Nowhere => None,
        }
    }

    /// Items skipped directly before the current one; 0 from the second call on.
    pub(crate) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Whether the items before the current one have been accounted for.
    pub(crate) fn follows_on(&self) -> bool {
        self.skipped == 0 && self.preamble.is_none()
    }

    /// Steps over the current item.
    pub(crate) fn advance(&mut self) {
        if let Some((preamble, index)) = &mut self.preamble {
            *index += 1;
            if *index == preamble.items.len() {
                self.preamble = None;
            }
        } else if let Position::At { slot, .. } = &mut self.position {
            *slot += 1;
        }
    }

    /// Steps over the current item and those after it in the same chunk, up to `next`.
    pub(crate) fn advance_to(&mut self, next: u32) {
        if let Position::At { slot, .. } = &mut self.position {
            *slot = next;
        }
    }

    /// Whether items have been lost and no sync point to go on at has come yet.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(&self.position, Position::AwaitingSync(awaiting) if awaiting.lost)
    }

    /// While [lost](Self::is_lost): how many items, so far.
    pub(crate) fn lost(&self, log: &Log<T>) -> u64 {
        match &self.position {
            Position::AwaitingSync(awaiting) if awaiting.lost => {
                log.next_sequence().saturating_sub(awaiting.since)
            }
            _ => 0,
        }
    }

    /// Goes on at the newest sync point, where that lies behind the position; returns how many items that skips.
    pub(crate) fn skip_to_newest_sync(&mut self, log: &Log<T>) -> u64 {
        let Position::At { chunk, slot } = &self.position else {
            return 0;
        };
        let Some(sync) = log.newest_sync().filter(|sync| sync.id > chunk.id) else {
            return 0;
        };
        let here = chunk.first_sequence + u64::from(*slot);
        let skipped = sync.first_sequence.saturating_sub(here);
        self.skipped += skipped;
        self.preamble = None;
        self.position = Position::At {
            chunk: sync,
            slot: 0,
        };
        self.take_preamble();
        skipped
    }

    /// DTS of the item that the position stands at, where it is there.
    pub(crate) fn dts(&self) -> Option<Timestamp> {
        match &self.position {
            Position::At { chunk, slot } => chunk.get(*slot).map(LogItem::dts),
            Position::AwaitingSync(_) | Position::Nowhere => None,
        }
    }

    /// Leaves a position whose continuation has been dropped, for the newest sync point: never into the middle of a GOP.
    fn lose_track(&mut self) {
        if let Position::At { chunk, slot } = &self.position {
            self.position = Position::AwaitingSync(Awaiting {
                from: chunk.id + 1,
                since: chunk.first_sequence + u64::from(*slot),
                lost: true,
            });
        }
    }

    fn land(&mut self, sync: Arc<Chunk<T>>, awaiting: Awaiting, log: &Log<T>) {
        // A joiner that came too late for its sync point has lost items, too.
        if awaiting.lost || (sync.id > awaiting.from && log.has_dropped(awaiting.from)) {
            self.skipped += sync.first_sequence.saturating_sub(awaiting.since);
        }
        self.position = Position::At {
            chunk: sync,
            slot: 0,
        };
        self.take_preamble();
    }

    fn take_preamble(&mut self) {
        if let Position::At { chunk, slot: 0 } = &self.position
            && let Some(preamble) = &chunk.sync
            && !preamble.items.is_empty()
        {
            self.preamble = Some((Arc::clone(preamble), 0));
        }
    }
}
