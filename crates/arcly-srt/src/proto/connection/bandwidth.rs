//! How fast data is sent: LiveCC (draft-sharabayko-srt-01, 5.1).

use super::input_rate::InputRate;
use std::time::{Duration, Instant};

/// How much bandwidth a connection may use for data packets, retransmissions included (draft-sharabayko-srt-01, 5.1.1). Rates are bytes
/// a second and count the headers of SRT, UDP and IPv4: [`PACKET_OVERHEAD`] a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxBandwidth {
    /// No more than that (MAXBW_SET; libsrt's `SRTO_MAXBW` > 0).
    Fixed(u64),
    /// So much for the stream, and so many percent of it more for retransmissions (INPUTBW_SET; libsrt's `SRTO_INPUTBW`
    /// with `SRTO_OHEADBW`).
    Input {
        /// The rate of the stream.
        rate: u64,
        /// The percentage for retransmissions; libsrt's default is 25.
        overhead: u32,
    },
    /// What the stream turns out to need, measured while it is sent, and so many percent of it more (INPUTBW_ESTIMATED;
    /// `SRTO_MAXBW` = 0 with `SRTO_MININPUTBW`).
    Estimated {
        /// The rate of the stream is taken to be at least this.
        min_rate: u64,
        /// The percentage for retransmissions.
        overhead: u32,
    },
}

impl MaxBandwidth {
    /// 1 Gbit/s, which is what libsrt's default stands for.
    pub const UNLIMITED: Self = Self::Fixed(125_000_000);
}

impl Default for MaxBandwidth {
    /// [`UNLIMITED`](Self::UNLIMITED).
    fn default() -> Self {
        Self::UNLIMITED
    }
}

/// What a data packet takes beyond its payload: 16 bytes of SRT's header, 8 of UDP's and 20 of IPv4's.
pub const PACKET_OVERHEAD: usize = 44;

/// When the next data packet may be sent.
///
/// Each packet takes the time that it needs at the allowed rate. Time that was not used is kept for [`MAX_CREDIT`], so that a timer which goes
/// off late does not make the connection slower than it may be.
#[derive(Debug)]
pub(super) struct Pacer {
    bandwidth: MaxBandwidth,
    input: InputRate,
    next: Option<Instant>,
}

/// Timers of operating systems go off up to some milliseconds late.
const MAX_CREDIT: Duration = Duration::from_millis(5);

impl Pacer {
    pub(super) fn new(bandwidth: MaxBandwidth) -> Self {
        Self {
            bandwidth,
            input: InputRate::default(),
            next: None,
        }
    }

    pub(super) fn set_bandwidth(&mut self, bandwidth: MaxBandwidth) {
        self.bandwidth = bandwidth;
    }

    /// A packet with `payload` bytes is to be sent.
    pub(super) fn submitted(&mut self, payload: usize, now: Instant) {
        self.input.add(payload + PACKET_OVERHEAD, now);
    }

    /// The rate that is allowed, in bytes a second.
    pub(super) fn allowed(&self) -> u64 {
        let (rate, overhead) = match self.bandwidth {
            MaxBandwidth::Fixed(rate) => (rate, 0),
            MaxBandwidth::Input { rate, overhead } => (rate, overhead),
            MaxBandwidth::Estimated { min_rate, overhead } => match self.input.rate() {
                Some(rate) => (rate.max(min_rate), overhead),
                // Nothing is known yet: what holds the stream up now is late for good.
                None => return UNKNOWN_RATE,
            },
        };
        let rate = rate.saturating_add(rate.saturating_mul(overhead.into()) / 100);
        if rate == 0 { UNKNOWN_RATE } else { rate }
    }

    /// The measured rate of what is submitted, in bytes a second.
    pub(super) fn input_rate(&self) -> Option<u64> {
        self.input.rate()
    }

    /// When the next data packet may be sent: `None` where that is now.
    pub(super) fn blocked_until(&self, now: Instant) -> Option<Instant> {
        self.next.filter(|&next| next > now)
    }

    /// A data packet with `payload` bytes was sent.
    pub(super) fn sent(&mut self, payload: usize, now: Instant) {
        let bytes = (payload + PACKET_OVERHEAD) as u64;
        let takes = Duration::from_nanos(bytes * 1_000_000_000 / self.allowed());
        let from = match (self.next, now.checked_sub(MAX_CREDIT)) {
            (Some(next), Some(earliest)) => next.max(earliest),
            _ => now,
        };
        self.next = from.checked_add(takes);
    }
}

/// 1 Gbit/s.
const UNKNOWN_RATE: u64 = 125_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        Instant::now()
    }

    /// Sends whenever it is allowed, looking each `step`, and returns how many packets went out in a second.
    fn packets_in_a_second(pacer: &mut Pacer, step: Duration) -> u32 {
        let start = start();
        let mut now = start;
        let mut packets = 0;
        while now < start + Duration::from_secs(1) {
            while pacer.blocked_until(now).is_none() {
                pacer.sent(1316, now);
                packets += 1;
            }
            now += step;
        }
        packets
    }

    #[test]
    fn a_rate_is_kept_however_rarely_the_timer_goes_off() {
        for step in [Duration::from_micros(100), Duration::from_millis(4)] {
            let mut pacer = Pacer::new(MaxBandwidth::Fixed(136_000));
            let packets = packets_in_a_second(&mut pacer, step);
            assert!((100..=101).contains(&packets), "{packets} at {step:?}");
        }
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut pacer = Pacer::new(MaxBandwidth::Fixed(1_360_000));
        let start = start();
        pacer.sent(1316, start);
        let later = start + Duration::from_secs(10);
        let mut burst = 0;
        while pacer.blocked_until(later).is_none() {
            pacer.sent(1316, later);
            burst += 1;
        }
        assert!(burst <= 6, "{burst}");
    }

    #[test]
    fn the_modes_allow_what_they_say() {
        let input = MaxBandwidth::Input {
            rate: 1_000_000,
            overhead: 25,
        };
        assert_eq!(Pacer::new(input).allowed(), 1_250_000);

        let mut pacer = Pacer::new(MaxBandwidth::Estimated {
            min_rate: 500_000,
            overhead: 50,
        });
        let start = start();
        assert_eq!(pacer.allowed(), UNKNOWN_RATE);
        for step in 0..2_000u32 {
            pacer.submitted(1316, start + step * Duration::from_millis(1));
        }
        let expected = 1_360_000 * 3 / 2;
        assert!(
            pacer.allowed().abs_diff(expected) < expected / 100,
            "{}",
            pacer.allowed()
        );
        for step in 0..10u32 {
            pacer.submitted(100, start + Duration::from_secs(3 + u64::from(step)));
        }
        assert_eq!(pacer.allowed(), 750_000);
        assert_eq!(Pacer::new(MaxBandwidth::Fixed(0)).allowed(), UNKNOWN_RATE);
    }
}
