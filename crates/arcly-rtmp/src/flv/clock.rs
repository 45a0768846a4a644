//! From the 32-bit millisecond timestamps of tags, and the nanoseconds that Enhanced RTMP adds, to a timeline that only goes
//! forward.

use super::Notice;
use super::write_clock::nanos_to_ticks;
use arcly_core::{TimeDelta, Timestamp, TimestampUnwrapper};

/// Bits of the counter. The format has 32, but ffmpeg masks to 31, and 2^31 divides 2^32: unwrapping modulo 2^31
/// follows both, and only mistakes steps of more than 2^30 ms, twelve days.
const COUNTER_BITS: u32 = 31;

/// A step back within a track by at most this is jitter: the frame's DTS is held at the track's last.
const JITTER: TimeDelta = TimeDelta::from_millis(1_000);

/// A step forward of the whole publication by more than this is a break: the source paused, or frames are missing.
const GAP: TimeDelta = TimeDelta::from_millis(10_000);

/// The timeline of one publication.
///
/// Policy, per track, for the DTS of a media tag:
/// * forward, by whatever: taken as it is; where no track came within 10 s of it, every track's next frame is marked as
///   a discontinuity;
/// * back by up to 1 s: held at the track's last DTS (the PTS stays, unless it would come before the DTS);
/// * back by more: the source restarted its clock. The timeline goes on where the latest track stood, for all tracks
///   alike so that they stay in sync, and every track's next frame is marked as a discontinuity.
#[derive(Debug)]
pub(super) struct Clock {
    counter: TimestampUnwrapper,
    /// What is added to the counter since the source restarted.
    offset: TimeDelta,
    /// The latest DTS over all tracks.
    latest: Option<Timestamp>,
    /// The tracks, by the index that [`add_track`](Self::add_track) gave.
    tracks: Vec<TrackClock>,
}

/// The part of a track.
#[derive(Debug, Default)]
pub(super) struct TrackClock {
    last: Option<Timestamp>,
    /// The time of the track's config, where that was announced before its first frame.
    floor: Option<Timestamp>,
    /// When the header of that config was to take effect, as its tag says.
    header: Option<Timestamp>,
    discontinuity: bool,
}

impl TrackClock {
    /// Nothing of the track comes before `dts` any more.
    pub(super) fn hold(&mut self, dts: Timestamp) {
        self.last = self.last.max(Some(dts));
    }
}

/// When a media tag is to be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The DTS for the bus: never before the track's last.
    pub(super) dts: Timestamp,
    /// The DTS that the tag asks for, from which its PTS counts.
    pub(super) nominal: Timestamp,
    /// Whether the frame is the first of its track after a break.
    pub(super) discontinuity: bool,
    /// What was remarkable about it.
    pub(super) notice: Option<Notice>,
}

impl Stamp {
    /// The PTS of a frame composed `offset` milliseconds after its decoding.
    pub(super) fn pts(&self, offset: i32) -> Timestamp {
        let pts = self.nominal + TimeDelta::from_millis(offset.into());
        // A held DTS must not overtake the PTS. A negative offset that the sender chose is passed on.
        if self.dts == self.nominal {
            pts
        } else {
            pts.max(self.dts)
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            counter: TimestampUnwrapper::new(COUNTER_BITS),
            offset: TimeDelta::ZERO,
            latest: None,
            tracks: Vec::new(),
        }
    }
}

impl Clock {
    /// Adds a track. They are counted from 0.
    pub(super) fn add_track(&mut self) {
        self.tracks.push(TrackClock::default());
    }

    /// Places the media tag with timestamp `raw` of a track, `nanos` nanoseconds after the millisecond.
    pub(super) fn media(&mut self, track: usize, raw: u32, nanos: u32) -> Stamp {
        let millis = Timestamp::from_millis(self.counter.unwrap(raw.into()));
        let mut nominal = millis + TimeDelta::from_raw(nanos_to_ticks(nanos)) + self.offset;
        let last = self.tracks.get(track).and_then(|track| track.last);
        let latest = self.latest.unwrap_or(nominal);
        let mut notice = None;
        if last.is_some_and(|last| nominal < last - JITTER) {
            notice = Some(Notice::ClockRestarted);
            self.offset = self.offset + latest.since(nominal);
            nominal = latest;
        } else if nominal > latest + GAP {
            notice = Some(Notice::TimestampGap);
        }
        if notice.is_some() {
            for track in &mut self.tracks {
                track.discontinuity = true;
            }
        }
        let track = self.tracks.get_mut(track);
        let floor = track.as_ref().and_then(|track| last.max(track.floor));
        let dts = floor.map_or(nominal, |floor| floor.max(nominal));
        if dts != nominal {
            notice = Some(Notice::TimestampBackwards);
        }
        self.latest = Some(latest.max(dts));
        let discontinuity = track.is_some_and(|track| {
            track.last = Some(dts);
            std::mem::take(&mut track.discontinuity)
        });
        Stamp {
            dts,
            nominal,
            discontinuity,
            notice,
        }
    }

