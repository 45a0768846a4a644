//! The sockets that all peers share.

use crate::WhipConfig;
use crate::transport::{Carrier, Route};
use arcly_core::net::udp::UdpPort;
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{PoisonError, RwLock};
use tokio::sync::mpsc;

/// The most bytes of datagrams that are sent in one go, and what a TCP frame can be.
const MAX_FRAME_BYTES: usize = 65_535;

/// One UDP port, and the connections of the TCP port.
#[derive(Debug)]
pub(crate) struct Ports {
    udp: UdpPort,
    /// The local address of the TCP port, where there is one.
    tcp: Option<SocketAddr>,
    connections: RwLock<HashMap<SocketAddr, mpsc::Sender<Bytes>>>,
}

impl Ports {
    pub(crate) fn new(udp: UdpPort, tcp: Option<SocketAddr>) -> Self {
        Self {
            udp,
            tcp,
            connections: RwLock::default(),
        }
    }

    pub(crate) const fn udp(&self) -> &UdpPort {
        &self.udp
    }

    /// The address that TCP is bound to.
    pub(crate) const fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// Our sides of the ways that ICE may find, one for each carrier and family: the agent needs to know them apart, not what they are called from
    /// outside.
    pub(crate) fn local_candidates(&self) -> Vec<(Carrier, SocketAddr)> {
        let udp = [(Carrier::Udp, self.udp.local_addr())];
        let tcp = self.tcp.map(|address| (Carrier::Tcp, address));
        udp.into_iter()
            .chain(tcp)
            .flat_map(|(carrier, bound)| {
                let four = Self::local(bound, true);
                let six = Self::local(bound, false);
                [four, six]
                    .into_iter()
                    .flatten()
                    .map(move |address| (carrier, address))
            })
            .collect()
    }

    /// The address by which the agent knows a socket, for peers of one family.
    fn local(bound: SocketAddr, is_ipv4: bool) -> Option<SocketAddr> {
        let ip = match (bound.ip(), is_ipv4) {
            (IpAddr::V4(_), true) => Ipv4Addr::LOCALHOST.into(),
            (IpAddr::V4(_), false) => return None,
            (IpAddr::V6(ip), true) if !ip.is_unspecified() => return None,
            (IpAddr::V6(_), true) => Ipv4Addr::LOCALHOST.into(),
            (IpAddr::V6(_), false) => Ipv6Addr::LOCALHOST.into(),
        };
        Some(SocketAddr::new(ip, bound.port()))
    }

    /// The way that a datagram came.
    pub(crate) fn route(&self, carrier: Carrier, remote: SocketAddr) -> Option<Route> {
        let bound = match carrier {
            Carrier::Udp => self.udp.local_addr(),
            Carrier::Tcp => self.tcp?,
        };
        let local = Self::local(bound, remote.is_ipv4())?;
        Some(Route {
            carrier,
            local,
            remote,
        })
    }

