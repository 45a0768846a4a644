//! Frames in, segments and playlists out; no clock, no I/O.

mod cutting;
mod offer;
mod pace;
mod program_clock;
mod rates;
mod rendition;
#[cfg(test)]
mod tests;
mod timeline;

use crate::config::HlsConfig;
use crate::date_range::DateRanges;
use crate::playlist::Variants;
use crate::presentation::Presentation;
use crate::tracks::Tracks;
use arcly_core::mux::{MuxError, SegmentMuxer, SegmentMuxerFactory};
use arcly_core::{CodecId, MediaFrame, MediaKind, TimeDelta, Timestamp, WallClock};
use pace::{LastFrames, Targets};
use program_clock::ProgramClock;
use rendition::{Content, RenditionMaker};
use std::sync::Arc;
use std::time::Duration;
use timeline::Timeline;

/// What [`HlsConfig::max_segment_duration`] is raised to: half of it is the largest gap between
/// frames that is none of the timeline, and slow video has its frames some way apart.
const MIN_LONGEST: Duration = Duration::from_secs(1);

/// How tracks become renditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// All tracks in one rendition, as MPEG-TS is played.
    Muxed,
    /// Each in one of its own, as CMAF is played (ISO/IEC 23000-19 7.3.1): video is a variant, sound an alternative rendition. Data
    /// goes with the leading track.
    Demuxed,
}

/// How a container is packaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packaging {
    /// How tracks become renditions.
    pub layout: Layout,
    /// Whether there are parts, and all else of Low-Latency HLS.
    pub low_latency: bool,
}

impl Packaging {
    /// One rendition with all tracks, without parts.
    pub const PLAIN: Self = Self {
        layout: Layout::Muxed,
        low_latency: false,
    };

    /// A rendition a track, in parts.
    pub const LOW_LATENCY: Self = Self {
        layout: Layout::Demuxed,
        low_latency: true,
    };

    /// With this layout.
    #[must_use]
    pub const fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// With or without parts.
    #[must_use]
    pub const fn low_latency(mut self, low_latency: bool) -> Self {
        self.low_latency = low_latency;
        self
    }
}

/// Cuts the frames of one stream into segments and keeps its playlists, over any number of publishes.
///
/// * [`begin`](Self::begin) starts a publish, with muxers of its own;
/// * [`push`](Self::push) takes each frame of it, and [`frames_lost`](Self::frames_lost) tells of those that nobody has;
/// * [`finish`](Self::finish) closes the last segment;
/// * then either another `begin`, or [`end`](Self::end), which adds EXT-X-ENDLIST, and later
///   [`clear`](Self::clear), which lets go of all segments. The numbering outlives all of this.
///
/// After each call [`poll_presentation`](Self::poll_presentation) tells whether there is something
/// new to serve.
///
/// All renditions have the same segments under the same numbers: where the leading one is cut, the others are cut at their first
/// frame from there on, and one that has none by the next cut gets what it has, or EXT-X-GAP.
#[derive(Debug)]
pub struct HlsPackager {
    config: HlsConfig,
    packaging: Packaging,
    renditions: Vec<RenditionMaker>,
    first_sequence: u64,
    /// The discontinuity sequence number of the segments to come.
    discontinuities: u64,
    targets: Targets,
    date_ranges: DateRanges,
    publish: Option<Publish>,
    /// EXT-X-ENDLIST stands in the playlist.
    ended: bool,
    has_news: bool,
    /// There have been enough segments to serve, and there still are some.
    is_served: bool,
    tracks: Tracks,
    /// What the multivariant playlist says: of the running publish, or else of the last one.
    variants: Arc<Variants>,
}

