//! What a peer may ask of us.

use std::time::Duration;

/// The limits of one message. All are on by default; each says what raising it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageLimits {
    /// The start line and the headers of a message together, in bytes. Default 16 KiB: URLs with signed tokens reach 4 KiB.
    /// Cost: what an unauthorised peer can make us hold.
    pub header_bytes: usize,
    /// The headers of a message. Default 64; cameras send up to twenty.
    /// Cost: about 50 bytes each while the message is handled.
    pub headers: usize,
    /// The body of a message, in bytes: SDP for the most part. Default 64 KiB; a session of twenty tracks has 8 KiB. A larger
    /// `Content-Length` is refused as soon as the headers are read.
    /// Cost: what an unauthorised peer can make us hold, on top of the headers.
    pub body_bytes: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self {
            header_bytes: 16 << 10,
            headers: 64,
            body_bytes: 64 << 10,
        }
    }
}

/// The limits of one connection to the server. All are on by default; each says what raising it costs. A connection has one session at a
/// time.
///
/// A timeout of [`Duration::MAX`] never comes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Those of each message.
    pub message: MessageLimits,
    /// The tracks of one session. Default 16; a camera has three.
    /// Cost: for a publisher, up to [`reorder_bytes`](Self::reorder_bytes) each, and what the stream's log keeps of a track.
    pub tracks: usize,
    /// The requests a second, averaged; twice as many may come in a burst. Default 50; clients send some ten to start and then
    /// one in half a minute. Cost: processor time.
    pub requests_per_second: u32,
    /// How often a peer may show credentials that will not do before the connection is closed. Default 3. Cost: guesses.
    pub auth_attempts: u32,
    /// The bytes a second that are read from a publisher, averaged; twice as many may come in a burst. 0: any number. What comes by TCP beyond that
    /// waits, what comes by UDP is dropped. Default 125 000 000: 1 Gbit/s, which no live stream needs.
    /// Cost: processor time and, for as long as the stream's log keeps them, that many bytes a second.
    pub bytes_per_second: u64,
    /// The bytes that a UDP publisher's track holds back while a packet is missing. Default 1 MiB. Cost: exactly that memory.
    pub reorder_bytes: usize,
    /// The time from the connection to the first whole request. Default 10 s. Cost: a connection slot for that long.
    pub handshake_timeout: Duration,
    /// The time without a request before anything is played or published. Default 30 s. Cost: a connection slot for that long.
    pub setup_timeout: Duration,
    /// The time without a sign of life from a session: a request, RTCP, or media of a publisher. What the `Session` header tells clients, which ask for
    /// something twice in that time to stay. Default 60 s. Players by TCP are not held to it: their socket tells.
    /// Cost: for a UDP player that has vanished, the bandwidth of its stream for that long.
    pub session_timeout: Duration,
    /// The time without media from a publisher. Default 30 s.
    /// Cost: a stream stays live that long after its publisher has vanished, unless the engine's own idle timeout is shorter.
    pub media_timeout: Duration,
    /// The time for which the peer may refuse to take a byte while there is something to send. Default 10 s.
    /// Cost: a connection slot for that long.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: MessageLimits::default(),
            tracks: 16,
            requests_per_second: 50,
            auth_attempts: 3,
            bytes_per_second: 125_000_000,
            reorder_bytes: 1 << 20,
            handshake_timeout: Duration::from_secs(10),
            setup_timeout: Duration::from_secs(30),
            session_timeout: Duration::from_secs(60),
            media_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
        }
    }
}
