//! Whether a frame goes on with the timeline of the frames before it.

use arcly_core::{MediaFrame, TimeDelta, Timestamp, TrackId};

/// How far the lead track's DTS may step back before that counts as a break; sources that round
/// stay below it.
const MAX_BACKWARD: TimeDelta = TimeDelta::from_millis(1_000);

/// After how many frames in a row off the timeline the timeline is taken to have moved.
const MAX_OFF: u32 = 64;

/// What a frame does to the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on with it.
    GoesOn,
    /// It starts a new one.
    Breaks,
    /// It belongs to none: a straggler of a track that does not lead.
    Stray,
}

/// Follows the lead track: the first video track, or the first audio track where there is no video.
/// Other tracks have to keep to it.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    lead: Option<Timestamp>,
    others: Vec<(TrackId, Timestamp)>,
    strays: u32,
}

impl Timeline {
    /// Forgets what was before.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Judges `frame`. `starts` says that decoding can start with it; a gap of more than `max_gap`
    /// is a break.
    pub(super) fn judge(
        &mut self,
        frame: &MediaFrame,
        is_lead: bool,
        starts: bool,
        max_gap: TimeDelta,
    ) -> Verdict {
        let verdict = if is_lead {
            self.judge_lead(frame, starts, max_gap)
        } else {
            self.judge_other(frame, max_gap)
        };
        self.strays = if verdict == Verdict::Stray {
            self.strays + 1
        } else {
            0
        };
        if self.strays > MAX_OFF {
            self.reset();
            return Verdict::Breaks;
        }
        if verdict == Verdict::Breaks {
            self.reset();
        }
        if is_lead {
            self.lead = Some(frame.dts);
        } else if verdict == Verdict::GoesOn {
            match self
                .others
                .iter_mut()
                .find(|(track, _)| *track == frame.track)
            {
                Some((_, last)) => *last = frame.dts,
                // Bounded: only frames of configured tracks get here.
                None => self.others.push((frame.track, frame.dts)),
            }
        }
        verdict
    }

    fn judge_lead(&self, frame: &MediaFrame, starts: bool, max_gap: TimeDelta) -> Verdict {
        let Some(last) = self.lead else {
            return Verdict::GoesOn;
        };
        let step = frame.dts.since(last);
        // A flag on a frame with which nothing can start, and without a jump, says that frames were
        // lost on the way. Decoders conceal that better than a cut would.
        let flagged = frame.is_discontinuity() && starts;
        // Where it paused and the others went on, it is with them.
        let near_others = || {
            self.others
                .iter()
                .any(|(_, last)| frame.dts.since(*last).abs() <= max_gap)
        };
        let jumps = (step > max_gap && !near_others()) || step < -MAX_BACKWARD;
        if flagged || jumps {
            Verdict::Breaks
        } else {
            Verdict::GoesOn
        }
    }

    fn judge_other(&self, frame: &MediaFrame, max_gap: TimeDelta) -> Verdict {
        let near = |to: Timestamp| frame.dts.since(to).abs() <= max_gap;
        let own = self.others.iter().find(|(track, _)| *track == frame.track);
        let goes_on = own.is_some_and(|(_, last)| near(*last)) || self.lead.is_none_or(near);
        if goes_on {
            Verdict::GoesOn
        } else {
            Verdict::Stray
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::{CodecId, FrameFlags};
    use bytes::Bytes;

    const GAP: TimeDelta = TimeDelta::from_millis(5_000);

    fn video(timeline: &mut Timeline, dts: i64, key: bool, flagged: bool) -> Verdict {
        let mut frame = MediaFrame::new_video(dts, dts, Bytes::new(), CodecId::H264, key);
        frame.flags.set(FrameFlags::DISCONTINUITY, flagged);
        timeline.judge(&frame, true, key, GAP)
    }

    fn audio(timeline: &mut Timeline, dts: i64) -> Verdict {
        timeline.judge(
            &MediaFrame::new_audio(dts, Bytes::new(), CodecId::Aac),
            false,
            false,
            GAP,
        )
    }

    #[test]
    fn only_the_lead_breaks_it() {
        let mut line = Timeline::default();
        assert_eq!(video(&mut line, 0, true, false), Verdict::GoesOn);
        assert_eq!(
            video(&mut line, 33, false, true),
            Verdict::GoesOn,
            "a loss, not a jump"
        );
        assert_eq!(video(&mut line, 66, true, true), Verdict::Breaks);
        assert_eq!(video(&mut line, 9_000, false, false), Verdict::Breaks);
        assert_eq!(video(&mut line, 0, true, false), Verdict::Breaks);
        assert_eq!(audio(&mut line, 9_020), Verdict::Stray);
        assert_eq!(video(&mut line, 33, false, false), Verdict::GoesOn);
        assert_eq!(audio(&mut line, 20), Verdict::GoesOn);
    }

    #[test]
    fn sound_goes_on_where_video_stops() {
        let mut line = Timeline::default();
        video(&mut line, 0, true, false);
        for millis in (0..60_000).step_by(21) {
            assert_eq!(audio(&mut line, millis), Verdict::GoesOn);
        }
    }

    #[test]
    fn a_timeline_without_its_lead_moves_in_the_end() {
        let mut line = Timeline::default();
        video(&mut line, 1_000_000, true, false);
        let verdicts: Vec<_> = (0..100).map(|n| audio(&mut line, n * 21)).collect();
        assert_eq!(
            verdicts
                .iter()
                .filter(|verdict| **verdict == Verdict::Breaks)
                .count(),
            1
        );
        assert_eq!(verdicts.last(), Some(&Verdict::GoesOn));
    }
}
