//! How much of a stream is kept.

use crate::TimeDelta;

/// How much of a stream its log keeps, for viewers that join and viewers that lag.
///
/// The newest GOP is kept whole as long as it does not break `max_items` or `max_bytes` alone; where it does, its start is dropped,
/// [`EventKind::GopTruncated`](crate::EventKind::GopTruncated) says so, and viewers start at the next keyframe. Older GOPs are kept
/// as long as they lie within `window` and the bounds.
///
/// At least 256 GOPs fit beside that; a stream of shorter ones keeps fewer items than `max_items`.
///
/// Worst-case memory of a stream is 9/8 of `max_bytes`, plus 88 bytes an item, plus one chunk (at most 64 items, at most 1/8 of `max_bytes`
/// and one frame) for each stalled viewer, plus the codec configs in force, see [`StreamLimits`](crate::StreamLimits).
/// A viewer that neither reads nor leaves after its stream has ended keeps what was buffered then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// The most frames, of all tracks: two seconds of 30 fps video with AAC are 154. 0 keeps nothing for joiners: each starts at the next
    /// keyframe. Readers that are there always have [`FEWEST_ITEMS`](Self::FEWEST_ITEMS) to fall behind, and more than
    /// [`MOST_ITEMS`](Self::MOST_ITEMS) are not kept.
    pub max_items: usize,
    /// The most payload bytes.
    pub max_bytes: usize,
    /// How far back older GOPs are kept beside the newest one.
    pub window: TimeDelta,
}

impl Retention {
    /// What is kept for readers at least, so that one that is a few frames behind loses none.
    pub const FEWEST_ITEMS: usize = 64;
    /// What is kept at most, whatever [`max_items`](Self::max_items) says.
    pub const MOST_ITEMS: usize = 1 << 20;
    /// The default of [`max_items`](Self::max_items): a GOP of 20 s at 60 frames a second with 47 audio frames a second fits.
    pub const DEFAULT_MAX_ITEMS: usize = 2_048;
    /// The default of [`max_bytes`](Self::max_bytes): a GOP of 10 s at 25 Mbit/s fits.
    pub const DEFAULT_MAX_BYTES: usize = 32 << 20;
    /// The default of [`window`](Self::window): a viewer may fall this far behind before it loses frames.
    pub const DEFAULT_WINDOW: TimeDelta = TimeDelta::from_millis(4_000);
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            max_items: Self::DEFAULT_MAX_ITEMS,
            max_bytes: Self::DEFAULT_MAX_BYTES,
            window: Self::DEFAULT_WINDOW,
        }
    }
}
