//! Bit rates and frame rate as they were measured, for the multivariant playlist.

use arcly_core::TimeDelta;
use std::collections::VecDeque;

/// How many segments back a peak is looked for. A set of segments spans at most one and a half
/// target durations.
const MAX_SET: usize = 16;

/// What the finished segments of a publish measured.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    recent: VecDeque<(u64, TimeDelta)>,
    peak: u64,
    bytes: u64,
    duration: TimeDelta,
    pictures: u64,
    picture_time: TimeDelta,
}

impl Rates {
    /// Adds a segment with `pictures` frames of the leading video track.
    pub(crate) fn add(
        &mut self,
        bytes: usize,
        duration: TimeDelta,
        pictures: u64,
        target: TimeDelta,
    ) {
        let bytes = bytes as u64;
        self.bytes = self.bytes.saturating_add(bytes);
        self.duration = self.duration + duration;
        if pictures > 0 {
            self.pictures = self.pictures.saturating_add(pictures);
            self.picture_time = self.picture_time + duration;
        }
        self.recent.push_back((bytes, duration));
        if self.recent.len() > MAX_SET {
            self.recent.pop_front();
        }
        // RFC 8216 4.1: the peak segment bit rate is the largest of any contiguous set of segments
        // whose duration is between 0.5 and 1.5 times the target duration. A segment longer than
        // that counts alone.
        let (mut set_bytes, mut set) = (0_u64, TimeDelta::ZERO);
        for (index, (bytes, duration)) in self.recent.iter().rev().enumerate() {
            set_bytes = set_bytes.saturating_add(*bytes);
            set = set + *duration;
            if set.raw().saturating_mul(2) >= target.raw()
                && (index == 0 || set.raw() / 3 <= target.raw() / 2)
            {
                self.peak = self.peak.max(bits_per_second(set_bytes, set));
            }
        }
    }

    /// BANDWIDTH: the peak segment bit rate, in bits a second.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.max(self.average())
    }

    /// AVERAGE-BANDWIDTH: in bits a second.
    pub(crate) fn average(&self) -> u64 {
        bits_per_second(self.bytes, self.duration)
    }

    /// FRAME-RATE in thousandths of a frame a second, where there is video.
    pub(crate) fn milli_frame_rate(&self) -> Option<u64> {
        per_second(self.pictures.saturating_mul(1_000), self.picture_time).filter(|rate| *rate > 0)
    }
}

fn bits_per_second(bytes: u64, duration: TimeDelta) -> u64 {
    per_second(bytes.saturating_mul(8), duration).unwrap_or(0)
}

/// `count` over `duration`, rounded; none where that has no length.
fn per_second(count: u64, duration: TimeDelta) -> Option<u64> {
    let ticks = u128::try_from(duration.raw())
        .ok()
        .filter(|ticks| *ticks > 0)?;
    let rate = (u128::from(count) * arcly_core::TICKS_PER_SECOND as u128 + ticks / 2) / ticks;
    Some(u64::try_from(rate).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: TimeDelta = TimeDelta::from_millis(2_000);

    #[test]
    fn a_short_segment_makes_no_peak_of_its_own() {
        let mut rates = Rates::default();
        rates.add(250_000, TARGET, 60, TARGET);
        // A keyframe and no more, before a break: 40 Mbit/s if it counted alone.
        rates.add(200_000, TimeDelta::from_millis(40), 1, TARGET);
        assert_eq!(rates.peak(), 450_000 * 8 * 1_000 / 2_040 + 1);
        rates.add(500_000, TARGET, 60, TARGET);
        assert_eq!(rates.peak(), 700_000 * 8 * 1_000 / 2_040);
        assert_eq!(rates.average(), 950_000 * 8 * 1_000 / 4_040);
    }

    #[test]
    fn frame_rates_are_exact_in_thousandths() {
        let mut rates = Rates::default();
        for _ in 0..3 {
            rates.add(1, TimeDelta::from_ticks(60 * 3_003, 90_000), 60, TARGET);
        }
        assert_eq!(rates.milli_frame_rate(), Some(29_970));
    }
}
