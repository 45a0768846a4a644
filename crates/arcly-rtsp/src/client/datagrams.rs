//! The sockets of the tracks that are carried by datagrams.

use super::failure::Failure;
use crate::proto::client::Agreement;
use crate::proto::transport::Pair;
use arcly_core::net::udp::{UdpBatch, UdpPort};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::task::Poll;

/// How many times free ports are looked for.
const ATTEMPTS: u32 = 64;

/// Buffers for what one call receives, 64 KiB each.
const BUFFERS: usize = 4;

/// The sockets of all tracks, and where their datagrams go.
#[derive(Debug)]
pub(super) struct Datagrams {
    pairs: Vec<PortPair>,
    batch: UdpBatch,
    /// Whose turn it is to be looked at first.
    next: usize,
}

/// The two sockets of a track.
#[derive(Debug)]
struct PortPair {
    track: usize,
    rtp: UdpPort,
    rtcp: UdpPort,
    /// The server's address and ports, once agreed on.
    remote: Option<Remote>,
}

#[derive(Debug, Clone, Copy)]
struct Remote {
    address: IpAddr,
    ports: Option<Pair<u16>>,
    strict: bool,
}

impl Datagrams {
    /// Without sockets.
    pub(super) fn new() -> Self {
        Self {
            pairs: Vec::new(),
            batch: UdpBatch::new(BUFFERS),
            next: 0,
        }
    }

    /// Binds the two sockets of a track to an even port and the next one (RFC 3550 11), from `range` where there is one.
    pub(super) fn bind(
        &mut self,
        track: usize,
        local: IpAddr,
        range: Option<&RangeInclusive<u16>>,
    ) -> Result<Pair<u16>, Failure> {
        let (rtp, rtcp) = match range {
            Some(range) => bind_in(local, range),
            None => bind_any(local),
        }
        .ok_or(Failure::NoPorts)?;
        let ports = Pair::new(rtp.local_addr().port(), rtcp.local_addr().port());
        self.pairs.push(PortPair {
            track,
            rtp,
            rtcp,
            remote: None,
        });
        Ok(ports)
    }

