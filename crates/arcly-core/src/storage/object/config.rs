//! Settings of a storage in an object store.

use crate::TimeSource;
use std::time::Duration;

/// Settings of an [`ObjectStorage`](crate::ObjectStorage).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ObjectStorageConfig {
    /// How long one request to the store, or the next chunk of its answer, is waited for, the store's own retries included.
    pub call_timeout: Duration,
    /// The size of the parts in which an object that grows is uploaded, in bytes. A writer holds at most three of them in memory, and one
    /// call's data. S3 takes none below 5 MiB but the last.
    pub part_bytes: usize,
    /// How long an unfinished object of another process has to be untouched before [`recover`](crate::StorageBackend::recover) takes it for
    /// an orphan. Its writer, if there is one, touches it four times in this time. Has to be long beside the difference between this
    /// machine's clock and the store's, and the store's outages.
    pub orphan_age: Duration,
    /// What the store's times are compared with.
    pub clock: TimeSource,
}

impl ObjectStorageConfig {
    /// The default of [`call_timeout`](Self::call_timeout): 1 minute.
    pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(60);
    /// The default of [`part_bytes`](Self::part_bytes): 5 MiB.
    pub const DEFAULT_PART_BYTES: usize = 5 << 20;
    /// The default of [`orphan_age`](Self::orphan_age): 10 minutes.
    pub const DEFAULT_ORPHAN_AGE: Duration = Duration::from_secs(600);

    /// Sets [`call_timeout`](Self::call_timeout).
    #[must_use]
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets [`part_bytes`](Self::part_bytes), to 1 at least.
    #[must_use]
    pub fn part_bytes(mut self, bytes: usize) -> Self {
        self.part_bytes = bytes.max(1);
        self
    }

    /// Sets [`orphan_age`](Self::orphan_age).
    #[must_use]
    pub fn orphan_age(mut self, age: Duration) -> Self {
        self.orphan_age = age;
        self
    }

    /// Sets [`clock`](Self::clock).
    #[must_use]
    pub fn clock(mut self, clock: TimeSource) -> Self {
        self.clock = clock;
        self
    }
}

impl Default for ObjectStorageConfig {
    fn default() -> Self {
        Self {
            call_timeout: Self::DEFAULT_CALL_TIMEOUT,
            part_bytes: Self::DEFAULT_PART_BYTES,
            orphan_age: Self::DEFAULT_ORPHAN_AGE,
            clock: TimeSource::system(),
        }
    }
}
