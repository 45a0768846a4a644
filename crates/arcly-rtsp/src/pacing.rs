//! How fast who is sent datagrams is brought from the keyframe that it starts at to now.

use arcly_core::Timestamp;
use std::time::{Duration, Instant};

/// What may go out at once, ahead of the pace: the keyframe, with the sound beside it.
const AHEAD: Duration = Duration::from_millis(100);

/// Holds frames back until it is their time: those of one second each `1/speed` second, until nothing is left behind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    started: Instant,
    first: Timestamp,
    speed: u32,
}

impl Burst {
    pub(crate) fn new(first: Timestamp, speed: u32, now: Instant) -> Self {
        Self {
            started: now,
            first,
            speed: speed.max(1),
        }
    }

    /// How long a frame with this decoding time has to wait; zero where it may go out.
    pub(crate) fn wait(&self, dts: Timestamp, now: Instant) -> Duration {
        let ahead = dts.since(self.first).to_ticks(1_000_000);
        let ahead = Duration::from_micros(u64::try_from(ahead).unwrap_or(0));
        let due = ahead.saturating_sub(AHEAD) / self.speed;
        due.saturating_sub(now.saturating_duration_since(self.started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any start will do")]
    fn four_seconds_a_second() {
        let start = Instant::now();
        let burst = Burst::new(Timestamp::from_millis(1_000), 4, start);
        let at = |dts: i64, millis| {
            let now = start + Duration::from_millis(millis);
            burst.wait(Timestamp::from_millis(dts), now).as_millis()
        };
        assert_eq!(at(500, 0), 0, "before the keyframe in decoding order");
        assert_eq!(at(1_100, 0), 0);
        assert_eq!(at(2_100, 0), 250);
        assert_eq!((at(2_100, 249), at(2_100, 250)), (1, 0));
    }
}
