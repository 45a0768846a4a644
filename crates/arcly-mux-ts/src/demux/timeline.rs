//! From 33-bit stamps to one timeline for all tracks that never goes back.

use crate::packet::RATE;
use arcly_core::Timestamp;

/// How many stamps there are.
const MODULUS: i64 = 1 << 33;

/// How far a track may step back without the timeline being taken for broken. Its DTS then stand
/// still until it has caught up.
const BACK: i64 = RATE as i64 / 2;

/// What lies between the frames around a break: 40 ms.
const SEAM: i64 = RATE as i64 / 25;

/// PTS and DTS in ticks of 90 kHz, unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) pts: i64,
    pub(crate) dts: i64,
}

impl Times {
    /// The two as the bus has them.
    pub(crate) fn timestamps(self) -> (Timestamp, Timestamp) {
        let stamp = |ticks| Timestamp::from_ticks(ticks, RATE);
        (stamp(self.pts), stamp(self.dts))
    }
}

/// What a track needs to be placed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// DTS of the last stamp.
    last: Option<i64>,
}

/// Unwraps the stamps of a program's tracks, and mends its breaks.
///
/// All tracks share the reference for unwrapping, so that one that starts after the wrap comes out
/// beside the others, and the shift, so that they stay in step over a break.
///
/// **Breaks.** A source that restarts, or an encoder that sets its clock, makes stamps jump. A step of
/// more than the longest gap forward, or of more than half a second back within a track, is taken for
/// such a break: the timeline goes on 40 ms behind the latest DTS of any track. The timeline before the
/// break stays known, because other tracks may still be in it, and because it may have been one bad
/// stamp, after which the stream goes on as before.
#[derive(Debug)]
pub(crate) struct Timeline {
    longest_gap: i64,
    /// What is added to stamps, modulo 2^33; the one in force first.
    shifts: [i64; 2],
    /// The latest DTS of any track.
    latest: Option<i64>,
    breaks: u64,
}

impl Timeline {
    pub(crate) const fn new(longest_gap: i64) -> Self {
        Self {
            longest_gap,
            shifts: [0; 2],
            latest: None,
            breaks: 0,
        }
    }

    /// How often the timeline was broken.
    pub(crate) const fn breaks(&self) -> u64 {
        self.breaks
    }

    /// The latest DTS.
    pub(crate) const fn latest(&self) -> Option<i64> {
        self.latest
    }

    /// Places stamps of a track.
    pub(crate) fn place(&mut self, track: &mut Place, pts: u64, dts: Option<u64>) -> Times {
        let raw = (dts.unwrap_or(pts) & (MODULUS as u64 - 1)) as i64;
        let [shift, other] = self.shifts;
        let mut placed = nearest(raw + shift, self.latest);
        if !self.fits(track, placed) {
            let before = nearest(raw + other, self.latest);
            if other != shift && self.fits(track, before) {
                self.shifts = [other, shift];
                placed = before;
            } else if let Some(latest) = self.latest {
                placed = latest.saturating_add(SEAM);
                self.shifts = [placed.wrapping_sub(raw).rem_euclid(MODULUS), shift];
            }
            self.breaks += 1;
        }
        track.last = Some(placed);
        self.latest = Some(self.latest.map_or(placed, |latest| latest.max(placed)));
        let offset = dts.map_or(0, |dts| step(pts as i64, dts as i64));
        // No codec reorders over more: a PTS so far away is damaged.
        let offset = if offset.abs() > self.longest_gap {
            0
        } else {
            offset
        };
        Times {
            pts: placed.saturating_add(offset),
            dts: placed,
        }
    }

    fn fits(&self, track: &Place, dts: i64) -> bool {
        let Some(latest) = self.latest else {
            return true;
        };
        let earliest = match track.last {
            Some(last) => last.saturating_sub(BACK),
            None => latest.saturating_sub(self.longest_gap),
        };
        (earliest..=latest.saturating_add(self.longest_gap)).contains(&dts)
    }
}

