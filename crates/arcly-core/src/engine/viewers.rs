//! Who plays what.

use super::Engine;
use crate::{ViewerId, ViewerInfo};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// The play sessions that are open.
#[derive(Default)]
pub(super) struct Viewers(Mutex<BTreeMap<ViewerId, Viewer>>);

struct Viewer {
    info: ViewerInfo,
    /// Cancelled where the host ends the session.
    ended: CancellationToken,
}

impl Viewers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ViewerId, Viewer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, info: ViewerInfo, ended: CancellationToken) {
        self.lock().insert(info.viewer, Viewer { info, ended });
    }

    pub(super) fn remove(&self, viewer: ViewerId) {
        self.lock().remove(&viewer);
    }
}

impl Engine {
    /// All play sessions that are open, in the order of their starts. For the host itself: asks nobody.
    #[must_use]
    pub fn viewers(&self) -> Vec<ViewerInfo> {
        let viewers = self.viewers.lock();
        viewers.values().map(|viewer| viewer.info.clone()).collect()
    }

    /// Ends the play session `viewer`: the host's decision. True where it was open and is told now.
    ///
    /// Its [`PlaySession::ended`](crate::PlaySession::ended) completes, on which the protocol closes the connection; the session is listed
    /// until it has.
    pub fn end_play(&self, viewer: ViewerId) -> bool {
        let ended = self
            .viewers
            .lock()
            .get(&viewer)
            .filter(|viewer| !viewer.ended.is_cancelled())
            .map(|viewer| viewer.ended.clone());
        // Outside the lock: whoever waits may drop its session at once.
        ended.inspect(CancellationToken::cancel).is_some()
    }
}
