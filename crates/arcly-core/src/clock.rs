//! The one place of the kernel that reads clocks.

use std::time::{Duration, SystemTime};

/// Monotonic time since the engine was built, and wall-clock time. Follows tokio's paused clock in tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: tokio::time::Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the kernel's clock")]
    pub(crate) fn new() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the kernel's clock")]
    pub(crate) fn elapsed(&self) -> Duration {
        tokio::time::Instant::now().saturating_duration_since(self.origin)
    }

    #[expect(clippy::disallowed_methods, reason = "the kernel's clock")]
    pub(crate) fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}
