//! CMAF segments, for HLS and DASH.

use crate::boxes::BoxWriter;
use crate::config::CmafConfig;
use crate::event;
use crate::fragmenter::{Fragmenter, too_many_tracks};
use crate::init::write_init;
use crate::malformed;
use crate::sample_entry::Description;
use arcly_core::mux::{ContainerFormat, MuxError, MuxedPart, MuxedSegment, SegmentMuxer};
use arcly_core::{CodecId, MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use bytes::Bytes;

/// Writes the frames of one stream as CMAF segments made of chunks: a `moof` and an `mdat` for each part, `styp` before the first.
///
/// The payloads of frames come out as they went in, without a copy. Each segment and part comes with the init segment that it
/// needs, the same allocation until a codec config changes or a track is added.
///
/// # Codec configs
///
/// A config that changes the description of a track, and a new track, takes effect at once where nothing in the open segment
/// stands against it; else it waits for [`end_segment`](SegmentMuxer::end_segment), and frames of its track are refused until then.
/// So cut a segment where a config changes: *before* the keyframe that follows is enough.
#[derive(Debug)]
pub struct CmafSegmentMuxer {
    config: CmafConfig,
    fragmenter: Fragmenter,
    /// The init segment in force, once it has been asked for.
    init: Option<Bytes>,
    /// Descriptions have changed since it was made.
    is_init_stale: bool,
    /// What takes effect with the next segment.
    pending: Vec<Pending>,
    /// The init segment of the open segment has been handed out.
    is_sealed: bool,
    /// What was handed out of the open segment, as parts.
    parts: Vec<Bytes>,
    parts_bytes: usize,
    segment: Option<Span>,
    part: Option<Span>,
}

#[derive(Debug)]
struct Pending {
    track: TrackId,
    kind: MediaKind,
    description: Description,
}

/// What the open segment or part plays.
#[derive(Debug, Clone)]
struct Span {
    /// The track by which it is measured.
    track: TrackId,
    kind: MediaKind,
    start_pts: Timestamp,
    start_dts: Timestamp,
    end_pts: Timestamp,
    end_dts: Timestamp,
    /// Whether its first video frame is a keyframe; unknown while it has none.
    video_starts_with_key: Option<bool>,
}

impl Span {
    fn starting_with(frame: &MediaFrame) -> Self {
        Self {
            track: frame.track,
            kind: frame.kind,
            start_pts: frame.pts,
            start_dts: frame.dts,
            end_pts: frame.pts,
            end_dts: frame.dts,
            video_starts_with_key: None,
        }
    }

    fn note(span: &mut Option<Self>, frame: &MediaFrame) {
        let span = span.get_or_insert_with(|| Self::starting_with(frame));
        if frame.is_video() && span.kind != MediaKind::Video {
            *span = Self::starting_with(frame);
        }
        if frame.is_video() {
            span.video_starts_with_key
                .get_or_insert(frame.is_keyframe());
        }
        if frame.track == span.track {
            span.end_pts = span.end_pts.max(frame.pts);
            span.end_dts = span.end_dts.max(frame.dts);
        }
    }

    fn is_independent(&self) -> bool {
        self.video_starts_with_key.unwrap_or(true)
    }

    /// `next`, where it is the track's.
    fn follower<'a>(&self, next: Option<&'a MediaFrame>) -> Option<&'a MediaFrame> {
        next.filter(|next| next.track == self.track && !next.is_discontinuity())
    }
}

impl CmafSegmentMuxer {
    /// A muxer that has seen nothing yet.
    #[must_use]
    pub fn new(config: CmafConfig) -> Self {
        let mut fragmenter =
            Fragmenter::new(config.origin, config.producer_time, config.limits.clone());
        fragmenter.begin_segment(config.segment_type);
        Self {
            config,
            fragmenter,
            init: None,
            is_init_stale: false,
            pending: Vec::new(),
            is_sealed: false,
            parts: Vec::new(),
            parts_bytes: 0,
            segment: None,
            part: None,
        }
    }

    /// The init segment of the tracks known so far; `None` without any.
    ///
    /// The next segment or part comes with the same, unless more tracks turn up before.
    pub fn init_segment(&mut self) -> Option<Bytes> {
        if self.fragmenter.tracks().is_empty() {
            return None;
        }
        if self.init.is_none() || self.is_init_stale {
            let mut out = BoxWriter::with_capacity(1_024);
            write_init(self.fragmenter.tracks(), None, &mut out);
            let init = out.finish();
            // Where a config changed and changed back, nobody has to fetch it again.
            if self.init.as_ref() != Some(&init) {
                self.init = Some(init);
            }
            self.is_init_stale = false;
        }
        self.init.clone()
    }

