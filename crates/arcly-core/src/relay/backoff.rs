//! The pauses between attempts to connect.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// How long a client pauses before it connects again: doubled with each failure in a row, with jitter, so that many clients of a server
/// that comes back do not come back all at once.
///
/// The pause after failure `n`, counted from 0, is `min × 2^n`, at most `max`, of which the upper half is random. A connection that was
/// live for ten seconds counts as a success, after which counting starts anew.
#[derive(Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    attempts: Option<u32>,
    random: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Backoff {
    /// The default of the shortest pause.
    pub const DEFAULT_MIN: Duration = Duration::from_secs(1);
    /// The default of the longest pause.
    pub const DEFAULT_MAX: Duration = Duration::from_secs(60);

    /// Pauses from `min` to `max`, for any number of attempts. A `max` below `min` counts as `min`, and neither is below 10 ms.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        let min = min.max(Duration::from_millis(10));
        Self {
            min,
            max: max.max(min),
            attempts: None,
            random: Arc::new(random),
        }
    }

    /// Gives up after so many failures in a row, at least one. `None`, the default, never does.
    #[must_use]
    pub fn attempts(mut self, attempts: Option<u32>) -> Self {
        self.attempts = attempts;
        self
    }

    /// Takes the jitter from `random`, which gives numbers from 0 up to 1.
    #[must_use]
    pub fn random(mut self, random: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        self.random = Arc::new(random);
        self
    }

    /// The pause after `failures` in a row; `None` where these were enough.
    #[must_use]
    pub fn pause(&self, failures: u32) -> Option<Duration> {
        if self.attempts.is_some_and(|attempts| failures >= attempts) {
            return None;
        }
        let doublings = failures.saturating_sub(1).min(31);
        let longest = self.min.saturating_mul(1 << doublings).min(self.max);
        let jitter = (self.random)();
        let jitter = if jitter.is_finite() {
            jitter.clamp(0.0, 1.0)
        } else {
            0.0
        };
        Some(longest.mul_f64(0.5 + jitter / 2.0))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MIN, Self::DEFAULT_MAX)
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("min", &self.min)
            .field("max", &self.max)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

fn random() -> f64 {
    // The keys of a fresh hash map differ each time. The upper 53 bits make all the numbers from 0 up to 1 that are so far apart.
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10)).random(|| 1.0);
        let seconds = |failures| backoff.pause(failures).map(|pause| pause.as_secs_f64());
        assert_eq!(
            [1, 2, 3, 4, 5, 99].map(seconds),
            [1.0, 2.0, 4.0, 8.0, 10.0, 10.0].map(Some)
        );
        let backoff = backoff.random(|| 0.0).attempts(Some(2));
        assert_eq!(backoff.pause(1), Some(Duration::from_millis(500)));
        assert_eq!(backoff.pause(2), None);
    }

    #[test]
    fn jitter_is_never_out_of_its_half() {
        for odd in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
            let backoff = Backoff::default().random(move || odd);
            let pause = backoff.pause(1).expect("for ever");
            assert!((0.5..=1.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        assert!(numbers.iter().any(|n| *n < 0.5) && numbers.iter().any(|n| *n >= 0.5));
    }
}
