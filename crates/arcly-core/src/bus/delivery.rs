//! What a reader is handed.

use super::LogItem;
use super::chunk::{Chunk, Preamble};
use super::sync::Arc;
use std::fmt;
use std::ops::Deref;

/// One item, shared with the log and all other readers. Dereferences to it.
///
/// Holding one keeps its chunk alive, at most 64 items. To keep an item for long, clone the item itself.
pub struct Shared<T> {
    pub(super) place: SharedPlace<T>,
    pub(super) skipped: u64,
}

pub(super) enum SharedPlace<T> {
    Preamble(Arc<Preamble<T>>, usize),
    Item(Arc<Chunk<T>>, u32),
}

impl<T: LogItem> Shared<T> {
    /// The item's number in its stream, counted from 0 without holes. `None` for codec configs that were put before the
    /// item a subscription started at.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        match &self.place {
            SharedPlace::Preamble(..) => None,
            SharedPlace::Item(chunk, slot) => Some(chunk.first_sequence + u64::from(*slot)),
        }
    }

    /// How many items this subscription missed directly before this one. Told with the first item after the gap, which is a codec
    /// config where there is one.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether the stream can be joined at this item: a keyframe of the leading track, or what stands for one without video.
    #[must_use]
    pub fn is_sync_point(&self) -> bool {
        match &self.place {
            SharedPlace::Preamble(..) => false,
            SharedPlace::Item(chunk, slot) => chunk.is_sync_point(*slot),
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        let place = match &self.place {
            SharedPlace::Preamble(preamble, index) => {
                SharedPlace::Preamble(Arc::clone(preamble), *index)
            }
            SharedPlace::Item(chunk, slot) => SharedPlace::Item(Arc::clone(chunk), *slot),
        };
        Self {
            place,
            skipped: self.skipped,
        }
    }
}

impl<T: LogItem> Deref for Shared<T> {
    type Target = T;

    #[expect(
        clippy::expect_used,
        reason = "a `Shared` is made of a filled slot only, and slots are write-once"
    )]
    fn deref(&self) -> &T {
        match &self.place {
            SharedPlace::Preamble(preamble, index) => &preamble.items[*index],
            SharedPlace::Item(chunk, slot) => chunk.get(*slot).expect("the slot is filled"),
        }
    }
}

impl<T: LogItem + fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// One item, borrowed from the log, as [`Subscription::for_each_ready`](super::Subscription::for_each_ready) hands it out. Dereferences to it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a, T> {
    /// The item.
    pub item: &'a T,
    /// Its number in its stream, see [`Shared::sequence`].
    pub sequence: Option<u64>,
    /// How many items this subscription missed directly before this one.
    pub skipped: u64,
    /// Whether the stream can be joined at this item.
    pub is_sync_point: bool,
}

impl<T> Deref for Delivery<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.item
    }
}
