//! Where a recording's files begin and end.

use crate::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// How far timestamps may step back within a track before that counts as another timeline. Less is what broken sources do in passing.
const MAX_STEP_BACK: TimeDelta = TimeDelta::from_millis(1_000);
/// How far timestamps may run ahead of all that came before. A longer hole is better shown by the name of a new file than by a player.
const MAX_STEP_AHEAD: TimeDelta = TimeDelta::from_millis(10_000);
/// The most tracks that are recorded; an engine allows fewer by default.
const MAX_TRACKS: usize = 64;

/// The file that is open, as far as cutting goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFile {
    pub(super) start: Timestamp,
    pub(super) bytes: u64,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It has been taken note of: a config that is in force already, or while no file is open.
    Noted,
    /// It is the config of a track that the open file does not have yet. Add it if the container allows, else [`Cutter::cut_for`] the track.
    NewTrack,
    /// It belongs in the open file.
    Write,
    /// A file begins with it; the open one, if any, ends before it.
    Begin,
    /// No file can take it.
    Skip,
    /// Its timeline is not that of the open file, which ends before it; it cannot begin a file itself.
    Break,
}

/// Decides where files begin: at a keyframe of the leading track (the video track with the lowest number), or at any audio frame where there
/// is no video.
#[derive(Debug)]
pub(super) struct Cutter {
    segment_duration: Option<TimeDelta>,
    max_bytes: Option<u64>,
    configs: BTreeMap<TrackId, MediaFrame>,
    leading: Option<TrackId>,
    /// DTS of each audio and video track.
    last: BTreeMap<TrackId, Timestamp>,
    /// Tracks whose config is not that of the open file.
    stale: BTreeSet<TrackId>,
}

impl Cutter {
    pub(super) fn new(segment_duration: Option<TimeDelta>, max_bytes: Option<u64>) -> Self {
        Self {
            segment_duration,
            max_bytes,
            configs: BTreeMap::new(),
            leading: None,
            last: BTreeMap::new(),
            stale: BTreeSet::new(),
        }
    }

    /// The configs in force, as they stand at the beginning of a file that starts at `start`.
    pub(super) fn configs(&self, start: Timestamp) -> impl Iterator<Item = MediaFrame> {
        self.configs.values().map(move |config| MediaFrame {
            pts: start,
            dts: start,
            ..config.clone()
        })
    }

    /// Leaves the frames of `track` out until the next file begins.
    pub(super) fn cut_for(&mut self, track: TrackId) {
        self.stale.insert(track);
    }

    /// Decides about the next frame, where `open` is the open file.
    pub(super) fn step(&mut self, frame: &MediaFrame, open: Option<OpenFile>) -> Step {
        if frame.is_video() && self.leading.is_none_or(|leading| frame.track < leading) {
            self.leading = Some(frame.track);
        }
        // On a data track a config is one more message, which no file has to be cut for.
        if frame.is_config() && frame.kind != MediaKind::Data {
            return self.step_config(frame, open.is_some());
        }
        let broken = self.breaks(frame);
        self.follow(frame, broken);
        let open = if broken { None } else { open };
        let begins = self.can_begin(frame) && open.is_none_or(|open| self.is_due(frame, open));
        match open {
            _ if begins => {
                self.stale.clear();
                Step::Begin
            }
            None if broken => Step::Break,
            None => Step::Skip,
            // Left over from before the file's keyframe, or from before a break.
            Some(open) if open.start - frame.dts > MAX_STEP_BACK => Step::Skip,
            Some(_) if self.stale.contains(&frame.track) => Step::Skip,
            Some(_) => Step::Write,
        }
    }

    fn step_config(&mut self, frame: &MediaFrame, open: bool) -> Step {
        let known = self.configs.get(&frame.track);
        // Sources repeat their configs; only another one matters.
        if known.is_some_and(|known| known.codec == frame.codec && known.payload == frame.payload) {
            return Step::Noted;
        }
        if known.is_none() && self.configs.len() >= MAX_TRACKS {
            return Step::Skip;
        }
        let is_new = known.is_none() && !self.last.contains_key(&frame.track);
        self.configs.insert(frame.track, frame.clone());
        match (open, is_new) {
            (false, _) => Step::Noted,
            (true, true) => Step::NewTrack,
            (true, false) => {
                self.stale.insert(frame.track);
                Step::Noted
            }
        }
    }

