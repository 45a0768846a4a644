//! Keeping log lines that peers can cause from filling a disk.

use std::time::Duration;
use tokio::time::Instant;

/// Lines that may be written at once, so that an ordinary incident is logged whole.
const BURST: u32 = 32;
/// How often a further line may be written after that: with 200 bytes a line, a flood writes 17 MB a day.
const REFILL: Duration = Duration::from_secs(1);

/// Decides which lines are written, and counts the others.
#[derive(Debug)]
pub(super) struct LogLimit {
    /// Lines that may be written now.
    budget: u32,
    /// Since when `budget` has been growing.
    since: Instant,
    suppressed: u64,
}

impl LogLimit {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            budget: BURST,
            since: now,
            suppressed: 0,
        }
    }

    /// Whether a line may be written: `Some` with how many were suppressed before it.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        let grown = now.saturating_duration_since(self.since).as_nanos() / REFILL.as_nanos();
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        if grown > 0 {
            self.budget = self.budget.saturating_add(grown).min(BURST);
            self.since = if self.budget == BURST {
                now
            } else {
                self.since + REFILL * grown
            };
        }
        if self.budget == 0 {
            self.suppressed += 1;
            return None;
        }
        if self.budget == BURST {
            self.since = now;
        }
        self.budget -= 1;
        Some(self.take_suppressed())
    }

    /// How many lines were suppressed since the last one that was written.
    pub(super) fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_one_line_a_second_and_a_count() {
        let start = Instant::now();
        let mut limit = LogLimit::new(start);
        let burst = (0..1_000).filter(|_| limit.admit(start).is_some()).count();
        assert_eq!(burst, BURST as usize);
        assert_eq!(limit.admit(start + REFILL), Some(1_000 - u64::from(BURST)));
        let later = (0..100_u32)
            .filter(|step| limit.admit(start + REFILL + REFILL * *step / 10).is_some())
            .count();
        assert_eq!(later, 9, "ten seconds, of which the first was used");
    }

    #[test]
    fn after_a_quiet_time_an_incident_is_logged_whole() {
        let start = Instant::now();
        let mut limit = LogLimit::new(start);
        while limit.admit(start).is_some() {}
        let now = start + REFILL * BURST * 2;
        assert_eq!(
            (0..100).filter(|_| limit.admit(now).is_some()).count(),
            BURST as usize
        );
    }
}
