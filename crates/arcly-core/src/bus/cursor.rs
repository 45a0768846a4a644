//! A reader's position in a log.

use super::chunk::{Beyond, Chunk, Preamble};
use super::log::{Log, Lookup};
use super::sync::Arc;
use super::{LogItem, StartAt};
use crate::TimeDelta;

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
    /// Waiting for a sync point in a chunk after this one, or in any.
    AwaitingSync { after: Option<u64> },
    /// The log was closed and let go before the cursor came.
    Nowhere,
}

/// A position in a log: a chunk and a slot, so that reading touches no count but once a chunk.
///
/// [`seek`](Self::seek) moves it to the next item there is; [`current`](Self::current) is that item;
/// [`advance`](Self::advance) steps over it.
pub(crate) struct Cursor<T> {
    position: Position<T>,
    /// Items to hand out before the position's.
    preamble: Option<(Arc<Preamble<T>>, usize)>,
    /// Where in the log reading was broken off, if it was.
    lost_from: Option<u64>,
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
        let keeps_history = log.retention().max_items > 0;
        let joined = match start {
            StartAt::LatestKeyframe if keeps_history => log.newest_sync(),
            StartAt::Back(back) if keeps_history => log
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
                // A joiner that found no sync point takes the first there is; one that wants the next takes no older one.
                let any = keeps_history && start != StartAt::NextKeyframe;
                Position::AwaitingSync {
                    after: (!any).then_some(tail.id),
                }
            }
        };
        let mut cursor = Self {
            position,
            preamble: None,
            lost_from: None,
            skipped: 0,
        };
        cursor.take_preamble();
        cursor
    }

    /// Moves to the next item that can be read.
    pub(crate) fn seek(&mut self, log: &Log<T>) -> Readiness {
        if self.preamble.is_some() {
            return Readiness::Ready;
        }
        loop {
            match &self.position {
                Position::Nowhere => return Readiness::End,
                Position::AwaitingSync { after } => {
                    // In this order: what was appended before the close is found.
                    let closed = log.is_closed();
                    match log.newest_sync() {
                        Some(chunk) if after.is_none_or(|after| chunk.id > after) => {
                            self.land(chunk)
                        }
                        _ if closed => return Readiness::End,
                        _ => return Readiness::Pending,
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
            Position::AwaitingSync { .. } | Position::Nowhere => None,
        }
    }

    /// Items skipped directly before the current one; 0 from the second call on.
    pub(crate) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
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

    /// Leaves a position whose continuation has been dropped, for the next sync point: never into the middle of a GOP.
    fn lose_track(&mut self) {
        if let Position::At { chunk, slot } = &self.position {
            self.lost_from = Some(chunk.first_sequence + u64::from(*slot));
            self.position = Position::AwaitingSync {
                after: Some(chunk.id),
            };
        }
    }

    fn land(&mut self, chunk: Arc<Chunk<T>>) {
        if let Some(from) = self.lost_from.take() {
            self.skipped += chunk.first_sequence.saturating_sub(from);
        }
        self.position = Position::At { chunk, slot: 0 };
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
