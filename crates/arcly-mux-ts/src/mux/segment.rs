//! A transport stream cut into segments, for HLS.

use super::multiplex::{Multiplex, Output};
use super::payload::Format;
use crate::config::TsConfig;
use arcly_core::mux::{ContainerFormat, MuxError, MuxedPart, MuxedSegment, SegmentMuxer};
use arcly_core::{CodecId, MediaFrame, MediaKind, TimeDelta, Timestamp};
use bytes::Bytes;

/// Multiplexes the frames of one stream into segments, each of which starts with PAT and PMT (RFC
/// 8216 3.2).
///
/// Continuity counters and the PCR go on from one segment to the next. A segment comes as blocks of
/// about 64 KiB, each a whole number of packets.
#[derive(Debug)]
pub struct TsSegmentMuxer {
    multiplex: Multiplex,
    output: Output,
    open: Option<Open>,
    /// What was handed out of the open segment, as parts.
    parts: Vec<Bytes>,
    parts_bytes: usize,
    part: Option<Part>,
    /// Where the last part ended, which is where the next one starts.
    part_end: Option<Timestamp>,
}

/// What the open part holds.
#[derive(Debug)]
struct Part {
    start: Timestamp,
    /// Whether its first video frame is a keyframe; unknown while it has none.
    video_starts_with_key: Option<bool>,
    lead: MediaKind,
    /// The latest DTS of the kind that leads.
    end: Timestamp,
}

/// What the open segment holds.
#[derive(Debug)]
struct Open {
    start: Timestamp,
    /// Whether its first video frame is a keyframe; unknown while it has none.
    video_starts_with_key: Option<bool>,
    /// The kind that leads: video where there is any.
    lead: MediaKind,
    /// The latest PTS of that kind.
    end: Timestamp,
}

impl TsSegmentMuxer {
    /// A muxer that has seen nothing yet.
    #[must_use]
    pub fn new(config: TsConfig) -> Self {
        Self {
            multiplex: Multiplex::new(config),
            output: Output::default(),
            open: None,
            parts: Vec::new(),
            parts_bytes: 0,
            part: None,
            part_end: None,
        }
    }

    fn note_part(&mut self, frame: &MediaFrame) {
        // On from the part before, even where another frame than announced comes first; not over a break.
        let start = self.part_end.take().filter(|_| !frame.is_discontinuity());
        let part = self.part.get_or_insert(Part {
            start: start.unwrap_or(frame.dts),
            video_starts_with_key: None,
            lead: frame.kind,
            end: frame.dts,
        });
        if frame.is_video() {
            part.video_starts_with_key
                .get_or_insert(frame.is_keyframe());
        }
        if frame.is_video() && part.lead != MediaKind::Video {
            part.lead = MediaKind::Video;
            part.end = frame.dts;
        } else if frame.kind == part.lead {
            part.end = part.end.max(frame.dts);
        }
    }

    fn note(&mut self, frame: &MediaFrame) {
        let open = self.open.get_or_insert(Open {
            start: frame.pts,
            video_starts_with_key: None,
            lead: frame.kind,
            end: frame.pts,
        });
        if frame.is_video() {
            open.video_starts_with_key
                .get_or_insert(frame.is_keyframe());
        }
        if frame.is_video() && open.lead != MediaKind::Video {
            open.lead = MediaKind::Video;
            open.end = frame.pts;
        } else if frame.kind == open.lead {
            open.end = open.end.max(frame.pts);
        }
    }
}

impl Default for TsSegmentMuxer {
    fn default() -> Self {
        Self::new(TsConfig::default())
    }
}

impl SegmentMuxer for TsSegmentMuxer {
    fn format(&self) -> ContainerFormat {
        crate::FORMAT
    }

    fn carries(&self, codec: CodecId) -> bool {
        Format::carries(codec)
    }

    fn write(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        self.multiplex.write(frame, &mut self.output)?;
        if !frame.is_config() {
            self.note(frame);
            self.note_part(frame);
        }
        Ok(())
    }

    fn segment_bytes(&self) -> usize {
        self.parts_bytes + self.output.len()
    }

    fn end_part(&mut self, next: Option<&MediaFrame>) -> Option<MuxedPart> {
        let part = self.part.take()?;
        self.multiplex.start(&mut self.output);
        let mut bytes = Vec::new();
        self.output.take(&mut bytes);
        self.parts_bytes += bytes.iter().map(Bytes::len).sum::<usize>();
        self.parts.extend_from_slice(&bytes);
        // So that who starts at this part finds the program, too.
        self.multiplex.request_tables();
        let end = match next {
            Some(next) => next.dts,
            None => part.end + self.multiplex.frame_duration(part.lead),
        };
        self.part_end = Some(end);
        Some(MuxedPart {
            bytes,
            init: None,
            duration: end.since(part.start).max(TimeDelta::ZERO),
            independent: part
                .video_starts_with_key
                .unwrap_or(!self.multiplex.has_video()),
        })
    }

    fn end_segment(&mut self, next: Option<&MediaFrame>) -> Option<MuxedSegment> {
        let open = self.open.take()?;
        self.multiplex.start(&mut self.output);
        self.part = None;
        let mut bytes = std::mem::take(&mut self.parts);
        self.parts_bytes = 0;
        self.output.take(&mut bytes);
        self.multiplex.request_tables();
        let end = match next {
            Some(next) => next.pts,
            None => open.end + self.multiplex.frame_duration(open.lead),
        };
        Some(MuxedSegment {
            bytes,
            init: None,
            duration: end.since(open.start).max(TimeDelta::ZERO),
            independent: open.video_starts_with_key.unwrap_or(true),
        })
    }
}
