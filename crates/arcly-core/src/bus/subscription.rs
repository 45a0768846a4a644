//! Reading a log.

use super::cursor::{Current, Cursor, Readiness};
use super::delivery::SharedPlace;
use super::log::Log;
use super::sync::Arc;
use super::wake::Place;
use super::{Delivery, LogItem, Shared, SubscribeOptions, SubscriptionEnd};
use crate::TimeDelta;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Told when a subscription misses items.
pub(crate) trait LagObserver: Send + Sync + 'static {
    /// The subscription fell out of what is kept and missed `skipped` items.
    fn lagged(&self, skipped: u64);
    /// The subscription missed `skipped` items without catching up and was evicted.
    fn evicted(&self, skipped: u64);
}

/// A reader of a stream.
///
/// Frames are read in one of three ways, cheapest last:
///
/// * [`recv`](Self::recv) — one shared frame at a time; the simplest.
/// * [`recv_many`](Self::recv_many) — all that is ready, as shared frames.
/// * [`ready`](Self::ready), then [`for_each_ready`](Self::for_each_ready) — all that is ready, borrowed; nothing is counted
///   or copied. What an output that serialises frames wants.
///
/// All of them are cancel-safe: a call that is dropped before it completes has taken nothing.
///
/// A subscription that falls behind what its stream keeps goes on at the newest keyframe; [`Shared::skipped`] on the first frame it
/// reads there says how much is missing. It notices when it reads: one that never does is neither told nor evicted, so an output bounds the
/// time of its writes.
///
/// Readers are woken by tasks on the tokio runtime of the reader that waited first; that runtime has to be driven for all to be woken.
pub struct Subscription<T: LogItem = crate::MediaFrame> {
    log: Arc<Log<T>>,
    cursor: Cursor<T>,
    place: Place,
    max_lag: Option<u64>,
    /// Items missed since the reader last had read all there was.
    behind: u64,
    /// Items of the present gap that are accounted for.
    accounted: u64,
    /// Items that the observer has not been told of.
    unreported: u64,
    total_skipped: u64,
    /// Whether the last look found nothing.
    drained: bool,
    end: Option<SubscriptionEnd>,
    observer: Option<Arc<dyn LagObserver>>,
}

impl<T: LogItem> Subscription<T> {
    pub(crate) fn new(
        log: Arc<Log<T>>,
        options: SubscribeOptions,
        observer: Option<Arc<dyn LagObserver>>,
    ) -> Self {
        let cursor = if log.reader_joined() {
            Cursor::new(&log, options.start)
        } else {
            Cursor::nowhere()
        };
        let place = log.hub().join();
        Self {
            log,
            cursor,
            place,
            max_lag: options.max_lag,
            behind: 0,
            accounted: 0,
            unreported: 0,
            total_skipped: 0,
            drained: false,
            end: None,
            observer,
        }
    }

