//! What a side brings to a handshake.

use super::extensions::{Capabilities, Flags, Version};
use super::negotiated::IP_AND_UDP_BYTES;
use crate::proto::crypto::{KeyLength, KeyRefresh};
use std::time::Duration;

/// What a side brings to a handshake. [`Default`] is what libsrt brings in live mode.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// The least delay between sending and delivery of what we receive; the peer may ask for more. Default 120 ms. It should be
    /// four times the round-trip time, for lost packets to be sent again in time. At most 65 535 ms.
    pub receive_latency: Duration,
    /// The least delay of what the peer receives from us; it may have a longer one. Default 0: what the peer says.
    pub peer_latency: Duration,
    /// The longest packet on the network, in bytes, headers of IPv4 and UDP included. Default 1 500; the smaller one of both sides
    /// counts.
    pub mtu: u32,
    /// How many packets may be on their way to us. Default 25 600, 33 MB, as libsrt.
    pub flow_window: u32,
    /// How long the keys are that we make, as initiator with a passphrase. Default: what the listener advertises, else AES-128.
    /// A listener advertises it, and takes what the caller makes.
    pub key_length: Option<KeyLength>,
    /// When keys are renewed.
    pub key_refresh: KeyRefresh,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            receive_latency: Duration::from_millis(120),
            peer_latency: Duration::ZERO,
            mtu: 1500,
            flow_window: 25_600,
            key_length: None,
            key_refresh: KeyRefresh::default(),
        }
    }
}

impl Options {
    /// The longest packet that a peer may send, in bytes: longer datagrams are none of its.
    pub(crate) const fn max_packet_bytes(&self) -> usize {
        self.mtu.saturating_sub(IP_AND_UDP_BYTES) as usize
    }

    /// What an initiator says of itself.
    pub(super) fn capabilities(&self) -> Capabilities {
        Capabilities {
            version: Version::OURS,
            flags: Flags::live(),
            receive_latency_ms: milliseconds(self.receive_latency),
            send_latency_ms: milliseconds(self.peer_latency),
        }
    }
}

/// Milliseconds, rounded up, as far as the field goes.
pub(super) fn milliseconds(latency: Duration) -> u16 {
    let milliseconds = latency.as_micros().div_ceil(1000);
    u16::try_from(milliseconds).unwrap_or(u16::MAX)
}
