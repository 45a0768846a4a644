//! The sliding window of a rendition's segments: numbering, what is listed, what is still served, and how much is
//! kept.

use crate::config::{HlsConfig, PlaylistType};
use crate::segment::{InitSegment, Part, Segment};
use arcly_core::{TICKS_PER_SECOND, TimeDelta, WallClock};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// The segments of one rendition, over all publishes of its stream's name.
#[derive(Debug)]
pub(crate) struct Window {
    /// Oldest first. The last `listed` of them stand in the playlist, numbered without holes.
    segments: VecDeque<Kept>,
    listed: usize,
    bytes: usize,
    next_sequence: u64,
    /// Media time of all segments ever added.
    media_time: TimeDelta,
    /// Whether each segment of this publish so far was independent.
    all_independent: bool,
    /// Nothing has left the list of this publish.
    is_whole: bool,
}

#[derive(Debug)]
struct Kept {
    segment: Arc<Segment>,
    /// For a segment that has left the list: the media time at which nobody can want it any more.
    expires: TimeDelta,
}

/// What a window is told of a new segment; the rest it knows itself.
#[derive(Debug)]
pub(crate) struct NewSegment {
    pub(crate) duration: TimeDelta,
    pub(crate) independent: bool,
    pub(crate) discontinuity: bool,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) date: WallClock,
    /// None for a span of which there is no media.
    pub(crate) media: Option<Media>,
}

#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) init: Option<Arc<InitSegment>>,
    pub(crate) parts: Vec<Arc<Part>>,
    pub(crate) bytes: Vec<Bytes>,
}

impl Window {
    pub(crate) fn new(first_sequence: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            listed: 0,
            bytes: 0,
            next_sequence: first_sequence,
            media_time: TimeDelta::ZERO,
            all_independent: true,
            is_whole: true,
        }
    }

    /// A new publish begins.
    pub(crate) fn begin(&mut self) {
        self.all_independent = true;
    }

    /// Adds the newest segment, and drops what the window no longer needs. `target_seconds` is EXT-X-TARGETDURATION.
    pub(crate) fn push(&mut self, new: NewSegment, target_seconds: u64, config: &HlsConfig) {
        let before = micros(self.media_time);
        self.media_time = self.media_time + new.duration;
        let is_gap = new.media.is_none();
        let (init, parts, bytes) = match new.media {
            Some(media) => (media.init, media.parts, media.bytes),
            None => Default::default(),
        };
        let segment = Segment {
            sequence: self.next_sequence,
            duration: new.duration,
            extinf_micros: micros(self.media_time).saturating_sub(before),
            discontinuity: new.discontinuity,
            discontinuity_sequence: new.discontinuity_sequence,
            independent: new.independent,
            is_gap,
            program_date_time: new.date,
            init,
            parts,
            size: bytes.iter().map(Bytes::len).sum(),
            bytes,
        };
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.all_independent &= segment.independent;
        self.bytes = self.bytes.saturating_add(segment.size);
        self.segments.push_back(Kept {
            segment: Arc::new(segment),
            expires: TimeDelta::ZERO,
        });
        self.listed += 1;
        self.slide(target_seconds, config);
    }

    /// The number of the segment that comes next.
    pub(crate) const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Goes on with `sequence`, which must not go back. What is listed leaves the list, since a list has no holes.
    pub(crate) fn skip_to(&mut self, sequence: u64) {
        if sequence > self.next_sequence {
            self.delist_all();
            self.next_sequence = sequence;
        }
    }

    /// Takes all segments off the list. They stay available to players that saw them there.
    pub(crate) fn delist_all(&mut self) {
        while self.listed > 0 {
            self.delist();
        }
        self.is_whole = true;
    }

    /// Lets go of all segments; the numbering goes on.
    pub(crate) fn clear(&mut self) {
        self.delist_all();
        self.segments.clear();
        self.bytes = 0;
    }

    /// The segments in the playlist.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.kept().skip(self.segments.len() - self.listed)
    }

    /// How many these are.
    pub(crate) const fn listed_count(&self) -> usize {
        self.listed
    }

    /// All segments that are served: those in the playlist, and those that have just left it.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().map(|kept| &kept.segment)
    }

    /// EXT-X-INDEPENDENT-SEGMENTS. Once a publish had a segment that is not, it is not said again,
    /// because a playlist's tags are not to come and go.
    pub(crate) fn is_independent(&self) -> bool {
        self.all_independent && self.listed().all(|segment| segment.independent)
    }

    /// Whether everything of the running list is still there.
    pub(crate) const fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Bytes of all kept segments.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the oldest kept segment, where it is not the only one.
    pub(crate) fn droppable(&self) -> Option<u64> {
        let oldest = self.segments.front()?;
        (self.segments.len() > 1).then_some(oldest.segment.sequence)
    }

    /// Lets go of the oldest segment, listed or not.
    pub(crate) fn drop_oldest(&mut self) {
        if self.segments.len() == self.listed {
            self.delist();
        }
        if let Some(kept) = self.segments.pop_front() {
            self.bytes -= kept.segment.size;
        }
    }

    fn slide(&mut self, target_seconds: u64, config: &HlsConfig) {
        // RFC 8216bis 6.2.2: a segment may leave only while three target durations remain.
        let target = TimeDelta::from_ticks(i64::try_from(target_seconds).unwrap_or(i64::MAX), 1);
        let minimum = (target + target + target).max(TimeDelta::from(config.rewind));
        let mut rest = self.listed_time();
        while config.playlist_type == PlaylistType::Live
            && self.listed > config.playlist_segments.max(3)
        {
            let Some(oldest) = self.listed().next().map(|segment| segment.duration) else {
                break;
            };
            rest = rest - oldest;
            if rest < minimum {
                break;
            }
            self.delist();
        }
        while self.segments.len() > self.listed
            && self
                .segments
                .front()
                .is_some_and(|kept| kept.expires <= self.media_time)
        {
            self.drop_oldest();
        }
    }

    fn listed_time(&self) -> TimeDelta {
        self.listed()
            .fold(TimeDelta::ZERO, |sum, segment| sum + segment.duration)
    }

    /// Takes the oldest listed segment off the list. RFC 8216bis 6.2.2: it stays available for its own
    /// duration and that of the longest playlist that listed it.
    fn delist(&mut self) {
        let playlist = self.listed_time();
        let index = self.segments.len() - self.listed;
        let Some(kept) = self.segments.get_mut(index) else {
            return;
        };
        kept.expires = self.media_time + kept.segment.duration + playlist;
        self.listed -= 1;
        self.is_whole = false;
    }
}

