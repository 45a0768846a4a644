//! What is stored of one rendition, and the playlist that says so.

use crate::playlist::iso_8601;
use crate::presentation::{Facts, Rendition};
use crate::segment::{InitSegment, Segment};
use arcly_core::WallClock;
use std::fmt::Write as _;
use std::sync::Arc;

/// A segment as the playlist has it: without its bytes.
#[derive(Debug, Clone)]
struct Entry {
    sequence: u64,
    extinf_micros: u64,
    discontinuity: bool,
    date: WallClock,
    /// The init segment that it needs, where that is another than the one before.
    map: Option<u64>,
    is_stored: bool,
}

/// The segments of one rendition since the archive of it began.
#[derive(Debug)]
pub(super) struct Ledger {
    facts: Facts,
    entries: Vec<Entry>,
    /// The last segment that an earlier playlist has.
    after: Option<u64>,
    /// The Discontinuity Sequence Number of the last segment: where the one that told of a change is missing, the next one does.
    discontinuities: Option<u64>,
    /// The init segment of the last entry.
    init: Option<Arc<InitSegment>>,
    /// Whether something has changed since the playlist was last stored.
    pub(super) is_dirty: bool,
}

impl Ledger {
    pub(super) fn new(rendition: &Rendition) -> Self {
        Self {
            facts: rendition.facts.clone(),
            entries: Vec::new(),
            after: None,
            discontinuities: None,
            init: None,
            is_dirty: false,
        }
    }

    /// Begins an empty playlist behind the last segment.
    pub(super) fn begin_anew(&mut self) {
        self.after = self
            .entries
            .last()
            .map(|entry| entry.sequence)
            .or(self.after);
        self.entries.clear();
        self.init = None;
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The name of the media playlist.
    pub(super) fn playlist_name(&self) -> String {
        format!("{}.m3u8", self.facts.name)
    }

    /// The name of a segment, as the origin has it.
    pub(super) fn segment_name(&self, sequence: u64) -> String {
        let Facts {
            prefix, extension, ..
        } = &self.facts;
        format!("{prefix}-{sequence}.{extension}")
    }

    /// The name of the init segment of this number.
    pub(super) fn init_name(&self, sequence: u64) -> String {
        format!("{}-init-{sequence}.mp4", self.facts.prefix)
    }

    /// The oldest segment of `rendition` that is not in here yet.
    pub(super) fn next(&self, rendition: &Rendition) -> Option<Arc<Segment>> {
        let last = self
            .entries
            .last()
            .map(|entry| entry.sequence)
            .or(self.after);
        let segments = rendition.segments().iter();
        segments
            .into_iter()
            .find(|segment| last.is_none_or(|last| segment.sequence > last))
            .cloned()
    }

    /// The init segment that has to be stored before `segment`.
    pub(super) fn needs_init<'a>(&self, segment: &'a Segment) -> Option<&'a Arc<InitSegment>> {
        let known = self.init.as_ref().map(|init| init.sequence);
        let init = segment.init.as_ref();
        init.filter(|init| known != Some(init.sequence))
    }

    /// Notes that `segment` is stored, or is not and never will be. Returns how many before it are missing altogether: the live window went
    /// on without them.
    pub(super) fn note(&mut self, segment: &Segment, is_stored: bool) -> u64 {
        let missing = self.fill(segment);
        let is_other = self
            .discontinuities
            .replace(segment.discontinuity_sequence)
            .is_some_and(|before| before != segment.discontinuity_sequence);
        let needs_init = is_stored
            .then(|| self.needs_init(segment).cloned())
            .flatten();
        self.entries.push(Entry {
            sequence: segment.sequence,
            extinf_micros: segment.extinf_micros,
            discontinuity: segment.discontinuity || is_other,
            date: segment.program_date_time,
            map: needs_init.as_ref().map(|init| init.sequence),
            is_stored: is_stored && !segment.is_gap,
        });
        self.init = needs_init.or_else(|| self.init.take());
        self.is_dirty = true;
        missing
    }

    /// Puts gaps where segments before `segment` are missing, spread over the time between: their own durations are not known any more.
    fn fill(&mut self, segment: &Segment) -> u64 {
        let Some(last) = self.entries.last() else {
            return 0;
        };
        let (from, missing) = (last.sequence + 1, segment.sequence - last.sequence - 1);
        let ends = last.date.0 + i64::try_from(last.extinf_micros * 1_000).unwrap_or(0);
        let span = u64::try_from(segment.program_date_time.0 - ends).unwrap_or(0) / 1_000;
        // Where numbering began anew, the number of segments says nothing.
        let count = missing
            .min(span.div_ceil(self.target_micros()))
            .max(missing.min(1));
        for number in 0..count {
            let each = span / count;
            self.entries.push(Entry {
                sequence: from + number,
                extinf_micros: each,
                discontinuity: false,
                date: WallClock(ends + i64::try_from(each * number * 1_000).unwrap_or(0)),
                map: None,
                is_stored: false,
            });
        }
        missing
    }

    fn target_micros(&self) -> u64 {
        self.facts.target_seconds.max(1) * 1_000_000
    }

    /// The playlist: of type EVENT, or VOD once it has ended (RFC 8216bis 4.4.3.5), without parts. What is not stored is listed as a gap
    /// (4.4.4.7).
    pub(super) fn playlist(&self, has_ended: bool) -> String {
        let longest = self.entries.iter().map(|entry| entry.extinf_micros).max();
        // Rounded to the nearest integer, as 4.4.3.1 compares.
        let longest = (longest.unwrap_or(0) + 500_000) / 1_000_000;
        let target = self.facts.target_seconds.max(longest);
        // 8 is what EXT-X-GAP takes.
        let mut text = format!("#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:{target}\n");
        // A number of its own: what is missing is filled by time, so those of the origin need not be in a row.
        let kind = if has_ended { "VOD" } else { "EVENT" };
        _ = writeln!(text, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:{kind}");
        if self.facts.independent {
            text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.discontinuity && index > 0 {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if let Some(init) = entry.map {
                _ = writeln!(text, "#EXT-X-MAP:URI=\"{}\"", self.init_name(init));
            }
            let date = iso_8601(entry.date);
            _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}");
            if !entry.is_stored {
                text.push_str("#EXT-X-GAP\n");
            }
            let (seconds, micros) = (
                entry.extinf_micros / 1_000_000,
                entry.extinf_micros % 1_000_000,
            );
            let name = self.segment_name(entry.sequence);
            _ = writeln!(text, "#EXTINF:{seconds}.{micros:06},\n{name}");
        }
        if has_ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}
