//! What a handshake ends with.

use super::extensions::{Capabilities, Flags, Version};
use super::options::Options;
use super::packet::Handshake;
use crate::proto::crypto;
use crate::proto::packet::SocketId;
use crate::proto::sequence::SequenceNumber;
use crate::proto::time::PacketTime;
use std::time::{Duration, Instant};

/// The least MTU that is taken: what each host must be able to receive over IPv4 (RFC 791), rounded.
pub(super) const MIN_MTU: u32 = 576;
/// The headers of IPv4 and UDP, which the MTU of a handshake counts.
pub(super) const IP_AND_UDP_BYTES: u32 = 28;

/// All that both sides have agreed on: what a connection starts from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Negotiated {
    /// Packets to us carry it.
    pub local_id: SocketId,
    /// Packets to the peer carry it.
    pub peer_id: SocketId,
    /// The number of our first data packet.
    pub send_isn: SequenceNumber,
    /// The number of the peer's first data packet. libsrt has it equal to ours.
    pub receive_isn: SequenceNumber,
    /// When our socket was made: time 0 of what we send.
    pub epoch: Instant,
    /// When the peer's capabilities arrived, and what they were stamped with: the time base of what it sends.
    pub peer_time: (Instant, PacketTime),
    /// The delay between sending and delivery of what we receive.
    pub receive_latency: Duration,
    /// The delay of what the peer receives.
    pub send_latency: Duration,
    /// The peer's version.
    pub peer_version: Version,
    /// What the peer can do.
    pub peer_flags: Flags,
    /// The longest packet either way, in bytes, its header included, without those of IP and UDP.
    pub max_packet_bytes: usize,
    /// How many packets may be on their way to the peer.
    pub peer_flow_window: u32,
    /// What the caller wanted, where it said so.
    pub stream_id: Option<String>,
    /// The keys, where payloads are encrypted.
    pub crypto: Option<crypto::Session>,
}

/// What is known at either end where the last packet has been read.
pub(super) struct Agreement<'a> {
    pub(super) options: &'a Options,
    pub(super) local_id: SocketId,
    pub(super) isn: SequenceNumber,
    pub(super) epoch: Instant,
    pub(super) peer: &'a Handshake,
    pub(super) peer_time: (Instant, PacketTime),
    pub(super) peer_capabilities: Capabilities,
    pub(super) receive_latency: Duration,
    pub(super) send_latency: Duration,
    pub(super) stream_id: Option<String>,
    pub(super) crypto: Option<crypto::Session>,
}

impl Agreement<'_> {
    pub(super) fn conclude(self) -> Negotiated {
        let mtu = self.options.mtu.min(self.peer.mtu).max(MIN_MTU);
        Negotiated {
            local_id: self.local_id,
            peer_id: self.peer.socket,
            send_isn: self.isn,
            receive_isn: self.peer.isn,
            epoch: self.epoch,
            peer_time: self.peer_time,
            receive_latency: self.receive_latency,
            send_latency: self.send_latency,
            peer_version: self.peer_capabilities.version,
            peer_flags: self.peer_capabilities.flags,
            max_packet_bytes: (mtu - IP_AND_UDP_BYTES) as usize,
            peer_flow_window: self.peer.flow_window,
            stream_id: self.stream_id,
            crypto: self.crypto,
        }
    }
}
