//! EXT-X-DATERANGE tags of a stream's SCTE-35 messages (RFC 8216bis 4.4.5.1).

mod splice;

use crate::playlist::iso_8601;
use arcly_core::{MediaFrame, TimeDelta, Timestamp, WallClock};
use splice::{Splice, Turn};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

/// The longest section that is told: the longest that a transport stream can carry (ANSI/SCTE 35 9.6).
const MAX_SECTION: usize = 4_096;

/// How far from its message a splice point may lie. Where it seems further away, the publisher's 33-bit clock was not kept on the
/// way here, and the message's own time counts.
const MAX_AHEAD: TimeDelta = TimeDelta::from_millis(600_000);
const MAX_BEHIND: TimeDelta = TimeDelta::from_millis(10_000);

/// The messages of a stream that playlists tell.
#[derive(Debug)]
pub(crate) struct DateRanges {
    max: usize,
    entries: VecDeque<Entry>,
    tags: Arc<[String]>,
}

#[derive(Debug)]
struct Entry {
    splice: Splice,
    section: bytes::Bytes,
    at: Timestamp,
    /// Once the clock is known.
    date: Option<WallClock>,
}

impl DateRanges {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            entries: VecDeque::new(),
            tags: Arc::new([]),
        }
    }

    /// Takes a SCTE-35 frame. `date` tells the wall clock at a point of the media timeline, where it is known. Whether there is something new
    /// to tell.
    pub(crate) fn note(
        &mut self,
        frame: &MediaFrame,
        date: impl Fn(Timestamp) -> Option<WallClock>,
    ) -> bool {
        let Some(splice) =
            splice::read(&frame.payload).filter(|_| frame.payload.len() <= MAX_SECTION)
        else {
            return false;
        };
        // Encoders repeat a message until its time has come.
        let is_known = |entry: &Entry| entry.section == frame.payload;
        if self.max == 0 || self.entries.iter().any(is_known) {
            return false;
        }
        if self.entries.len() >= self.max {
            self.entries.pop_front();
        }
        let at = splice_point(&splice, frame.pts);
        self.entries.push_back(Entry {
            splice,
            section: frame.payload.clone(),
            at,
            date: None,
        });
        self.date(date)
    }

    /// Dates what had to wait for the clock. Whether there is something new to tell.
    pub(crate) fn date(&mut self, date: impl Fn(Timestamp) -> Option<WallClock>) -> bool {
        let mut is_new = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.date.is_none()) {
            entry.date = date(entry.at);
            is_new |= entry.date.is_some();
        }
        if is_new {
            self.render();
        }
        is_new
    }

    /// Forgets what was over before `start`, the beginning of the playlist.
    pub(crate) fn forget_before(&mut self, start: WallClock) {
        let before = self.entries.len();
        self.entries.retain(|entry| {
            let length = entry.splice.duration.unwrap_or(0).saturating_mul(100_000) / 9;
            let length = i64::try_from(length).unwrap_or(i64::MAX);
            entry
                .date
                .is_none_or(|date| date.0.saturating_add(length) >= start.0)
        });
        if self.entries.len() != before {
            self.render();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.render();
    }

    /// The tags, in the order of their messages.
    pub(crate) const fn tags(&self) -> &Arc<[String]> {
        &self.tags
    }

    fn render(&mut self) {
        self.tags = self
            .entries
            .iter()
            .filter_map(|entry| self.tag(entry))
            .collect();
    }

    fn tag(&self, entry: &Entry) -> Option<String> {
        let Splice {
            event,
            turn,
            duration,
            ..
        } = entry.splice;
        let date = entry.date?;
        let is_out = |other: &&Entry| other.splice.event == event && other.splice.turn == Turn::Out;
        let out = self
            .entries
            .iter()
            .find(is_out)
            .filter(|_| turn == Turn::In && event.is_some());
        let start = out.and_then(|out| out.date).unwrap_or(date);
        let mut tag = match event {
            // Tags of one event have one ID, and tell of one range.
            Some(event) if turn != Turn::Other => {
                format!("#EXT-X-DATERANGE:ID=\"splice-{event:x}\"")
            }
            _ => format!("#EXT-X-DATERANGE:ID=\"splice-at-{}\"", date.0 / 1_000_000),
        };
        // Writing to a string cannot fail.
        let mut put = |text: std::fmt::Arguments<'_>| _ = tag.write_fmt(text);
        put(format_args!(",START-DATE=\"{}\"", iso_8601(start)));
        if out.is_some() && date >= start {
            put(format_args!(",END-DATE=\"{}\"", iso_8601(date)));
        }
        if let Some(duration) = duration.filter(|_| turn == Turn::Out) {
            let micros = duration.saturating_mul(100) / 9;
            put(format_args!(
                ",PLANNED-DURATION={}.{:06}",
                micros / 1_000_000,
                micros % 1_000_000
            ));
        }
        put(format_args!(
            ",SCTE35-{}=0x",
            match turn {
                Turn::Out => "OUT",
                Turn::In => "IN",
                Turn::Other => "CMD",
            }
        ));
        for byte in &entry.section {
            put(format_args!("{byte:02X}"));
        }
        Some(tag)
    }
}

