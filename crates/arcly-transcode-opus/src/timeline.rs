//! Which samples are of which time.
//!
//! Decoded sound is a row of samples, and packets come out of it at a fixed step; timestamps say where it should be. Those of RTMP are rounded to
//! milliseconds and are not to be followed, while what is missing is to leave a gap of its length, and a clock that runs differently has to be followed
//! in the end. So samples are counted, and what the timestamps say of that count is looked at.

use arcly_core::{TimeDelta, Timestamp};

/// What is to be done before an access unit's samples are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// They go on where those before ended.
    Continue,
    /// So many samples of silence go before them.
    Insert(usize),
    /// So many samples are left out of them, and of those that come.
    Drop(usize),
    /// Another timeline begins.
    Restart,
}

/// By how much a timestamp may be off before something is missing or doubled, in milliseconds: less than an access unit at any usual rate (21.3 ms
/// at 48 kHz), and more than senders jitter.
const GAP: i64 = 16;

/// By how much they may be off on average before the clock is followed, in milliseconds.
const DRIFT: i64 = 5;

/// The average is over so many access units.
const AVERAGED: i64 = 32;

/// What is longer than this, in milliseconds, is not filled with silence, and what goes back further is not waited for.
const RESTART: i64 = 500;

/// Counts the samples of one track, all at the rate of its source.
#[derive(Debug)]
pub(crate) struct Timeline {
    rate: u32,
    /// The time of sample 0, once there is one.
    start: Option<Timestamp>,
    /// How many samples there were since.
    samples: i64,
    /// By how much timestamps are later than the count, on average.
    average: i64,
}

impl Timeline {
    pub(crate) const fn new(rate: u32) -> Self {
        Self {
            rate,
            start: None,
            samples: 0,
            average: 0,
        }
    }

    /// An access unit is of this time. What it says to do counts as done.
    pub(crate) fn place(&mut self, at: Timestamp, breaks: bool) -> Step {
        let Some(start) = self.start else {
            self.restart(at);
            return Step::Restart;
        };
        let expected = start + TimeDelta::from_ticks(self.samples, self.rate);
        let off = at.since(expected).raw();
        let millis = |millis| TimeDelta::from_millis(millis).raw();
        if off.saturating_abs() > millis(RESTART) || breaks && off.saturating_abs() > millis(GAP) {
            self.restart(at);
            return Step::Restart;
        }
        if off.saturating_abs() > millis(GAP) {
            return self.correct(off);
        }
        self.average += (off - self.average) / AVERAGED;
        if self.average.saturating_abs() > millis(DRIFT) {
            return self.correct(self.average);
        }
        Step::Continue
    }

    /// So many samples were added.
    pub(crate) const fn add(&mut self, samples: usize) {
        self.samples += samples as i64;
    }

    fn restart(&mut self, at: Timestamp) {
        (self.start, self.samples, self.average) = (Some(at), 0, 0);
    }

    fn correct(&mut self, off: i64) -> Step {
        self.average = 0;
        let samples = TimeDelta::from_raw(off).to_ticks(self.rate);
        let count = usize::try_from(samples.unsigned_abs()).unwrap_or(0);
        match samples.cmp(&0) {
            std::cmp::Ordering::Greater => {
                self.samples += samples;
                Step::Insert(count)
            }
            std::cmp::Ordering::Less => Step::Drop(count),
            std::cmp::Ordering::Equal => Step::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(samples: i64) -> Timestamp {
        Timestamp::from_ticks(samples, 48_000)
    }

    fn unit(timeline: &mut Timeline, time: Timestamp) -> Step {
        let step = timeline.place(time, false);
        let dropped = match step {
            Step::Drop(samples) => samples,
            _ => 0,
        };
        timeline.add(1_024 - dropped.min(1_024));
        step
    }

    #[test]
    fn rounded_timestamps_are_not_followed() {
        let mut timeline = Timeline::new(44_100);
        for number in 0..100_000 {
            let exact = Timestamp::from_ticks(number * 1_024, 44_100);
            let step = unit(&mut timeline, Timestamp::from_millis(exact.as_millis()));
            assert_eq!(step == Step::Restart, number == 0, "{number}: {step:?}");
            assert!(!matches!(step, Step::Insert(_) | Step::Drop(_)));
        }
    }

    #[test]
    fn what_is_missing_leaves_a_gap_of_its_length() {
        let mut timeline = Timeline::new(48_000);
        unit(&mut timeline, at(0));
        assert_eq!(unit(&mut timeline, at(2_048)), Step::Insert(1_024));
        assert_eq!(unit(&mut timeline, at(3_072)), Step::Continue);
    }

    #[test]
    fn what_comes_again_is_left_out() {
        let mut timeline = Timeline::new(48_000);
        unit(&mut timeline, at(0));
        unit(&mut timeline, at(1_024));
        assert_eq!(unit(&mut timeline, at(1_024)), Step::Drop(1_024));
        assert_eq!(unit(&mut timeline, at(2_048)), Step::Continue);
    }

    #[test]
    fn a_jump_is_another_timeline() {
        let mut timeline = Timeline::new(48_000);
        unit(&mut timeline, at(0));
        assert_eq!(unit(&mut timeline, at(100_000)), Step::Restart);
        assert_eq!(unit(&mut timeline, at(101_024)), Step::Continue);
        assert_eq!(unit(&mut timeline, at(0)), Step::Restart);
        assert_eq!(timeline.place(at(2_048), true), Step::Restart);
    }

    /// A sender whose clock is off by 1 in 1,000 is followed.
    #[test]
    fn a_clock_that_runs_differently_is_followed() {
        let mut timeline = Timeline::new(48_000);
        let mut corrections = 0;
        for number in 0..10_000 {
            let time = number * 1_025;
            let step = unit(&mut timeline, at(time));
            corrections += i32::from(matches!(step, Step::Insert(_)));
            let start = timeline.start.unwrap();
            let off =
                at(time + 1_025).since(start + TimeDelta::from_ticks(timeline.samples, 48_000));
            assert!(
                off.raw().abs() < TimeDelta::from_millis(10).raw(),
                "{number}"
            );
        }
        assert!((10..60).contains(&corrections), "{corrections}");
    }

    proptest! {
        /// Whatever a peer says, silence is bounded and nothing overflows.
        #[test]
        fn any_timestamps(times: Vec<(i64, bool)>) {
            let mut timeline = Timeline::new(48_000);
            for (time, breaks) in times {
                let step = timeline.place(Timestamp::from_raw(time), breaks);
                if let Step::Insert(samples) | Step::Drop(samples) = step {
                    prop_assert!(samples <= 24_000);
                }
                timeline.add(1_024);
            }
        }
    }
}