    /// The track's next frame does not follow on its last.
    pub(super) fn mark_discontinuity(&mut self, track: usize) {
        if let Some(track) = self.tracks.get_mut(track) {
            track.discontinuity = true;
        }
    }

    /// Whether the track has had neither a frame nor an announced config.
    pub(super) fn is_new(&self, track: usize) -> bool {
        self.tracks
            .get(track)
            .is_some_and(|track| track.last.is_none() && track.floor.is_none())
    }

    /// Keeps the timestamp of a sequence header.
    pub(super) fn header(&mut self, track: usize, raw: u32) {
        let nominal = self.nominal(raw);
        if let Some(track) = self.tracks.get_mut(track) {
            track.header = Some(nominal);
        }
    }

    /// Places the config of a track that has had no frame, when another track is at `now`: at the time its tag says where
    /// that is within 10 s before, else one second before, as the track may lag behind the other.
    pub(super) fn announce(&mut self, track: usize, now: Timestamp) -> Timestamp {
        let track = self.tracks.get_mut(track);
        let header = track.as_ref().and_then(|track| track.header);
        let dts = match header {
            Some(header) if header.since(now).abs() <= GAP => header.min(now),
            _ => now - JITTER,
        };
        if let Some(track) = track {
            track.floor = Some(dts);
        }
        dts
    }

    /// Places a data tag. Many senders stamp metadata with 0 at any time, so it moves no clock and stays within 10 s of
    /// the media.
    pub(super) fn data(&self, track: &mut TrackClock, raw: u32) -> Timestamp {
        let nominal = self.nominal(raw);
        let near = match self.latest {
            Some(latest) if nominal.since(latest).abs() > GAP => latest,
            _ => nominal,
        };
        let dts = track.last.map_or(near, |last| last.max(near));
        track.last = Some(dts);
        dts
    }

    /// The time of a tag that moves no clock.
    fn nominal(&self, raw: u32) -> Timestamp {
        Timestamp::from_millis(self.counter.clone().unwrap(raw.into())) + self.offset
    }