    /// Takes over what the config of a track says, now or with the next segment.
    fn adopt(&mut self, frame: &MediaFrame, description: Description) -> Result<(), MuxError> {
        let known = self.fragmenter.find(frame.track);
        if known.is_some_and(|track| track.kind != frame.kind) {
            return Err(malformed(
                "codec config",
                "the track was of another kind before",
            ));
        }
        if known.is_some_and(|track| track.description == description) {
            self.pending.retain(|pending| pending.track != frame.track);
            return Ok(());
        }
        let is_new = known.is_none()
            && self
                .pending
                .iter()
                .all(|pending| pending.track != frame.track);
        let waiting = self
            .pending
            .iter()
            .filter(|pending| self.fragmenter.find(pending.track).is_none());
        let max = self.fragmenter.limits().tracks;
        if is_new && self.fragmenter.tracks().len() + waiting.count() >= max {
            return Err(too_many_tracks(self.fragmenter.limits()));
        }
        let can_change = !self.is_sealed && known.is_none_or(|track| !track.is_used);
        self.pending.retain(|pending| pending.track != frame.track);
        if can_change {
            self.fragmenter
                .describe(frame.track, frame.kind, description);
            self.is_init_stale = true;
        } else {
            self.pending.push(Pending {
                track: frame.track,
                kind: frame.kind,
                description,
            });
        }
        Ok(())
    }

    /// Takes over what a frame of a codec without configs says about its track.
    fn describe_by(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        let known = self.fragmenter.find(frame.track);
        if known.is_some_and(|track| track.description.describes(frame)) {
            self.pending.retain(|pending| pending.track != frame.track);
            return Ok(());
        }
        let waiting = self
            .pending
            .iter()
            .find(|pending| pending.track == frame.track);
        if waiting.is_some_and(|pending| pending.description.describes(frame)) {
            return Ok(());
        }
        let record = self.fragmenter.vp_record(frame.track);
        self.adopt(frame, Description::from_frame(frame, record)?)
    }

    /// Closes the open chunk and moves all that is closed to `bytes`.
    fn close_chunk(&mut self, next: Option<&MediaFrame>, bytes: &mut Vec<Bytes>) {
        self.fragmenter.close_chunk(next);
        self.fragmenter.take(bytes);
    }
}

impl Default for CmafSegmentMuxer {
    fn default() -> Self {
        Self::new(CmafConfig::default())
    }
}

impl SegmentMuxer for CmafSegmentMuxer {
    fn format(&self) -> ContainerFormat {
        crate::SEGMENT_FORMAT
    }

    fn carries(&self, codec: CodecId) -> bool {
        Description::carries(codec) || event::scheme(codec).is_some()
    }

    fn write(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        if !self.config.tracks.has(frame.track) {
            return Ok(());
        }
        if frame.kind == MediaKind::Data {
            return self.fragmenter.push_event(frame);
        }
        if frame.is_config() {
            if let Some(record) = Description::vp_record(frame) {
                return self.fragmenter.put_vp_record(frame.track, record?);
            }
            return self.adopt(frame, Description::from_config(frame)?);
        }
        if !Description::carries(frame.codec) {
            return Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec: frame.codec,
            });
        }
        if Description::is_in_frames(frame.codec) {
            self.describe_by(frame)?;
        }
        if self
            .pending
            .iter()
            .any(|pending| pending.track == frame.track)
        {
            return Err(malformed(
                "codec config",
                "it changed within a segment, and takes effect with the next one",
            ));
        }
        self.fragmenter.push(frame)?;
        Span::note(&mut self.segment, frame);
        Span::note(&mut self.part, frame);
        Ok(())
    }

    fn segment_bytes(&self) -> usize {
        self.parts_bytes + self.fragmenter.len()
    }

    fn end_part(&mut self, next: Option<&MediaFrame>) -> Option<MuxedPart> {
        let part = self.part.take()?;
        let mut bytes = Vec::new();
        self.close_chunk(next, &mut bytes);
        self.parts_bytes += bytes.iter().map(Bytes::len).sum::<usize>();
        self.parts.extend_from_slice(&bytes);
        self.is_sealed = true;
        let end = match part.follower(next) {
            Some(next) => next.dts,
            None => part.end_dts + self.fragmenter.last_duration(part.track),
        };
        Some(MuxedPart {
            bytes,
            init: self.init_segment(),
            duration: end.since(part.start_dts).max(TimeDelta::ZERO),
            independent: part.is_independent(),
        })
    }

    fn end_segment(&mut self, next: Option<&MediaFrame>) -> Option<MuxedSegment> {
        let segment = self.segment.take().map(|segment| {
            let mut bytes = std::mem::take(&mut self.parts);
            self.close_chunk(next, &mut bytes);
            let end = match segment.follower(next) {
                Some(next) => next.pts,
                None => segment.end_pts + self.fragmenter.last_duration(segment.track),
            };
            MuxedSegment {
                bytes,
                init: self.init_segment(),
                duration: end.since(segment.start_pts).max(TimeDelta::ZERO),
                independent: segment.is_independent(),
            }
        });
        self.part = None;
        self.parts_bytes = 0;
        self.is_sealed = false;
        self.fragmenter.begin_segment(self.config.segment_type);
        for pending in std::mem::take(&mut self.pending) {
            self.fragmenter
                .describe(pending.track, pending.kind, pending.description);
            self.is_init_stale = true;
        }
        segment
    }
}
