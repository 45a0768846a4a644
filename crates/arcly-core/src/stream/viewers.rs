//! How many viewers a stream has.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Counts play sessions, and tells when there are none.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    count: AtomicUsize,
    /// The first came, or the last went.
    changed: Notify,
}

impl Viewers {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self) {
        if self.count.fetch_add(1, Ordering::AcqRel) == 0 {
            self.changed.notify_waiters();
        }
    }

    pub(crate) fn remove(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.changed.notify_waiters();
        }
    }

    /// Waits until there has been none for `linger`.
    pub(crate) async fn none_for(&self, linger: Duration) {
        loop {
            // Made before looking, so that no change in between is missed.
            let changed = self.changed.notified();
            if self.count() > 0 {
                changed.await;
            } else if timeout(linger, changed).await.is_err() && self.count() == 0 {
                return;
            }
        }
    }
}