    /// Whether a media tag was placed.
    pub(super) fn has_started(&self) -> bool {
        self.latest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VIDEO: usize = 0;
    const AUDIO: usize = 1;

    /// A clock with a video and an audio track, told in milliseconds.
    struct Two(Clock);

    /// What tests look at of a [`Stamp`], in milliseconds.
    #[derive(Debug)]
    struct Placed {
        dts: i64,
        nominal: i64,
        discontinuity: bool,
        notice: Option<Notice>,
        stamp: Stamp,
    }

    impl Placed {
        fn pts(&self, offset: i32) -> Timestamp {
            self.stamp.pts(offset)
        }
    }

    impl Default for Two {
        fn default() -> Self {
            let mut clock = Clock::default();
            clock.add_track();
            clock.add_track();
            Self(clock)
        }
    }

    impl Two {
        fn place(&mut self, track: usize, raw: u32) -> Placed {
            let stamp = self.0.media(track, raw, 0);
            Placed {
                dts: stamp.dts.as_millis(),
                nominal: stamp.nominal.as_millis(),
                discontinuity: stamp.discontinuity,
                notice: stamp.notice,
                stamp,
            }
        }

        fn video(&mut self, raw: u32) -> Placed {
            self.place(VIDEO, raw)
        }

        fn audio(&mut self, raw: u32) -> Placed {
            self.place(AUDIO, raw)
        }
    }

    #[test]
    fn both_wraps_are_followed() {
        for top in [i32::MAX as u32, u32::MAX] {
            let mut two = Two::default();
            let first = two.video(top - 20).dts;
            assert_eq!(two.video(top).dts - first, 20);
            let wrapped = two.video(12);
            assert_eq!(
                (wrapped.dts - first, wrapped.discontinuity),
                (33, false),
                "from {top:#x}"
            );
            assert_eq!(
                two.audio(top).dts - first,
                20,
                "the other track may lag over the wrap"
            );
        }
    }

    #[test]
    fn jitter_is_held_and_keeps_the_presentation_time() {
        let mut two = Two::default();
        two.video(1_000);
        let held = two.video(960);
        assert_eq!(
            (held.dts, held.nominal, held.notice),
            (1_000, 960, Some(Notice::TimestampBackwards))
        );
        assert_eq!(held.pts(80), Timestamp::from_millis(1_040));
        assert_eq!(
            held.pts(0),
            Timestamp::from_millis(1_000),
            "never before the DTS that was held"
        );
        assert_eq!(
            two.video(1_040).pts(-10),
            Timestamp::from_millis(1_030),
            "the sender's own choice"
        );
    }

    #[test]
    fn a_restarted_clock_goes_on_for_all_tracks_in_sync() {
        let mut two = Two::default();
        two.video(60_000);
        two.audio(60_010);
        let restarted = two.video(0);
        assert_eq!((restarted.dts, restarted.discontinuity), (60_010, true));
        assert_eq!(restarted.notice, Some(Notice::ClockRestarted));
        let audio = two.audio(5);
        assert_eq!((audio.dts, audio.discontinuity), (60_015, true));
        assert_eq!(
            (two.video(40).dts, two.video(80).discontinuity),
            (60_050, false)
        );
    }

    #[test]
    fn a_gap_is_kept_and_marked_once_a_track() {
        let mut two = Two::default();
        two.video(0);
        two.audio(0);
        assert!(!two.audio(9_000).discontinuity);
        let gap = two.video(30_000);
        assert_eq!(
            (gap.dts, gap.discontinuity, gap.notice),
            (30_000, true, Some(Notice::TimestampGap))
        );
        assert!(two.audio(30_001).discontinuity);
        assert!(!two.audio(30_020).discontinuity);
        // A track that was silent while the other went on is no break.
        two.video(39_000);
        two.video(45_000);
        assert!(!two.audio(45_001).discontinuity);
    }

    #[test]
    fn a_config_ahead_of_its_track_holds_no_frame_back() {
        let announced_at = |header: u32, video: u32| {
            let mut two = Two::default();
            two.0.header(AUDIO, header);
            assert!(two.0.is_new(AUDIO));
            let now = two.video(video).stamp.dts;
            let at = two.0.announce(AUDIO, now).as_millis();
            assert!(!two.0.is_new(AUDIO));
            (at, two)
        };
        let (at, mut two) = announced_at(0, 40);
        assert_eq!((at, two.audio(23).dts), (0, 23));
        let (at, mut two) = announced_at(90, 40);
        assert_eq!((at, two.audio(41).dts), (40, 41));
        let (at, mut two) = announced_at(0, 3_600_000);
        assert_eq!((at, two.audio(3_599_500).dts), (3_599_000, 3_599_500));
        // Only what comes before even that is held.
        let (at, mut two) = announced_at(0, 3_600_000);
        assert_eq!((at, two.audio(3_590_000).dts), (3_599_000, 3_599_000));
    }

    #[test]
    fn metadata_moves_no_clock() {
        let mut two = Two::default();
        let mut data = TrackClock::default();
        two.video(3_600_000);
        assert_eq!(two.0.data(&mut data, 0), Timestamp::from_millis(3_600_000));
        assert_eq!(
            two.0.data(&mut data, 3_600_100),
            Timestamp::from_millis(3_600_100)
        );
        assert_eq!(
            two.0.data(&mut data, 3_600_050),
            Timestamp::from_millis(3_600_100)
        );
        let next = two.video(3_600_040);
        assert_eq!((next.dts, next.notice), (3_600_040, None));
    }

    #[test]
    fn nanoseconds_are_added_exactly_and_never_turn_a_track_back() {
        let mut clock = Clock::default();
        clock.add_track();
        // The fifth frame of 30000/1001 a second: 166.833333 ms.
        let at = Timestamp::from_ticks(5 * 1_001, 30_000);
        assert_eq!(clock.media(0, 166, 833_333).dts, at);
        let held = clock.media(0, 166, 0);
        assert_eq!(
            (held.dts, held.notice),
            (at, Some(Notice::TimestampBackwards))
        );
        assert_eq!(clock.media(0, 167, 0).dts, Timestamp::from_millis(167));
    }

    proptest! {
        #[test]
        fn a_track_never_goes_back(tags in prop::collection::vec((any::<bool>(), any::<u32>()), 1..100)) {
            let mut two = Two::default();
            let mut last = [i64::MIN; 2];
            for (is_audio, raw) in tags {
                let stamp = if is_audio { two.audio(raw) } else { two.video(raw) };
                prop_assert!(stamp.dts >= last[usize::from(is_audio)]);
                last[usize::from(is_audio)] = stamp.dts;
            }
        }

        #[test]
        fn a_clean_day_drifts_by_nothing(start in any::<u32>(), steps in prop::collection::vec(1_u32..9_999, 1..200)) {
            let mut two = Two::default();
            let first = two.video(start).dts;
            let mut raw = start;
            let mut passed = 0;
            for step in steps {
                raw = raw.wrapping_add(step);
                passed += i64::from(step);
                let stamp = two.video(raw);
                prop_assert_eq!((stamp.dts - first, stamp.discontinuity), (passed, false));
            }
        }
    }
}
