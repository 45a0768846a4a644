//! What peers can make us do.

use std::time::Duration;

/// Bounds on what peers can cost. All are on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Peers in all, those that have not connected yet included. Default 2 000.
    pub max_peers: usize,
    /// Peers that have not connected yet: each of them costs an ICE agent and a DTLS handshake to come. They have 20 s for ICE and 10 s for DTLS.
    /// Default 256.
    pub max_connecting: usize,
    /// Of these, how many one address may have. Default 32.
    pub max_connecting_per_ip: usize,
    /// Datagrams that wait for a peer's task; more are dropped, as a network would. Default 512.
    pub max_inbox: usize,
    /// Connections of ICE-TCP. Default 1 000, and 32 an address.
    pub max_tcp_connections: usize,
    /// How old the newest keyframe may be for a viewer to start with it, catching up fast; a viewer of a stream with an older one starts at the
    /// next, which the publisher is asked for. Default 5 s.
    pub max_catch_up: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_peers: 2_000,
            max_connecting: 256,
            max_connecting_per_ip: 32,
            max_inbox: 512,
            max_tcp_connections: 1_000,
            max_catch_up: Duration::from_secs(5),
        }
    }
}
