//! The wall clock at a point of the media timeline, for EXT-X-PROGRAM-DATE-TIME.

use arcly_core::{MediaFrame, Timestamp, WallClock};

/// How far arrival may drift from the clock before it is set anew. A source's clock is off by
/// seconds a day; the network's jitter stays below this.
const MAX_DRIFT: u64 = 1_000_000_000;

/// Media time to wall clock, held by one origin as long as it is true.
///
/// The sender's wall clock counts where frames carry it. Otherwise the frame that took the shortest
/// way tells: a cached GOP arrives late, and in a burst, so the offset of its first frame would
/// date everything too late.
#[derive(Debug, Default)]
pub(super) struct ProgramClock {
    /// Wall clock minus media time, in nanoseconds.
    offset: Option<i64>,
    /// The least offset among the frames of the open segment.
    least: Option<i64>,
    from_sender: bool,
}

impl ProgramClock {
    /// The timeline starts anew.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Notes a frame that arrived at `now`.
    pub(super) fn observe(&mut self, frame: &MediaFrame, now: WallClock) {
        if let Some(sent) = frame.wall_clock {
            self.offset = Some(sent.0.saturating_sub(nanos(frame.pts)));
            self.from_sender = true;
            return;
        }
        if self.from_sender {
            return;
        }
        let offset = now.0.saturating_sub(nanos(frame.dts));
        self.least = Some(self.least.map_or(offset, |least| least.min(offset)));
    }

    /// The segment whose frames have been noted is complete: sets the clock, where it was not or has drifted.
    pub(super) fn close_segment(&mut self) {
        let least = self.least.take();
        self.offset = match (self.offset, least) {
            (Some(offset), _) if self.from_sender => Some(offset),
            (Some(offset), Some(least)) if least.abs_diff(offset) > MAX_DRIFT => Some(least),
            (offset, least) => offset.or(least),
        };
    }

    /// The wall clock at `pts` as far as it is known while the first segment is open, whose parts may be listed already: by the frames that
    /// have come so far.
    pub(super) fn estimate(&self, pts: Timestamp) -> Option<WallClock> {
        let offset = self.offset.or(self.least)?;
        Some(WallClock(offset.saturating_add(nanos(pts))))
    }

    /// The wall clock at `pts`; unknown before the first segment is complete.
    pub(super) fn at(&self, pts: Timestamp) -> Option<WallClock> {
        let offset = self.offset?;
        Some(WallClock(offset.saturating_add(nanos(pts))))
    }
}

fn nanos(time: Timestamp) -> i64 {
    time.to_ticks(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::CodecId;
    use bytes::Bytes;

    const SECOND: i64 = 1_000_000_000;

    fn date(clock: &mut ProgramClock, pts: Timestamp) -> WallClock {
        clock.close_segment();
        clock.at(pts).expect("it is set")
    }

    fn observe(clock: &mut ProgramClock, millis: i64, now: i64) {
        clock.observe(
            &MediaFrame::new_audio(millis, Bytes::new(), CodecId::Aac),
            WallClock(now),
        );
    }

    #[test]
    fn a_burst_is_dated_by_its_last_frame() {
        let mut clock = ProgramClock::default();
        for millis in (0..=2_000).step_by(100) {
            observe(&mut clock, millis, 100 * SECOND);
        }
        assert_eq!(date(&mut clock, Timestamp::ZERO), WallClock(98 * SECOND));
    }

    #[test]
    fn an_open_segment_is_dated_by_what_has_come() {
        let mut clock = ProgramClock::default();
        assert_eq!(clock.estimate(Timestamp::ZERO), None);
        observe(&mut clock, 0, 100 * SECOND);
        let estimate = clock.estimate(Timestamp::from_millis(500));
        assert_eq!(estimate, Some(WallClock(100 * SECOND + SECOND / 2)));
        assert_eq!(clock.at(Timestamp::ZERO), None);
    }

    #[test]
    fn jitter_does_not_move_it_but_drift_does() {
        let mut clock = ProgramClock::default();
        observe(&mut clock, 0, 100 * SECOND);
        date(&mut clock, Timestamp::ZERO);
        observe(&mut clock, 2_000, 102 * SECOND + SECOND / 2);
        assert_eq!(
            date(&mut clock, Timestamp::from_millis(2_000)),
            WallClock(102 * SECOND)
        );
        observe(&mut clock, 4_000, 106 * SECOND);
        assert_eq!(
            date(&mut clock, Timestamp::from_millis(4_000)),
            WallClock(106 * SECOND)
        );
    }

    #[test]
    fn the_senders_clock_counts_where_there_is_one() {
        let mut clock = ProgramClock::default();
        let mut frame = MediaFrame::new_audio(1_000, Bytes::new(), CodecId::Aac);
        frame.wall_clock = Some(WallClock(50 * SECOND));
        clock.observe(&frame, WallClock(90 * SECOND));
        assert_eq!(date(&mut clock, Timestamp::ZERO), WallClock(49 * SECOND));
    }
}
