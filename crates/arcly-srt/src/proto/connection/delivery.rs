//! When packets are delivered: TSBPD (draft-sharabayko-srt-01, 4.5).

use super::drift::DriftTracer;
use crate::proto::time::PacketTime;
use std::time::{Duration, Instant};

/// From the timestamps of the peer to when packets are delivered here.
///
/// The base is a packet of the handshake: when it came, and what the peer's clock showed when it was sent. So a packet is delivered the
/// latency after it would have come over a path as quick as that packet's. The wrap of timestamps each 71.6 minutes needs no state: what
/// they show is taken to be the time that is nearest to what the peer's clock must show by ours.
#[derive(Debug)]
pub(super) struct Delivery {
    base: Instant,
    base_stamp: i64,
    latency: Duration,
    drift: DriftTracer,
    drift_tracing: bool,
    /// How much longer than the latency a packet may be held.
    ahead: Duration,
}

impl Delivery {
    pub(super) fn new(
        (base, stamp): (Instant, PacketTime),
        latency: Duration,
        ahead: Duration,
        drift_tracing: bool,
    ) -> Self {
        Self {
            base,
            base_stamp: i64::from(stamp.as_micros()),
            latency,
            drift: DriftTracer::default(),
            drift_tracing,
            ahead,
        }
    }

    /// When the handshake was: before anything is due.
    pub(super) const fn base(&self) -> Instant {
        self.base
    }

    /// By how many microseconds the peer's clock has drifted.
    pub(super) const fn drift(&self) -> i64 {
        self.drift.drift()
    }

    /// The time of a packet that came `now`, on the peer's clock: microseconds, unwrapped. One that would be held for too long is
    /// not believed, and taken to be sent just now.
    pub(super) fn stamp(&self, time: PacketTime, now: Instant) -> i64 {
        let expected = self.expected(now);
        let stamp = unwrap(time, expected);
        let ahead = stamp.saturating_sub(expected.saturating_sub(self.drift.drift()));
        if ahead > micros(self.ahead) {
            expected.saturating_sub(self.drift.drift())
        } else {
            stamp
        }
    }

    /// When a packet with that time is delivered.
    pub(super) fn due(&self, stamp: i64) -> Instant {
        let offset = stamp
            .saturating_sub(self.base_stamp)
            .saturating_add(self.drift.drift());
        let from = self.base + self.latency;
        let by = Duration::from_micros(offset.unsigned_abs());
        let due = if offset < 0 {
            from.checked_sub(by)
        } else {
            from.checked_add(by)
        };
        due.unwrap_or(self.base)
    }

    /// A packet that the peer had sent at once, with its time, came `now`, when a round trip had taken `rtt`.
    pub(super) fn sample(&mut self, time: PacketTime, now: Instant, rtt: Duration) {
        if !self.drift_tracing {
            return;
        }
        let expected = self.expected(now);
        let late = expected.saturating_sub(unwrap(time, expected));
        self.drift.sample(late, micros(rtt));
    }

    /// What the peer's clock shows `now`, but for the drift.
    fn expected(&self, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.base);
        self.base_stamp.saturating_add(micros(elapsed))
    }
}

/// The time that is nearest to `near`, in microseconds.
fn unwrap(time: PacketTime, near: i64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a packet has the time modulo 2^32"
    )]
    let near_field = PacketTime::from_micros(near as u32);
    near.saturating_add(i64::from(time.offset_from(near_field)))
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Duration = Duration::from_millis(120);
    const AHEAD: Duration = Duration::from_secs(10);

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        Instant::now()
    }

    /// A peer whose clock showed `stamp` at the start; a packet takes 10 ms, as that of the handshake did.
    fn delivery(start: Instant, stamp: u32) -> Delivery {
        let base = start + Duration::from_millis(10);
        Delivery::new((base, PacketTime::from_micros(stamp)), LATENCY, AHEAD, true)
    }

    #[test]
    fn packets_are_delivered_the_latency_after_they_came_over_days() {
        let start = start();
        let first = u32::MAX - 1_000_000;
        let delivery = delivery(start, first);
        for minutes in (0..3 * 24 * 60).step_by(7) {
            let sent = Duration::from_secs(minutes * 60);
            let time = PacketTime::from_micros(first).plus(sent);
            let came = start + sent + Duration::from_millis(15);
            let due = delivery.due(delivery.stamp(time, came));
            assert_eq!(due, start + sent + Duration::from_millis(10) + LATENCY);
        }
    }

    #[test]
    fn a_time_that_would_hold_all_up_is_not_believed() {
        let start = start();
        let delivery = delivery(start, 0);
        let now = start + Duration::from_secs(100);
        for ahead in [10_100, 60_000, 30 * 60_000] {
            let time = PacketTime::from_micros((100_000 + ahead) * 1_000);
            assert_eq!(delivery.due(delivery.stamp(time, now)), now + LATENCY);
        }
        // Those of the past are due.
        let time = PacketTime::from_micros(1);
        assert!(delivery.due(delivery.stamp(time, now)) < now);
        let half = PacketTime::from_micros(100_000_000 + (1 << 31) + 5);
        assert!(delivery.due(delivery.stamp(half, now)) < now);
    }

    #[test]
    fn a_slow_clock_is_followed() {
        let start = start();
        let mut delivery = delivery(start, 0);
        // The peer's clock loses a millisecond a second.
        for step in 0..6_000u32 {
            let now = start + Duration::from_millis(10) + step * Duration::from_millis(10);
            let shown = PacketTime::from_micros(step * 9_990);
            delivery.sample(shown, now, Duration::from_millis(20));
        }
        assert!(
            (54_000..58_000).contains(&delivery.drift()),
            "{}",
            delivery.drift()
        );
        let now = start + Duration::from_secs(60);
        let stamp = delivery.stamp(PacketTime::from_micros(59_940_000), now);
        let error =
            (delivery.due(stamp) - LATENCY).max(now) - (delivery.due(stamp) - LATENCY).min(now);
        assert!(error < Duration::from_millis(20), "{error:?}");
    }
}
