//! The media playlist (RFC 8216bis 4.4.3, 4.4.4, 4.4.5).

use super::{Lines, Rendered, date, put};
use crate::presentation::{Facts, Rendition};
use crate::segment::{InitSegment, Part, Segment};
use arcly_core::WallClock;
use std::sync::Arc;

/// What EXT-X-SKIP takes (RFC 8216bis 7).
const VERSION_LOW_LATENCY: u32 = 9;
/// What EXT-X-MAP takes.
const VERSION_MAP: u32 = 6;
/// What decimal EXTINF takes.
const VERSION_PLAIN: u32 = 3;

/// HOLD-BACK and PART-HOLD-BACK in target durations: the least that RFC 8216bis 4.4.3.8 allows.
const HOLD_BACK: u64 = 3;
/// CAN-SKIP-UNTIL in target durations: the least that RFC 8216bis 4.4.3.8 allows.
const SKIP_BOUNDARY: u64 = 6;
/// For how many target durations from the end parts are listed (RFC 8216bis 6.2.2).
const PARTS_LISTED: u64 = 3;

const MICROS: u64 = 1_000_000;

/// Renders a rendition's playlist.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MediaPlaylist<'a> {
    rendition: &'a Rendition,
}

impl<'a> MediaPlaylist<'a> {
    pub(crate) const fn new(rendition: &'a Rendition) -> Self {
        Self { rendition }
    }

