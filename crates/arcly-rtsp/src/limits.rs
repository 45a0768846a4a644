//! What a peer may ask of us.

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

/// The limits of one connection. All are on by default; each says what raising it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Those of each message.
    pub message: MessageLimits,
}
