//! How much arrives.

use std::collections::VecDeque;
use std::time::Duration;

/// Over how long it is averaged.
const WINDOW: Duration = Duration::from_millis(500);

/// How much of that has to have gone by until there is an average.
const SETTLED: Duration = Duration::from_millis(100);

/// The most packets that are remembered: 100 Mbit/s.
const MAX_PACKETS: usize = 5_000;

/// Bits a second, by the receiver's clock.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    /// When packets arrived, in microseconds, and their bytes.
    arrived: VecDeque<(i64, u32)>,
    bytes: u64,
    /// When the first one of all arrived.
    start: Option<i64>,
}

impl Throughput {
    /// A packet arrived at this time, in microseconds.
    pub(super) fn push(&mut self, arrived: i64, bytes: u32) {
        self.start.get_or_insert(arrived);
        self.arrived.push_back((arrived, bytes));
        self.bytes += u64::from(bytes);
        let begin = arrived - WINDOW.as_micros() as i64;
        while let Some(&(oldest, bytes)) = self.arrived.front()
            && (oldest < begin || self.arrived.len() > MAX_PACKETS)
        {
            self.arrived.pop_front();
            self.bytes -= u64::from(bytes);
        }
    }

    /// Bits a second; `None` until enough time has gone by.
    pub(super) fn bits_per_second(&self) -> Option<u64> {
        let (latest, _) = self.arrived.back()?;
        let since_start = u64::try_from(latest - self.start?).ok()?;
        let span = since_start.min(WINDOW.as_micros() as u64);
        (u128::from(span) >= SETTLED.as_micros()).then(|| self.bytes * 8 * 1_000_000 / span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_arrived_in_the_last_half_second() {
        let mut throughput = Throughput::default();
        let mut rates = Vec::new();
        for number in 0..200 {
            // 1 Mbit/s, and from the second second on half of it.
            let bytes = if number < 100 { 1_250 } else { 625 };
            throughput.push(number * 10_000, bytes);
            rates.push(throughput.bits_per_second());
        }
        assert_eq!(rates[9], None);
        let near = |rate: Option<u64>, to: u64| rate.is_some_and(|rate| rate.abs_diff(to) < to / 8);
        assert!(near(rates[99], 1_000_000), "{:?}", rates[99]);
        assert!(near(rates[199], 500_000), "{:?}", rates[199]);
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut throughput = Throughput::default();
        for _ in 0..50_000 {
            throughput.push(7, 1_000);
        }
        assert_eq!(throughput.arrived.len(), MAX_PACKETS);
        assert_eq!(throughput.bits_per_second(), None);
    }
}