pub(crate) fn micros(time: TimeDelta) -> u64 {
    u64::try_from(time.to_ticks(1_000_000)).unwrap_or(0)
}

/// Whole seconds, halves rounded up.
pub(crate) fn rounded_seconds(time: TimeDelta) -> u64 {
    let seconds = (time.raw().max(0).saturating_add(TICKS_PER_SECOND / 2)) / TICKS_PER_SECOND;
    u64::try_from(seconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(millis: i64, size: usize) -> NewSegment {
        NewSegment {
            duration: TimeDelta::from_millis(millis),
            independent: true,
            discontinuity: false,
            discontinuity_sequence: 0,
            date: WallClock(0),
            media: Some(Media {
                init: None,
                parts: Vec::new(),
                bytes: vec![Bytes::from(vec![0; size])],
            }),
        }
    }

    #[test]
    fn what_left_the_list_is_kept_as_long_as_the_rfc_wants() {
        let config = HlsConfig::default();
        let mut window = Window::new(0);
        for _ in 0..30 {
            window.push(segment(2_000, 10), 2, &config);
        }
        assert_eq!(
            window.listed().next().map(|segment| segment.sequence),
            Some(24)
        );
        // Listed for 14 s in all when it left (itself and six more), plus its own 2 s: eight
        // segments more.
        assert_eq!(
            window.kept().map(|segment| segment.sequence).min(),
            Some(16)
        );
    }

    #[test]
    fn short_segments_stay_listed_until_three_target_durations_remain() {
        let config = HlsConfig::default();
        let mut window = Window::new(0);
        for _ in 0..100 {
            window.push(segment(200, 10), 2, &config);
        }
        assert_eq!(window.listed_count(), 30, "6 s");
    }

    #[test]
    fn what_can_be_rewound_to_stays_listed() {
        let config = HlsConfig {
            rewind: std::time::Duration::from_secs(60),
            ..HlsConfig::default()
        };
        let mut window = Window::new(0);
        for _ in 0..100 {
            window.push(segment(2_000, 10), 2, &config);
        }
        assert_eq!(window.listed_count(), 30);
    }

    #[test]
    fn an_event_keeps_everything() {
        let config = HlsConfig {
            playlist_type: PlaylistType::Event,
            ..HlsConfig::default()
        };
        let mut window = Window::new(0);
        for _ in 0..100 {
            window.push(segment(2_000, 10), 2, &config);
        }
        assert!(window.is_whole() && window.listed_count() == 100);
        window.drop_oldest();
        assert!(!window.is_whole());
    }

    proptest! {
        #[test]
        fn the_window_keeps_every_promise(
            segments in prop::collection::vec((0_i64..2_400, 0_usize..400, prop::bool::weighted(0.05), prop::bool::weighted(0.05)), 1..80),
            first in 0_u64..1 << 40,
        ) {
            let config = HlsConfig::default();
            let mut window = Window::new(first);
            let mut last = None;
            for (millis, size, clear, drop) in segments {
                if clear {
                    window.clear();
                    prop_assert_eq!(window.kept().count(), 0);
                }
                window.push(segment(millis, size), 2, &config);
                if drop && window.droppable().is_some() {
                    window.drop_oldest();
                }
                let sequence = window.listed().next().map(|segment| segment.sequence);
                prop_assert!(sequence.is_some() && sequence >= last);
                last = sequence;
                prop_assert_eq!(window.bytes(), window.kept().map(|segment| segment.size).sum::<usize>());
                let numbers: Vec<_> = window.kept().map(|segment| segment.sequence).collect();
                prop_assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
                prop_assert_eq!(numbers.last().copied(), Some(window.next_sequence() - 1));
                let listed: u64 = window.listed().map(|segment| segment.extinf_micros).sum();
                prop_assert!(listed <= 6_000_000 + 2_400_000 || window.listed_count() <= 6);
            }
        }
    }
}
