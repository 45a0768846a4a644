//! The limits, which only a file sets: `[limits]`.

use super::Span;
use serde::{Deserialize, Serialize};

/// What the server accepts at most. Each is on by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// RTMP connections at a time. Each takes a file descriptor and about 2 KiB until it publishes.
    pub(crate) rtmp_connections: usize,
    /// RTMP connections at a time from one IPv4 address or IPv6 /64.
    pub(crate) rtmp_connections_per_ip: usize,
    /// Streams that one RTMP connection may play, or wait for, at once.
    pub(crate) rtmp_plays: usize,
    /// Bytes a second that are read from one RTMP connection; twice as many in a burst; 0: any number.
    pub(crate) rtmp_bytes_per_second: u64,
    /// Commands and control messages a second of one RTMP connection; twice as many in a burst.
    pub(crate) rtmp_commands_per_second: u32,
    /// For how long an RTMP peer may take nothing of what is sent.
    pub(crate) rtmp_write_timeout: Span,
    /// RTSP connections at a time, each with one session. Each takes a file descriptor and about 4 KiB.
    pub(crate) rtsp_connections: usize,
    /// RTSP connections at a time from one IPv4 address or IPv6 /64.
    pub(crate) rtsp_connections_per_ip: usize,
    /// Bytes a second that are taken from one RTSP publisher; twice as many in a burst; 0: any number.
    pub(crate) rtsp_bytes_per_second: u64,
    /// For how long an RTSP peer may take nothing of what is sent.
    pub(crate) rtsp_write_timeout: Span,
    /// SRT connections at a time. Each buffers up to 24 MiB of what is under way.
    pub(crate) srt_connections: usize,
    /// SRT connections at a time from one IPv4 address or IPv6 /64.
    pub(crate) srt_connections_per_ip: usize,
    /// HTTP connections at a time. Each takes a file descriptor and some 20 KiB.
    pub(crate) http_connections: usize,
    /// HTTP connections at a time from one IPv4 address or IPv6 /64. Raise it behind a reverse proxy.
    pub(crate) http_connections_per_ip: usize,
    /// The bytes of a request's head. 8 KiB at least.
    pub(crate) http_head_bytes: usize,
    /// The time for a request's head, and between two requests of a connection.
    pub(crate) http_head_timeout: Span,
    /// The time until a response begins, beside what players wait for by design: a stream (`play_wait`), or HLS's next version.
    pub(crate) http_request_timeout: Span,
    /// The time for which a client may take nothing of a response.
    pub(crate) http_write_timeout: Span,
    /// HLS viewers that are told apart and counted, at about 500 bytes each; further ones play, uncounted.
    pub(crate) hls_viewers: usize,
    /// Bytes of finished HLS segments of a stream.
    pub(crate) hls_stream_bytes: usize,
    /// Bytes of frames of a stream that are kept for viewers that join.
    pub(crate) gop_cache_bytes: usize,
    /// Bytes of a frame.
    pub(crate) frame_bytes: usize,
    /// Tracks of a stream.
    pub(crate) tracks: usize,
    /// Streams that get metrics of their own; 0 for none.
    pub(crate) metrics_streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let rtmp = arcly_stream::protocol::rtmp::Limits::default();
        let rtsp = arcly_stream::protocol::rtsp::Limits::default();
        let srt = arcly_stream::protocol::srt::Config::default().limits;
        Self {
            rtmp_connections: 4_096,
            rtmp_connections_per_ip: 256,
            rtmp_plays: rtmp.plays,
            rtmp_bytes_per_second: rtmp.bytes_per_second,
            rtmp_commands_per_second: rtmp.commands_per_second,
            rtmp_write_timeout: Span(rtmp.write_timeout),
            rtsp_connections: 4_096,
            rtsp_connections_per_ip: 256,
            rtsp_bytes_per_second: rtsp.bytes_per_second,
            rtsp_write_timeout: Span(rtsp.write_timeout),
            srt_connections: srt.connections,
            srt_connections_per_ip: srt.connections_per_ip,
            http_connections: 4_096,
            http_connections_per_ip: 256,
            http_head_bytes: 32 << 10,
            http_head_timeout: Span::secs(30),
            http_request_timeout: Span::secs(30),
            http_write_timeout: Span::secs(30),
            hls_viewers: 65_536,
            hls_stream_bytes: 128 << 20,
            gop_cache_bytes: arcly_stream::bus::Retention::DEFAULT_MAX_BYTES,
            frame_bytes: 16 << 20,
            tracks: 32,
            metrics_streams: 100,
        }
    }
}
