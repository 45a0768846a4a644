//! What the times of arrival tell of the network: the rate that is received and what the link could carry.

use std::time::{Duration, Instant};

/// Estimates that go into full ACKs (draft-sharabayko-srt-01, 5.2.1.4): intervals between packets and between the two packets of a probing
/// pair, of which those far from the median are left out, since a pause or a busy processor says nothing about the network.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals {
    last: Option<Instant>,
    /// The last packet, where it was the first of a pair.
    probe: Option<Instant>,
    intervals: Window<16>,
    sizes: Window<16>,
    probes: Window<64>,
}

/// Each so many-th packet is followed by the next one at once, whatever the pace: their distance on arrival shows what the link
/// carries.
pub(super) const PROBE_EVERY: u32 = 16;

/// What was measured; zero where that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ArrivalRates {
    /// Packets a second.
    pub(super) packets: u32,
    /// Bytes a second, with headers.
    pub(super) bytes: u32,
    /// What the link could carry, in packets a second.
    pub(super) capacity: u32,
}

impl Arrivals {
    /// A data packet of `bytes`, header included, came for the first time. `number` is its sequence number; `in_order` whether it is the next one after
    /// the packet before it.
    pub(super) fn add(&mut self, now: Instant, bytes: usize, number: u32, in_order: bool) {
        if let Some(last) = self.last.replace(now) {
            self.intervals.push(now.saturating_duration_since(last));
            self.sizes.push(Duration::from_micros(bytes as u64));
        }
        let first = self.probe.take();
        match number % PROBE_EVERY {
            0 => self.probe = Some(now),
            1 if in_order => {
                if let Some(first) = first {
                    self.probes.push(now.saturating_duration_since(first));
                }
            }
            _ => {}
        }
    }

    pub(super) fn rates(&self) -> ArrivalRates {
        let bytes: u64 = self
            .sizes
            .values()
            .iter()
            .map(|&micros| u64::from(micros))
            .sum();
        let count = self.sizes.values().len().max(1) as u64;
        let packets = self.intervals.per_second();
        ArrivalRates {
            packets,
            bytes: u32::try_from(u64::from(packets) * bytes / count).unwrap_or(u32::MAX),
            capacity: self.probes.per_second(),
        }
    }
}

/// The last intervals, in microseconds.
#[derive(Debug, Clone)]
struct Window<const N: usize> {
    values: [u32; N],
    filled: usize,
    next: usize,
}

impl<const N: usize> Default for Window<N> {
    fn default() -> Self {
        Self {
            values: [0; N],
            filled: 0,
            next: 0,
        }
    }
}

impl<const N: usize> Window<N> {
    fn push(&mut self, interval: Duration) {
        let micros = u32::try_from(interval.as_micros()).unwrap_or(u32::MAX);
        if let Some(value) = self.values.get_mut(self.next) {
            *value = micros;
        }
        self.next = (self.next + 1) % N;
        self.filled = (self.filled + 1).min(N);
    }

    fn values(&self) -> &[u32] {
        self.values.get(..self.filled).unwrap_or(&[])
    }

    /// How many of the intervals fit a second, by the mean of those within an eighth to eight times the median; 0 where these are not at
    /// least half of a full window.
    fn per_second(&self) -> u32 {
        let mut sorted = self.values;
        let Some(sorted) = sorted.get_mut(..self.filled) else {
            return 0;
        };
        sorted.sort_unstable();
        let Some(&median) = sorted.get(sorted.len() / 2) else {
            return 0;
        };
        let likely = (median / 8)..=median.saturating_mul(8);
        let (mut count, mut sum) = (0u64, 0u64);
        for &value in sorted.iter().filter(|value| likely.contains(value)) {
            count += 1;
            sum += u64::from(value);
        }
        if count < N as u64 / 2 {
            return 0;
        }
        u32::try_from((count * 1_000_000).div_ceil(sum.max(1))).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_stream_and_of_the_link() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.rates(), ArrivalRates::default());
        let mut now = start;
        for number in 0..1_600u32 {
            // A packet a millisecond, but the second of each pair after 100 µs; and once a long pause.
            now += match number {
                900 => Duration::from_secs(2),
                _ if number % PROBE_EVERY == 1 => Duration::from_micros(100),
                _ => Duration::from_millis(1),
            };
            arrivals.add(now, 1_332, number, true);
        }
        let rates = arrivals.rates();
        assert!((990..1_100).contains(&rates.packets), "{rates:?}");
        assert_eq!(rates.capacity, 10_000);
        assert_eq!(rates.bytes, rates.packets * 1_332);
    }
}
