//! The sliding window of segments: numbering, what is listed, what is still served, and how much is
//! kept.

use crate::config::HlsConfig;
use crate::segment::Segment;
use arcly_core::mux::MuxedSegment;
use arcly_core::{TICKS_PER_SECOND, TimeDelta, WallClock};
use std::collections::VecDeque;
use std::sync::Arc;

/// The segments of one stream's name, over all its publishes.
#[derive(Debug)]
pub(crate) struct Window {
    /// Oldest first, numbered without holes. The last `listed` of them stand in the playlist.
    segments: VecDeque<Kept>,
    listed: usize,
    bytes: usize,
    next_sequence: u64,
    has_history: bool,
    /// EXT-X-DISCONTINUITY-SEQUENCE of the first listed segment: how many discontinuities have left
    /// the list.
    discontinuity_sequence: u64,
    /// EXT-X-TARGETDURATION in seconds; it never falls.
    target_seconds: u64,
    /// Media time of all segments ever added.
    media_time: TimeDelta,
    /// Whether each segment of this publish so far was independent.
    all_independent: bool,
}

#[derive(Debug)]
struct Kept {
    segment: Arc<Segment>,
    /// For a segment that has left the list: the media time at which nobody can want it any more.
    expires: TimeDelta,
}

impl Window {
    pub(crate) fn new(config: &HlsConfig, first_sequence: u64) -> Self {
        Self {
            segments: VecDeque::new(),
            listed: 0,
            bytes: 0,
            next_sequence: first_sequence,
            has_history: false,
            discontinuity_sequence: 0,
            target_seconds: rounded_seconds(TimeDelta::from(config.target_duration)).max(1),
            media_time: TimeDelta::ZERO,
            all_independent: true,
        }
    }

    /// A new publish begins.
    pub(crate) fn begin(&mut self) {
        self.all_independent = true;
    }

    /// Adds the newest segment, and drops what the window no longer needs.
    pub(crate) fn push(
        &mut self,
        muxed: MuxedSegment,
        discontinuity: bool,
        date: WallClock,
        config: &HlsConfig,
    ) {
        let before = micros(self.media_time);
        self.media_time = self.media_time + muxed.duration;
        let segment = Segment {
            sequence: self.next_sequence,
            duration: muxed.duration,
            extinf_micros: micros(self.media_time).saturating_sub(before),
            discontinuity,
            independent: muxed.independent,
            program_date_time: date,
            size: muxed.bytes.iter().map(bytes::Bytes::len).sum(),
            bytes: muxed.bytes,
        };
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.has_history = true;
        // RFC 8216 4.3.3.1: EXTINF, rounded to the nearest integer, must not exceed it.
        self.target_seconds = self.target_seconds.max(rounded_seconds(segment.duration));
        self.all_independent &= segment.independent;
        self.bytes = self.bytes.saturating_add(segment.size);
        self.segments.push_back(Kept {
            segment: Arc::new(segment),
            expires: TimeDelta::ZERO,
        });
        self.listed += 1;
        self.slide(config);
    }

    /// Whether there ever was a segment.
    pub(crate) const fn has_history(&self) -> bool {
        self.has_history
    }

    /// Takes all segments off the list. They stay available to players that saw them there.
    pub(crate) fn delist_all(&mut self) {
        while self.listed > 0 {
            self.delist();
        }
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

    /// All segments that are served: those in the playlist, and those that have just left it.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().map(|kept| &kept.segment)
    }

    /// EXT-X-MEDIA-SEQUENCE.
    pub(crate) fn media_sequence(&self) -> u64 {
        self.next_sequence - self.listed as u64
    }

    pub(crate) const fn discontinuity_sequence(&self) -> u64 {
        self.discontinuity_sequence
    }

    pub(crate) const fn target_seconds(&self) -> u64 {
        self.target_seconds
    }

    /// EXT-X-INDEPENDENT-SEGMENTS. Once a publish had a segment that is not, it is not said again,
    /// because a playlist's tags are not to come and go.
    pub(crate) fn is_independent(&self) -> bool {
        self.all_independent && self.listed().all(|segment| segment.independent)
    }

