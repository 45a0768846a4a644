//! What a connection is told from our side.

use super::bandwidth::MaxBandwidth;
use std::time::Duration;

/// How a connection behaves, beyond what the handshake has settled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How much bandwidth data packets may use. Default [`MaxBandwidth::UNLIMITED`].
    pub max_bandwidth: MaxBandwidth,
    /// Whether the receiver goes on without a packet that is missing when those behind it are due, and the sender gives up what is late
    /// (TLPKTDROP; draft-sharabayko-srt-01, 4.6). Default on. Without it a lost packet holds up all behind it until it comes.
    pub too_late_drop: bool,
    /// Whether what is missing is asked for periodically (4.8.2). Default on.
    pub periodic_nak: bool,
    /// Whether the peer's clock is followed (4.7). Default on.
    pub drift_tracing: bool,
    /// What a connection may cost.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_bandwidth: MaxBandwidth::default(),
            too_late_drop: true,
            periodic_nak: true,
            drift_tracing: true,
            limits: Limits::default(),
        }
    }
}

/// The limits of a connection. All are on by default; each says what raising it costs. Both buffers fill only by what is really sent
/// or received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long the peer may be silent until it is taken to be gone. Default 5 s, as libsrt's `SRTO_PEERIDLETIMEO`; a peer that is alive
    /// sends something each second. Cost: a slot, and the key of a publisher that was killed, for that long.
    pub idle_timeout: Duration,
    /// How many packets are received ahead of the one delivered next, missing ones included: the flow window that the handshake
    /// announces. Default 8 192, libsrt's receive buffer. Cost: about 200 bytes a packet beside its payload.
    pub receive_packets: u32,
    /// The payload bytes of packets that wait for their time. Default 12 MiB: a second of latency at 90 Mbit/s. Cost: that memory, where a peer sends
    /// so much.
    pub receive_bytes: usize,
    /// How much longer than the latency a packet is held at most, whatever the peer's timestamps say. Default 10 s. One that would be held
    /// longer is delivered the latency after it came. Cost: how long what the two limits above allow is kept.
    pub receive_ahead: Duration,
    /// How many packets wait to be sent or acknowledged. Default 8 192. Cost: about 150 bytes a packet beside its payload, which is shared where the
    /// connection is not encrypted.
    pub send_packets: u32,
    /// The payload bytes of these. Default 12 MiB. Cost: that memory, where the peer does not acknowledge; the payload's own copy only where
    /// the connection is encrypted.
    pub send_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(5),
            receive_packets: 8_192,
            receive_bytes: 12 << 20,
            receive_ahead: Duration::from_secs(10),
            send_packets: 8_192,
            send_bytes: 12 << 20,
        }
    }
}
