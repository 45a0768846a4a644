//! The log: append-only, bounded, read by any number of cursors without locks.

use super::chunk::{Chunk, Preamble, Reservation};
use super::sync::{Arc, AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, SwapCell, fence};
use super::wake::WakeHub;
use super::{LogItem, Retention};
use crate::Timestamp;

/// The most slots a chunk has: enough that a second of audio and video fits one, few enough that a stalled reader,
/// which pins one chunk, pins little.
const MAX_CHUNK_SLOTS: u32 = 64;
/// The fewest slots of a chunk, which an all-intra stream spends on each frame.
const MIN_CHUNK_SLOTS: u32 = 4;
/// How many chunks can be kept at least, and so how many sync points, whatever the bounds; a short GOP counts as much as a long one here.
const MIN_RING: u64 = 256;

/// In [`Log::readers`]: the log was closed without readers, everything has been let go, and nobody can join any more.
const CLEARED: usize = 1 << (usize::BITS - 1);

/// The log is closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogClosed;

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The newest GOP alone broke a bound, so its start had to go and nobody can join until the next sync point.
    /// Reported once a GOP.
    pub(crate) truncated: bool,
}

/// What stands at a chunk position.
pub(crate) enum Lookup<T> {
    Found(Arc<Chunk<T>>),
    /// Not yet written.
    Ahead,
    /// Dropped already.
    Gone,
}

/// An append-only log of chunks, reachable through a ring of pointers.
///
/// Any number of publishers append, any number of cursors read, none waits for another. The order of items is settled by
/// two atomic steps: `Chunk::reserve` within a chunk, and the swap of `tail` between chunks.
pub(crate) struct Log<T> {
    ring: Box<[SwapCell<Chunk<T>>]>,
    /// The chunk that is appended to. `None` once the log is closed and nobody reads it any more.
    tail: SwapCell<Chunk<T>>,
    /// The newest chunk that can be joined at.
    newest_sync: SwapCell<Chunk<T>>,
    /// Position of the oldest chunk that is kept.
    oldest: AtomicU64,
    /// Items and bytes in the chunks that are kept.
    items: AtomicUsize,
    bytes: AtomicUsize,
    /// Raw DTS of the newest item.
    head_dts: AtomicI64,
    closed: AtomicBool,
    /// Held by the append that drops old chunks.
    evicting: AtomicBool,
    readers: AtomicUsize,
    retention: Retention,
    /// Whether joiners may start with what is kept.
    keeps_history: bool,
    chunk_slots: u32,
    chunk_bytes: usize,
    hub: Arc<WakeHub>,
}

impl<T: LogItem> Log<T> {
    pub(crate) fn new(retention: Retention) -> Self {
        Self::with_floor(retention, Retention::FEWEST_ITEMS)
    }

    /// A log that keeps at least `floor` items for readers, whatever the retention says.
    pub(crate) fn with_floor(mut retention: Retention, floor: usize) -> Self {
        let keeps_history = retention.max_items > 0;
        retention.max_items = retention
            .max_items
            .clamp(floor.max(1), Retention::MOST_ITEMS);
        let max_items = u32::try_from(retention.max_items).unwrap_or(u32::MAX);
        // Chunks are dropped whole, so their size is how far a bound can be overshot.
        let chunk_slots = (max_items / 4).clamp(1, MAX_CHUNK_SLOTS);
        // One chunk an item at most; where many items are kept, room for chunks that are half full.
        let ring = (u64::from(max_items) + 2)
            .min(MIN_RING.max(u64::from(max_items) * 2 / u64::from(MAX_CHUNK_SLOTS)))
            .next_power_of_two();
        let first = Arc::new(Chunk::first(chunk_slots.min(MIN_CHUNK_SLOTS)));
        Self {
            ring: (0..ring)
                .map(|id| SwapCell::new((id == 0).then(|| Arc::clone(&first))))
                .collect(),
            tail: SwapCell::new(Some(first)),
            newest_sync: SwapCell::new(None),
            oldest: AtomicU64::new(0),
            items: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            head_dts: AtomicI64::new(i64::MIN),
            closed: AtomicBool::new(false),
            evicting: AtomicBool::new(false),
            readers: AtomicUsize::new(0),
            retention,
            keeps_history,
            chunk_slots,
            chunk_bytes: (retention.max_bytes / 8).max(1),
            hub: Arc::new(WakeHub::new()),
        }
    }

    // ---- Publishing ----

