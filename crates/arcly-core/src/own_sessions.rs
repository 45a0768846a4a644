//! A registry through which one protocol can end only what it has started.

use crate::inbound::release_now;
use crate::{
    Demand, EndReason, EventKind, PublishRegistry, PublishRequest, Result, SessionId, StreamError,
    StreamHandle, StreamKey,
};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many sessions that were ended elsewhere are remembered, in case their protocol still ends them by name. Past this, the oldest are
/// forgotten: a protocol that never ends by name would have them pile up.
const MAX_ENDED_ELSEWHERE: usize = 1_024;

/// Remembers which sessions were started through it, and ends no others.
///
/// A session is ended by name in the order in which the sessions of that name were started. So where a publisher comes back through the
/// same protocol and replaces itself, the late end of its first session does not hit the second.
///
/// What is still open when the last user lets go of the registry is ended then.
pub(crate) struct OwnSessions {
    registry: Arc<dyn PublishRegistry>,
    own: Mutex<Own>,
}

#[derive(Default)]
struct Own {
    /// In the order of their starts.
    sessions: VecDeque<StreamHandle>,
    closed: bool,
}

impl OwnSessions {
    pub(crate) fn new(registry: Arc<dyn PublishRegistry>) -> Self {
        Self {
            registry,
            own: Mutex::default(),
        }
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a session that has just started; gives it back where nothing may be started any more.
    fn remember(&self, handle: &StreamHandle) -> Result<()> {
        let mut own = self.own();
        if own.closed {
            return Err(StreamError::ShuttingDown);
        }
        let ended = own
            .sessions
            .iter()
            .filter(|session| !session.is_live())
            .count();
        if ended >= MAX_ENDED_ELSEWHERE
            && let Some(oldest) = own.sessions.iter().position(|session| !session.is_live())
        {
            own.sessions.remove(oldest);
        }
        own.sessions.push_back(handle.clone());
        Ok(())
    }

    /// The oldest own session for which `which` holds, which is forgotten.
    fn take(&self, which: impl Fn(&StreamHandle) -> bool) -> Option<StreamHandle> {
        let mut own = self.own();
        let found = own.sessions.iter().position(which)?;
        own.sessions.remove(found)
    }

    /// Ends all sessions that are open, and lets no more be started.
    pub(crate) fn close(&self) {
        let open = {
            let mut own = self.own();
            own.closed = true;
            std::mem::take(&mut own.sessions)
        };
        for session in open {
            session.end_for(EndReason::Dropped);
            release_now(&self.registry, session.key(), session.session());
        }
    }
}

impl Drop for OwnSessions {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl PublishRegistry for OwnSessions {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        let handle = self.registry.start_publish_with(request).await?;
        if let Err(error) = self.remember(&handle) {
            handle.end_for(EndReason::Dropped);
            self.registry
                .end_session(handle.key(), handle.session())
                .await?;
            return Err(error);
        }
        Ok(handle)
    }

    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()> {
        match self.take(|own| own.session() == session && own.key() == key) {
            Some(_) => self.registry.end_session(key, session).await,
            None => Ok(()),
        }
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        let Some(oldest) = self.take(|own| own.key() == key) else {
            return Err(StreamError::StreamNotFound(key.clone()));
        };
        // Before the await, so that a call that is cancelled there has at least closed the stream.
        oldest.end();
        self.registry.end_session(key, oldest.session()).await
    }

    fn has_app(&self, app: &str) -> bool {
        self.registry.has_app(app)
    }

    fn offer(&self, key: &StreamKey, patience: Duration) -> Option<Demand> {
        self.registry.offer(key, patience)
    }

    fn emit(&self, event: EventKind) {
        self.registry.emit(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AppSpec, Engine};

    #[tokio::test]
    async fn sessions_that_are_ended_elsewhere_do_not_pile_up() {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let registry = OwnSessions::new(engine.clone());
        let kept = StreamKey::new("live", "kept");
        registry.start_publish(&kept).await.expect("free");
        for n in 0..MAX_ENDED_ELSEWHERE + 10 {
            let key = StreamKey::new("live", format!("cam{n}"));
            registry.start_publish(&key).await.expect("free");
            engine.end_publish(&key).await.expect("live");
        }
        assert!(registry.own().sessions.len() <= MAX_ENDED_ELSEWHERE + 1);
        registry.end_publish(&kept).await.expect("never forgotten");
        assert_eq!(engine.total_stream_count(), 0);
    }
}
