//! Trying again, and telling how it stands.

use super::{Backoff, RelayStatus, RelayTraffic};
use crate::health::Health;
use crate::{IngestContext, TimeSource};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often a server may send us elsewhere without a pause or a connection that was live.
pub const MAX_TURNS: u32 = 5;

/// A connection that was live for so long counts as a success.
const SUCCESS: Duration = Duration::from_secs(10);

/// Keeps a relay's connection up, and its state for others to see. `T` is what it connects to, such as a URL; its
/// [`Display`](fmt::Display) goes into logs, so it shows no secrets.
#[derive(Debug)]
pub struct Supervisor<T> {
    name: &'static str,
    target: T,
    backoff: Backoff,
    wall: TimeSource,
    status: watch::Sender<RelayStatus>,
    traffic: RelayTraffic,
}

/// How an attempt went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt<T> {
    /// Since when media went over; `None` where none did.
    pub live: Option<Instant>,
    /// What comes next.
    pub outcome: Outcome<T>,
}

impl<T> Attempt<T> {
    /// An attempt in which media went over since `live`, if at all.
    #[must_use]
    pub const fn new(live: Option<Instant>, outcome: Outcome<T>) -> Self {
        Self { live, outcome }
    }
}

/// What comes after an attempt.
#[derive(Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the supervisor acts on each; a new one is a new contract"
)]
pub enum Outcome<T> {
    /// It ended as it should: another attempt, without a pause.
    Again,
    /// The server sends us elsewhere: there, without a pause; [`MAX_TURNS`] times in a row at most.
    Moved(T),
    /// It failed, for this reason, which holds no secret: another attempt after a pause.
    Failed(String),
}

impl<T: Clone + fmt::Display> Supervisor<T> {
    /// The relay `name`, as in `rtmp-pull`, that connects to `target`.
    #[must_use]
    pub fn new(name: &'static str, target: T) -> Self {
        Self {
            name,
            target,
            backoff: Backoff::default(),
            wall: TimeSource::system(),
            status: watch::Sender::new(RelayStatus::Stopped),
            traffic: RelayTraffic::default(),
        }
    }

    /// Sets the pauses between attempts, and how many there are.
    pub fn set_backoff(&mut self, backoff: Backoff) {
        self.backoff = backoff;
    }

    /// Sets where [`RelayStatus::Live`] takes the time of day from.
    pub fn set_time_source(&mut self, wall: TimeSource) {
        self.wall = wall;
    }

    /// What it connects to.
    #[must_use]
    pub fn target(&self) -> &T {
        &self.target
    }

    /// The bytes that went over, for the protocol to count and the host to read.
    #[must_use]
    pub fn traffic(&self) -> &RelayTraffic {
        &self.traffic
    }

    /// How it stands, now and as it changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<RelayStatus> {
        self.status.subscribe()
    }

    /// Says how it stands.
    pub fn set(&self, status: RelayStatus) {
        self.status.send_if_modified(|current| {
            let differs = *current != status;
            *current = status;
            differs
        });
    }

    /// Says that media goes over from now on.
    pub fn set_live(&self, ctx: &IngestContext) {
        info!(url = %self.target, protocol = self.name, "live");
        ctx.report_health(Health::Healthy);
        let since = self.wall.now();
        self.set(RelayStatus::Live { since });
    }

    /// Attempts again and again until `shutdown`, with pauses after failures. An attempt is told where to connect to and how many failures
    /// in a row came before it. What fails is the remote's matter, so the part counts as degraded, not as failed; only one that was given
    /// up has.
    pub async fn run<F: Future<Output = Attempt<T>> + Send>(
        &self,
        ctx: &IngestContext,
        shutdown: &CancellationToken,
        attempt: impl Fn(T, u32) -> F + Send,
    ) {
        ctx.report_health(Health::Degraded("not connected yet".to_owned()));
        let (mut failures, mut turns) = (0_u32, 0);
        let mut target = self.target.clone();
        while !shutdown.is_cancelled() {
            let Attempt { live, outcome } = attempt(target, failures).await;
            target = self.target.clone();
            if live.is_some_and(|since| now().saturating_duration_since(since) >= SUCCESS) {
                (failures, turns) = (0, 0);
            }
            let reason = match outcome {
                Outcome::Again => {
                    (failures, turns) = (0, 0);
                    continue;
                }
                Outcome::Moved(_) if turns == MAX_TURNS => {
                    format!("the server sends us elsewhere more than {MAX_TURNS} times")
                }
                Outcome::Moved(to) => {
                    info!(url = %self.target, protocol = self.name, %to, "the server sends us elsewhere");
                    (target, turns) = (to, turns + 1);
                    continue;
                }
                Outcome::Failed(reason) => reason,
            };
            if shutdown.is_cancelled() {
                break;
            }
            (failures, turns) = (failures + 1, 0);
            let retry_in = self.backoff.pause(failures);
            warn!(url = %self.target, protocol = self.name, reason, ?retry_in, "no connection");
            let health = if retry_in.is_some() {
                Health::Degraded
            } else {
                Health::Failed
            };
            ctx.report_health(health(reason.clone()));
            self.set(RelayStatus::Failed { reason, retry_in });
            match retry_in {
                Some(pause) => tokio::select! {
                    biased;
                    () = shutdown.cancelled() => break,
                    () = tokio::time::sleep(pause) => {}
                },
                // Given up, which must not wind down the engine's other protocols.
                None => return shutdown.cancelled().await,
            }
        }
        self.set(RelayStatus::Stopped);
    }
}

/// Tokio's clock, which tests can hold.
#[expect(clippy::disallowed_methods, reason = "the supervisor is a driver")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AppSpec, Engine};
    use std::sync::Mutex;

    #[tokio::test(start_paused = true)]
    async fn failures_pause_and_turns_do_not_until_there_are_too_many() {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let ctx = IngestContext::new(engine);
        let shutdown = CancellationToken::new();
        let mut supervisor = Supervisor::new("test-pull", "home".to_owned());
        let backoff = Backoff::default().random(|| 1.0).attempts(Some(2));
        supervisor.set_backoff(backoff);
        let seen = Mutex::new(Vec::new());
        let attempt = |target: String, failures| {
            seen.lock()
                .expect("one task")
                .push((target, failures, now()));
            async {
                let outcome = Outcome::Moved("elsewhere".to_owned());
                Attempt::new(None, outcome)
            }
        };
        tokio::join!(supervisor.run(&ctx, &shutdown, attempt), async {
            let failed =
                |status: &RelayStatus| matches!(status, RelayStatus::Failed { retry_in: None, .. });
            let status = supervisor
                .status()
                .wait_for(failed)
                .await
                .map(|s| s.clone());
            let text = status.expect("it runs").to_string();
            assert!(text.contains("more than 5 times"), "{text}");
            shutdown.cancel();
        });
        let seen = seen.into_inner().expect("one task");
        let targets: Vec<_> = seen
            .iter()
            .map(|(target, failures, _)| (target.as_str(), *failures))
            .collect();
        let round = |failures| {
            [("home", failures)]
                .into_iter()
                .chain([("elsewhere", failures); 5])
        };
        let expected: Vec<_> = round(0).chain(round(1)).collect();
        assert_eq!(targets, expected);
        assert_eq!(seen[6].2 - seen[0].2, Duration::from_secs(1));
    }
}
