//! Applications: groups of streams that share their settings.

use crate::{AppName, Retention, StreamLimits, Takeover};
use std::time::Duration;

/// The settings of an application.
///
/// ```
/// use arcly_core::{AppSpec, Takeover};
/// use std::time::Duration;
///
/// let live = AppSpec::new("live").gop_cache(600).takeover(Takeover::Replace).history(Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSpec {
    pub(super) name: AppName,
    pub(super) limits: StreamLimits,
    pub(super) takeover: Takeover,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) publisher_grace: Duration,
}

impl AppSpec {
    /// An application with the default settings.
    #[must_use]
    pub fn new(name: impl Into<AppName>) -> Self {
        Self {
            name: name.into(),
            limits: StreamLimits::default(),
            takeover: Takeover::default(),
            idle_timeout: None,
            publisher_grace: Duration::ZERO,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &AppName {
        &self.name
    }

    /// Keeps up to `frames` frames of each stream, of all tracks (two seconds of 30 fps video with AAC are 154), so that viewers start at
    /// once; 0 keeps none for them, and they start at the next keyframe. Default: [`Retention::DEFAULT_MAX_ITEMS`]. Fewer than
    /// [`Retention::FEWEST_ITEMS`] are kept as that many. Costs 88 bytes a frame beside its payload.
    #[must_use]
    pub fn gop_cache(mut self, frames: usize) -> Self {
        self.limits.retention.max_items = frames;
        self
    }

    /// Keeps up to `bytes` of payload of each stream. Default: [`Retention::DEFAULT_MAX_BYTES`]. Worst-case memory of a stream is 9/8
    /// of it.
    #[must_use]
    pub fn gop_cache_bytes(mut self, bytes: usize) -> Self {
        self.limits.retention.max_bytes = bytes;
        self
    }

    /// Keeps at least this much of each stream, within the bounds above, so that viewers may fall behind or start in the past.
    /// Default: [`Retention::DEFAULT_WINDOW`].
    #[must_use]
    pub fn history(mut self, window: Duration) -> Self {
        self.limits.retention.window = window.into();
        self
    }

    /// Sets all of the above at once.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.limits.retention = retention;
        self
    }

    /// Refuses frames larger than this. Default: 16 MiB.
    #[must_use]
    pub fn max_frame_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_frame_bytes = bytes;
        self
    }

    /// Refuses frames of more tracks than this. Default: 32.
    #[must_use]
    pub fn max_tracks(mut self, tracks: usize) -> Self {
        self.limits.max_tracks = tracks;
        self
    }

    /// Refuses codec configs larger than this. Default: 64 KiB.
    #[must_use]
    pub fn max_config_bytes(mut self, bytes: usize) -> Self {
        self.limits.max_config_bytes = bytes;
        self
    }

    /// Evicts subscriptions that missed more frames than this without ever catching up; `None` never. Default:
    /// [`SubscribeOptions::DEFAULT_MAX_LAG`](crate::SubscribeOptions::DEFAULT_MAX_LAG).
    #[must_use]
    pub fn max_lag(mut self, frames: Option<u64>) -> Self {
        self.limits.max_lag = frames;
        self
    }

    /// What happens when a stream is published that is live already. Default: [`Takeover::Refuse`].
    #[must_use]
    pub fn takeover(mut self, takeover: Takeover) -> Self {
        self.takeover = takeover;
        self
    }

    /// Ends streams of this application that bring no frame for this long, or a quarter longer. Default: what the engine's
    /// [`idle_timeout`](crate::EngineBuilder::idle_timeout) says.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Lets a stream outlive its publisher for this long, or a quarter longer, so that a publisher that blips keeps its viewers. Default: zero,
    /// and a stream ends with its publisher.
    ///
    /// Until the publisher comes back or the time is up, viewers stay, others may join, and recordings go on. Its timeline goes on too: the
    /// first frame of each track is a [discontinuity](crate::FrameFlags::DISCONTINUITY), as long after the last one as the pause was. Tracks
    /// that do not come back stay listed until the second sync point of the publisher that does (where sync points are closer together than a
    /// second, until one that is a second behind its first), and go then, with their codec configs and
    /// [`TracksChanged`](crate::EventKind::TracksChanged); one that comes after all is a new track, as is one of another kind or codec under the
    /// same number. What the host ends, ends at once. With [`Takeover::Replace`], one that takes over continues
    /// the stream as well.
    #[must_use]
    pub fn publisher_grace(mut self, grace: Duration) -> Self {
        self.publisher_grace = grace;
        self
    }
}
