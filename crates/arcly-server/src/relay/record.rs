//! How one relay stands.

use super::Way;
use arcly_stream::media::StreamKey;
use arcly_stream::prelude::*;
use arcly_stream::protocol::rtmp::{RelayStatus, RelayTraffic};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tracing::info;

/// What is known of a relay. Nothing in it is secret.
pub(crate) struct Record {
    pub(crate) way: Way,
    pub(crate) key: StreamKey,
    /// The other server's URL, as it may be shown.
    pub(crate) url: String,
    status: watch::Receiver<RelayStatus>,
    traffic: RelayTraffic,
    failures: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    since: SystemTime,
    /// The reason of the last failure, until media goes over again.
    error: Option<String>,
    retry_in: Option<Duration>,
}

/// What a relay is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum RelayState {
    Stopped,
    Waiting,
    Connecting,
    Live,
    Failed,
}

impl RelayState {
    pub(crate) const ALL: [Self; 5] = [
        Self::Stopped,
        Self::Waiting,
        Self::Connecting,
        Self::Live,
        Self::Failed,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Failed => "failed",
        }
    }

    const fn of(status: &RelayStatus) -> Self {
        match status {
            RelayStatus::Waiting => Self::Waiting,
            RelayStatus::Connecting { .. } => Self::Connecting,
            RelayStatus::Live { .. } => Self::Live,
            RelayStatus::Failed { .. } => Self::Failed,
            _ => Self::Stopped,
        }
    }
}

impl Record {
    pub(super) fn new(
        way: Way,
        key: StreamKey,
        url: String,
        status: watch::Receiver<RelayStatus>,
        traffic: RelayTraffic,
    ) -> Self {
        let seen = Seen {
            since: now(),
            error: None,
            retry_in: None,
        };
        Self {
            way,
            key,
            url,
            status,
            traffic,
            failures: AtomicU64::new(0),
            seen: Mutex::new(seen),
        }
    }

    pub(crate) fn state(&self) -> RelayState {
        RelayState::of(&self.status.borrow())
    }

    /// Since when it is in this state.
    pub(crate) fn since(&self) -> SystemTime {
        self.lock().since
    }

    /// Why it failed last, until media goes over again.
    pub(crate) fn error(&self) -> Option<String> {
        self.lock().error.clone()
    }

    /// When it is tried again, where it waits for that.
    pub(crate) fn next_try(&self) -> Option<SystemTime> {
        let seen = self.lock();
        seen.retry_in.map(|pause| seen.since + pause)
    }

    /// Bytes of media and what it takes to carry it, in the relay's direction.
    pub(crate) fn bytes(&self) -> u64 {
        match self.way {
            Way::Pull => self.traffic.received(),
            Way::Push => self.traffic.sent(),
        }
    }

    /// How often it failed.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Follows the status, for ever.
    async fn follow(&self) {
        let mut status = self.status.clone();
        status.mark_changed();
        while status.changed().await.is_ok() {
            let current = status.borrow_and_update().clone();
            self.see(&current);
        }
    }

    fn see(&self, status: &RelayStatus) {
        let mut seen = self.lock();
        (seen.since, seen.retry_in) = (now(), None);
        match status {
            RelayStatus::Live { .. } => {
                seen.error = None;
                let way = match self.way {
                    Way::Pull => "pulled from",
                    Way::Push => "pushed to",
                };
                info!("{}: {way} {}", self.key, self.url);
            }
            // The relay itself has warned of it.
            RelayStatus::Failed { reason, retry_in } => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                seen.error = Some(reason.clone());
                seen.retry_in = *retry_in;
            }
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "when things happened, for people"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

/// A relay whose record is kept while it runs.
pub(super) struct Followed {
    relay: Box<dyn InboundProtocol>,
    record: Arc<Record>,
}

impl Followed {
    pub(super) fn new(relay: impl InboundProtocol, record: Arc<Record>) -> Self {
        let relay = Box::new(relay);
        Self { relay, record }
    }

    pub(super) const fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

#[async_trait]
impl InboundProtocol for Followed {
    fn name(&self) -> &'static str {
        self.relay.name()
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        tokio::select! {
            served = self.relay.serve(ctx, shutdown) => served,
            () = self.record.follow() => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_stays_until_media_goes_over() {
        let (sender, status) = watch::channel(RelayStatus::Stopped);
        let key = StreamKey::new("live", "x");
        let record = Record::new(
            Way::Push,
            key,
            String::new(),
            status,
            RelayTraffic::default(),
        );
        let set = |status: RelayStatus| {
            record.see(&status);
            sender.send_replace(status);
        };
        let pause = Duration::from_secs(5);
        set(RelayStatus::Failed {
            reason: "no route".into(),
            retry_in: Some(pause),
        });
        assert_eq!(record.state(), RelayState::Failed);
        assert_eq!(record.next_try(), Some(record.since() + pause));
        set(RelayStatus::Connecting { failures: 1 });
        assert_eq!(record.error().as_deref(), Some("no route"));
        assert_eq!((record.next_try(), record.failures()), (None, 1));
        set(RelayStatus::Live { since: now() });
        assert_eq!((record.error(), record.state()), (None, RelayState::Live));
    }
}
