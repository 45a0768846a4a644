//! The time of day, injected.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

/// Where the engine, the recorder and the token check read the time of day: the system's clock, or a test's own.
///
/// ```
/// use arcly_core::TimeSource;
/// use std::time::{Duration, SystemTime};
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_268_800);
/// let clock = TimeSource::from_fn(move || noon);
/// assert_eq!(clock.now(), noon);
/// ```
#[derive(Clone)]
pub struct TimeSource(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl TimeSource {
    /// The system's clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where this clock is read"
    )]
    pub fn system() -> Self {
        Self(Arc::new(SystemTime::now))
    }

    /// The clock that `now` reads.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeSource").finish_non_exhaustive()
    }
}
