//! What can be set, and what is bounded.

use std::time::Duration;

/// How streams are packaged and served. The default suits live streams of up to 50 Mbit/s.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HlsConfig {
    /// How long a segment is to be. Default: 2 s. Segments are cut at the first keyframe past it (a
    /// sixteenth of it early counts, for clocks that round).
    pub target_duration: Duration,
    /// The longest EXT-X-TARGETDURATION that a long keyframe interval may lead to. Default: 10 s; at least 1 s and the
    /// target duration. Until the playlist is first served, segments may become this long; then the longest settles
    /// EXT-X-TARGETDURATION, which never changes again (RFC 8216bis 6.2.1), and a later segment that would exceed it is cut
    /// without a keyframe.
    pub max_segment_duration: Duration,
    /// How long a part of a low-latency rendition is at most: EXT-X-PART-INF's PART-TARGET. Default: 500 ms; at least 100 ms. It is raised
    /// where one frame lasts longer.
    pub part_duration: Duration,
    /// How much media time the start is held back until the codec configs of both a video and an audio
    /// track are known. Default: 1 s. A track that turns up later joins at the next cut, and a playlist with all tracks in one
    /// starts anew there.
    pub start_wait: Duration,
    /// How many segments a media playlist lists. Default: 6, at least 3. More are listed where
    /// these are shorter than three target durations (RFC 8216bis 6.2.2).
    pub playlist_segments: usize,
    /// How much media can be rewound to, where that is more than [`playlist_segments`](Self::playlist_segments). Default: nothing. It
    /// is bounded by [`Limits::stream_bytes`] too.
    pub rewind: Duration,
    /// Whether segments leave the playlist. Default: [`PlaylistType::Live`].
    pub playlist_type: PlaylistType,
    /// How many segments there must be before a playlist is served at all. Default: 3, at least 1. A
    /// stream that has ended is served with what there is.
    ///
    /// Players start three target durations before the end of a live playlist (RFC 8216bis 6.3.3), and
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
            part_duration: Duration::from_millis(500),
            start_wait: Duration::from_secs(1),
            playlist_segments: 6,
            rewind: Duration::ZERO,
            playlist_type: PlaylistType::Live,
            start_segments: 3,
            first_segment_wait: Duration::from_secs(30),
            end_grace: Duration::from_secs(5),
            ended_retention: Duration::from_secs(60),
            limits: Limits::default(),
        }
    }
}

/// Whether segments leave the playlist of a running stream (EXT-X-PLAYLIST-TYPE, RFC 8216bis 4.4.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PlaylistType {
    /// The list slides; it has no EXT-X-PLAYLIST-TYPE.
    #[default]
    Live,
    /// `EVENT`: everything since the start stays; `VOD` once the stream has ended. Where [`Limits::stream_bytes`] is reached, the
    /// list loses its type and slides from then on.
    Event,
}

/// Bounds on memory. A stream takes, for each container, at most [`stream_bytes`](Self::stream_bytes), one open segment
/// a rendition and one access unit more; usually some 14 segments: those listed, and those that RFC 8216bis 6.2.2
/// wants kept for players that saw them listed. Responses under way keep the segments they are
/// sending beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one segment. Default: 16 MiB, which is 10 s at 13 Mbit/s. A segment that reaches it
    /// is cut as if it had reached the longest duration.
    pub segment_bytes: usize,
    /// Bytes of all finished segments of a stream in one container. Default: 128 MiB. Beyond, the oldest are dropped
    /// early.
    pub stream_bytes: usize,
    /// Frames held back at the start. Default: 512.
    pub held_frames: usize,
    /// Payload bytes held back at the start. Default: 16 MiB.
    pub held_bytes: usize,
    /// Tracks of a stream. Default: 16; further ones are left out.
    pub tracks: usize,
    /// Requests of a stream that wait at a time: for the first segments, for a playlist still to come (`_HLS_msn`) or for a
    /// hinted part. Default: 16,384, at some 500 bytes each beside the connection. Further ones are answered with 503.
    pub waiting_requests: usize,
    /// EXT-X-DATERANGE tags in a playlist. Default: 64; beyond, the oldest go.
    pub date_ranges: usize,
    /// Streams whose numbering is remembered after they ended, at about 1 KiB each. Default: 4096;
    /// beyond, an ended one is forgotten. A forgotten stream that returns is numbered from the wall
    /// clock, so its numbers still do not go back.
    pub remembered_streams: usize,
    /// Sessions at a time, at about 200 bytes each. Default: 65,536. Where there is no room, the one that has been idle for
    /// longest ends.
    pub sessions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: 16 * 1024 * 1024,
            stream_bytes: 128 * 1024 * 1024,
            held_frames: 512,
            held_bytes: 16 * 1024 * 1024,
            tracks: 16,
            waiting_requests: 16_384,
            date_ranges: 64,
            remembered_streams: 4096,
            sessions: 65_536,
        }
    }
}
