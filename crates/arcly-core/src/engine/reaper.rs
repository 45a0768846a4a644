//! Ending streams whose publishers have fallen silent.

use super::Engine;
use crate::EndReason;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How often the reaper looks, as a fraction of the shortest timeout: a stream outlives its timeout by this much at most.
const LOOKS_PER_TIMEOUT: u32 = 4;
/// The reaper looks no more often than this, whatever the timeout.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

impl Engine {
    /// Ends the streams that have brought no frame for their idle timeout; returns how many. Runs by itself where a timeout is set; a host
    /// calls it to have it done now.
    #[expect(
        clippy::unused_async,
        reason = "the contract of the seam: a host's registry may have to wait here"
    )]
    pub async fn reap_idle(&self) -> usize {
        self.reap()
    }

    fn reap(&self) -> usize {
        self.end_where(EndReason::Idle, |stream| {
            let of_app = self
                .app(&stream.key.app)
                .ok()
                .and_then(|app| app.idle_timeout);
            of_app
                .or(self.settings.idle_timeout)
                .is_some_and(|timeout| stream.idle() >= timeout)
        })
    }

    /// The shortest idle timeout in force.
    fn shortest_timeout(&self) -> Option<Duration> {
        let apps = self.list_apps();
        let of_apps = apps
            .iter()
            .filter_map(|app| self.app(app).ok()?.idle_timeout);
        of_apps.chain(self.settings.idle_timeout).min()
    }

    /// Starts the reaper, if there is a timeout, it does not run yet, and there is a runtime to run it on. It ends with the engine,
    /// and while no stream is live.
    pub(super) fn ensure_reaper(&self) {
        let Some(timeout) = self.shortest_timeout() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.reaper_runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let engine = self.this.clone();
        let pause = (timeout / LOOKS_PER_TIMEOUT).max(SHORTEST_PAUSE);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(engine) = engine.upgrade() else {
                    return;
                };
                engine.reap();
                if engine.stop_reaper_when_idle() {
                    return;
                }
            }
        });
    }

    fn stop_reaper_when_idle(self: &Arc<Self>) -> bool {
        // Under the lock under which streams start, so that one that starts now either is seen here or starts the reaper anew.
        let streams = self
            .streams
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let idle = streams.is_empty();
        if idle {
            self.reaper_runs.store(false, Ordering::Release);
        }
        idle
    }
}