    #[cfg(test)]
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    fn slide(&mut self, config: &HlsConfig) {
        // RFC 8216 6.2.2: a segment may leave only while three target durations remain.
        let minimum =
            TimeDelta::from_ticks(i64::try_from(self.target_seconds).unwrap_or(i64::MAX), 1);
        let minimum = minimum + minimum + minimum;
        while self.listed > config.playlist_segments.max(3) {
            let rest = self
                .listed()
                .skip(1)
                .fold(TimeDelta::ZERO, |sum, segment| sum + segment.duration);
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
        while self.bytes > config.limits.stream_bytes && self.segments.len() > 1 {
            if self.segments.len() == self.listed {
                self.delist();
            }
            self.drop_oldest();
        }
    }

    /// Takes the oldest listed segment off the list. RFC 8216 6.2.2: it stays available for its own
    /// duration and that of the longest playlist that listed it.
    fn delist(&mut self) {
        let playlist = self
            .listed()
            .fold(TimeDelta::ZERO, |sum, segment| sum + segment.duration);
        let index = self.segments.len() - self.listed;
        let Some(kept) = self.segments.get_mut(index) else {
            return;
        };
        kept.expires = self.media_time + kept.segment.duration + playlist;
        self.discontinuity_sequence += u64::from(kept.segment.discontinuity);
        self.listed -= 1;
    }

    fn drop_oldest(&mut self) {
        if let Some(kept) = self.segments.pop_front() {
            self.bytes -= kept.segment.size;
        }
    }
}

fn micros(time: TimeDelta) -> u64 {
    u64::try_from(time.to_ticks(1_000_000)).unwrap_or(0)
}

/// Whole seconds, halves rounded up.
fn rounded_seconds(time: TimeDelta) -> u64 {
    let seconds = (time.raw().max(0).saturating_add(TICKS_PER_SECOND / 2)) / TICKS_PER_SECOND;
    u64::try_from(seconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn muxed(millis: i64, size: usize) -> MuxedSegment {
        MuxedSegment {
            bytes: vec![Bytes::from(vec![0; size])],
            init: None,
            duration: TimeDelta::from_millis(millis),
            independent: true,
        }
    }

    #[test]
    fn what_left_the_list_is_kept_as_long_as_the_rfc_wants() {
        let config = HlsConfig::default();
        let mut window = Window::new(&config, 0);
        for _ in 0..30 {
            window.push(muxed(2_000, 10), false, WallClock(0), &config);
        }
        assert_eq!((window.media_sequence(), window.listed().count()), (24, 6));
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
        let mut window = Window::new(&config, 0);
        for _ in 0..100 {
            window.push(muxed(200, 10), false, WallClock(0), &config);
        }
        assert_eq!(window.listed().count(), 30, "6 s");
    }

    proptest! {
        #[test]
        fn the_window_keeps_every_promise(
            segments in prop::collection::vec((0_i64..12_000, 0_usize..400, any::<bool>(), prop::bool::weighted(0.05)), 1..80),
            first in 0_u64..1 << 40,
        ) {
            let mut config = HlsConfig::default();
            config.limits.stream_bytes = 4_000;
            let mut window = Window::new(&config, first);
            let (mut sequence, mut discontinuities, mut target) = (window.media_sequence(), 0, window.target_seconds());
            let mut all = Vec::new();
            for (millis, size, discontinuity, clear) in segments {
                if clear {
                    window.clear();
                    prop_assert_eq!(window.kept().count(), 0);
                }
                window.push(muxed(millis, size), discontinuity, WallClock(0), &config);
                all.push(discontinuity);
                prop_assert!(window.media_sequence() >= sequence);
                prop_assert!(window.target_seconds() >= target);
                sequence = window.media_sequence();
                target = window.target_seconds();
                prop_assert!(window.bytes() <= 4_000 || window.kept().count() == 1);
                prop_assert_eq!(window.bytes(), window.kept().map(|segment| segment.size).sum::<usize>());
                let numbers: Vec<_> = window.kept().map(|segment| segment.sequence).collect();
                prop_assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
                prop_assert_eq!(window.listed().next().map(|segment| segment.sequence), Some(sequence));
                for segment in window.listed() {
                    prop_assert!((segment.extinf_micros + 500_000) / 1_000_000 <= target);
                }
                // RFC 8216 6.2.2: the discontinuity sequence counts the tags that left the list.
                let left = usize::try_from(sequence - first).expect("few segments");
                discontinuities = all[..left].iter().filter(|tag| **tag).count() as u64;
                prop_assert_eq!(window.discontinuity_sequence(), discontinuities);
            }
            let _ = discontinuities;
        }
    }
}
