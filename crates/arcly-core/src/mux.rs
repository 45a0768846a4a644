//! Containers as traits, so that a crate that needs one (a recorder, HLS, SRT) stays free of the crate that
//! implements it.
//!
//! Output is a list of [`Bytes`] rather than one buffer, so that a container that does not have to rewrite a
//! payload (MP4, FLV) can pass it on without a copy.

use crate::{CodecId, MediaFrame, TimeDelta};
use bytes::Bytes;

/// Why a muxer or demuxer refused its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MuxError {
    /// The container, or this implementation of it, cannot carry the codec.
    #[error("{container} cannot carry {codec}")]
    UnsupportedCodec {
        /// The container's name.
        container: &'static str,
        /// The codec that was refused.
        codec: CodecId,
    },
    /// A media frame came before its track's codec config.
    #[error("{codec} frame before its codec config")]
    MissingConfig {
        /// The codec of the frame.
        codec: CodecId,
    },
    /// The input is not what its type says.
    #[error("malformed {what}: {reason}")]
    Malformed {
        /// What was being read.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A documented limit was reached.
    #[error("{what} exceeds the limit of {max}")]
    LimitExceeded {
        /// What is limited.
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

/// How a container is named in files and over HTTP. Exhaustive: each implementation writes it as a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContainerFormat {
    /// The lower-case name used in logs and errors, as in `mpegts`.
    pub name: &'static str,
    /// The file extension without its dot, as in `ts`.
    pub extension: &'static str,
    /// The media type, as in `video/mp2t`.
    pub mime_type: &'static str,
}

/// Turns the frames of one stream into the bytes of one container file or byte stream.
///
/// Call order: [`write`](Self::write) with every frame in the stream's order, codec configs included; then
/// [`finish`](Self::finish) once. An error concerns the frame it was returned for: nothing of that frame has been
/// written, and the next one can be tried.
///
/// To be recorded, a container has to play from any beginning of it that ends between two chunks of output: a recording that is cut short by a
/// kill or a loss of power is recovered as far as it was written, and [`finish`](Self::finish) is never called for it. MPEG-TS, FLV, Matroska
/// and fragmented MP4 do; an MP4 file with its index at the end does not.
pub trait Muxer: Send {
    /// The container that is written.
    fn format(&self) -> ContainerFormat;

    /// Appends to `out` the bytes that `frame` adds. A muxer may hold frames back (to interleave, or until all
    /// tracks are known) and add nothing.
    ///
    /// # Errors
    /// Where the frame cannot be carried, see [`MuxError`].
    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError>;

    /// Appends what was held back and any trailer, which must not be needed to play what is before it.
    ///
    /// # Errors
    /// Where what was held back cannot be written.
    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), MuxError>;

    /// What may be put in the place of the first bytes of the file, as many as it has, after [`finish`](Self::finish): a beginning that tells what
    /// only the end knows, such as the duration. Storage that can only append does without it, so the file has to play either way.
    ///
    /// The default is for containers whose beginning is final.
    fn final_header(&self) -> Option<Bytes> {
        None
    }
}

/// One segment, as [`SegmentMuxer::end_segment`] returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxedSegment {
    /// The segment's bytes, in order. Those of parts that were handed out before are the same allocations.
    pub bytes: Vec<Bytes>,
    /// The init segment that the segment needs before it, for containers that have one. The same allocation comes
    /// with each segment until the codec config changes.
    pub init: Option<Bytes>,
    /// What the segment plays: from the presentation time of its first frame to that of the frame that starts the next
    /// segment, so that durations add up to media time exactly. Where none follows, to the end of the last frame of the
    /// track that leads (video, where there is any). Never negative.
    pub duration: TimeDelta,
    /// Whether the segment can be decoded without those before it: its first video frame is a random access point, or it
    /// has no video.
    pub independent: bool,
}

/// A piece of the open segment, as [`SegmentMuxer::end_part`] returns it: a partial segment of LL-HLS, a CMAF chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuxedPart {
    /// The part's bytes, in order; the segment's are those of its parts.
    pub bytes: Vec<Bytes>,
    /// The init segment that the part needs before it, see [`MuxedSegment::init`].
    pub init: Option<Bytes>,
    /// How long the part is on the decoding timeline: from the DTS of its first frame to that of the frame that starts the next part, on
    /// the track that leads. With B-frames PTS would not do, since the first frame of a part need not be the first to be shown.
    pub duration: TimeDelta,
    /// Whether decoding can start at this part.
    pub independent: bool,
}

