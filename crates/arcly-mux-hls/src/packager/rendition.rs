//! One rendition in the making: a muxer, its open segment and part, and what came of it.

use super::pace::{LastFrames, Targets};
use super::rates::Rates;
use crate::config::HlsConfig;
use crate::presentation::{Facts, Position, Rendition, Report};
use crate::segment::{InitSegment, OpenSegment, Part};
use crate::window::{Media, NewSegment, Window, micros};
use arcly_core::mux::{ContainerFormat, MuxError, MuxedPart, SegmentMuxer};
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId, WallClock};
use bytes::Bytes;
use std::sync::Arc;

/// Which tracks a rendition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// All, in one container.
    All,
    /// One of its own.
    Track(TrackId, MediaKind),
}

impl Content {
    /// What its media playlist is called, and what its segments' names begin with.
    fn names(self) -> (String, String) {
        match self {
            Self::All => ("media".to_owned(), "seg".to_owned()),
            Self::Track(track, kind) => {
                let letter = if kind == MediaKind::Video { 'v' } else { 'a' };
                let name = format!("{letter}{track}");
                (name.clone(), name)
            }
        }
    }
}

/// A rendition, over all publishes that have it.
pub(super) struct RenditionMaker {
    pub(super) content: Content,
    name: Arc<str>,
    prefix: Arc<str>,
    format: ContainerFormat,
    /// While a publish has it.
    pub(super) muxer: Option<Box<dyn SegmentMuxer>>,
    pub(super) window: Window,
    pub(super) rates: Rates,
    /// Kind and codec of each track in the listed segments: what a player sets up.
    pub(super) signature: Vec<(MediaKind, &'static str)>,
    /// The next segment starts with EXT-X-DISCONTINUITY.
    pub(super) discontinuity: bool,
    init: Option<Arc<InitSegment>>,
    open: Option<Open>,
    /// Where the open segment is to end, if that is before the next frame from there on.
    pub(super) boundary: Option<(Boundary, Timestamp)>,
    /// The running publish has its tracks.
    pub(super) is_active: bool,
    /// It has had a frame, or a segment, since the timeline began.
    pub(super) is_started: bool,
    /// It is in the multivariant playlist.
    pub(super) is_offered: bool,
    /// What is served, and whether that is still true.
    served: Option<Arc<Rendition>>,
    is_stale: bool,
    frames: LastFrames,
}

/// The segment in the making.
struct Open {
    date: Option<WallClock>,
    start_pts: Timestamp,
    /// DTS of the first frame of the open part, of the track by which parts are cut.
    part_start: Option<Timestamp>,
    parts: Vec<Arc<Part>>,
    pictures: u64,
    has_more: bool,
}

/// Where the leading rendition has cut.
#[derive(Debug, Clone)]
pub(super) struct Boundary {
    pub(super) pts: Timestamp,
    /// How long the segment before it is in the leading rendition.
    pub(super) duration: TimeDelta,
    /// Spans without media after the segment, which each rendition lists alike.
    pub(super) gaps: Vec<TimeDelta>,
}

/// What a finished segment is dated and listed by.
#[derive(Clone, Copy)]
pub(super) struct Listing<'a> {
    pub(super) config: &'a HlsConfig,
    /// Dates a point of the media timeline.
    pub(super) date: &'a dyn Fn(Timestamp) -> WallClock,
    /// The start of the leading rendition's segment, for a segment without frames of its own.
    pub(super) start_pts: Timestamp,
    /// The discontinuity sequence number of the segment.
    pub(super) discontinuity_sequence: u64,
}

impl std::fmt::Debug for RenditionMaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenditionMaker")
            .field("name", &self.name)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