    /// Whether the timeline breaks before `frame`.
    fn breaks(&self, frame: &MediaFrame) -> bool {
        // Metadata may come once in an hour, and out of order.
        if !frame.is_video() && !frame.is_audio() {
            return false;
        }
        let back = self
            .last
            .get(&frame.track)
            .is_some_and(|last| *last - frame.dts > MAX_STEP_BACK);
        let ahead = self
            .last
            .values()
            .max()
            .is_some_and(|head| frame.dts - *head > MAX_STEP_AHEAD);
        back || ahead
    }

    fn follow(&mut self, frame: &MediaFrame, broken: bool) {
        if broken {
            self.last.clear();
        }
        if (frame.is_video() || frame.is_audio()) && self.last.len() < MAX_TRACKS {
            let last = self.last.entry(frame.track).or_insert(frame.dts);
            *last = frame.dts;
        }
    }

    fn can_begin(&self, frame: &MediaFrame) -> bool {
        match self.leading {
            Some(leading) => frame.track == leading && frame.is_keyframe(),
            None => frame.is_audio(),
        }
    }

    fn is_due(&self, frame: &MediaFrame, open: OpenFile) -> bool {
        !self.stale.is_empty()
            || self
                .segment_duration
                .is_some_and(|duration| frame.dts - open.start >= duration)
            || self.max_bytes.is_some_and(|max| open.bytes >= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CodecId;
    use bytes::Bytes;

    fn video(millis: i64, key: bool) -> MediaFrame {
        MediaFrame::new_video(millis, millis, Bytes::from_static(b"v"), CodecId::H264, key)
    }

    fn audio(millis: i64) -> MediaFrame {
        MediaFrame::new_audio(millis, Bytes::from_static(b"a"), CodecId::Aac)
    }

    fn config(mut frame: MediaFrame, payload: &'static [u8]) -> MediaFrame {
        frame.payload = Bytes::from_static(payload);
        frame.into_config()
    }

    fn open(start: i64, bytes: u64) -> Option<OpenFile> {
        Some(OpenFile {
            start: Timestamp::from_millis(start),
            bytes,
        })
    }

    fn cutter() -> Cutter {
        Cutter::new(Some(TimeDelta::from_millis(1_000)), Some(100))
    }

    #[test]
    fn video_begins_at_a_keyframe() {
        let mut cutter = cutter();
        assert_eq!(
            cutter.step(&config(video(0, false), b"c"), None),
            Step::Noted
        );
        assert_eq!(cutter.step(&audio(0), None), Step::Skip, "video leads");
        assert_eq!(cutter.step(&video(10, false), None), Step::Skip);
        assert_eq!(cutter.step(&video(20, true), None), Step::Begin);
        assert_eq!(
            cutter.step(&video(500, true), open(20, 0)),
            Step::Write,
            "not due"
        );
        assert_eq!(cutter.step(&audio(1_500), open(20, 0)), Step::Write);
        assert_eq!(cutter.step(&video(1_500, false), open(20, 0)), Step::Write);
        assert_eq!(
            cutter.step(&video(1_600, true), open(20, 0)),
            Step::Begin,
            "long enough"
        );
        assert_eq!(
            cutter.step(&video(1_700, true), open(1_600, 99)),
            Step::Write
        );
        assert_eq!(
            cutter.step(&video(1_800, true), open(1_600, 100)),
            Step::Begin,
            "large enough"
        );
    }

    #[test]
    fn audio_alone_begins_anywhere() {
        let mut cutter = cutter();
        assert_eq!(cutter.step(&audio(0), None), Step::Begin);
        assert_eq!(cutter.step(&audio(999), open(0, 0)), Step::Write);
        assert_eq!(cutter.step(&audio(1_000), open(0, 0)), Step::Begin);
    }

    #[test]
    fn the_lowest_video_track_leads() {
        let mut cutter = cutter();
        let second = TrackId(7);
        assert_eq!(
            cutter.step(&video(0, true).on_track(second), None),
            Step::Begin
        );
        assert_eq!(cutter.step(&video(0, true), open(0, 0)), Step::Write);
        assert_eq!(
            cutter.step(&video(2_000, true).on_track(second), open(0, 0)),
            Step::Write
        );
        assert_eq!(cutter.step(&video(2_000, true), open(0, 0)), Step::Begin);
    }

    #[test]
    fn another_config_cuts_at_the_next_keyframe() {
        let mut cutter = cutter();
        cutter.step(&config(video(0, false), b"one"), None);
        cutter.step(&config(audio(0), b"one"), None);
        assert_eq!(cutter.step(&video(0, true), None), Step::Begin);
        assert_eq!(
            cutter.step(&config(video(100, false), b"one"), open(0, 0)),
            Step::Noted
        );
        assert_eq!(
            cutter.step(&video(100, true), open(0, 0)),
            Step::Write,
            "the same config again"
        );
        assert_eq!(
            cutter.step(&config(video(200, false), b"two"), open(0, 0)),
            Step::Noted
        );
        assert_eq!(
            cutter.step(&video(200, false), open(0, 0)),
            Step::Skip,
            "the open file has another config"
        );
        assert_eq!(cutter.step(&audio(200), open(0, 0)), Step::Write);
        assert_eq!(cutter.step(&video(300, true), open(0, 0)), Step::Begin);
        let configs: Vec<_> = cutter.configs(Timestamp::from_millis(300)).collect();
        assert_eq!(
            configs
                .iter()
                .map(|config| &config.payload[..])
                .collect::<Vec<_>>(),
            [b"two", b"one"]
        );
        assert!(
            configs
                .iter()
                .all(|config| config.dts == Timestamp::from_millis(300))
        );
        assert_eq!(cutter.step(&video(400, false), open(300, 0)), Step::Write);
    }

    #[test]
    fn a_new_track_is_offered_to_the_open_file() {
        let mut cutter = cutter();
        cutter.step(&config(video(0, false), b"v"), None);
        cutter.step(&video(0, true), None);
        assert_eq!(
            cutter.step(&config(audio(100), b"a"), open(0, 0)),
            Step::NewTrack
        );
        assert_eq!(cutter.step(&audio(100), open(0, 0)), Step::Write);
        cutter.cut_for(TrackId::AUDIO);
        assert_eq!(cutter.step(&audio(200), open(0, 0)), Step::Skip);
        assert_eq!(cutter.step(&video(300, true), open(0, 0)), Step::Begin);
        assert_eq!(cutter.step(&audio(300), open(300, 0)), Step::Write);
    }

    #[test]
    fn a_break_of_the_timeline_ends_the_file() {
        let mut cutter = Cutter::new(None, None);
        assert_eq!(cutter.step(&video(60_000, true), None), Step::Begin);
        assert_eq!(cutter.step(&audio(60_000), open(60_000, 0)), Step::Write);
        assert_eq!(
            cutter.step(&video(59_500, false), open(60_000, 0)),
            Step::Write,
            "a small step back"
        );
        assert_eq!(cutter.step(&audio(0), open(60_000, 0)), Step::Break);
        assert_eq!(
            cutter.step(&video(60_040, false), None),
            Step::Break,
            "the old timeline once more"
        );
        assert_eq!(cutter.step(&video(0, true), None), Step::Begin);
        assert_eq!(
            cutter.step(&video(11_000, true), open(0, 0)),
            Step::Begin,
            "a hole of more than 10 s"
        );
        assert_eq!(
            cutter.step(&audio(9_000), open(11_000, 0)),
            Step::Skip,
            "it belongs before the file"
        );
    }

    #[test]
    fn sparse_metadata_breaks_nothing() {
        let mut cutter = Cutter::new(None, None);
        let data = |millis: i64| MediaFrame::new_data(millis, Bytes::new(), CodecId::Id3);
        assert_eq!(cutter.step(&data(0), None), Step::Skip);
        cutter.step(&video(0, true), None);
        for second in 1..100 {
            assert_eq!(
                cutter.step(&video(second * 1_000, true), open(0, 0)),
                Step::Write
            );
        }
        assert_eq!(cutter.step(&data(99_000), open(0, 0)), Step::Write);
        assert_eq!(cutter.step(&data(200_000), open(0, 0)), Step::Write);
        assert_eq!(cutter.step(&video(100_000, true), open(0, 0)), Step::Write);
    }
}
