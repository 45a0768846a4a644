//! How WebRTC is served.

use crate::Limits;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A STUN or TURN server that peers are told of (`Link: rel="ice-server"`, RFC 9725 4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RTCIceServer has these fields")]
pub struct IceServer {
    /// As in `stun:stun.example.org` or `turn:turn.example.org?transport=udp`.
    pub url: String,
    /// For TURN.
    pub username: Option<String>,
    /// For TURN.
    pub credential: Option<String>,
}

/// How WebRTC is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhipConfig {
    /// Where media comes and goes by UDP, for all peers.
    pub udp: SocketAddr,
    /// Where media comes and goes by TCP (RFC 6544), for peers whose UDP is blocked; `None`: nowhere.
    pub tcp: Option<SocketAddr>,
    /// The addresses that peers are told, instead of those of the host's interfaces: for hosts behind address translation, as in containers and
    /// clouds. The ports must be passed on unchanged.
    pub public_addresses: Vec<IpAddr>,
    /// Whether we only answer checks (RFC 8445 2.5): right where peers can reach us, as with public addresses. `None`: where any are
    /// configured.
    pub ice_lite: Option<bool>,
    /// What peers are told to use.
    pub ice_servers: Vec<IceServer>,
    /// How long viewers wait for a stream that is not live yet.
    pub play_wait: Duration,
    /// What peers can make us do.
    pub limits: Limits,
}

impl WhipConfig {
    /// UDP and TCP on `address`, on all interfaces' addresses.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self {
            udp: address,
            tcp: Some(address),
            public_addresses: Vec::new(),
            ice_lite: None,
            ice_servers: Vec::new(),
            play_wait: Duration::ZERO,
            limits: Limits::default(),
        }
    }

    /// Whether we only answer checks.
    #[must_use]
    pub fn is_ice_lite(&self) -> bool {
        self.ice_lite.unwrap_or(!self.public_addresses.is_empty())
    }
}
