//! Decides which frames a stream can be joined at.

use crate::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// How far apart the sync points of a stream without video are.
const AUDIO_SYNC_INTERVAL: TimeDelta = TimeDelta::from_millis(1_000);
/// How long video may pause (a camera that is switched off, slides that do not change) before audio makes the sync points.
const VIDEO_PAUSE: TimeDelta = TimeDelta::from_millis(5_000);
/// How long the leading video track may go without a keyframe before a keyframe of another track takes the lead.
const LEAD_TIMEOUT: TimeDelta = TimeDelta::from_millis(20_000);

const NEVER: i64 = i64::MIN;
const NO_TRACK: u32 = u32::MAX;

/// Remembers what the decision needs. With video, sync points are the keyframes of one video track, the first that had one; without, they
/// come at intervals.
#[derive(Debug)]
pub(super) struct GopClock {
    lead: AtomicU32,
    last_sync: AtomicI64,
    last_video: AtomicI64,
    has_audio: AtomicBool,
}

impl GopClock {
    pub(super) const fn new() -> Self {
        Self {
            lead: AtomicU32::new(NO_TRACK),
            last_sync: AtomicI64::new(NEVER),
            last_video: AtomicI64::new(NEVER),
            has_audio: AtomicBool::new(false),
        }
    }

    /// Whether the stream can be joined at `frame`.
    pub(super) fn starts_gop(&self, frame: &MediaFrame) -> bool {
        let starts = match frame.kind {
            MediaKind::Video => {
                self.last_video.store(frame.dts.raw(), Ordering::Relaxed);
                frame.is_keyframe() && self.leads(frame.track, frame.dts)
            }
            MediaKind::Audio => {
                self.has_audio.store(true, Ordering::Relaxed);
                !frame.is_config() && self.is_due(frame.dts)
            }
            MediaKind::Data => {
                !frame.is_config()
                    && !self.has_audio.load(Ordering::Relaxed)
                    && self.is_due(frame.dts)
            }
        };
        if starts {
            self.last_sync.store(frame.dts.raw(), Ordering::Relaxed);
        }
        starts
    }

    fn leads(&self, track: TrackId, dts: Timestamp) -> bool {
        let track = u32::from(track.0);
        let lead = self.lead.load(Ordering::Relaxed);
        if lead == track {
            return true;
        }
        if lead == NO_TRACK
            || self
                .elapsed(&self.last_sync, dts)
                .is_none_or(|since| since.abs() > LEAD_TIMEOUT)
        {
            self.lead.store(track, Ordering::Relaxed);
            return true;
        }
        false
    }

    fn is_due(&self, dts: Timestamp) -> bool {
        let without_video = self
            .elapsed(&self.last_video, dts)
            .is_none_or(|since| since.abs() >= VIDEO_PAUSE);
        let due = self
            .elapsed(&self.last_sync, dts)
            .is_none_or(|since| since.is_negative() || since >= AUDIO_SYNC_INTERVAL);
        without_video && due
    }

    fn elapsed(&self, since: &AtomicI64, now: Timestamp) -> Option<TimeDelta> {
        let since = since.load(Ordering::Relaxed);
        (since != NEVER).then(|| now.since(Timestamp::from_raw(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CodecId;
    use bytes::Bytes;

    fn video(dts: i64, key: bool) -> MediaFrame {
        MediaFrame::new_video(dts, dts, Bytes::new(), CodecId::H264, key)
    }

    fn audio(dts: i64) -> MediaFrame {
        MediaFrame::new_audio(dts, Bytes::new(), CodecId::Aac)
    }

    #[test]
    fn keyframes_of_the_first_video_track_lead() {
        let clock = GopClock::new();
        assert!(!clock.starts_gop(&video(0, false)));
        assert!(clock.starts_gop(&video(40, true)));
        assert!(!clock.starts_gop(&audio(1_500)));
        assert!(
            !clock.starts_gop(&video(1_900, true).on_track(TrackId(7))),
            "a second layer does not lead"
        );
        assert!(clock.starts_gop(&video(2_000, true)));
    }

    #[test]
    fn without_video_sync_points_come_once_a_second() {
        let clock = GopClock::new();
        let starts: Vec<i64> = (0..150)
            .map(|n| n * 20)
            .filter(|&dts| clock.starts_gop(&audio(dts)))
            .collect();
        assert_eq!(starts, [0, 1_000, 2_000]);
    }

    #[test]
    fn a_timeline_that_steps_back_does_not_end_the_sync_points() {
        let clock = GopClock::new();
        assert!(clock.starts_gop(&audio(3_600_000)));
        assert!(clock.starts_gop(&audio(0)), "the source restarted");
    }

    #[test]
    fn audio_takes_over_while_video_pauses() {
        let clock = GopClock::new();
        assert!(clock.starts_gop(&video(0, true)));
        assert!(!clock.starts_gop(&audio(4_980)));
        assert!(clock.starts_gop(&audio(5_000)));
        assert!(!clock.starts_gop(&audio(5_500)));
        assert!(clock.starts_gop(&video(5_600, true)));
    }

    #[test]
    fn a_lead_that_fell_silent_is_replaced() {
        let clock = GopClock::new();
        assert!(clock.starts_gop(&video(0, true)));
        assert!(!clock.starts_gop(&video(20_000, true).on_track(TrackId(7))));
        assert!(clock.starts_gop(&video(20_040, true).on_track(TrackId(7))));
        assert!(!clock.starts_gop(&video(20_080, true)));
    }
}
