//! A run of write-once slots: the unit in which the log is kept, read and dropped.

use super::LogItem;
use super::sync::{Arc, AtomicU32, AtomicUsize, Ordering, WriteOnce};
use crate::Timestamp;

/// In [`Chunk::state`]: no slot will be reserved any more.
const SEALED: u32 = 1 << 31;
/// In [`Chunk::state`]: sealed because the log was closed; no chunk follows.
const CLOSED: u32 = 1 << 30;
/// In [`Chunk::state`]: how many slots are reserved.
const COUNT: u32 = CLOSED - 1;

/// What a reader that starts at a sync point needs before its first item: the codec configs in force there.
#[derive(Debug)]
pub(crate) struct Preamble<T> {
    pub(crate) items: Box<[T]>,
}

/// A fixed array of write-once slots. Slots are reserved in order by a counter and then filled, so several publishers can
/// fill neighbouring slots at once; readers stop at the first slot that is not filled yet.
pub(crate) struct Chunk<T> {
    /// Position of the chunk in the log; neighbours differ by one.
    pub(crate) id: u64,
    /// Sequence number of slot 0.
    pub(crate) first_sequence: u64,
    /// Set where slot 0 is a sync point.
    pub(crate) sync: Option<Arc<Preamble<T>>>,
    /// DTS of slot 0, or of the item before it.
    pub(crate) dts: Timestamp,
    /// Items since the last sync point before slot 0; tells how large the next GOP will likely be.
    items_before: u32,
    slots: Box<[WriteOnce<T>]>,
    state: AtomicU32,
    /// Slots that are filled and accounted for.
    filled: AtomicU32,
    bytes: AtomicUsize,
}

/// What [`Chunk::reserve`] found.
pub(crate) enum Reservation {
    /// The slot is the caller's to fill.
    Slot(u32),
    /// The chunk takes no more; go on in the next.
    Full,
    /// The log is closed.
    Closed,
}

/// What a reader finds behind the last filled slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beyond {
    /// More may be filled in here.
    Open,
    /// The log goes on in the next chunk.
    NextChunk,
    /// The log ends here.
    Closed,
}

impl<T: LogItem> Chunk<T> {
    /// The empty first chunk of a log.
    pub(crate) fn first(capacity: u32) -> Self {
        Self::at(0, 0, Timestamp::MIN, capacity, 0)
    }

    /// The chunk after `self`, which is sealed with `end` slots; `dts` is that of the newest item.
    pub(crate) fn next(&self, end: u32, dts: Timestamp, capacity: u32) -> Self {
        let items_before = self.items_before.saturating_add(end);
        Self::at(
            self.id + 1,
            self.first_sequence + u64::from(end),
            dts,
            capacity,
            items_before,
        )
    }

    /// The chunk after `self`, which is sealed with `end` slots, starting with the sync point `item`.
    pub(crate) fn next_sync(
        &self,
        end: u32,
        item: T,
        preamble: Arc<Preamble<T>>,
        capacity: u32,
    ) -> Self {
        let chunk = Self {
            sync: Some(preamble),
            state: AtomicU32::new(1),
            ..Self::at(
                self.id + 1,
                self.first_sequence + u64::from(end),
                item.dts(),
                capacity,
                0,
            )
        };
        chunk.fill(0, item);
        chunk
    }

    fn at(id: u64, first_sequence: u64, dts: Timestamp, capacity: u32, items_before: u32) -> Self {
        Self {
            id,
            first_sequence,
            sync: None,
            dts,
            items_before,
            slots: (0..capacity.max(1)).map(|_| WriteOnce::new()).collect(),
            state: AtomicU32::new(0),
            filled: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many slots are reserved.
    pub(crate) fn reserved(&self) -> u32 {
        self.state.load(Ordering::Acquire) & COUNT
    }

    /// Items from the last sync point up to the end of this chunk.
    pub(crate) fn items_since_sync(&self) -> u32 {
        self.items_before.saturating_add(self.reserved())
    }

    /// Claims the next slot, unless the chunk is sealed, full, or heavier than `max_bytes` already.
    pub(crate) fn reserve(&self, max_bytes: usize) -> Reservation {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if state & CLOSED != 0 {
                return Reservation::Closed;
            }
            if state & SEALED != 0 || state == self.capacity() || self.bytes() >= max_bytes {
                return Reservation::Full;
            }
            match self.state.compare_exchange_weak(
                state,
                state + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(slot) => return Reservation::Slot(slot),
                Err(now) => state = now,
            }
        }
    }

    /// Fills a slot that [`reserve`](Self::reserve) gave; readers see it at once.
    pub(crate) fn fill(&self, slot: u32, item: T) {
        self.bytes.fetch_add(item.weight(), Ordering::Relaxed);
        let refused = self
            .slots
            .get(slot as usize)
            .map(|slot| slot.set(item).is_err());
        debug_assert_eq!(
            refused,
            Some(false),
            "a reserved slot is filled once, by who reserved it"
        );
        self.filled.fetch_add(1, Ordering::Release);
    }

    /// The item in `slot`, once it is filled.
    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.slots.get(slot as usize)?.get()
    }

    /// Whether the log can be joined at `slot`.
    pub(crate) fn is_sync_point(&self, slot: u32) -> bool {
        slot == 0 && self.sync.is_some()
    }

    /// Lets no further slot be reserved, and returns how many are; `None` where the log is closed. Idempotent.
    pub(crate) fn seal(&self) -> Option<u32> {
        let before = self.state.fetch_or(SEALED, Ordering::AcqRel);
        (before & CLOSED == 0).then_some(before & COUNT)
    }

    /// Ends the log here; false where the chunk was sealed before, and the log goes on in the next.
    pub(crate) fn close(&self) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        while state & SEALED == 0 {
            match self.state.compare_exchange_weak(
                state,
                state | SEALED | CLOSED,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        state & CLOSED != 0
    }

    /// Whether anything came after the reservation of `slot`: another one, or the end of the chunk.
    pub(crate) fn goes_on_after(&self, slot: u32) -> bool {
        self.state.load(Ordering::Acquire) != slot + 1
    }

    /// What follows for a reader that found `slot` empty.
    pub(crate) fn beyond(&self, slot: u32) -> Beyond {
        let state = self.state.load(Ordering::Acquire);
        if state & SEALED == 0 || slot < state & COUNT {
            Beyond::Open
        } else if state & CLOSED != 0 {
            Beyond::Closed
        } else {
            Beyond::NextChunk
        }
    }

    /// Whether the chunk is sealed and every reserved slot is filled and accounted for.
    pub(crate) fn is_complete(&self) -> bool {
        let state = self.state.load(Ordering::Acquire);
        state & SEALED != 0 && self.filled.load(Ordering::Acquire) == state & COUNT
    }
}