    /// The next item; `None` once the stream has ended and everything was read, or the subscription was evicted
    /// ([`end`](Self::end) tells which).
    pub async fn recv(&mut self) -> Option<Shared<T>> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// [`recv`](Self::recv) for hand-written futures.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Shared<T>>> {
        loop {
            match self.poll_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(false) => return Poll::Ready(None),
                Poll::Ready(true) => {}
            }
            // What was ready may be dropped before it is taken; then the next is waited for.
            let item = self.try_recv();
            if item.is_some() || self.end.is_some() {
                return Poll::Ready(item);
            }
        }
    }

    /// The next item, if it is there.
    pub fn try_recv(&mut self) -> Option<Shared<T>> {
        if self.seek() != Readiness::Ready {
            return None;
        }
        let skipped = self.take_skipped()?;
        let place = match self.cursor.current()? {
            Current::Preamble(preamble, index) => {
                SharedPlace::Preamble(Arc::clone(preamble), index)
            }
            Current::Item(chunk, slot) => SharedPlace::Item(Arc::clone(chunk), slot),
        };
        self.cursor.advance();
        Some(Shared { place, skipped })
    }

    /// Waits until there is an item, then appends all that are there to `items`, at most `max`. Returns how many; 0 at the end.
    pub async fn recv_many(&mut self, items: &mut Vec<Shared<T>>, max: usize) -> usize {
        let before = items.len();
        while max > 0 && items.len() == before && self.ready().await {
            while items.len() - before < max
                && let Some(item) = self.try_recv()
            {
                items.push(item);
            }
        }
        items.len() - before
    }

    /// Waits until there is an item to read; false once there will be none any more.
    pub async fn ready(&mut self) -> bool {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// [`ready`](Self::ready) for hand-written futures.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        // Who has just read all there was need not look once more before asking to be woken.
        if !std::mem::take(&mut self.drained) {
            match self.seek() {
                Readiness::Ready => return Poll::Ready(true),
                Readiness::End => return Poll::Ready(false),
                Readiness::Pending => {}
            }
        }
        self.place.arm(cx);
        match self.seek() {
            Readiness::Pending => {
                self.drained = false; // What wakes it is something to read.
                Poll::Pending
            }
            readiness => {
                self.place.disarm();
                Poll::Ready(readiness == Readiness::Ready)
            }
        }
    }

    /// Calls `read` with all items that are there, at most `max`, without waiting. Returns how many.
    ///
    /// ```
    /// # use arcly_core::{MediaFrame, Subscription};
    /// # async fn write(_: Vec<bytes::Bytes>) {}
    /// async fn output(mut frames: Subscription) {
    ///     while frames.ready().await {
    ///         let mut batch = Vec::new();
    ///         frames.for_each_ready(64, |frame| batch.push(frame.payload.clone()));
    ///         write(batch).await;
    ///     }
    /// }
    /// ```
    pub fn for_each_ready(&mut self, max: usize, mut read: impl FnMut(Delivery<'_, T>)) -> usize {
        let mut count = 0;
        while count < max && self.seek() == Readiness::Ready {
            let Some(skipped) = self.take_skipped() else {
                break;
            };
            match self.cursor.current() {
                Some(Current::Preamble(preamble, index)) => {
                    read(Delivery {
                        item: &preamble.items[index],
                        sequence: None,
                        skipped,
                        is_sync_point: false,
                    });
                }
                Some(Current::Item(chunk, first)) => {
                    // All that the chunk has, without looking around after each.
                    let mut slot = first;
                    while count + ((slot - first) as usize) < max
                        && let Some(item) = chunk.get(slot)
                    {
                        read(Delivery {
                            item,
                            sequence: Some(chunk.first_sequence + u64::from(slot)),
                            skipped: if slot == first { skipped } else { 0 },
                            is_sync_point: chunk.is_sync_point(slot),
                        });
                        slot += 1;
                    }
                    count += (slot - first) as usize;
                    self.cursor.advance_to(slot);
                    continue;
                }
                None => break,
            }
            self.cursor.advance();
            count += 1;
        }
        count
    }

    /// Looks at the items that are there and follow on from what was read last, at most `max`, without taking any. There may be
    /// more: those of one GOP are shown, at most 64. None are where codec configs or a gap come first, which the other ways of reading tell of.
    ///
    /// For outputs that write to a socket straight from here, and [take](Self::take_peeked) as much as it took.
    pub fn peek_ready(&mut self, max: usize) -> impl Iterator<Item = &T> {
        let here = if self.seek() == Readiness::Ready && self.cursor.follows_on() {
            self.cursor.current()
        } else {
            None
        };
        let items = match here {
            Some(Current::Item(chunk, slot)) => Some((chunk, slot)),
            _ => None,
        };
        let items = items
            .into_iter()
            .flat_map(|(chunk, first)| (first..).map_while(|slot| chunk.get(slot)));
        items.take(max)
    }

    /// Whether the last look found that all there was is read, or will ever be.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.drained || self.end.is_some()
    }

    /// Takes the first `count` of the items that [`peek_ready`](Self::peek_ready) has just shown.
    pub fn take_peeked(&mut self, count: usize) {
        if let Some(Current::Item(chunk, first)) = self.cursor.current() {
            let there = (first..).take_while(|slot| chunk.get(*slot).is_some());
            let next = there.take(count).last().map_or(first, |last| last + 1);
            self.cursor.advance_to(next);
        }
    }

    /// How much media lies between the next item and the newest one: how far behind the reader is. Zero where it has read all there is.
    pub fn backlog(&mut self) -> TimeDelta {
        if self.seek() != Readiness::Ready {
            return TimeDelta::ZERO;
        }
        match (self.log.head_dts(), self.cursor.dts()) {
            (Some(head), Some(here)) => head.since(here).max(TimeDelta::ZERO),
            _ => TimeDelta::ZERO,
        }
    }

    /// Goes on at the newest sync point that is kept, where there is a newer one than the next item: what a slow reader does to
    /// catch up with a correct picture. Returns how many items that skips; they count as missed, as if the reader had fallen out of what
    /// is kept.
    pub fn skip_to_newest_sync(&mut self) -> u64 {
        if self.seek() == Readiness::Ready {
            self.cursor.skip_to_newest_sync(&self.log)
        } else {
            0
        }
    }

    /// Why there is nothing more to read, once [`recv`](Self::recv) has returned `None`.
    #[must_use]
    pub fn end(&self) -> Option<SubscriptionEnd> {
        self.end
    }

    /// How many items this subscription has missed in all.
    #[must_use]
    pub fn total_skipped(&self) -> u64 {
        self.total_skipped
    }

    fn seek(&mut self) -> Readiness {
        if self.end.is_some() {
            return Readiness::End;
        }
        let readiness = self.cursor.seek(&self.log);
        if self.cursor.is_lost() {
            // Told at once, not only when there is something to go on with: that may take long, or never come.
            let first = self.accounted == 0;
            self.miss(self.cursor.lost(&self.log));
            if first || readiness == Readiness::End {
                self.report();
            }
            if self.is_too_far_behind() {
                return self.evict();
            }
        } else if readiness == Readiness::Pending {
            self.behind = 0;
        }
        self.drained = readiness == Readiness::Pending;
        if readiness == Readiness::End {
            self.leave(SubscriptionEnd::StreamEnded);
        }
        readiness
    }

    /// What was missed before the current item; `None` where it is too much.
    fn take_skipped(&mut self) -> Option<u64> {
        let skipped = self.cursor.take_skipped();
        if skipped > 0 {
            self.miss(skipped);
            self.accounted = 0;
            self.report();
            if self.is_too_far_behind() {
                self.evict();
                return None;
            }
        }
        Some(skipped)
    }

    /// Accounts for a gap that has grown to `gap` items.
    fn miss(&mut self, gap: u64) {
        let more = gap.saturating_sub(self.accounted);
        self.accounted = gap;
        self.total_skipped += more;
        self.behind += more;
        self.unreported += more;
    }

    fn report(&mut self) {
        let skipped = std::mem::take(&mut self.unreported);
        if skipped > 0
            && let Some(observer) = &self.observer
        {
            observer.lagged(skipped);
        }
    }

    fn is_too_far_behind(&self) -> bool {
        self.max_lag.is_some_and(|max| self.behind > max)
    }

    fn evict(&mut self) -> Readiness {
        self.report();
        if let Some(observer) = &self.observer {
            observer.evicted(self.behind);
        }
        self.leave(SubscriptionEnd::Evicted {
            skipped: self.behind,
        });
        Readiness::End
    }

    /// Lets go of the log: a subscription that is kept after its end pins nothing.
    fn leave(&mut self, end: SubscriptionEnd) {
        if self.end.replace(end).is_none() {
            self.cursor = Cursor::nowhere();
            self.log.reader_left();
        }
    }
}

impl<T: LogItem> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.leave(SubscriptionEnd::StreamEnded);
    }
}

impl<T: LogItem> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("total_skipped", &self.total_skipped)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
