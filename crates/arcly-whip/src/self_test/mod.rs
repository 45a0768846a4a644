//! Whether the addresses that peers are told lead here: each is tried from a socket of its own, as a peer would, by a check that comes in through
//! the very port that media comes by.

mod probe;
mod stun;

pub(crate) use probe::probe;

use crate::transport::Carrier;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How the addresses that peers are told fared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelfTest {
    /// What UDP is bound to.
    pub udp: SocketAddr,
    /// What TCP is bound to.
    pub tcp: Option<SocketAddr>,
    /// Whether we only answer checks.
    pub is_ice_lite: bool,
    /// Each address, in the order in which peers are told.
    pub candidates: Vec<TestedCandidate>,
}

/// An address that peers are told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestedCandidate {
    /// As in the answer's `a=candidate` line (RFC 8839 5.1).
    pub candidate: String,
    /// By what.
    pub carrier: Carrier,
    /// Where.
    pub address: SocketAddr,
    /// Who can reach such an address.
    pub scope: Scope,
    /// What became of the check.
    pub outcome: Result<Reached, Unreached>,
}

/// A check that came through, there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reached {
    /// From where it seemed to come, at our port: what a translation on the way makes of us.
    pub seen_as: SocketAddr,
    /// How long it took.
    pub round_trip: Duration,
}

/// Why a check did not come through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unreached {
    /// It could not even be sent.
    #[error("this host has no way to it: {reason}")]
    NoWay {
        /// What the system says.
        reason: String,
    },
    /// Somebody is there, and takes no connection.
    #[error(
        "the connection is refused: the address leads to a host or router that does not pass the port on to here"
    )]
    Refused,
    /// It went out, and did not come in.
    #[error(
        "nothing came in: the address or its port is not passed on to here, a firewall is between, or the router does not lead back what comes from inside; test from outside to know"
    )]
    NothingCame,
    /// It came in, and the answer did not come back.
    #[error(
        "the check came in, as from {seen_as}, but the answer did not come back: outgoing packets are blocked"
    )]
    NoAnswer {
        /// From where it seemed to come.
        seen_as: SocketAddr,
    },
    /// The answer came from another address, which no peer takes (RFC 8445 7.2.5.2.1).
    #[error(
        "the answer came from {from}, which no peer takes: bind the port to the one address that is used, with --webrtc-listen or its like"
    )]
    OtherAddress {
        /// From where.
        from: SocketAddr,
    },
}

/// Who can reach an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// This host.
    Loopback,
    /// Hosts on the same link.
    LinkLocal,
    /// Hosts of the same private network (RFC 1918, RFC 4193).
    Private,
    /// Hosts of the same provider's network (RFC 6598).
    Shared,
    /// Everybody, as far as firewalls let them.
    Public,
}

impl Scope {
    /// That of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) if ip.is_link_local() => Self::LinkLocal,
            IpAddr::V4(ip) if ip.is_private() => Self::Private,
            IpAddr::V4(ip) => {
                let [first, second, ..] = ip.octets();
                let is_shared = first == 100 && second & 0xc0 == 64;
                if is_shared {
                    Self::Shared
                } else {
                    Self::Public
                }
            }
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Self::LinkLocal,
            IpAddr::V6(ip) if ip.is_unique_local() => Self::Private,
            IpAddr::V6(_) => Self::Public,
        }
    }

    /// The lower-case name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::Public => "public",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_by_who_can_reach_them() {
        for (address, name) in [
            ("127.0.0.1", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("169.254.3.4", "link-local"),
            ("fe80::1", "link-local"),
            ("172.17.0.2", "private"),
            ("fd00::1", "private"),
            ("100.64.0.1", "shared"),
            ("100.127.255.255", "shared"),
            ("100.128.0.1", "public"),
            ("203.0.113.9", "public"),
            ("2001:db8::1", "public"),
        ] {
            assert_eq!(
                Scope::of(address.parse().unwrap()).name(),
                name,
                "{address}"
            );
        }
    }
}
