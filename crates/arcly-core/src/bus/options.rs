//! Where a reader starts, and how it ends.

use std::time::Duration;

/// Where in a stream a subscription starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StartAt {
    /// At the newest keyframe that is kept, with the codec configs in force there: a picture at once. At the first one to come
    /// where none is kept.
    #[default]
    LatestKeyframe,
    /// At the first keyframe to come, with the codec configs in force there: the least latency with a whole picture.
    NextKeyframe,
    /// With the next frame, whatever it is, and without codec configs: for statistics, or in combination with
    /// [`StreamHandle::replay_buffer`](crate::StreamHandle::replay_buffer).
    Live,
    /// At the last keyframe that lies at least this far back; the oldest one kept where none does.
    Back(Duration),
}

/// Settings of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Where to start.
    pub start: StartAt,
    /// How many frames may be missed, by falling behind again and again without ever catching up, before the subscription is
    /// evicted. `None`: any number.
    pub max_lag: Option<u64>,
}

impl SubscribeOptions {
    /// The default of [`max_lag`](Self::max_lag): about 50 s of a stream with 30 + 47 frames a second.
    pub const DEFAULT_MAX_LAG: u64 = 4_096;

    /// The default options, starting at `start`.
    #[must_use]
    pub const fn start(start: StartAt) -> Self {
        Self {
            start,
            max_lag: Some(Self::DEFAULT_MAX_LAG),
        }
    }

    /// Sets [`max_lag`](Self::max_lag).
    #[must_use]
    pub const fn max_lag(mut self, frames: Option<u64>) -> Self {
        self.max_lag = frames;
        self
    }
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self::start(StartAt::LatestKeyframe)
    }
}

/// Why a subscription hands out nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// The publisher ended the stream, and what there was has been read; [`Subscription::total_skipped`](super::Subscription::total_skipped) tells what was missed.
    StreamEnded,
    /// The packager of a rendition failed, by a panic or with its runtime; the stream may still be live.
    PackagerFailed,
    /// The reader was too slow for too long.
    Evicted {
        /// How many items it missed.
        skipped: u64,
    },
}