/// The value that is `raw` modulo 2^33 and nearest to `reference`.
fn nearest(raw: i64, reference: Option<i64>) -> i64 {
    match reference {
        Some(reference) => reference.saturating_add(step(raw, reference)),
        None => raw.rem_euclid(MODULUS),
    }
}

/// The way from `from` to `to` modulo 2^33: from -2^32 to below 2^32.
const fn step(to: i64, from: i64) -> i64 {
    let forward = to.wrapping_sub(from).rem_euclid(MODULUS);
    if forward >= MODULUS / 2 {
        forward - MODULUS
    } else {
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GAP: i64 = 10 * 90_000;

    fn wrapped(ticks: i64) -> u64 {
        ticks as u64 & 0x1_ffff_ffff
    }

    proptest! {
        #[test]
        fn what_steps_sanely_keeps_its_times(
            start in 0_i64..1 << 33,
            steps in prop::collection::vec((any::<bool>(), 0_i64..90_000, 0_i64..20_000), 1..200),
        ) {
            let mut timeline = Timeline::new(GAP);
            let mut tracks = [Place::default(); 2];
            let mut now = start;
            for (second, step, offset) in steps {
                now += step;
                let times = timeline.place(&mut tracks[usize::from(second)], wrapped(now + offset), Some(wrapped(now)));
                prop_assert_eq!(times, Times { pts: now + offset, dts: now });
            }
            prop_assert_eq!(timeline.breaks(), 0);
        }

        #[test]
        fn no_stamps_move_a_track_far_back(stamps in prop::collection::vec((0_usize..3, 0_u64..1 << 33), 1..200)) {
            let mut timeline = Timeline::new(GAP);
            let mut tracks = [Place::default(); 3];
            for (track, stamp) in stamps {
                let before = tracks[track].last;
                let times = timeline.place(&mut tracks[track], stamp, None);
                prop_assert!(before.is_none_or(|before| times.dts >= before - BACK));
            }
        }
    }

    #[test]
    fn a_track_that_starts_behind_the_wrap_comes_out_beside_the_other() {
        let mut timeline = Timeline::new(GAP);
        let (mut video, mut audio) = (Place::default(), Place::default());
        timeline.place(&mut video, wrapped((1 << 33) - 10), None);
        assert_eq!(timeline.place(&mut audio, 5, None).dts, (1 << 33) + 5);
    }

    #[test]
    fn tracks_stay_in_step_over_a_restart_while_the_old_one_drains() {
        let mut timeline = Timeline::new(GAP);
        let (mut video, mut audio) = (Place::default(), Place::default());
        let hour = 3_600 * 90_000;
        timeline.place(&mut video, wrapped(hour), None);
        timeline.place(&mut audio, wrapped(hour - 9_000), None);
        let video_again = timeline.place(&mut video, wrapped(900), None).dts;
        assert_eq!(video_again, hour + SEAM);
        assert_eq!(
            timeline.place(&mut audio, wrapped(hour - 7_000), None).dts,
            hour - 7_000
        );
        assert_eq!(
            timeline.place(&mut video, wrapped(3_900), None).dts,
            hour + SEAM + 3_000
        );
        assert_eq!(
            timeline.place(&mut audio, wrapped(1_000), None).dts,
            hour + SEAM + 100
        );
        assert!(timeline.breaks() > 0);
    }

    #[test]
    fn one_bad_stamp_does_not_move_what_follows() {
        let mut timeline = Timeline::new(GAP);
        let mut video = Place::default();
        timeline.place(&mut video, 0, None);
        timeline.place(&mut video, 1 << 32, None);
        assert_eq!(timeline.place(&mut video, 6_000, None).dts, 6_000);
    }

    #[test]
    fn a_damaged_pts_falls_back_on_the_dts() {
        let mut timeline = Timeline::new(GAP);
        let times = timeline.place(&mut Place::default(), 1 << 32, Some(100));
        assert_eq!(times, Times { pts: 100, dts: 100 });
    }
}