/// What belongs to one publish.
struct Publish {
    muxers: Arc<dyn SegmentMuxerFactory>,
    /// Asked what the container carries; it writes nothing.
    probe: Box<dyn SegmentMuxer>,
    /// Frames that wait for the tracks to be known; none once packaging has started.
    held: Option<Held>,
    timeline: Timeline,
    clock: ProgramClock,
    /// No segment is open, and the next one waits for a frame with which decoding can start.
    waiting: Option<Waiting>,
    /// The open segment.
    span: Option<Span>,
    /// Where the timeline began, in DTS.
    first: Option<Timestamp>,
    /// Frames are missing from here on.
    lost_from: Option<Timestamp>,
    lead_frames: LastFrames,
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publish")
            .field("waiting", &self.waiting)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Held {
    frames: Vec<(MediaFrame, WallClock)>,
    bytes: usize,
}

/// How long the next segment has been waited for, in media time. Jumps do not count.
#[derive(Debug)]
struct Waiting {
    last: Timestamp,
    waited: TimeDelta,
}

impl Waiting {
    const fn since(dts: Timestamp) -> Self {
        Self {
            last: dts,
            waited: TimeDelta::ZERO,
        }
    }

    fn pass(&mut self, dts: Timestamp, max_gap: TimeDelta) {
        let step = dts.since(self.last);
        if step <= max_gap {
            self.waited = self.waited + step.max(TimeDelta::ZERO);
        }
        self.last = dts;
    }
}

/// The open segment, in all renditions.
#[derive(Debug)]
struct Span {
    /// It is the first since the timeline began.
    is_first: bool,
    start_pts: Timestamp,
    start_dts: Timestamp,
    /// The latest frame of the track that leads.
    lead: Option<LeadFrame>,
}

#[derive(Debug, Clone, Copy)]
struct LeadFrame {
    pts: Timestamp,
    dts: Timestamp,
}

impl HlsPackager {
    /// A packager whose first segment has the number `first_sequence`.
    ///
    /// Segments may be cached for long, so a number must never be given twice to the same URL, not
    /// even by another process. The seconds of the wall clock at the start are a good first number.
    #[must_use]
    pub fn new(mut config: HlsConfig, packaging: Packaging, first_sequence: u64) -> Self {
        let least = config.target_duration.max(MIN_LONGEST);
        config.max_segment_duration = config.max_segment_duration.max(least);
        Self {
            targets: Targets::new(&config),
            date_ranges: DateRanges::new(config.limits.date_ranges),
            config,
            packaging,
            renditions: Vec::new(),
            first_sequence,
            discontinuities: 0,
            publish: None,
            ended: false,
            has_news: false,
            is_served: false,
            tracks: Tracks::default(),
            variants: Arc::default(),
        }
    }

    /// Starts a publish. One that is still running is finished first.
    pub fn begin(&mut self, muxers: Arc<dyn SegmentMuxerFactory>) {
        self.finish();
        // RFC 8216bis 4.4.4.3: timestamps and tracks may differ from those of the publish before.
        self.begin_timeline();
        let is_listed = self
            .renditions
            .iter()
            .any(|made| made.window.listed_count() > 0);
        self.has_news |= std::mem::take(&mut self.ended) && is_listed;
        for made in &mut self.renditions {
            made.touch();
        }
        self.tracks = Tracks::default();
        let probe = muxers.new_segment_muxer();
        if self.packaging.layout == Layout::Muxed {
            self.activate(Content::All, &muxers);
        }
        self.publish = Some(Publish {
            muxers,
            probe,
            held: Some(Held::default()),
            timeline: Timeline::default(),
            clock: ProgramClock::default(),
            waiting: None,
            span: None,
            first: None,
            lost_from: None,
            lead_frames: LastFrames::default(),
        });
    }

