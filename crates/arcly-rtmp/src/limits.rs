//! What a peer may ask of us.

use std::time::Duration;

/// The limits of one connection. All are on by default; each says what raising it costs.
///
/// A connection that has not been allowed to publish holds at most [`command_bytes`](Self::command_bytes) of partial
/// messages; in practice a few KiB, since memory is only taken for bytes that arrived. A timeout of
/// [`Duration::MAX`] never comes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest media message, in bytes, once publishing was allowed. The format stops at 16 777 215.
    /// Default 8 MiB, twice what a 4K stream of 60 Mbit/s spends in half a second.
    /// Cost: a publisher can make a frame of this size, and the stream's log keeps it for a GOP.
    pub message_bytes: u32,
    /// The longest command or data message, and the longest message of any kind before publishing was allowed, in
    /// bytes. Default 256 KiB: `onMetaData` with embedded XMP reaches 100 KiB.
    /// Cost: what an unauthorised peer can make us hold, over all its chunk streams.
    pub command_bytes: u32,
    /// The largest chunk size the peer may set, in bytes. Default 16 777 215, the format's own bound (RTMP 1.0,
    /// 5.4.1): chunks are not buffered, so a large one costs nothing but the peer's own interleaving.
    pub chunk_bytes: u32,
    /// The chunk streams the peer may use. Default 64; publishers use three to six.
    /// Cost: about 100 bytes each, and a slot to leave a partial message in.
    pub chunk_streams: usize,
    /// The bytes of partial messages held over all chunk streams. Default 12 MiB; must be at least
    /// [`message_bytes`](Self::message_bytes). Cost: exactly that memory.
    pub buffered_bytes: usize,
    /// The nesting of AMF0 objects and arrays. Default 16; `onMetaData` needs 3.
    /// Cost: one stack frame a level, about 300 bytes.
    pub amf_depth: usize,
    /// The AMF0 values in one message, nested ones included. Default 8 192: the key frame index of an hour.
    /// Cost: about 60 bytes each while the message is handled.
    pub amf_values: usize,
    /// The length of an AMF0 string or property name, in bytes. Default 128 KiB.
    /// Cost: that memory while the message is handled.
    pub amf_string_bytes: usize,
    /// The length of `app`, `tcUrl` and the stream name, query included, in bytes. Default 4 096, room for a signed
    /// token. Cost: three times that memory a connection.
    pub name_bytes: usize,
    /// The message streams open at once (`createStream`). Default 8; publishers use one.
    /// Cost: about 200 bytes each, and a publish session where one is opened.
    pub message_streams: usize,
    /// The streams that are played, or waited for, at once. Default 4; players use one.
    /// Cost: about 1 KiB each, and a write a video frame.
    pub plays: usize,
    /// The bytes a second that are read from the peer, averaged; twice as many may come in a burst. 0: any number. A peer
    /// that sends more is not read for so long that it keeps to it. Default 125 000 000: 1 Gbit/s, which no live stream
    /// needs. Cost: processor time and, for as long as the stream's log keeps them, that many bytes a second.
    pub bytes_per_second: u64,
    /// The video and audio tracks of one publication together (Enhanced RTMP's multitrack). Default 16; a ladder of five
    /// renditions with two languages has seven.
    /// Cost: up to 64 KiB of codec config each, and what the stream's log keeps of a track.
    pub tracks: usize,
    /// The commands, user control and protocol control messages a second, averaged; twice as many may come in a
    /// burst. Default 100; a publisher sends some ten to start and then hardly any. Cost: processor time.
    pub commands_per_second: u32,
    /// The time from the connection to the end of the handshake. Default 10 s. Cost: a connection slot for that long.
    pub handshake_timeout: Duration,
    /// The time from the handshake, or from the end of a publication, to the next request to publish or play.
    /// Default 30 s. Cost: a connection slot for that long.
    pub setup_timeout: Duration,
    /// The time without a byte from the peer. Default 60 s. Cost: a stream stays live that long after its publisher
    /// has vanished without closing its connection, unless the engine's own idle timeout is shorter.
    pub idle_timeout: Duration,
    /// The time for which the peer may refuse to take a byte while there is something to send (driver). Default 10 s.
    /// Cost: a connection slot for that long.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 8 << 20,
            command_bytes: 256 << 10,
            chunk_bytes: 0xFF_FFFF,
            chunk_streams: 64,
            buffered_bytes: 12 << 20,
            amf_depth: 16,
            amf_values: 8_192,
            amf_string_bytes: 128 << 10,
            name_bytes: 4_096,
            message_streams: 8,
            tracks: 16,
            plays: 4,
            bytes_per_second: 125_000_000,
            commands_per_second: 100,
            handshake_timeout: Duration::from_secs(10),
            setup_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
        }
    }
}