impl RenditionMaker {
    pub(super) fn new(content: Content, format: ContainerFormat, first_sequence: u64) -> Self {
        let (name, prefix) = content.names();
        Self {
            content,
            name: name.into(),
            prefix: prefix.into(),
            format,
            muxer: None,
            window: Window::new(first_sequence),
            rates: Rates::default(),
            signature: Vec::new(),
            discontinuity: false,
            init: None,
            open: None,
            boundary: None,
            is_active: false,
            is_started: false,
            is_offered: false,
            served: None,
            is_stale: true,
            frames: LastFrames::default(),
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// A publish that has this rendition begins.
    pub(super) fn begin(&mut self, muxer: Box<dyn SegmentMuxer>) {
        self.muxer = Some(muxer);
        self.window.begin();
        self.rates = Rates::default();
        self.frames = LastFrames::default();
        self.boundary = None;
        self.is_active = true;
        self.is_started = false;
        self.is_stale = true;
    }

    /// Whether it carries this track.
    pub(super) fn has(&self, track: TrackId) -> bool {
        match self.content {
            Content::All => true,
            Content::Track(own, _) => own == track,
        }
    }

    pub(super) const fn is_stale(&self) -> bool {
        self.is_stale
    }

    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn segment_bytes(&self) -> usize {
        self.muxer.as_ref().map_or(0, |muxer| muxer.segment_bytes())
    }

    /// Writes a codec config.
    pub(super) fn configure(&mut self, config: &MediaFrame) -> Result<(), MuxError> {
        self.muxer
            .as_mut()
            .map_or(Ok(()), |muxer| muxer.write(config))
    }

    /// Writes media. `times_parts` says that parts are cut by this frame's track; `date` is the wall clock
    /// at the frame's PTS, where it is known.
    pub(super) fn write(
        &mut self,
        frame: &MediaFrame,
        times_parts: bool,
        date: Option<WallClock>,
        part_limit: Option<TimeDelta>,
        targets: &mut Targets,
    ) -> Result<(), MuxError> {
        let Some(muxer) = &mut self.muxer else {
            return Ok(());
        };
        if times_parts
            && let (Some(limit), Some(open)) = (part_limit, &self.open)
            && let Some(start) = open.part_start
            && frame.dts.since(start) + self.frames.longest() > limit
        {
            // A frame that lasts longer than a part makes one alone.
            let part = muxer.end_part(Some(frame));
            self.take_part(part, targets);
        }
        let Some(muxer) = &mut self.muxer else {
            return Ok(());
        };
        muxer.write(frame)?;
        if frame.kind == MediaKind::Data {
            return Ok(());
        }
        let open = self.open.get_or_insert(Open {
            date,
            start_pts: frame.pts,
            part_start: None,
            parts: Vec::new(),
            pictures: 0,
            has_more: false,
        });
        if times_parts {
            self.frames.note(frame.dts);
            open.part_start.get_or_insert(frame.dts);
            open.pictures += u64::from(frame.is_video());
        }
        self.is_started = true;
        self.is_stale |= part_limit.is_some() && !open.has_more;
        open.has_more = true;
        Ok(())
    }

    fn take_part(&mut self, part: Option<MuxedPart>, targets: &mut Targets) {
        let (Some(part), Some(open)) = (part, &mut self.open) else {
            return;
        };
        open.part_start = None;
        open.has_more = false;
        let sequence = self.window.next_sequence();
        adopt(&mut self.init, part.init, sequence);
        let duration_micros = targets.admit_part(micros(part.duration));
        open.parts.push(Arc::new(Part {
            duration_micros,
            independent: part.independent,
            bytes: part.bytes,
        }));
        self.is_stale = true;
    }

    /// Ends the open segment before `next`, or lists a gap where it has no frames; then the gaps of `boundary`.
    pub(super) fn end_segment(
        &mut self,
        next: Option<&MediaFrame>,
        boundary: &Boundary,
        parted: bool,
        targets: &mut Targets,
        listing: Listing<'_>,
    ) {
        self.boundary = None;
        if parted && let Some(muxer) = &mut self.muxer {
            let part = muxer.end_part(next);
            self.take_part(part, targets);
        }
        let muxed = self
            .muxer
            .as_mut()
            .and_then(|muxer| muxer.end_segment(next));
        let open = self.open.take();
        let start = open
            .as_ref()
            .map_or(listing.start_pts, |open| open.start_pts);
        let date = open
            .as_ref()
            .and_then(|open| open.date)
            .unwrap_or_else(|| (listing.date)(start));
        let gaps = boundary
            .gaps
            .iter()
            .fold(TimeDelta::ZERO, |sum, gap| sum + *gap);
        let (mut duration, independent, media) = match (muxed, open) {
            (Some(muxed), Some(open)) => {
                adopt(&mut self.init, muxed.init, self.window.next_sequence());
                let size = muxed.bytes.iter().map(Bytes::len).sum();
                self.rates
                    .add(size, muxed.duration, open.pictures, targets.target());
                targets.note_segment(muxed.duration - gaps);
                let media = Media {
                    init: self.init.clone(),
                    parts: open.parts,
                    bytes: muxed.bytes,
                };
                (muxed.duration, muxed.independent, Some(media))
            }
            _ => (boundary.duration + gaps, true, None),
        };
        // What no segment may be is told by gaps, and by no more than a frame it is rounding.
        duration = (duration - gaps)
            .max(TimeDelta::ZERO)
            .min(targets.longest());
        self.is_started = true;
        let new = NewSegment {
            duration,
            independent,
            discontinuity: std::mem::take(&mut self.discontinuity),
            discontinuity_sequence: listing.discontinuity_sequence,
            date,
            media,
        };
        self.window.push(new, targets.seconds(), listing.config);
        self.list_gaps(&boundary.gaps, start + duration, targets, listing);
    }

    /// What is served has changed in a way that only the packager knows.
    pub(super) const fn touch(&mut self) {
        self.is_stale = true;
    }

    /// The last segment or part that is there.
    pub(super) fn report(&self) -> Option<Report> {
        let last = match &self.open {
            Some(open) if !open.parts.is_empty() => Some(Position {
                sequence: self.window.next_sequence(),
                part: (open.parts.len() as u64).checked_sub(1),
            }),
            _ => self.window.listed().last().map(|segment| Position {
                sequence: segment.sequence,
                part: (segment.parts.len() as u64).checked_sub(1),
            }),
        };
        last.map(|last| Report {
            name: Arc::clone(&self.name),
            last,
        })
    }

    /// What is to be served now; the same as before where nothing has changed.
    pub(super) fn serve(&mut self, scene: &Scene<'_>) -> Arc<Rendition> {
        if let Some(served) = &self.served
            && !self.is_stale
        {
            return Arc::clone(served);
        }
        let facts = Facts {
            name: Arc::clone(&self.name),
            prefix: Arc::clone(&self.prefix),
            extension: self.format.extension,
            mime_type: self.format.mime_type,
            target_seconds: scene.targets.seconds(),
            part_target: scene.parted.then(|| scene.targets.part_micros()),
            independent: self.window.is_independent(),
            playlist_type: match (scene.is_event && self.window.is_whole(), scene.ended) {
                (true, false) => Some("EVENT"),
                (true, true) => Some("VOD"),
                (false, _) => None,
            },
            ended: scene.ended,
            next: (self.window.next_sequence(), scene.discontinuity_sequence),
            date_ranges: Arc::clone(scene.date_ranges),
        };
        // Between two cuts only the open segment changes.
        let unchanged = self
            .served
            .as_ref()
            .filter(|served| served.next_sequence() == self.window.next_sequence())
            .filter(|served| served.listed().len() == self.window.listed_count());
        let segments = match unchanged {
            Some(served) if served.segments.len() == self.window.kept().count() => {
                Arc::clone(&served.segments)
            }
            _ => self.window.kept().cloned().collect(),
        };
        let first_listed = segments.len() - self.window.listed_count();
        let open = self
            .open
            .as_ref()
            .filter(|_| scene.parted && !scene.ended)
            .map(|open| OpenSegment {
                sequence: self.window.next_sequence(),
                discontinuity: self.discontinuity,
                program_date_time: open.date.unwrap_or_else(|| (scene.date)(open.start_pts)),
                init: self.init.clone(),
                parts: open.parts.clone(),
                has_more: open.has_more,
            });
        let reports = scene
            .reports
            .iter()
            .filter(|report| report.name != self.name)
            .cloned()
            .collect();
        let served = Arc::new(Rendition::new(facts, segments, first_listed, open, reports));
        self.served = Some(Arc::clone(&served));
        self.is_stale = false;
        served
    }

    /// Lists spans without media.
    pub(super) fn list_gaps(
        &mut self,
        gaps: &[TimeDelta],
        from: Timestamp,
        targets: &Targets,
        listing: Listing<'_>,
    ) {
        let mut at = from;
        for gap in gaps {
            let new = NewSegment {
                duration: *gap,
                independent: true,
                discontinuity: std::mem::take(&mut self.discontinuity),
                discontinuity_sequence: listing.discontinuity_sequence,
                date: (listing.date)(at),
                media: None,
            };
            at = at + *gap;
            self.window.push(new, targets.seconds(), listing.config);
        }
        self.is_stale = true;
    }

    /// Closes nothing, keeps nothing: whatever is open is thrown away.
    pub(super) fn clear(&mut self) {
        self.window.clear();
        self.open = None;
        self.served = None;
        self.is_offered = false;
        self.init = None;
        self.is_stale = true;
    }
}

/// What all renditions of a stream share at a moment.
pub(super) struct Scene<'a> {
    pub(super) targets: &'a Targets,
    pub(super) parted: bool,
    pub(super) ended: bool,
    pub(super) is_event: bool,
    pub(super) discontinuity_sequence: u64,
    pub(super) date: &'a dyn Fn(Timestamp) -> WallClock,
    pub(super) date_ranges: &'a Arc<[String]>,
    pub(super) reports: &'a [Report],
}

/// Takes over the init segment of the muxer, where it is another than the one in force.
fn adopt(known: &mut Option<Arc<InitSegment>>, new: Option<Bytes>, sequence: u64) {
    if let Some(bytes) = new
        && known.as_ref().is_none_or(|known| known.bytes != bytes)
    {
        *known = Some(Arc::new(InitSegment { sequence, bytes }));
    }
}