    /// Sends datagrams, back to back, each `segment` bytes long but for the last. What a full socket does not take is lost, as on any network.
    pub(crate) fn send(&self, route: Route, segment: usize, datagrams: &[u8]) -> io::Result<()> {
        match route.carrier {
            Carrier::Udp => self
                .udp
                .try_send(route.remote, None, segment, datagrams)
                .map(drop),
            Carrier::Tcp => {
                let connections = self
                    .connections
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                let connection = connections
                    .get(&route.remote)
                    .ok_or(io::ErrorKind::NotConnected)?;
                for datagram in datagrams.chunks(segment.max(1)) {
                    let datagram = datagram.get(..datagram.len().min(MAX_FRAME_BYTES));
                    let frame = frame(datagram.unwrap_or_default());
                    connection
                        .try_send(frame)
                        .map_err(|_| io::ErrorKind::WouldBlock)?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn add_connection(&self, remote: SocketAddr, frames: mpsc::Sender<Bytes>) {
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        connections.insert(remote, frames);
    }

    pub(super) fn remove_connection(&self, remote: SocketAddr) {
        let mut connections = self
            .connections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        connections.remove(&remote);
    }
}

/// RFC 4571 2: a length before each.
fn frame(datagram: &[u8]) -> Bytes {
    let length = (datagram.len() as u16).to_be_bytes();
    [&length[..], datagram].concat().into()
}

/// The addresses that peers are told.
pub(crate) fn local_addresses(config: &WhipConfig, ports: &Ports) -> Vec<(Carrier, SocketAddr)> {
    let udp = (Carrier::Udp, ports.udp.local_addr());
    let tcp = ports.tcp.map(|address| (Carrier::Tcp, address));
    [Some(udp), tcp]
        .into_iter()
        .flatten()
        .flat_map(|(carrier, bound)| {
            let addresses = if !config.public_addresses.is_empty() {
                config.public_addresses.clone()
            } else if bound.ip().is_unspecified() {
                interface_addresses(bound.is_ipv6())
            } else {
                vec![bound.ip()]
            };
            addresses
                .into_iter()
                .map(move |ip| (carrier, SocketAddr::new(ip, bound.port())))
        })
        .collect()
}

/// The addresses of the host's interfaces, those that lead further first. Loopback is among them: a player on the same host that has nothing
/// else finds the way.
fn interface_addresses(with_ipv6: bool) -> Vec<IpAddr> {
    let interfaces = rtc_shared::ifaces::ifaces().unwrap_or_default();
    let addresses = interfaces.iter().filter_map(|interface| interface.addr);
    let mut addresses: Vec<IpAddr> = addresses
        .map(|address| address.ip())
        .filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
            IpAddr::V6(ip) => with_ipv6 && !ip.is_unicast_link_local() && !ip.is_unspecified(),
        })
        .collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    addresses.dedup();
    /// A host with more has virtual ones, which lead nowhere.
    const MAX_ADDRESSES: usize = 16;
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(udp: &str, tcp: Option<&str>) -> Ports {
        let udp = UdpPort::bind(udp.parse().unwrap()).unwrap();
        Ports::new(udp, tcp.map(|address| address.parse().unwrap()))
    }

    fn remote() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 5_000))
    }

    #[tokio::test]
    async fn datagrams_by_tcp_are_framed_each_and_lost_where_the_peer_does_not_read() {
        let ports = ports("127.0.0.1:0", Some("127.0.0.1:8189"));
        let route = ports.route(Carrier::Tcp, remote()).unwrap();
        let nobody = ports.send(route, 3, b"onetwo").unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::NotConnected);
        let (frames, mut queued) = mpsc::channel(3);
        ports.add_connection(remote(), frames);
        ports.send(route, 3, b"onetwo7").unwrap();
        for expected in [&b"\0\x03one"[..], b"\0\x03two", b"\0\x017"] {
            assert_eq!(queued.recv().await.unwrap(), expected);
        }
        let full = ports.send(route, 1, b"1234").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        ports.remove_connection(remote());
        assert!(ports.send(route, 1, b"1").is_err());
    }

    #[tokio::test]
    async fn ways_are_of_the_families_that_a_port_has() {
        let four = ports("127.0.0.1:0", None);
        let six: SocketAddr = "[2001:db8::1]:5000".parse().unwrap();
        assert!(four.route(Carrier::Udp, remote()).is_some());
        assert_eq!(four.route(Carrier::Udp, six), None);
        assert_eq!(four.route(Carrier::Tcp, remote()), None, "there is none");
        assert_eq!(four.local_candidates().len(), 1);

        let both = ports("[::]:0", Some("[::]:8189"));
        assert_eq!(both.local_candidates().len(), 4, "each carrier and family");
        let told = |remote| both.route(Carrier::Udp, remote).unwrap().local.ip();
        assert_eq!(told(remote()), Ipv4Addr::LOCALHOST);
        assert_eq!(told(six), Ipv6Addr::LOCALHOST);

        let one = ports("[::1]:0", None);
        assert_eq!(one.route(Carrier::Udp, remote()), None);
    }

    #[tokio::test]
    async fn peers_are_told_the_public_addresses_or_those_of_the_host() {
        let bound = ports("0.0.0.0:0", None);
        let port = bound.udp().local_addr().port();
        let mut config = WhipConfig::new(SocketAddr::from(([0, 0, 0, 0], port)));
        let of_host = local_addresses(&config, &bound);
        let loopback = (Carrier::Udp, SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(
            of_host.last(),
            Some(&loopback),
            "what leads further comes first"
        );
        config.public_addresses = vec!["203.0.113.5".parse().unwrap()];
        let public = SocketAddr::from(([203, 0, 113, 5], port));
        assert_eq!(local_addresses(&config, &bound), [(Carrier::Udp, public)]);
    }
}
