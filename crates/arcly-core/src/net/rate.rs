//! How fast something may come.

use std::time::{Duration, Instant};

/// Lets through so many a second on average, and twice as many in a burst (GCRA, ITU-T I.371).
#[derive(Clone, Debug)]
pub struct Rate {
    /// How long one is to be paid for, in nanoseconds; 0: nothing.
    cost: f64,
    /// When all that was let through is paid for.
    paid: Instant,
}

/// How far ahead of its payment a burst may run.
const BURST: Duration = Duration::from_secs(2);

impl Rate {
    /// So many a second, at least one.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self {
            cost: 1e9 / f64::from(per_second.max(1)),
            paid: now,
        }
    }

    /// A rate of bytes; 0 a second means any number.
    #[must_use]
    pub fn bytes(per_second: u64, now: Instant) -> Self {
        let cost = if per_second == 0 {
            0.0
        } else {
            1e9 / per_second as f64
        };
        Self { cost, paid: now }
    }

    /// Lets `count` through, and says how long the next is to wait for that to be within the rate.
    pub fn charge(&mut self, count: u64, now: Instant) -> Duration {
        // `as` saturates.
        let cost = Duration::from_nanos((self.cost * count as f64) as u64);
        self.paid = self.paid.max(now) + cost;
        self.paid.duration_since(now).saturating_sub(BURST)
    }

    /// Whether one more is within the rate.
    pub fn take(&mut self, now: Instant) -> bool {
        let paid = self.paid.max(now) + Duration::from_nanos(self.cost as u64);
        if paid.duration_since(now) > BURST {
            return false;
        }
        self.paid = paid;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary origin of time for the test"
    )]
    fn a_burst_of_two_seconds_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        assert_eq!((0..100).filter(|_| rate.take(start)).count(), 20);
        assert_eq!(
            (0..100)
                .filter(|_| rate.take(start + Duration::from_millis(300)))
                .count(),
            3
        );
        assert_eq!(
            (0..100)
                .filter(|_| rate.take(start + Duration::from_secs(60)))
                .count(),
            20
        );
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary origin of time for the test"
    )]
    fn bytes_are_slowed_down_to_their_rate() {
        let start = Instant::now();
        let mut rate = Rate::bytes(1_000, start);
        assert_eq!(rate.charge(2_000, start), Duration::ZERO, "a burst");
        assert_eq!(rate.charge(500, start), Duration::from_millis(500));
        let later = start + Duration::from_secs(10);
        assert_eq!(rate.charge(1, later), Duration::ZERO);
        let mut any = Rate::bytes(0, start);
        assert_eq!(any.charge(u64::MAX, start), Duration::ZERO);
    }
}
