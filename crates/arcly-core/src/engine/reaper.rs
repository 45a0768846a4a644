//! Ending streams whose publishers have fallen silent, or have gone and not come back.

use super::Engine;
use crate::EndReason;
use crate::stream::LiveStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often the reaper looks, as a fraction of the shortest timeout: a stream outlives its timeout by this much at most.
const LOOKS_PER_TIMEOUT: u32 = 4;
/// The reaper looks no more often than this, whatever the timeout.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

impl Engine {
    /// Ends the streams that have brought no frame for their idle timeout, and those whose publishers stayed away for longer than their grace
    /// period; returns how many, with those that wait for their publishers from now on. Runs by itself where a timeout is set, four times
    /// in the shortest of all, and each 10 ms at most; a host calls it to have it done now.
    #[expect(
        clippy::unused_async,
        reason = "the contract of the seam: a host's registry may have to wait here"
    )]
    pub async fn reap_idle(&self) -> usize {
        self.reap()
    }

    fn reap(&self) -> usize {
        let streams: Vec<_> = self.live().values().cloned().collect();
        let ended = streams.iter().filter(|stream| {
            let publication = stream.publication();
            match publication.end_reason() {
                // It waits for its publisher, or is about to be released.
                Some(reason) => {
                    stream.is_given_up() && self.remove_if(stream, reason, || stream.is_given_up())
                }
                None => {
                    self.is_idle(stream)
                        && self.release(&stream.key, publication.session, EndReason::Idle)
                }
            }
        });
        ended.count()
    }

    fn is_idle(&self, stream: &LiveStream) -> bool {
        let of_app = self
            .app(&stream.key.app)
            .ok()
            .and_then(|app| app.idle_timeout);
        of_app
            .or(self.settings.idle_timeout)
            .is_some_and(|timeout| stream.idle() >= timeout)
    }

    /// The shortest idle timeout or grace period in force.
    fn shortest_timeout(&self) -> Option<Duration> {
        let apps = self.list_apps().into_iter();
        let of_apps = apps.filter_map(|app| self.app(&app).ok()).flat_map(|app| {
            let grace = Some(app.publisher_grace).filter(|grace| !grace.is_zero());
            [app.idle_timeout, grace]
        });
        of_apps.flatten().chain(self.settings.idle_timeout).min()
    }

    /// Starts the reaper, if there is a timeout, it does not run yet, and there is a runtime to run it on. It ends with the engine.
    pub(super) fn ensure_reaper(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.shortest_timeout().is_none() || self.reaper_runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let guard = ReaperGuard(self.this.clone());
        let apps_changed = Arc::clone(&self.apps_changed);
        runtime.spawn(async move {
            // Asked anew each time: applications come and go.
            while let Some(pause) = guard.pause() {
                // A new application's timeout may be shorter than what is left of the pause.
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = apps_changed.notified() => {}
                }
                let Some(engine) = guard.0.upgrade() else {
                    return;
                };
                engine.reap();
            }
            let engine = guard.0.clone();
            drop(guard);
            // An application may have come, and a stream in it, since it was asked and before the guard said that nobody watches.
            if let Some(engine) = engine.upgrade() {
                engine.ensure_reaper();
            }
        });
    }
}

/// Owned by the reaper's task: when it ends, also because its runtime is shut down, the next stream starts another.
struct ReaperGuard(Weak<Engine>);

impl ReaperGuard {
    /// How long to wait before the next look; `None` once the engine is gone or no timeout is in force.
    fn pause(&self) -> Option<Duration> {
        let timeout = self.0.upgrade()?.shortest_timeout()?;
        Some((timeout / LOOKS_PER_TIMEOUT).max(SHORTEST_PAUSE))
    }
}

impl Drop for ReaperGuard {
    fn drop(&mut self) {
        if let Some(engine) = self.0.upgrade() {
            engine.reaper_runs.store(false, Ordering::Release);
        }
    }
}
