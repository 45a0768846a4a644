//! How fast a stream is handed over to be sent.

use std::time::{Duration, Instant};

/// Measures the bytes a second over periods of a second, the first one half as long, so that a rate is known soon.
#[derive(Debug, Clone, Default)]
pub(super) struct InputRate {
    since: Option<Instant>,
    bytes: u64,
    rate: Option<u64>,
}

const PERIOD: Duration = Duration::from_secs(1);
const FIRST_PERIOD: Duration = Duration::from_millis(500);

impl InputRate {
    /// The rate of the last whole period, in bytes a second.
    pub(super) const fn rate(&self) -> Option<u64> {
        self.rate
    }

    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        let period = if self.rate.is_none() {
            FIRST_PERIOD
        } else {
            PERIOD
        };
        if elapsed >= period {
            let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
            self.rate = self.bytes.saturating_mul(1_000_000).checked_div(micros);
            self.since = Some(now);
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_the_stream() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let mut rate = InputRate::default();
        for step in 0..=50u32 {
            rate.add(1_000, start + step * Duration::from_millis(10));
        }
        assert_eq!(rate.rate(), Some(100_000));
        for step in 51..=250u32 {
            rate.add(3_000, start + step * Duration::from_millis(10));
        }
        assert_eq!(rate.rate(), Some(300_000));
    }
}
