//! What a sender may ask of an input.

use arcly_core::rtp::ReorderLimits;
use std::time::Duration;

/// The limits of one input. All are on by default; each says what raising it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// For how long a source may be silent until its stream ends, and another may take its place. Default 5 s. Cost: the stream stays live that long
    /// after its source has gone.
    pub source_timeout: Duration,
    /// The bytes a second that are taken, averaged; twice as many may come in a burst. Default 25 000 000: 200 Mbit/s, twice what contribution
    /// encoders send. Datagrams beyond that are dropped. Cost: processor time and, for as long as the stream's log keeps them, that many bytes a
    /// second.
    pub bytes_per_second: u64,
    /// How much the RTP reorder buffer holds back while a packet is missing. Default 100 ms, 512 packets, 1 MiB. Cost: that memory, and that delay
    /// where a packet is lost.
    pub reorder: ReorderLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_timeout: Duration::from_secs(5),
            bytes_per_second: 25_000_000,
            reorder: ReorderLimits::default(),
        }
    }
}
