//! Settings of a recorder.

use super::{FileNameTemplate, RecordingEvent, RecordingObserver};
use crate::{EventBus, StreamKey, TimeDelta, TimeSource};
use std::fmt;
use std::sync::Arc;

/// Settings of a [`RecordingSink`](crate::RecordingSink).
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordingConfig {
    /// How objects are named.
    pub name: FileNameTemplate,
    /// How long a file gets before a new one is begun at the next keyframe, in the stream's own time. `None`: as long as the stream.
    pub segment_duration: Option<TimeDelta>,
    /// How large a file gets before a new one is begun at the next keyframe. `None`: any size. A stream without a second keyframe is never
    /// cut, as none of its parts would play.
    pub max_bytes: Option<u64>,
    /// The longest time between syncs, by which what a kill can cost is bounded. Counted in the stream's time by the sink, and in real
    /// time as well by [`record_stream`](crate::record_stream). Each sync of a file on a disk is one flush of that disk: with many
    /// streams on a spinning disk, longer is better.
    pub sync_interval: TimeDelta,
    /// How long nothing is tried after the store has failed, in the stream's time; doubled with each further failure, up to
    /// [`MAX_BACKOFF`](Self::MAX_BACKOFF).
    pub backoff: TimeDelta,
    /// Names files by the time of day.
    pub clock: TimeSource,
    /// Is told what becomes of the recording.
    pub observer: Option<Arc<dyn RecordingObserver>>,
}

impl RecordingConfig {
    /// The default of [`segment_duration`](Self::segment_duration): 10 minutes.
    pub const DEFAULT_SEGMENT_DURATION: TimeDelta = TimeDelta::from_millis(600_000);
    /// The default of [`max_bytes`](Self::max_bytes): a GOP below the 4 GiB at which FAT32 and 32-bit tools stop.
    pub const DEFAULT_MAX_BYTES: u64 = 4_000_000_000;
    /// The default of [`sync_interval`](Self::sync_interval): 2 seconds.
    pub const DEFAULT_SYNC_INTERVAL: TimeDelta = TimeDelta::from_millis(2_000);
    /// The default of [`backoff`](Self::backoff): 1 second.
    pub const DEFAULT_BACKOFF: TimeDelta = TimeDelta::from_millis(1_000);
    /// The longest back-off: 1 minute.
    pub const MAX_BACKOFF: TimeDelta = TimeDelta::from_millis(60_000);

    /// Sets [`name`](Self::name).
    #[must_use]
    pub fn name(mut self, template: FileNameTemplate) -> Self {
        self.name = template;
        self
    }

    /// Sets [`segment_duration`](Self::segment_duration).
    #[must_use]
    pub fn segment_duration(mut self, duration: Option<TimeDelta>) -> Self {
        self.segment_duration = duration;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub fn max_bytes(mut self, bytes: Option<u64>) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`sync_interval`](Self::sync_interval).
    #[must_use]
    pub fn sync_interval(mut self, interval: TimeDelta) -> Self {
        self.sync_interval = interval;
        self
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub fn backoff(mut self, backoff: TimeDelta) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn clock(mut self, clock: TimeSource) -> Self {
        self.clock = clock;
        self
    }

    /// Sets [`observer`](Self::observer).
    #[must_use]
    pub fn observer(mut self, observer: impl RecordingObserver) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sets [`observer`](Self::observer) to one that makes everything known on `bus`, as an engine is one.
    #[must_use]
    pub fn report_to(self, bus: Arc<dyn EventBus>) -> Self {
        self.observer(move |key: &StreamKey, event: &RecordingEvent| {
            if let Some(kind) = event.to_event(key) {
                bus.emit(kind);
            }
        })
    }
}

impl Default for RecordingConfig {
    fn default() -> Self {
        Self {
            name: FileNameTemplate::default(),
            segment_duration: Some(Self::DEFAULT_SEGMENT_DURATION),
            max_bytes: Some(Self::DEFAULT_MAX_BYTES),
            sync_interval: Self::DEFAULT_SYNC_INTERVAL,
            backoff: Self::DEFAULT_BACKOFF,
            clock: TimeSource::system(),
            observer: None,
        }
    }
}

impl fmt::Debug for RecordingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingConfig")
            .field("name", &self.name)
            .field("segment_duration", &self.segment_duration)
            .field("max_bytes", &self.max_bytes)
            .field("sync_interval", &self.sync_interval)
            .field("backoff", &self.backoff)
            .finish_non_exhaustive()
    }
}