    /// Appends an item that cannot be joined at.
    pub(crate) fn append(&self, item: T) -> Result<Appended, LogClosed> {
        let (weight, dts, mut wakes) = (item.weight(), item.dts(), item.wakes());
        loop {
            let tail = self.tail.peek();
            let tail = tail.as_ref().ok_or(LogClosed)?;
            match tail.reserve(self.chunk_bytes) {
                Reservation::Slot(slot) => {
                    // Accounted for before the slot counts as filled: a chunk is dropped only when complete, so what
                    // is taken off on dropping has been added.
                    self.account(weight);
                    tail.fill(slot, item);
                    if !wakes {
                        // Whoever came next may have woken readers already, who found this slot empty and wait on: they are not to
                        // sleep through what stands behind it. Their look, armed, and this one each have a fence before.
                        fence(Ordering::SeqCst);
                        wakes = tail.goes_on_after(slot);
                    }
                    return Ok(self.appended(dts, wakes, false));
                }
                Reservation::Closed => return Err(LogClosed),
                Reservation::Full => self.extend(tail)?,
            }
        }
    }

    /// Appends an item that can be joined at, at the start of a chunk. `preamble` is asked for what a joiner needs
    /// before it.
    pub(crate) fn append_sync(
        &self,
        item: T,
        preamble: impl Fn() -> Arc<Preamble<T>>,
    ) -> Result<Appended, LogClosed> {
        let (weight, dts) = (item.weight(), item.dts());
        // Before its chunk can be seen, and so dropped. Of a closed log the account does not matter any more.
        self.account(weight);
        loop {
            let tail = self.tail.peek();
            let tail = tail.as_ref().ok_or(LogClosed)?;
            let end = tail.seal().ok_or(LogClosed)?;
            // The last GOP tells how long the next one will be.
            let slots = tail
                .items_since_sync()
                .checked_next_power_of_two()
                .unwrap_or(u32::MAX);
            let slots = slots.max(MIN_CHUNK_SLOTS).min(self.chunk_slots);
            // The preamble is asked for only now that the chunk before is sealed: any config that stands there is in it.
            if self.install(tail, tail.next_sync(end, item.clone(), preamble(), slots)) {
                return Ok(self.appended(dts, true, true));
            }
            // Another publisher was first; seal its chunk and try behind it.
        }
    }

    /// Lets nothing more be appended; readers end when they have read what is there.
    pub(crate) fn close(&self) {
        loop {
            let tail = self.tail.peek();
            let Some(tail) = tail.as_ref() else { return };
            if tail.close() {
                // Whoever made it may not have come to linking it. It is safe to do here: a tail is never dropped.
                self.link(tail);
                break;
            }
            // Sealed by a publisher on its way to the next chunk: be first to make that one, or close what it made.
            if self.extend(tail).is_err() {
                break;
            }
        }
        self.closed.store(true, Ordering::Release);
        self.hub.close();
        self.clear_if_unread();
    }

    /// Lets go of everything once the log is closed and nobody reads it. Whoever closes looks for readers, and the last reader looks
    /// whether it is closed: with a fence in between on both sides, one of them sees the other.
    fn clear_if_unread(&self) {
        fence(Ordering::SeqCst);
        if self.is_closed()
            && self
                .readers
                .compare_exchange(0, CLEARED, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            self.clear();
        }
    }