    /// Where a track's datagrams come from and go to: to `server`, unless it is agreed otherwise and `elsewhere` is allowed.
    pub(super) fn agree(&mut self, agreement: &Agreement, server: IpAddr, elsewhere: bool) {
        let source = agreement.source.as_deref().filter(|_| elsewhere);
        let address = source.and_then(|source| source.parse().ok());
        // Cameras that know no better say 0.0.0.0.
        let address = address.filter(|address: &IpAddr| !address.is_unspecified());
        let mut pairs = self.pairs.iter_mut();
        if let Some(pair) = pairs.find(|pair| pair.track == agreement.track) {
            pair.remote = Some(Remote {
                address: address.unwrap_or(server).to_canonical(),
                ports: agreement.server_port,
                strict: agreement.strict,
            });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Sends a datagram; what a full socket does not take is lost, as on any part of the way. Returns how many bytes were sent.
    pub(super) fn send(&self, track: usize, rtcp: bool, data: &[u8]) -> usize {
        let mut pairs = self.pairs.iter();
        let Some(pair) = pairs.find(|pair| pair.track == track) else {
            return 0;
        };
        let Some(Remote {
            address,
            ports: Some(ports),
            ..
        }) = pair.remote
        else {
            return 0;
        };
        let (socket, port) = match rtcp {
            true => (&pair.rtcp, ports.rtcp),
            false => (&pair.rtp, ports.rtp),
        };
        let to = SocketAddr::new(address, port);
        socket.try_send(to, None, data.len(), data).unwrap_or(0)
    }

    /// Waits for datagrams, for ever where there are no sockets, and hands out those that come from where they should: track, whether RTCP,
    /// and bytes. Cancel-safe.
    pub(super) async fn receive(
        &mut self,
        mut take: impl FnMut(usize, bool, &[u8]),
    ) -> io::Result<()> {
        let Self { pairs, batch, next } = self;
        let (index, rtcp) = poll_fn(|cx| {
            for turn in 0..pairs.len() * 2 {
                let turn = (*next + turn) % (pairs.len() * 2);
                let (index, rtcp) = (turn / 2, turn % 2 == 1);
                let Some(pair) = pairs.get(index) else {
                    continue;
                };
                let port = if rtcp { &pair.rtcp } else { &pair.rtp };
                // The first keeps the waker, which the second gives up with its future; where that finds nothing, the first is asked again.
                while port.socket().poll_recv_ready(cx)?.is_ready() {
                    if let Poll::Ready(received) = pin!(port.recv(batch)).as_mut().poll(cx) {
                        received?;
                        *next = turn + 1;
                        return Poll::Ready(Ok::<_, io::Error>((index, rtcp)));
                    }
                }
            }
            Poll::Pending
        })
        .await?;
        if let Some(pair) = pairs.get(index) {
            for datagram in batch.datagrams() {
                if pair.expects(datagram.from, rtcp) {
                    take(pair.track, rtcp, datagram.data);
                }
            }
        }
        Ok(())
    }
}

impl PortPair {
    fn expects(&self, from: SocketAddr, rtcp: bool) -> bool {
        let Some(remote) = self.remote else {
            return false;
        };
        let port = remote
            .ports
            .filter(|_| remote.strict)
            .map(|ports| match rtcp {
                true => ports.rtcp,
                false => ports.rtp,
            });
        from.ip() == remote.address && port.is_none_or(|port| port == from.port())
    }
}

fn bind(local: IpAddr, port: u16) -> Option<UdpPort> {
    UdpPort::bind(SocketAddr::new(local, port)).ok()
}

/// Two ports that the system chooses, the first of them even.
fn bind_any(local: IpAddr) -> Option<(UdpPort, UdpPort)> {
    (0..ATTEMPTS).find_map(|_| {
        let one = bind(local, 0)?;
        let port = one.local_addr().port();
        match port % 2 {
            0 => Some((one, bind(local, port.checked_add(1)?)?)),
            _ => Some((bind(local, port.checked_sub(1)?)?, one)),
        }
    })
}

/// The first two ports of a range that are free.
fn bind_in(local: IpAddr, range: &RangeInclusive<u16>) -> Option<(UdpPort, UdpPort)> {
    let first = range.start().checked_add(range.start() % 2)?;
    (first..=*range.end())
        .step_by(2)
        .take_while(|port| port < range.end())
        .find_map(|port| Some((bind(local, port)?, bind(local, port + 1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn agreement(ports: Option<Pair<u16>>, strict: bool) -> Agreement {
        Agreement::new(0, ports, strict)
    }

    #[tokio::test]
    async fn ports_are_even_and_odd_and_of_the_range() {
        let mut datagrams = Datagrams::new();
        let any = datagrams.bind(0, LOCAL, None).expect("ports");
        assert_eq!((any.rtp % 2, any.rtcp), (0, any.rtp + 1));
        // Taken, so that the next two are those.
        let range = any.rtp - 1..=any.rtp + 64;
        let next = datagrams.bind(1, LOCAL, Some(&range)).expect("ports");
        assert!(
            next.rtp > any.rtcp && next.rtp.is_multiple_of(2) && range.contains(&next.rtcp),
            "{next:?}"
        );
        let none = any.rtp..=any.rtp;
        assert!(matches!(
            datagrams.bind(2, LOCAL, Some(&none)),
            Err(Failure::NoPorts)
        ));
    }

    #[tokio::test]
    async fn datagrams_come_from_where_they_should() {
        let mut datagrams = Datagrams::new();
        let ports = datagrams.bind(0, LOCAL, None).expect("ports");
        let server = bind_any(LOCAL).expect("ports");
        let stranger = bind(LOCAL, 0).expect("a port");
        let agreed = Pair::new(server.0.local_addr().port(), server.1.local_addr().port());
        datagrams.agree(&agreement(Some(agreed), true), LOCAL, true);
        let to = |port| SocketAddr::new(LOCAL, port);
        stranger
            .send(to(ports.rtp), None, 1, b"x")
            .await
            .expect("sent");
        server
            .1
            .send(to(ports.rtcp), None, 4, b"rtcp")
            .await
            .expect("sent");
        let mut came = Vec::new();
        while came.is_empty() {
            let take = |track, rtcp, data: &[u8]| came.push((track, rtcp, data.to_vec()));
            datagrams.receive(take).await.expect("received");
        }
        assert_eq!(came, [(0, true, b"rtcp".to_vec())]);
        // From anywhere on the server, where that is the policy.
        datagrams.agree(&agreement(Some(agreed), false), LOCAL, true);
        stranger
            .send(to(ports.rtp), None, 3, b"any")
            .await
            .expect("sent");
        came.clear();
        while came.is_empty() {
            let take = |track, rtcp, data: &[u8]| came.push((track, rtcp, data.to_vec()));
            datagrams.receive(take).await.expect("received");
        }
        assert_eq!(came, [(0, false, b"any".to_vec())]);
        assert_eq!(datagrams.send(0, false, b"hi"), 2);
    }
}
