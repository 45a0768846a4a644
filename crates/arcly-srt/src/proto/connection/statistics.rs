//! How a connection fares.

use std::time::Duration;

/// Figures of a connection since it was made. All but the counters are of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// Its variance.
    pub rtt_variance: Duration,
    /// What was sent.
    pub sent: SendStatistics,
    /// What was received.
    pub received: ReceiveStatistics,
    /// Packets that made no sense: not to be parsed, or reports about what was never sent.
    pub invalid: u64,
}

/// The sending half of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SendStatistics {
    /// Data packets, each counted once.
    pub packets: u64,
    /// Their payload, in bytes.
    pub bytes: u64,
    /// Data packets that were sent again.
    pub retransmitted: u64,
    /// Their payload, in bytes.
    pub retransmitted_bytes: u64,
    /// Packets that the peer reported lost, or whose acknowledgement did not come.
    pub lost: u64,
    /// Packets that were given up as too late, sent before or not.
    pub dropped: u64,
    /// Their payload, in bytes.
    pub dropped_bytes: u64,
    /// Packets that wait to be sent or acknowledged.
    pub buffered: u64,
    /// Their payload, in bytes.
    pub buffered_bytes: u64,
    /// How long the oldest of them has been waiting.
    pub buffered_for: Duration,
    /// Packets under way: sent and not acknowledged.
    pub in_flight: u64,
    /// How many of these the peer has room for.
    pub window: u64,
    /// The rate of the stream, in bytes a second with headers; `None` until half a second of it was sent.
    pub rate: Option<u64>,
    /// The rate that is allowed, in bytes a second.
    pub max_rate: u64,
    /// What the peer says that the link could carry, in packets a second; 0 where it does not know.
    pub link_packets_per_second: u32,
}

/// The receiving half of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReceiveStatistics {
    /// Data packets, each counted once.
    pub packets: u64,
    /// Their payload, in bytes.
    pub bytes: u64,
    /// Packets that were found missing when one behind them came.
    pub missing: u64,
    /// Of these, those that came later.
    pub recovered: u64,
    /// Packets that are missing now and may yet come.
    pub awaited: u64,
    /// Packets whose time came before they did: what the stream lacks.
    pub dropped: u64,
    /// Packets that came when their time was over.
    pub belated: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets that could not be decrypted, or were not encrypted as they should be.
    pub undecrypted: u64,
    /// Packets that were refused since they were beyond the window or did not fit.
    pub refused: u64,
    /// Packets that wait for their time.
    pub buffered: u64,
    /// Their payload, in bytes.
    pub buffered_bytes: u64,
    /// From the first that waits to the last: the time by which they were submitted one after the other.
    pub buffered_for: Duration,
    /// The latency that was negotiated.
    pub latency: Duration,
    /// Packets that arrive a second; 0 where that is not known.
    pub packets_per_second: u32,
    /// Bytes that arrive a second, with headers; 0 where that is not known.
    pub bytes_per_second: u32,
    /// What the link could carry, in packets a second; 0 where that is not known.
    pub link_packets_per_second: u32,
    /// By how much the peer's clock has drifted, in microseconds: positive where packets come later and later.
    pub drift_micros: i64,
}
