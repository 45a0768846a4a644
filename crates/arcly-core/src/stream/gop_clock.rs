//! Decides which frames a stream can be joined at.

use crate::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// How far apart the sync points of a stream without video are.
const AUDIO_SYNC_INTERVAL: TimeDelta = TimeDelta::from_millis(1_000);
/// How long video may pause (a camera that is switched off, slides that do not change) before audio makes the sync points.
const VIDEO_PAUSE: TimeDelta = TimeDelta::from_millis(5_000);
/// How long the leading track may go without a sync point before another track of its kind takes the lead.
const LEAD_TIMEOUT: TimeDelta = TimeDelta::from_millis(20_000);

const NEVER: i64 = i64::MIN;
const NO_TRACK: u32 = u32::MAX;

/// Remembers what the decision needs. With video, sync points are the keyframes of one video track, the first that had one; without, they
/// come at intervals of one other track, audio before data.
///
/// Tracks need not share a timeline to the second, so each kind is timed on its own: that video pauses is measured in audio
/// time, from the audio frame at which video last came.
#[derive(Debug)]
pub(super) struct GopClock {
    video: Lead,
    /// The track that is timed while there is no video.
    timed: Lead,
    has_video: AtomicBool,
    has_audio: AtomicBool,
    /// DTS of the newest frame of the timed track.
    timed_now: AtomicI64,
    /// What `timed_now` was when video last came.
    timed_at_video: AtomicI64,
}

/// The track of one kind that makes sync points.
#[derive(Debug)]
struct Lead {
    track: AtomicU32,
    last_sync: AtomicI64,
}

impl Lead {
    const fn new() -> Self {
        Self {
            track: AtomicU32::new(NO_TRACK),
            last_sync: AtomicI64::new(NEVER),
        }
    }

    /// Whether `track` leads: it did before, or nobody does, or whoever did is long silent.
    fn is(&self, track: TrackId, dts: Timestamp) -> bool {
        let track = u32::from(track.0);
        let lead = self.track.load(Ordering::Relaxed);
        let takes_over = lead == NO_TRACK
            || (lead != track
                && self
                    .since_sync(dts)
                    .is_none_or(|since| since.abs() > LEAD_TIMEOUT));
        if takes_over {
            self.track.store(track, Ordering::Relaxed);
        }
        takes_over || lead == track
    }

    fn since_sync(&self, dts: Timestamp) -> Option<TimeDelta> {
        since(&self.last_sync, dts)
    }

    /// Lets any track take the lead.
    fn vacate(&self) {
        self.track.store(NO_TRACK, Ordering::Relaxed);
    }
}

fn since(before: &AtomicI64, now: Timestamp) -> Option<TimeDelta> {
    let before = before.load(Ordering::Relaxed);
    (before != NEVER).then(|| now.since(Timestamp::from_raw(before)))
}

impl GopClock {
    pub(super) const fn new() -> Self {
        Self {
            video: Lead::new(),
            timed: Lead::new(),
            has_video: AtomicBool::new(false),
            has_audio: AtomicBool::new(false),
            timed_now: AtomicI64::new(NEVER),
            timed_at_video: AtomicI64::new(NEVER),
        }
    }

    /// Another publication goes on: its tracks may be others, and there is a pause before it, in which no video was missing. The stream still
    /// counts as having video, so that audio which comes first makes no sync points before the video had its time to come.
    pub(super) fn resume(&self) {
        for lead in [&self.video, &self.timed] {
            lead.vacate();
            lead.last_sync.store(NEVER, Ordering::Relaxed);
        }
        self.has_audio.store(false, Ordering::Relaxed);
        self.timed_now.store(NEVER, Ordering::Relaxed);
        self.timed_at_video.store(NEVER, Ordering::Relaxed);
    }

    /// The stream has no video any more, and is timed by what it has.
    pub(super) fn lose_video(&self) {
        self.has_video.store(false, Ordering::Relaxed);
    }

    /// Whether the stream can be joined at `frame`.
    pub(super) fn starts_gop(&self, frame: &MediaFrame) -> bool {
        let lead = match frame.kind {
            MediaKind::Video => {
                self.has_video.store(true, Ordering::Relaxed);
                let now = self.timed_now.load(Ordering::Relaxed);
                self.timed_at_video.store(now, Ordering::Relaxed);
                &self.video
            }
            MediaKind::Audio => {
                if !self.has_audio.swap(true, Ordering::Relaxed) {
                    self.timed.vacate(); // Data may have led until now.
                }
                &self.timed
            }
            MediaKind::Data if self.has_audio.load(Ordering::Relaxed) => return false,
            MediaKind::Data => &self.timed,
        };
        let starts = !frame.is_config()
            && match frame.kind {
                MediaKind::Video => frame.is_keyframe() && lead.is(frame.track, frame.dts),
                MediaKind::Audio | MediaKind::Data => {
                    lead.is(frame.track, frame.dts) && self.is_due(frame.dts)
                }
            };
        if starts {
            lead.last_sync.store(frame.dts.raw(), Ordering::Relaxed);
        }
        starts
    }

    /// Whether the timed track makes a sync point at `dts`.
    fn is_due(&self, dts: Timestamp) -> bool {
        self.timed_now.store(dts.raw(), Ordering::Relaxed);
        let due = self
            .timed
            .since_sync(dts)
            .is_none_or(|since| since.is_negative() || since >= AUDIO_SYNC_INTERVAL);
        due && (!self.has_video.load(Ordering::Relaxed) || self.video_pauses(dts))
    }

    fn video_pauses(&self, dts: Timestamp) -> bool {
        match since(&self.timed_at_video, dts) {
            Some(since) if !since.is_negative() => since >= VIDEO_PAUSE,
            // The first audio frame after video, or audio stepped back: the pause is measured from here.
            _ => {
                self.timed_at_video.store(dts.raw(), Ordering::Relaxed);
                false
            }
        }
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
    fn audio_far_from_video_does_not_split_its_gops() {
        let clock = GopClock::new();
        assert!(clock.starts_gop(&video(0, true)));
        for n in 1..100 {
            assert!(
                !clock.starts_gop(&audio(600_000 + n * 20)),
                "ten minutes ahead"
            );
            assert!(!clock.starts_gop(&video(n * 20, false)));
        }
    }

    #[test]
    fn a_second_audio_track_that_is_behind_makes_no_sync_points() {
        let clock = GopClock::new();
        let starts: Vec<i64> = (0..150)
            .map(|n| n * 20)
            .filter(|&dts| {
                let second = audio(dts - 1_500).on_track(TrackId(7));
                let first = clock.starts_gop(&audio(dts));
                assert!(!clock.starts_gop(&second));
                first
            })
            .collect();
        assert_eq!(starts, [0, 1_000, 2_000]);
    }

    #[test]
    fn audio_takes_the_lead_from_data_as_soon_as_it_comes() {
        let clock = GopClock::new();
        let data = MediaFrame::new_data(0, Bytes::new(), CodecId::Id3);
        assert!(clock.starts_gop(&data));
        let starts: Vec<i64> = (0..150)
            .map(|n| n * 20)
            .filter(|&dts| clock.starts_gop(&audio(dts)))
            .collect();
        assert_eq!(starts, [1_000, 2_000]);
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
        assert!(clock.starts_gop(&audio(0)));
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