/// A [`Muxer`] whose output is cut into segments that can each be played alone (with the init segment, where the
/// container has one), and segments into parts, where the caller wants them.
///
/// The caller decides where to cut; it calls [`end_segment`](Self::end_segment) *before* the frame that starts the next
/// segment, and [`end_part`](Self::end_part) before the frame that starts the next part. Who wants parts calls both where a
/// segment ends, `end_part` first; who does not never calls `end_part`. Timestamps and continuity go on from segment to segment.
pub trait SegmentMuxer: Send {
    /// The container that is written.
    fn format(&self) -> ContainerFormat;

    /// Whether tracks of this codec can be carried, so that the caller can leave others out from the start.
    fn carries(&self, codec: CodecId) -> bool;

    /// Adds `frame` to the open segment.
    ///
    /// # Errors
    /// Where the frame cannot be carried, see [`MuxError`]; the frame is left out and the segment goes on.
    fn write(&mut self, frame: &MediaFrame) -> Result<(), MuxError>;

    /// How many bytes of the open segment have been written so far, by which the caller can bound it. Frames that the
    /// muxer still holds back need not count.
    fn segment_bytes(&self) -> usize;

    /// Closes the open part and hands it out, while its segment goes on. `next` is the frame that will start the next part, as in
    /// [`end_segment`](Self::end_segment). `None` where nothing was written since the last part.
    fn end_part(&mut self, next: Option<&MediaFrame>) -> Option<MuxedPart>;

    /// Closes the open segment. `next`, the frame that will start the next one, tells the end of the last frame; without it
    /// (the stream ended) the last frame is taken to last as long as the one before. `None` where the segment is empty.
    fn end_segment(&mut self, next: Option<&MediaFrame>) -> Option<MuxedSegment>;
}

/// Turns the bytes of a container byte stream into frames.
///
/// Input may be cut anywhere. The implementation bounds what it buffers, resynchronises after damage, and emits codec
/// configs as frames before the media they belong to.
pub trait Demuxer: Send {
    /// The container that is read.
    fn format(&self) -> ContainerFormat;

    /// Consumes `data`, appending the frames it completes to `out`.
    ///
    /// # Errors
    /// Only where the input cannot be this container at all; damage within it is skipped, with
    /// [`FrameFlags::DISCONTINUITY`](crate::FrameFlags::DISCONTINUITY) on the next frame.
    fn read(&mut self, data: Bytes, out: &mut Vec<MediaFrame>) -> Result<(), MuxError>;

    /// Emits what is still buffered at the end of the input.
    fn finish(&mut self, out: &mut Vec<MediaFrame>);
}

/// Makes a fresh [`Muxer`] for each file or connection.
pub trait MuxerFactory: Send + Sync + 'static {
    /// A muxer that has seen nothing yet.
    fn new_muxer(&self) -> Box<dyn Muxer>;
}

impl<F, M> MuxerFactory for F
where
    F: Fn() -> M + Send + Sync + 'static,
    M: Muxer + 'static,
{
    fn new_muxer(&self) -> Box<dyn Muxer> {
        Box::new(self())
    }
}

/// Makes a fresh [`SegmentMuxer`] for each publish of a stream.
pub trait SegmentMuxerFactory: Send + Sync + 'static {
    /// A muxer that has seen nothing yet.
    fn new_segment_muxer(&self) -> Box<dyn SegmentMuxer>;
}

impl<F, M> SegmentMuxerFactory for F
where
    F: Fn() -> M + Send + Sync + 'static,
    M: SegmentMuxer + 'static,
{
    fn new_segment_muxer(&self) -> Box<dyn SegmentMuxer> {
        Box::new(self())
    }
}

/// Makes a fresh [`Demuxer`] for each connection.
pub trait DemuxerFactory: Send + Sync + 'static {
    /// A demuxer that has seen nothing yet.
    fn new_demuxer(&self) -> Box<dyn Demuxer>;
}

impl<F, D> DemuxerFactory for F
where
    F: Fn() -> D + Send + Sync + 'static,
    D: Demuxer + 'static,
{
    fn new_demuxer(&self) -> Box<dyn Demuxer> {
        Box::new(self())
    }
}
