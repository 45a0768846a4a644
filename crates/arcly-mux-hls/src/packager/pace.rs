//! How long segments and parts are, and may be.

use crate::config::HlsConfig;
use crate::window::rounded_seconds;
use arcly_core::{TICKS_PER_SECOND, TimeDelta, Timestamp};

/// EXT-X-TARGETDURATION and PART-TARGET: measured until a playlist is first served, and fixed from then on, since RFC 8216bis
/// 6.2.1 lets neither change.
#[derive(Debug)]
pub(super) struct Targets {
    /// EXT-X-TARGETDURATION in seconds.
    seconds: u64,
    /// PART-TARGET in microseconds.
    part_micros: u64,
    /// What they start from, and how far they may be raised.
    least_seconds: u64,
    most_seconds: u64,
    least_part: u64,
    longest_part: u64,
    is_settled: bool,
}

/// The shortest PART-TARGET; shorter parts would be more requests than media.
const MIN_PART_MICROS: u64 = 100_000;

impl Targets {
    pub(super) fn new(config: &HlsConfig) -> Self {
        let micros =
            |duration: std::time::Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let least_seconds = rounded_seconds(TimeDelta::from(config.target_duration)).max(1);
        let most_seconds =
            rounded_seconds(TimeDelta::from(config.max_segment_duration)).max(least_seconds);
        let least_part = micros(config.part_duration).max(MIN_PART_MICROS);
        Self {
            seconds: least_seconds,
            part_micros: least_part,
            least_seconds,
            most_seconds,
            least_part,
            longest_part: 0,
            is_settled: false,
        }
    }

    /// EXT-X-TARGETDURATION in seconds.
    pub(super) const fn seconds(&self) -> u64 {
        self.seconds
    }

    /// The same as a span of time.
    pub(super) fn target(&self) -> TimeDelta {
        TimeDelta::from_ticks(i64::try_from(self.seconds).unwrap_or(i64::MAX), 1)
    }

    /// PART-TARGET in microseconds.
    pub(super) const fn part_micros(&self) -> u64 {
        self.part_micros
    }

    /// PART-TARGET as a span of time.
    pub(super) fn part(&self) -> TimeDelta {
        TimeDelta::from_ticks(
            i64::try_from(self.part_micros).unwrap_or(i64::MAX),
            1_000_000,
        )
    }

    /// The longest that a segment may be: EXTINF, rounded to whole seconds, must not exceed EXT-X-TARGETDURATION (RFC 8216bis
    /// 4.4.3.1).
    pub(super) fn longest(&self) -> TimeDelta {
        let seconds = if self.is_settled {
            self.seconds
        } else {
            self.most_seconds
        };
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX / TICKS_PER_SECOND);
        // A millisecond is left for the rounding of listed durations.
        TimeDelta::from_raw(seconds.saturating_mul(TICKS_PER_SECOND)) + TimeDelta::from_millis(499)
    }

    /// From when on a segment is cut without a keyframe. What is left to the longest is for sound, whose frames need not end where video does.
    pub(super) fn patience(&self) -> TimeDelta {
        let margin = if self.is_settled { 100 } else { 499 };
        self.longest() - TimeDelta::from_millis(margin)
    }

    /// Notes a segment.
    pub(super) fn note_segment(&mut self, duration: TimeDelta) {
        if !self.is_settled {
            self.seconds = self
                .seconds
                .max(rounded_seconds(duration))
                .min(self.most_seconds);
        }
    }

    /// Notes a part, and tells the duration to list. Once PART-TARGET is fixed, a pause of the source can make a part that is
    /// longer; then PART-TARGET is listed, and the rest of the pause stands in EXTINF alone.
    pub(super) fn admit_part(&mut self, micros: u64) -> u64 {
        if !self.is_settled {
            let most = self.seconds.saturating_mul(1_000_000);
            self.longest_part = self.longest_part.max(micros).min(most.max(self.least_part));
            self.part_micros = self.part_micros.max(self.longest_part);
        }
        micros.min(self.part_micros)
    }

    /// Fixes both: the playlist is being served.
    pub(super) fn settle(&mut self) {
        if std::mem::replace(&mut self.is_settled, true) || self.longest_part == 0 {
            return;
        }
        // RFC 8216bis 4.4.4.9: parts last 85 % of PART-TARGET at least, which few frames a second might not make up.
        if self.longest_part < self.part_micros / 100 * 90 {
            self.part_micros = self.longest_part;
        }
    }

    /// Lets both be measured anew: no playlist is served any more.
    pub(super) const fn unsettle(&mut self) {
        self.is_settled = false;
        self.seconds = self.least_seconds;
        self.part_micros = self.least_part;
        self.longest_part = 0;
    }
}

/// How long frames last, as far as that can be known beforehand.
#[derive(Debug, Default)]
pub(super) struct LastFrames {
    last: Option<Timestamp>,
    steps: [TimeDelta; Self::KEPT],
    next: usize,
}

impl LastFrames {
    /// So many that a rate which the source's clock rounds (33, 33, 34 ms) shows its longest step.
    const KEPT: usize = 8;
    /// A longer step is a pause, and not how long frames last.
    const PAUSE: TimeDelta = TimeDelta::from_millis(1_000);

    pub(super) fn note(&mut self, dts: Timestamp) {
        if let Some(last) = self.last.replace(dts) {
            let step = dts.since(last);
            if !step.is_negative()
                && step <= Self::PAUSE
                && let Some(slot) = self.steps.get_mut(self.next % Self::KEPT)
            {
                *slot = step;
                self.next += 1;
            }
        }
    }

    /// The longest of the last few.
    pub(super) fn longest(&self) -> TimeDelta {
        self.steps
            .iter()
            .fold(TimeDelta::ZERO, |longest, step| longest.max(*step))
    }
}
