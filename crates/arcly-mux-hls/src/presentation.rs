//! All that is served of a stream at one moment: immutable, shared by all requests.

use crate::playlist::{MediaPlaylist, MultivariantPlaylist, Rendered, Variants};
use crate::segment::{InitSegment, OpenSegment, Part, Segment};
use std::sync::{Arc, OnceLock};

/// The playlists of a stream in one container, and the segments that can be asked for.
#[derive(Debug)]
pub struct Presentation {
    pub(crate) renditions: Vec<Arc<Rendition>>,
    pub(crate) variants: Arc<Variants>,
    multivariant: OnceLock<Rendered>,
    above: OnceLock<Rendered>,
}

impl Presentation {
    pub(crate) fn new(renditions: Vec<Arc<Rendition>>, variants: Arc<Variants>) -> Self {
        Self {
            renditions,
            variants,
            multivariant: OnceLock::new(),
            above: OnceLock::new(),
        }
    }

    /// The multivariant playlist, for a URL beside the media playlists.
    #[must_use]
    pub fn multivariant(&self) -> &Rendered {
        self.multivariant.get_or_init(|| {
            MultivariantPlaylist::default()
                .with("", "", &self.variants)
                .render()
        })
    }

    /// The multivariant playlist, for a URL one folder above the media playlists: `folder`, which has to be the same each time.
    pub(crate) fn multivariant_above(&self, folder: &str) -> &Rendered {
        self.above.get_or_init(|| {
            let path = format!("{folder}/");
            MultivariantPlaylist::default()
                .with(&path, "", &self.variants)
                .render()
        })
    }

    /// The rendition with this name.
    #[must_use]
    pub fn rendition(&self, name: &str) -> Option<&Arc<Rendition>> {
        self.renditions
            .iter()
            .find(|rendition| rendition.name() == name)
    }

    /// All renditions, the leading one first.
    #[must_use]
    pub fn renditions(&self) -> &[Arc<Rendition>] {
        &self.renditions
    }
}

/// What is served of one rendition at one moment: its media playlist and segments.
#[derive(Debug)]
pub struct Rendition {
    pub(crate) facts: Facts,
    /// All that can be asked for, oldest first, numbered without holes but where listing has begun anew.
    pub(crate) segments: Arc<[Arc<Segment>]>,
    /// Which of them is the first that is listed.
    pub(crate) first_listed: usize,
    pub(crate) open: Option<OpenSegment>,
    /// For EXT-X-RENDITION-REPORT.
    pub(crate) reports: Vec<Report>,
    full: OnceLock<Rendered>,
    delta: OnceLock<Rendered>,
}

/// What holds for all of a rendition's playlist.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The name of its media playlist, without extension.
    pub(crate) name: Arc<str>,
    /// What the names of its segments begin with.
    pub(crate) prefix: Arc<str>,
    pub(crate) extension: &'static str,
    pub(crate) mime_type: &'static str,
    pub(crate) target_seconds: u64,
    /// PART-TARGET in microseconds, in a low-latency rendition.
    pub(crate) part_target: Option<u64>,
    pub(crate) independent: bool,
    /// EXT-X-PLAYLIST-TYPE.
    pub(crate) playlist_type: Option<&'static str>,
    pub(crate) ended: bool,
    /// The number of the first segment in the list while it is empty, and its discontinuity sequence number.
    pub(crate) next: (u64, u64),
    /// EXT-X-DATERANGE tags.
    pub(crate) date_ranges: Arc<[String]>,
}

/// How far another rendition has got (EXT-X-RENDITION-REPORT, RFC 8216bis 4.4.5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) name: Arc<str>,
    pub(crate) last: Position,
}

/// A place in a playlist: a segment, and a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) sequence: u64,
    pub(crate) part: Option<u64>,
}

impl Rendition {
    pub(crate) fn new(
        facts: Facts,
        segments: Arc<[Arc<Segment>]>,
        first_listed: usize,
        open: Option<OpenSegment>,
        reports: Vec<Report>,
    ) -> Self {
        Self {
            facts,
            segments,
            first_listed,
            open,
            reports,
            full: OnceLock::new(),
            delta: OnceLock::new(),
        }
    }

