//! How the server behaves.

use crate::Limits;
use std::time::Duration;

/// How the server side of a connection behaves. [`Default`] suits real publishers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What a peer may ask of us.
    pub limits: Limits,
    /// The chunk size that we announce and send with, in bytes, 128 to 16 777 215; other values count as the nearest
    /// of these. Default 60 000, so that most messages are one chunk.
    pub chunk_size: u32,
    /// The acknowledgement window that we announce, and keep where the peer announces none, in bytes
    /// (RTMP 1.0, 5.4.4). Default 2 500 000. Smaller windows cost more acknowledgements.
    pub window_ack_size: u32,
    /// After how long without a byte from the peer it is pinged (RTMP 1.0, 7.1.7). Default 20 s. A peer that answers
    /// is alive, however long it has nothing to send.
    pub ping_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            ping_interval: Duration::from_secs(20),
        }
    }
}
