//! How long a packet takes there and back.

use std::time::Duration;

/// The round-trip time and its variance, as draft-sharabayko-srt-01, 4.10 smooths them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoundTrip {
    smoothed: Duration,
    variance: Duration,
    measured: bool,
}

/// What is assumed before the first measurement (4.10).
const INITIAL: Duration = Duration::from_millis(100);
const INITIAL_VARIANCE: Duration = Duration::from_millis(50);

/// A longer one is not believed: no link is that slow, and whoever says so would only delay our retransmissions.
const MAX: Duration = Duration::from_secs(10);

impl Default for RoundTrip {
    fn default() -> Self {
        Self {
            smoothed: INITIAL,
            variance: INITIAL_VARIANCE,
            measured: false,
        }
    }
}

impl RoundTrip {
    /// The smoothed round-trip time.
    pub(super) const fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// How far single ones are from it.
    pub(super) const fn variance(&self) -> Duration {
        self.variance
    }

    /// How long to wait for an answer until it is late: RTT + 4 × RTTVar.
    pub(super) fn patience(&self) -> Duration {
        self.smoothed + 4 * self.variance
    }

    /// A pair of ACK and ACKACK took `sample`. The first counts in full.
    pub(super) fn sample(&mut self, sample: Duration) {
        let sample = sample.min(MAX);
        if !self.measured {
            self.measured = true;
            self.smoothed = sample;
            self.variance = sample / 2;
            return;
        }
        self.smooth(sample);
    }

    /// The peer says in an ACK what it measured. `own` tells whether we measure too, since the peer sends data as well; then its
    /// smoothed figure counts as one sample, else as it is.
    pub(super) fn reported(&mut self, smoothed: Duration, variance: Duration, own: bool) {
        if smoothed > MAX || variance > MAX || smoothed.is_zero() {
            return;
        }
        // What the peer assumes until it has measured.
        if (smoothed, variance) == (INITIAL, INITIAL_VARIANCE) {
            return;
        }
        if own && self.measured {
            self.smooth(smoothed);
        } else {
            self.measured = true;
            self.smoothed = smoothed;
            self.variance = variance;
        }
    }

    fn smooth(&mut self, sample: Duration) {
        self.variance = (self.variance * 3 + self.smoothed.abs_diff(sample)) / 4;
        self.smoothed = (self.smoothed * 7 + sample) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_first_sample_counts_in_full() {
        let mut rtt = RoundTrip::default();
        rtt.sample(ms(20));
        assert_eq!((rtt.smoothed(), rtt.variance()), (ms(20), ms(10)));
        rtt.sample(ms(28));
        assert_eq!(rtt.smoothed(), ms(21));
        assert_eq!(rtt.variance(), Duration::from_micros(9_500));
    }

    #[test]
    fn what_the_peer_assumes_is_no_measurement() {
        let mut rtt = RoundTrip::default();
        rtt.reported(ms(100), ms(50), false);
        rtt.reported(Duration::MAX, ms(1), false);
        assert_eq!(rtt, RoundTrip::default());
        rtt.reported(ms(40), ms(3), false);
        assert_eq!(rtt.patience(), ms(52));
    }

    proptest! {
        #[test]
        fn it_stays_among_its_samples(samples in prop::collection::vec(1u64..20_000_000, 1..200)) {
            let mut rtt = RoundTrip::default();
            for &sample in &samples {
                rtt.sample(Duration::from_micros(sample));
            }
            let least = Duration::from_micros(*samples.iter().min().unwrap()).min(MAX);
            prop_assert!(rtt.smoothed() + Duration::from_micros(1) >= least && rtt.smoothed() <= MAX);
            prop_assert!(rtt.variance() <= MAX);
        }
    }
}