    /// The name of its media playlist, without `.m3u8`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.facts.name
    }

    /// The media playlist.
    #[must_use]
    pub fn playlist(&self) -> &Rendered {
        self.full.get_or_init(|| MediaPlaylist::new(self).render(0))
    }

    /// The Playlist Delta Update (RFC 8216bis 6.2.5.1); the whole playlist where there is nothing to skip.
    #[must_use]
    pub fn delta(&self) -> &Rendered {
        let playlist = MediaPlaylist::new(self);
        match playlist.skippable() {
            0 => self.playlist(),
            skipped => self.delta.get_or_init(|| playlist.render(skipped)),
        }
    }

    /// The media type of the segments.
    #[must_use]
    pub fn mime_type(&self) -> &'static str {
        self.facts.mime_type
    }

    /// All segments that can be asked for, oldest first.
    #[must_use]
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The segment with this number, while it can be asked for.
    #[must_use]
    pub fn segment(&self, sequence: u64) -> Option<&Arc<Segment>> {
        let index = self
            .segments
            .binary_search_by_key(&sequence, |segment| segment.sequence)
            .ok()?;
        self.segments.get(index).filter(|segment| !segment.is_gap)
    }

    /// The part with this number of the segment `sequence`, while it can be asked for.
    #[must_use]
    pub fn part(&self, sequence: u64, part: u64) -> Option<&Arc<Part>> {
        let index = usize::try_from(part).ok()?;
        match &self.open {
            Some(open) if open.sequence == sequence => open.parts.get(index),
            _ => self.segment(sequence)?.parts.get(index),
        }
    }

    /// The init segment that is named by segment `sequence`.
    #[must_use]
    pub fn init(&self, sequence: u64) -> Option<&Arc<InitSegment>> {
        let open = self.open.as_ref().and_then(|open| open.init.as_ref());
        let kept = self.segments.iter().rev().map(|segment| &segment.init);
        open.into_iter()
            .chain(kept.flatten())
            .find(|init| init.sequence == sequence)
    }

    pub(crate) fn listed(&self) -> &[Arc<Segment>] {
        self.segments.get(self.first_listed..).unwrap_or_default()
    }

    /// The number of the segment after the last finished one.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.segments
            .last()
            .map_or(self.facts.next.0, |segment| segment.sequence + 1)
    }

    /// Whether the playlist has `wanted`, or something after it (RFC 8216bis 6.2.5.2).
    pub(crate) fn has(&self, wanted: Position) -> bool {
        let next = self.next_sequence();
        let Some(part) = wanted.part else {
            return wanted.sequence < next;
        };
        let open = self
            .open
            .as_ref()
            .map_or((next, 0), |open| (open.sequence, open.parts.len() as u64));
        let has_part_of_open =
            |sequence: u64, part: u64| sequence < open.0 || (sequence == open.0 && part < open.1);
        if wanted.sequence >= next {
            return has_part_of_open(wanted.sequence, part);
        }
        // A part past the last of a finished segment is the first of the next one.
        let is_past_end = wanted.sequence + 1 == next
            && self
                .segments
                .last()
                .is_some_and(|segment| !segment.is_gap && part >= segment.parts.len() as u64);
        !is_past_end || has_part_of_open(next, 0)
    }

    /// Whether `wanted` is so far ahead that waiting for it makes no sense (RFC 8216bis 6.2.5.2).
    pub(crate) fn is_too_far(&self, wanted: Position) -> bool {
        let last = self.next_sequence().saturating_sub(1);
        if wanted.sequence > last.saturating_add(2) {
            return true;
        }
        let (Some(part), Some(target)) = (wanted.part, self.facts.part_target) else {
            return false;
        };
        // The Advance Part Limit: three parts, or as many as make three seconds.
        let advance = 3_000_000_u64.div_ceil(target.max(1)).max(3);
        let open = self.open.as_ref().map_or(0, |open| open.parts.len() as u64);
        let have = if wanted.sequence == last + 1 { open } else { 0 };
        wanted.sequence > last && part > have.saturating_add(advance)
    }

    /// Whether this part is promised by EXT-X-PRELOAD-HINT.
    pub(crate) fn hints(&self, sequence: u64, part: u64) -> bool {
        self.open.as_ref().is_some_and(|open| {
            open.has_more && open.sequence == sequence && open.parts.len() as u64 == part
        })
    }
}
