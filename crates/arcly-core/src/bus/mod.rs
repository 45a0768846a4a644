//! The bus: one bounded, append-only log per stream, read through cursors.
//!
//! # Structure
//!
//! A log is a sequence of *chunks*, arrays of write-once slots with the items stored inline. A chunk starts at each sync point (a
//! keyframe, with everything a joiner needs before it), so a GOP is one or more whole chunks. A small ring of
//! atomically swapped pointers leads to the chunks that are kept.
//!
//! * **Publishing** reserves a slot, fills it, and wakes at most one task (`wake.rs`). It never waits, for readers or for other publishers, and
//!   allocates only chunks.
//! * **A reader is a cursor**: a chunk and a slot. Reading touches no shared count but when it enters a chunk.
//! * **Joining** places a cursor on a sync point: no copy, no gap, no duplicate.
//! * **Lag**: a cursor whose continuation has been dropped goes on at the newest sync point and counts what it missed; past
//!   [`SubscribeOptions::max_lag`] it is evicted.
//!
//! # Invariants
//!
//! 1. Sequence numbers have no holes: chunk *n*+1 starts where chunk *n* was sealed.
//! 2. A reader meets each item from its start on once, in order, or is told how many it missed.
//! 3. A reader never enters a GOP but at its sync point.
//! 4. Kept items and bytes stay within [`Retention`], overshooting by one chunk at most; a chunk is dropped only when complete.
//! 5. A reader of a live log pins one chunk at most, whatever it does, and none once it has seen its end; handles pin none.
//! 6. After [`close`](crate::StreamHandle), every item whose append succeeded is still delivered to whoever subscribed before.
//!
//! `tests/loom.rs` checks 1, 2 and 6 in every interleaving of small cases.

mod chunk;
mod cursor;
mod delivery;
mod log;
mod options;
mod retention;
mod subscription;
mod sync;
mod wake;

pub(crate) use chunk::Preamble;
pub use delivery::{Delivery, Shared};
pub(crate) use log::{Appended, Log, LogClosed};
pub use options::{StartAt, SubscribeOptions, SubscriptionEnd};
pub use retention::Retention;
pub(crate) use subscription::LagObserver;
pub use subscription::Subscription;

#[cfg(arcly_loom)]
pub mod model;

use crate::Timestamp;

/// What can stand in a log: cheap to clone, because its payload is shared.
pub trait LogItem: Clone + Send + Sync + 'static {
    /// What the item counts against [`Retention::max_bytes`]: its payload's length.
    fn weight(&self) -> usize;
    /// The item's place on the timeline.
    fn dts(&self) -> Timestamp;
    /// Whether readers are woken for the item. One that does not wake is met with the next one that does, or by who looks anyway: what
    /// lets audio ride along with video in one write.
    fn wakes(&self) -> bool {
        true
    }
}

impl LogItem for crate::MediaFrame {
    fn weight(&self) -> usize {
        self.payload.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }
}
