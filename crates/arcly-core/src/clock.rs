//! The one place of the kernel that reads clocks, beside [`TimeSource`].

use crate::TimeSource;
use std::time::{Duration, SystemTime};

/// Monotonic time since the engine was built, which follows tokio's paused clock in tests, and the time of day.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    origin: tokio::time::Instant,
    wall: TimeSource,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the kernel's clock")]
    pub(crate) fn new(wall: TimeSource) -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            wall,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the kernel's clock")]
    pub(crate) fn elapsed(&self) -> Duration {
        tokio::time::Instant::now().saturating_duration_since(self.origin)
    }

    pub(crate) fn wall(&self) -> SystemTime {
        self.wall.now()
    }
}