/// Where a splice is on the media timeline, which keeps the publisher's 33-bit clock where the message came in a transport stream.
fn splice_point(splice: &Splice, pts: Timestamp) -> Timestamp {
    let Some(time) = splice.time else {
        return pts;
    };
    const WRAP: i64 = 1 << 33;
    let ahead = i64::try_from(time).unwrap_or(0) - pts.to_ticks(90_000);
    let ahead = (ahead + WRAP / 2).rem_euclid(WRAP) - WRAP / 2;
    let ahead = TimeDelta::from_ticks(ahead, 90_000);
    if ahead > MAX_AHEAD || ahead < TimeDelta::ZERO - MAX_BEHIND {
        return pts;
    }
    pts + ahead
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::CodecId;
    use bytes::Bytes;

    /// A splice_insert of event 7 at `time`.
    fn insert(out: bool, time: u32, duration: Option<u32>) -> MediaFrame {
        let mut section =
            b"\xfc\x30\x00\x00\x00\x00\x00\x00\x00\xff\xff\xf0\x14\x05\0\0\0\x07\x7f".to_vec();
        section.push(0x4f | u8::from(out) << 7 | u8::from(duration.is_some()) << 5);
        section.push(0xfe);
        section.extend(time.to_be_bytes());
        if let Some(duration) = duration {
            section.push(0xfe);
            section.extend(duration.to_be_bytes());
        }
        MediaFrame::new_data(1_000, Bytes::from(section), CodecId::Scte35)
    }

    fn date(pts: Timestamp) -> Option<WallClock> {
        Some(WallClock(pts.to_ticks(1_000_000_000)))
    }

    #[test]
    fn a_break_has_one_range_from_out_to_in() {
        let mut ranges = DateRanges::new(8);
        assert!(ranges.note(&insert(true, 2 * 90_000, Some(30 * 90_000)), date));
        assert!(
            !ranges.note(&insert(true, 2 * 90_000, Some(30 * 90_000)), date),
            "repeated"
        );
        assert!(ranges.note(&insert(false, 32 * 90_000, None), date));
        let tags = ranges.tags();
        assert!(
            tags[0].starts_with(
                "#EXT-X-DATERANGE:ID=\"splice-7\",START-DATE=\"1970-01-01T00:00:02.000Z\",PLANNED-DURATION=30.000000,SCTE35-OUT=0xFC30"
            ),
            "{}",
            tags[0]
        );
        assert!(
            tags[1].starts_with(
                "#EXT-X-DATERANGE:ID=\"splice-7\",START-DATE=\"1970-01-01T00:00:02.000Z\",END-DATE=\"1970-01-01T00:00:32.000Z\",SCTE35-IN=0xFC30"
            ),
            "{}",
            tags[1]
        );
        ranges.forget_before(WallClock(40_000_000_000));
        assert_eq!(ranges.tags().len(), 0);
    }

    #[test]
    fn a_message_waits_for_the_clock() {
        let mut ranges = DateRanges::new(8);
        assert!(!ranges.note(&insert(true, 90_000, None), |_| None));
        assert_eq!(ranges.tags().len(), 0);
        assert!(ranges.date(date));
        assert_eq!(ranges.tags().len(), 1);
    }

    #[test]
    fn a_splice_point_on_another_clock_is_where_its_message_is() {
        let mut ranges = DateRanges::new(1);
        ranges.note(&insert(true, 0x8000_0000, None), date);
        assert!(ranges.tags()[0].contains("START-DATE=\"1970-01-01T00:00:01.000Z\""));
        ranges.note(&insert(true, 90_000, None), date);
        assert_eq!(ranges.tags().len(), 1, "the limit");
    }
}
