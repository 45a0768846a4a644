//! What can be set, and what is bounded.

use std::time::Duration;

/// How streams are packaged and served. The default suits live streams of up to 50 Mbit/s.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HlsConfig {
    /// How long a segment is to be. Default: 2 s. Segments are cut at the first keyframe past it (a
    /// sixteenth of it early counts, for clocks that round), so with a longer keyframe interval
    /// they are as long as that.
    pub target_duration: Duration,
    /// How long a segment may become while no keyframe comes. Default: 10 s; at least 1 s and the
    /// target duration. It is then cut where it stands, and its successor is not independent.
    /// TARGETDURATION never exceeds one and a half times this, and one second more.
    pub max_segment_duration: Duration,
    /// How much media time the start is held back until the codec configs of both a video and an audio
    /// track are known. Default: 1 s. A track that turns up later joins at the next cut, and the playlist
    /// starts anew there.
    pub start_wait: Duration,
    /// How many segments the media playlist lists. Default: 6, at least 3. More are listed where
    /// these are shorter than three target durations (RFC 8216 6.2.2).
    pub playlist_segments: usize,
    /// How many segments there must be before a playlist is served at all. Default: 3, at least 1. A
    /// stream that has ended is served with what there is.
    ///
    /// Players start three target durations before the end of a live playlist (RFC 8216 6.3.3), and
    /// the HLS player built into Chromium 156 gives up for good on one with fewer than three segments.
    pub start_segments: usize,
    /// How long a request for a playlist waits for these segments, where the stream has just
    /// started. Default: 30 s, which is three times the longest segment.
    pub first_segment_wait: Duration,
    /// How long after the end of a publish EXT-X-ENDLIST is added. Default: 5 s. A publisher that
    /// is back within it finds its viewers still there.
    pub end_grace: Duration,
    /// How long an ended stream is kept, so that players can finish it. Default: 60 s, counted from
    /// EXT-X-ENDLIST.
    pub ended_retention: Duration,
    /// The limits.
    pub limits: Limits,
}

impl Default for HlsConfig {
    fn default() -> Self {
        Self {
            target_duration: Duration::from_secs(2),
            max_segment_duration: Duration::from_secs(10),
            start_wait: Duration::from_secs(1),
            playlist_segments: 6,
            start_segments: 3,
            first_segment_wait: Duration::from_secs(30),
            end_grace: Duration::from_secs(5),
            ended_retention: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

/// Bounds on memory. A stream takes at most [`stream_bytes`](Self::stream_bytes), one open segment
/// and one access unit more; usually some 14 segments: those listed, and those that RFC 8216 6.2.2
/// wants kept for players that saw them listed. Responses under way keep the segments they are
/// sending beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one segment. Default: 16 MiB, which is 10 s at 13 Mbit/s. A segment that reaches it
    /// is cut as if it had reached the longest duration.
    pub segment_bytes: usize,
    /// Bytes of all finished segments of a stream. Default: 128 MiB. Beyond, the oldest are dropped
    /// early.
    pub stream_bytes: usize,
    /// Frames held back at the start. Default: 512.
    pub held_frames: usize,
    /// Payload bytes held back at the start. Default: 16 MiB.
    pub held_bytes: usize,
    /// Tracks of a stream. Default: 16; further ones are left out.
    pub tracks: usize,
    /// Streams whose numbering is remembered after they ended, at about 1 KiB each. Default: 4096;
    /// beyond, an ended one is forgotten. A forgotten stream that returns is numbered from the wall
    /// clock, so its numbers still do not go back.
    pub remembered_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 16 * 1024 * 1024,
            stream_bytes: 128 * 1024 * 1024,
            held_frames: 512,
            held_bytes: 16 * 1024 * 1024,
            tracks: 16,
            remembered_streams: 4096,
        }
    }
}