    const fn facts(self) -> &'a Facts {
        &self.rendition.facts
    }

    /// How many segments a delta update leaves out: those before the skip boundary.
    pub(crate) fn skippable(self) -> usize {
        if self.facts().part_target.is_none() || self.facts().ended {
            return 0;
        }
        let boundary = SKIP_BOUNDARY * self.facts().target_seconds * MICROS;
        self.older_than(boundary)
    }

    /// How many listed segments end more than `micros` before the end of the playlist.
    fn older_than(self, micros: u64) -> usize {
        let open = self.rendition.open.iter().flat_map(|open| &open.parts);
        let mut after: u64 = open.map(|part| part.duration_micros).sum();
        let listed = self.rendition.listed();
        for (index, segment) in listed.iter().enumerate().rev() {
            if after > micros {
                return index + 1;
            }
            after += segment.extinf_micros;
        }
        0
    }

    /// The playlist, without the first `skipped` segments.
    pub(crate) fn render(self, skipped: usize) -> Rendered {
        let (facts, listed) = (self.facts(), self.rendition.listed());
        let has_map = listed.iter().any(|segment| segment.init.is_some());
        let mut lines = Lines::new(match facts.part_target {
            Some(_) => VERSION_LOW_LATENCY,
            None if has_map => VERSION_MAP,
            None => VERSION_PLAIN,
        });
        self.head(&mut lines);
        if skipped > 0 {
            put!(lines, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n");
        }
        for date_range in facts.date_ranges.iter() {
            put!(lines, "{date_range}\n");
        }
        let parts_from = match facts.part_target {
            Some(_) => self.older_than(PARTS_LISTED * facts.target_seconds * MICROS),
            None => listed.len(),
        };
        let mut map = None;
        for (index, segment) in listed.iter().enumerate().skip(skipped) {
            self.segment(&mut lines, segment, index >= parts_from, &mut map);
        }
        self.tail(&mut lines, map);
        lines.finish()
    }

    fn head(self, lines: &mut Lines) {
        let facts = self.facts();
        let target = facts.target_seconds;
        put!(lines, "#EXT-X-TARGETDURATION:{target}\n");
        if let Some(part_target) = facts.part_target {
            put!(
                lines,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={},HOLD-BACK={}.0,CAN-SKIP-UNTIL={}.0\n",
                Seconds(part_target * HOLD_BACK),
                target * HOLD_BACK,
                target * SKIP_BOUNDARY
            );
            put!(
                lines,
                "#EXT-X-PART-INF:PART-TARGET={}\n",
                Seconds(part_target)
            );
        }
        let (sequence, discontinuities) =
            self.rendition.listed().first().map_or(facts.next, |first| {
                let before = u64::from(first.discontinuity);
                (first.sequence, first.discontinuity_sequence - before)
            });
        put!(lines, "#EXT-X-MEDIA-SEQUENCE:{sequence}\n");
        put!(lines, "#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n");
        if let Some(playlist_type) = facts.playlist_type {
            put!(lines, "#EXT-X-PLAYLIST-TYPE:{playlist_type}\n");
        }
        if facts.independent {
            put!(lines, "#EXT-X-INDEPENDENT-SEGMENTS\n");
        }
    }

    fn segment<'s>(
        self,
        lines: &mut Lines,
        segment: &'s Segment,
        with_parts: bool,
        map: &mut Option<&'s Arc<InitSegment>>,
    ) {
        self.preface(
            lines,
            segment.discontinuity,
            segment.program_date_time,
            segment.init.as_ref(),
            map,
        );
        if with_parts {
            self.parts(lines, segment.sequence, &segment.parts);
        }
        if segment.is_gap {
            put!(lines, "#EXT-X-GAP\n");
        }
        let Facts {
            prefix, extension, ..
        } = self.facts();
        put!(
            lines,
            "#EXTINF:{},\n{prefix}-{}.{extension}",
            Seconds(segment.extinf_micros),
            segment.sequence
        );
        lines.end_uri();
        put!(lines, "\n");
    }

    fn preface<'s>(
        self,
        lines: &mut Lines,
        discontinuity: bool,
        date: WallClock,
        init: Option<&'s Arc<InitSegment>>,
        map: &mut Option<&'s Arc<InitSegment>>,
    ) {
        if discontinuity {
            put!(lines, "#EXT-X-DISCONTINUITY\n");
        }
        if let Some(init) = init
            && map.is_none_or(|known| known.sequence != init.sequence)
        {
            put!(
                lines,
                "#EXT-X-MAP:URI=\"{}-init-{}.mp4",
                self.facts().prefix,
                init.sequence
            );
            lines.end_uri();
            put!(lines, "\"\n");
            *map = Some(init);
        }
        put!(lines, "#EXT-X-PROGRAM-DATE-TIME:{}\n", date::iso_8601(date));
    }

    fn parts(self, lines: &mut Lines, sequence: u64, parts: &[Arc<Part>]) {
        let Facts {
            prefix, extension, ..
        } = self.facts();
        for (index, part) in parts.iter().enumerate() {
            put!(
                lines,
                "#EXT-X-PART:DURATION={},URI=\"{prefix}-{sequence}.{index}.{extension}",
                Seconds(part.duration_micros)
            );
            lines.end_uri();
            let independent = if part.independent {
                ",INDEPENDENT=YES"
            } else {
                ""
            };
            put!(lines, "\"{independent}\n");
        }
    }

    fn tail<'s>(self, lines: &mut Lines, mut map: Option<&'s Arc<InitSegment>>)
    where
        'a: 's,
    {
        let facts = self.facts();
        if let Some(open) = &self.rendition.open {
            if !open.parts.is_empty() {
                self.preface(
                    lines,
                    open.discontinuity,
                    open.program_date_time,
                    open.init.as_ref(),
                    &mut map,
                );
                self.parts(lines, open.sequence, &open.parts);
            }
            // Past a discontinuity the player would not know yet which init segment the part needs.
            if open.has_more && !(open.discontinuity && open.parts.is_empty()) {
                put!(
                    lines,
                    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}-{}.{}.{}",
                    facts.prefix,
                    open.sequence,
                    open.parts.len(),
                    facts.extension
                );
                lines.end_uri();
                put!(lines, "\"\n");
            }
        }
        if facts.part_target.is_some() && !facts.ended {
            for report in &self.rendition.reports {
                put!(lines, "#EXT-X-RENDITION-REPORT:URI=\"{}.m3u8", report.name);
                lines.end_uri();
                put!(lines, "\",LAST-MSN={}", report.last.sequence);
                if let Some(part) = report.last.part {
                    put!(lines, ",LAST-PART={part}");
                }
                put!(lines, "\n");
            }
        }
        if facts.ended {
            put!(lines, "#EXT-X-ENDLIST\n");
        }
    }
}

/// Microseconds as decimal seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06}", self.0 / MICROS, self.0 % MICROS)
    }
}