    /// Takes the next frame of the publish, codec configs included; `now` is when it arrived.
    ///
    /// Without a publish, frames are ignored.
    ///
    /// Frames are left out without an error while a keyframe is awaited (at the start, after a
    /// break of the timeline), or while their track waits for the next cut because its codec config
    /// has changed.
    ///
    /// # Errors
    /// Where the frame cannot be carried, see [`MuxError`]. It is left out and packaging goes on.
    pub fn push(&mut self, frame: &MediaFrame, now: WallClock) -> Result<(), MuxError> {
        let Some(publish) = &self.publish else {
            return Ok(());
        };
        let is_splice = frame.codec == CodecId::Scte35;
        let carries = publish.probe.carries(frame.codec);
        if !carries && !is_splice {
            let container = publish.probe.format().name;
            return Err(MuxError::UnsupportedCodec {
                container,
                codec: frame.codec,
            });
        }
        if frame.kind != MediaKind::Data {
            if frame.is_config() {
                return self.configure(frame);
            }
            self.tracks.meet(frame, &self.config.limits)?;
        }
        let Some(held) = self
            .publish
            .as_mut()
            .and_then(|publish| publish.held.as_mut())
        else {
            return self.admit(frame, now);
        };
        held.bytes = held.bytes.saturating_add(frame.payload.len());
        held.frames.push((frame.clone(), now));
        let first = held
            .frames
            .first()
            .map_or(frame.dts, |(first, _)| first.dts);
        if frame.dts.since(first).abs() >= TimeDelta::from(self.config.start_wait)
            || held.frames.len() >= self.config.limits.held_frames
            || held.bytes >= self.config.limits.held_bytes
        {
            return self.start();
        }
        Ok(())
    }

    fn configure(&mut self, config: &MediaFrame) -> Result<(), MuxError> {
        let changed = self.tracks.configure(config, &self.config.limits)?;
        let complete =
            self.tracks.expects(MediaKind::Video) && self.tracks.expects(MediaKind::Audio);
        if changed && complete {
            self.start()
        } else {
            Ok(())
        }
    }

    /// Says that frames are missing before the next one. The segments end with what is there, and the missing span is listed as
    /// EXT-X-GAP once it is known where the media goes on; where that is not within [`MAX_GAP`](Self::MAX_GAP), it is a discontinuity.
    pub fn frames_lost(&mut self) {
        let Some(publish) = &self.publish else { return };
        if publish.held.is_none() && publish.span.is_some() {
            self.lose();
        }
    }

    /// The longest missing span that is listed as EXT-X-GAP.
    pub const MAX_GAP: Duration = Duration::from_secs(60);

    /// Ends the publish: its last segment is closed and can be played. The playlist stays open for
    /// a successor.
    pub fn finish(&mut self) {
        if self.publish.is_some() {
            // What cannot be written at the end would not have been written before either, and was
            // reported then.
            let _ = self.start();
            self.close(None);
            self.publish = None;
            for made in &mut self.renditions {
                made.muxer = None;
            }
        }
    }

    /// Says that no more segments will come: adds EXT-X-ENDLIST. Finishes the publish where one is
    /// running.
    pub fn end(&mut self) {
        self.finish();
        self.ended = true;
        self.has_news = true;
        for made in &mut self.renditions {
            made.touch();
        }
    }

    /// Lets go of all segments and playlists. Numbering goes on from where it is when another
    /// publish begins.
    pub fn clear(&mut self) {
        self.finish();
        for made in &mut self.renditions {
            made.clear();
        }
        self.date_ranges.clear();
        self.has_news = true;
    }

    /// What there is to serve, where it has changed since the last call: the playlists and all
    /// segments that can still be asked for. `Some(None)`: nothing any more.
    pub fn poll_presentation(&mut self) -> Option<Option<Arc<Presentation>>> {
        if !std::mem::take(&mut self.has_news) {
            return None;
        }
        self.offer()
    }

    /// Stops waiting for tracks, and packages what was held back.
    fn start(&mut self) -> Result<(), MuxError> {
        let Some(held) = self
            .publish
            .as_mut()
            .and_then(|publish| publish.held.take())
        else {
            return Ok(());
        };
        let mut outcome = self.apply_tracks();
        if let Some(publish) = &mut self.publish {
            publish.waiting = held
                .frames
                .first()
                .map(|(frame, _)| Waiting::since(frame.dts));
        }
        for (frame, now) in held.frames {
            if let Err(error) = self.admit(&frame, now) {
                outcome = Err(error);
            }
        }
        outcome
    }
}
