//! Bringing a stream in while somebody watches it.

use arcly_core::{Demand, StreamHandle};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When a source runs that does not always run.
///
/// It starts with the first viewer, who waits for it, and stops after the last. It needs an engine's registry: with one that cannot tell who wants
/// what ([`IngestContext::offer`](arcly_core::IngestContext::offer)), it always runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnDemand {
    /// How long a viewer waits for the stream. Default 15 s: cameras take a few.
    pub patience: Duration,
    /// How long the source goes on after the last viewer has left, for one who comes back. Default 10 s.
    pub linger: Duration,
}

impl Default for OnDemand {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(15),
            linger: Duration::from_secs(10),
        }
    }
}

/// The stream that is published at the moment, for who watches how many play it.
#[derive(Debug, Default)]
pub(super) struct Current(Mutex<Option<StreamHandle>>);

impl Current {
    fn lock(&self) -> MutexGuard<'_, Option<StreamHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, handle: StreamHandle) {
        *self.lock() = Some(handle);
    }

    /// Waits until nobody has watched or waited for `linger`.
    pub(super) async fn unwanted(&self, demand: &Demand, linger: Duration) {
        loop {
            let handle = self.lock().clone();
            match &handle {
                Some(handle) => handle.unwatched(linger).await,
                None => tokio::time::sleep(linger).await,
            }
            // It may have been published anew meanwhile, and somebody may just have come.
            let watched = self.lock().as_ref().map_or(0, StreamHandle::viewer_count);
            if watched == 0 && !demand.is_awaited() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}