    fn is_cleared(&self) -> bool {
        self.readers.load(Ordering::Acquire) & CLEARED != 0
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Seals `tail` and puts an empty chunk behind it, unless another publisher did.
    fn extend(&self, tail: &Arc<Chunk<T>>) -> Result<(), LogClosed> {
        let end = tail.seal().ok_or(LogClosed)?;
        let slots = tail.capacity().saturating_mul(2).min(self.chunk_slots);
        let dts = Timestamp::from_raw(self.head_dts.load(Ordering::Relaxed));
        if self.install(tail, tail.next(end, dts, slots)) {
            // Readers may have looked for this chunk before it was linked; if the log is closed by now, no append wakes them.
            self.hub.notify();
        }
        Ok(())
    }

    /// Makes `new` the tail in place of `tail`; false, with nothing done, where another publisher was first.
    fn install(&self, tail: &Arc<Chunk<T>>, new: Chunk<T>) -> bool {
        let new = Arc::new(new);
        // The swap decides who comes next. Chunks never return to `tail`, and `tail` is held here, so its address
        // cannot stand for another chunk.
        if !self.tail.replace(Some(tail), Some(Arc::clone(&new))) {
            return false;
        }
        self.link(&new);
        fence(Ordering::SeqCst);
        if self.is_cleared() {
            self.clear(); // The log was closed and let go meanwhile; what was linked too late must go as well.
        }
        true
    }

    /// Makes a chunk that is or was the tail known to readers. Done by whoever made it, and once more by a close that finds it.
    fn link(&self, new: &Arc<Chunk<T>>) {
        let cell = self.cell(new.id);
        loop {
            let held = cell.peek();
            if let Some(held) = held.as_ref().filter(|held| held.id >= new.id) {
                if held.id > new.id {
                    self.forget(new); // A publisher was held up here for a whole turn of the ring.
                }
                break;
            }
            if cell.replace(held.as_ref(), Some(Arc::clone(new))) {
                if let Some(lapped) = held.as_ref() {
                    self.oldest.fetch_max(lapped.id + 1, Ordering::AcqRel);
                    self.forget(lapped);
                }
                break;
            }
        }
        while new.sync.is_some() {
            let held = self.newest_sync.peek();
            if held.as_ref().is_some_and(|held| held.id >= new.id)
                || self
                    .newest_sync
                    .replace(held.as_ref(), Some(Arc::clone(new)))
            {
                break;
            }
        }
    }

    fn account(&self, weight: usize) {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(weight, Ordering::Relaxed);
    }

    /// Wakes readers for what was appended without waking them.
    pub(crate) fn wake(&self) {
        self.hub.notify();
    }

    fn appended(&self, dts: Timestamp, wakes: bool, new_gop: bool) -> Appended {
        self.head_dts.store(dts.raw(), Ordering::Relaxed);
        if wakes {
            self.hub.notify();
        }
        let truncated = (new_gop || self.over_bounds()) && self.evict();
        Appended { truncated }
    }

    // ---- Retention ----

    fn over_bounds(&self) -> bool {
        self.items.load(Ordering::Relaxed) > self.retention.max_items
            || self.bytes.load(Ordering::Relaxed) > self.retention.max_bytes
    }

    /// Whether all that follows the chunk at `id` spans the retention window, so that it may go.
    fn outlived(&self, id: u64) -> bool {
        let newest_gop = self
            .newest_sync
            .peek()
            .as_ref()
            .map_or(u64::MAX, |sync| sync.id);
        let head = Timestamp::from_raw(self.head_dts.load(Ordering::Relaxed));
        id < newest_gop
            && matches!(self.lookup(id + 1), Lookup::Found(next) if head.since(next.dts) >= self.retention.window)
    }

    /// Drops the oldest chunks until the bounds hold; true where the newest sync point was among them.
    fn evict(&self) -> bool {
        if self.evicting.swap(true, Ordering::Acquire) {
            return false; // Another publisher is at it; what it misses, the next append drops.
        }
        let mut truncated = false;
        loop {
            let oldest = self.oldest.load(Ordering::Acquire);
            let is_tail = self
                .tail
                .peek()
                .as_ref()
                .is_none_or(|tail| oldest >= tail.id);
            if is_tail || !(self.over_bounds() || self.outlived(oldest)) {
                break;
            }
            let cell = self.cell(oldest);
            let held = cell.peek();
            match held.as_ref() {
                Some(chunk) if chunk.id == oldest => {
                    if !chunk.is_complete() {
                        break;
                    }
                    truncated |= self.newest_sync.replace(Some(chunk), None);
                    self.oldest.fetch_max(oldest + 1, Ordering::AcqRel);
                    if cell.replace(Some(chunk), None) {
                        self.forget(chunk);
                    }
                }
                Some(chunk) if chunk.id > oldest => {
                    self.oldest.fetch_max(oldest + 1, Ordering::AcqRel);
                }
                // Its publisher has not put it into the ring yet.
                _ => break,
            }
        }
        self.evicting.store(false, Ordering::Release);
        truncated
    }

    /// Takes a chunk that left the ring off the account. Where the ring lapped a publisher in mid-fill, that may be more than
    /// has been added so far, hence saturating.
    fn forget(&self, chunk: &Chunk<T>) {
        let less = |counter: &AtomicUsize, by: usize| {
            let less = |held: usize| Some(held.saturating_sub(by));
            let _ = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        };
        less(&self.items, chunk.reserved() as usize);
        less(&self.bytes, chunk.bytes());
    }

    /// Lets go of everything: the log is closed and nobody reads it.
    fn clear(&self) {
        for place in self.ring.iter().chain([&self.tail, &self.newest_sync]) {
            while !place.replace(place.load().as_ref(), None) {}
        }
    }

    // ---- Reading ----

    fn cell(&self, id: u64) -> &SwapCell<Chunk<T>> {
        // The ring's length is a power of two.
        &self.ring[(id & (self.ring.len() as u64 - 1)) as usize]
    }

    /// The chunk at position `id`.
    pub(crate) fn lookup(&self, id: u64) -> Lookup<T> {
        match self.cell(id).load() {
            Some(chunk) if chunk.id == id => Lookup::Found(chunk),
            Some(chunk) if chunk.id > id => Lookup::Gone,
            _ if id < self.oldest.load(Ordering::Acquire) => Lookup::Gone,
            _ => Lookup::Ahead,
        }
    }

    pub(crate) fn tail(&self) -> Option<Arc<Chunk<T>>> {
        self.tail.load()
    }

    pub(crate) fn newest_sync(&self) -> Option<Arc<Chunk<T>>> {
        self.newest_sync.load()
    }

    /// The oldest chunk at position `from` or later that is kept and can be joined at.
    pub(crate) fn first_sync(&self, from: u64) -> Option<Arc<Chunk<T>>> {
        let newest = self.newest_sync().filter(|newest| newest.id >= from)?;
        let from = from.max(self.oldest.load(Ordering::Acquire));
        let earlier = (from..newest.id).find_map(|id| match self.lookup(id) {
            Lookup::Found(chunk) if chunk.sync.is_some() => Some(chunk),
            _ => None,
        });
        earlier.or(Some(newest))
    }

    /// The newest chunk that can be joined at and starts at or before `dts`; otherwise the oldest one that is kept.
    pub(crate) fn sync_before(&self, dts: Timestamp) -> Option<Arc<Chunk<T>>> {
        let mut best = self.newest_sync()?;
        let oldest = self.oldest.load(Ordering::Acquire);
        for id in (oldest..best.id).rev() {
            if best.dts <= dts {
                break;
            }
            match self.lookup(id) {
                Lookup::Found(chunk) if chunk.sync.is_some() => best = chunk,
                Lookup::Found(_) => {}
                Lookup::Ahead | Lookup::Gone => break,
            }
        }
        Some(best)
    }

    pub(crate) fn head_dts(&self) -> Option<Timestamp> {
        let raw = self.head_dts.load(Ordering::Relaxed);
        (raw != i64::MIN).then(|| Timestamp::from_raw(raw))
    }

    /// Whether the chunk after the one at `id` is gone, so that a reader there has lost items for certain.
    pub(crate) fn has_outrun(&self, id: u64) -> bool {
        self.oldest.load(Ordering::Relaxed) > id.saturating_add(1)
    }

    pub(crate) fn keeps_history(&self) -> bool {
        self.keeps_history
    }

    /// Whether the chunk at position `id` has been dropped.
    pub(crate) fn has_dropped(&self, id: u64) -> bool {
        self.oldest.load(Ordering::Acquire) > id
    }

    pub(crate) fn hub(&self) -> &Arc<WakeHub> {
        &self.hub
    }

    pub(crate) fn retained(&self) -> (usize, usize) {
        if self.is_cleared() {
            return (0, 0);
        }
        (
            self.items.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }

    /// Whether no chunk is held any more.
    #[cfg(arcly_loom)]
    pub(crate) fn keeps_nothing(&self) -> bool {
        let mut places = self.ring.iter().chain([&self.tail, &self.newest_sync]);
        places.all(|place| place.load().is_none())
    }

    /// The sequence number that the next item gets, or a little less while one is being appended.
    pub(crate) fn next_sequence(&self) -> u64 {
        let tail = self.tail.peek();
        tail.as_ref()
            .map_or(0, |tail| tail.first_sequence + u64::from(tail.reserved()))
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed) & !CLEARED
    }

    /// Counts a reader; false where the log has been let go, and there is nothing to read.
    pub(crate) fn reader_joined(&self) -> bool {
        self.readers.fetch_add(1, Ordering::AcqRel) & CLEARED == 0
    }

    pub(crate) fn reader_left(&self) {
        if self.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.clear_if_unread();
        }
    }
}

impl<T> Drop for Log<T> {
    fn drop(&mut self) {
        self.hub.close();
    }
}
