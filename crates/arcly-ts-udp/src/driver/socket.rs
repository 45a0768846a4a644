//! Sockets that listen to a port or group, and that send to one.

use crate::TsUrl;
use arcly_core::net::udp::UdpPort;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Listens where the URL says, joining the group where it is one.
pub(super) fn listen(url: &TsUrl) -> io::Result<UdpPort> {
    let address = url.address();
    let socket = socket(address)?;
    if address.ip().is_multicast() {
        // Several programs of a host may listen to a group.
        socket.set_reuse_address(true)?;
    }
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Not everywhere can one socket do both; then it is IPv6 alone.
        let _ = socket.set_only_v6(false);
    }
    // A group's address, not any: other groups on the same port are not ours.
    socket.bind(&address.into())?;
    match address.ip() {
        IpAddr::V4(group) if group.is_multicast() => {
            let interface = match url.interface() {
                Some(IpAddr::V4(interface)) => interface,
                _ => Ipv4Addr::UNSPECIFIED,
            };
            match url.source() {
                Some(source) => socket.join_ssm_v4(&source, &group, &interface)?,
                None => socket
                    .join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Address(interface))?,
            }
        }
        IpAddr::V6(group) if group.is_multicast() => {
            // The system chooses the interface.
            socket.join_multicast_v6(&group, 0)?;
        }
        _ => {}
    }
    UdpPort::from_std(socket.into())
}

/// Sends to where the URL says.
pub(super) fn sender(url: &TsUrl) -> io::Result<UdpPort> {
    let to = url.address();
    let from = url.interface().unwrap_or(match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    });
    let socket = socket(to)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    if to.ip().is_multicast() {
        let ttl = u32::from(url.ttl().unwrap_or(1));
        match to.ip() {
            IpAddr::V4(_) => {
                socket.set_multicast_ttl_v4(ttl)?;
                if let Some(IpAddr::V4(interface)) = url.interface() {
                    socket.set_multicast_if_v4(&interface)?;
                }
            }
            IpAddr::V6(_) => socket.set_multicast_hops_v6(ttl)?,
        }
    } else if let Some(ttl) = url.ttl() {
        match to {
            SocketAddr::V4(_) => socket.set_ttl_v4(ttl.into())?,
            SocketAddr::V6(_) => socket.set_unicast_hops_v6(ttl.into())?,
        }
    }
    UdpPort::from_std(socket.into())
}
