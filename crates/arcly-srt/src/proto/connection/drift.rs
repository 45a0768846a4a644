//! How far the peer's clock has run away from ours.

/// After how many samples the drift is reckoned anew. There are up to a hundred a second, one a full ACK, so that jitter of the network
/// is averaged over ten seconds: clocks drift by milliseconds in an hour.
const SAMPLES: i64 = 1_000;

/// The mean distance between when packets of the peer arrive and when they are due by its clock as we took it at the handshake
/// (draft-sharabayko-srt-01, 4.7).
///
/// A path that has become longer looks like a slow clock. So half of what the round-trip time has grown since the first
/// sample is taken off: the latency then stays the same when the path changes, as it does with libsrt since 1.4.4.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DriftTracer {
    /// In microseconds: what is in force.
    drift: i64,
    sum: i64,
    samples: i64,
    /// The round-trip time of the first sample, in microseconds.
    first_rtt: Option<i64>,
}

/// A sample beyond this, in microseconds, is no drift but a jump of the peer's clock or a lie, and is not counted.
const MAX_SAMPLE: i64 = 60_000_000;

impl DriftTracer {
    /// By how many microseconds packets are to be delivered later than the handshake would have it.
    pub(super) const fn drift(&self) -> i64 {
        self.drift
    }

    /// A packet came `late` microseconds after it was due by the handshake; the round-trip time was measured with it.
    pub(super) fn sample(&mut self, late: i64, rtt: i64) {
        let first_rtt = *self.first_rtt.get_or_insert(rtt);
        let sample = late.saturating_sub(rtt.saturating_sub(first_rtt) / 2);
        if !(-MAX_SAMPLE..=MAX_SAMPLE).contains(&sample) {
            return;
        }
        self.sum += sample;
        self.samples += 1;
        if self.samples >= SAMPLES {
            self.drift = self.sum / self.samples;
            self.sum = 0;
            self.samples = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_testkit::Random;

    #[test]
    fn a_drifting_clock_is_followed_through_jitter() {
        let mut tracer = DriftTracer::default();
        let mut random = Random::new(1);
        // 100 ppm over an hour of samples each 10 ms, with 10 ms of jitter around the true value.
        for step in 0..360_000_i64 {
            let truth = step;
            let jitter = random.below(10_000).cast_signed() - 5_000;
            tracer.sample(truth + jitter, 20_000);
            if step > 2 * SAMPLES {
                let error = (tracer.drift() - truth).abs();
                assert!(error < 2_500, "{error} µs off after {step} samples");
            }
        }
    }

    #[test]
    fn a_longer_path_is_no_drift() {
        let mut tracer = DriftTracer::default();
        for step in 0..3 * SAMPLES {
            let rtt = if step < 10 { 20_000 } else { 80_000 };
            tracer.sample((rtt - 20_000) / 2, rtt);
        }
        assert_eq!(tracer.drift(), 0);
    }

    #[test]
    fn lies_are_not_counted() {
        let mut tracer = DriftTracer::default();
        for _ in 0..2 * SAMPLES {
            tracer.sample(i64::MAX, 0);
            tracer.sample(i64::MIN, i64::MAX);
        }
        assert_eq!(tracer.drift(), 0);
    }
}
