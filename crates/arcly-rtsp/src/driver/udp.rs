//! UDP ports for media, and which peer a datagram comes from.
//!
//! By default one pair of ports serves all sessions: a datagram is told by its source address, which a session has named in SETUP. Behind a NAT the address
//! is another: a datagram of an unknown port is then taken for that of the one track of the same host from which none has come. Where that is not clear,
//! as for several players behind one NAT, a [range](crate::UdpPorts::Range) of ports gives each track a pair of its own.

use crate::UdpPorts;
use crate::proto::transport::Pair;
use arcly_core::net::udp::{UdpBatch, UdpPort};
use arcly_core::{Result, StreamError};
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many datagrams of one session wait for its task; further ones are dropped, as on the way.
pub(super) const INBOX: usize = 1_024;
/// How many datagrams are received at once, on ports that all sessions share and on others.
const SHARED_BATCH: usize = 16;
const OWN_BATCH: usize = 2;
/// How long a port rests that fails.
const REST: Duration = Duration::from_millis(100);

/// A datagram of a session.
#[derive(Debug)]
pub(super) struct Datagram {
    /// The track's index in the order of setting up.
    pub(super) index: usize,
    pub(super) rtcp: bool,
    pub(super) data: Bytes,
}

fn config(reason: &'static str) -> StreamError {
    let error = io::Error::new(io::ErrorKind::InvalidInput, reason);
    StreamError::io("binding UDP ports for RTP", error)
}

/// The ports of RTP and RTCP.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) rtp: Arc<UdpPort>,
    pub(super) rtcp: Arc<UdpPort>,
}

impl Endpoint {
    /// Binds an even port and the next one (RFC 3550, section 11).
    fn bind(address: SocketAddr) -> Result<Self> {
        let rtp = UdpPort::bind(address)?;
        let next = rtp.local_addr().port().checked_add(1);
        let next = next.ok_or_else(|| config("there is no UDP port behind the last one"))?;
        let rtcp = UdpPort::bind(SocketAddr::new(address.ip(), next))?;
        Ok(Self {
            rtp: Arc::new(rtp),
            rtcp: Arc::new(rtcp),
        })
    }

    /// Binds any such pair.
    fn bind_any(ip: IpAddr) -> Result<Self> {
        let mut failure = None;
        for _ in 0..64 {
            // The system names a free one; its neighbour may be taken.
            let port = UdpPort::bind(SocketAddr::new(ip, 0))?.local_addr().port() & !1;
            match Self::bind(SocketAddr::new(ip, port)) {
                Ok(endpoint) => return Ok(endpoint),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| config("no UDP ports are free")))
    }

    pub(super) fn ports(&self) -> Pair<u16> {
        Pair::new(self.rtp.local_addr().port(), self.rtcp.local_addr().port())
    }
}

/// One track's other end.
#[derive(Debug)]
pub(super) struct Peer {
    ip: IpAddr,
    rtp: Port,
    rtcp: Port,
    index: usize,
    inbox: mpsc::Sender<Datagram>,
    /// Whether media comes from it, rather than datagrams that open a way through a NAT.
    sends_media: AtomicBool,
}

#[derive(Debug)]
struct Port {
    number: AtomicU16,
    /// Whether a datagram has come from it.
    seen: AtomicBool,
}

impl Port {
    fn new(number: u16) -> Self {
        Self {
            number: AtomicU16::new(number),
            seen: AtomicBool::new(false),
        }
    }
}

impl Peer {
    pub(super) fn rtp(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.rtp.number.load(Ordering::Relaxed))
    }

    pub(super) fn rtcp(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.rtcp.number.load(Ordering::Relaxed))
    }

    /// The track's index in the order of setting up.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// Media is taken from it.
    pub(super) fn takes_media(&self) {
        self.sends_media.store(true, Ordering::Relaxed);
    }

    fn port(&self, rtcp: bool) -> &Port {
        if rtcp { &self.rtcp } else { &self.rtp }
    }

    fn deliver(&self, rtcp: bool, data: &[u8]) {
        self.port(rtcp).seen.store(true, Ordering::Relaxed);
        if rtcp || self.sends_media.load(Ordering::Relaxed) {
            let data = Bytes::copy_from_slice(data);
            let index = self.index;
            // A full inbox drops, as the network would.
            let _ = self.inbox.try_send(Datagram { index, rtcp, data });
        }
    }
}

/// Who is where. The `bool` of an address says whether it is one of RTCP.
#[derive(Debug, Default)]
struct Peers {
    by_address: HashMap<(SocketAddr, bool), Arc<Peer>>,
    by_host: HashMap<IpAddr, Vec<Arc<Peer>>>,
}

impl Peers {
    fn dispatch(&mut self, from: SocketAddr, rtcp: bool, data: &[u8]) {
        if let Some(peer) = self.by_address.get(&(from, rtcp)) {
            peer.deliver(rtcp, data);
        } else if let Some(peer) = self.learn(from, rtcp) {
            peer.deliver(rtcp, data);
        }
    }

    /// The track that an unknown port belongs to, from now on.
    fn learn(&mut self, from: SocketAddr, rtcp: bool) -> Option<Arc<Peer>> {
        let silent = |peer: &&Arc<Peer>| !peer.port(rtcp).seen.load(Ordering::Relaxed);
        let mut silent = self.by_host.get(&from.ip())?.iter().filter(silent);
        let (Some(peer), None) = (silent.next(), silent.next()) else {
            return None;
        };
        let peer = Arc::clone(peer);
        let before = peer.port(rtcp).number.swap(from.port(), Ordering::Relaxed);
        self.by_address
            .remove(&(SocketAddr::new(peer.ip, before), rtcp));
        self.by_address.insert((from, rtcp), Arc::clone(&peer));
        Some(peer)
    }

    fn add(&mut self, peer: &Arc<Peer>) -> bool {
        let places = [(peer.rtp(), false), (peer.rtcp(), true)];
        if places
            .iter()
            .any(|place| self.by_address.contains_key(place))
        {
            return false;
        }
        for place in places {
            self.by_address.insert(place, Arc::clone(peer));
        }
        self.by_host
            .entry(peer.ip)
            .or_default()
            .push(Arc::clone(peer));
        true
    }

    fn remove(&mut self, peer: &Arc<Peer>) {
        for place in [(peer.rtp(), false), (peer.rtcp(), true)] {
            self.by_address.remove(&place);
        }
        if let Some(peers) = self.by_host.get_mut(&peer.ip) {
            peers.retain(|other| !Arc::ptr_eq(other, peer));
            if peers.is_empty() {
                self.by_host.remove(&peer.ip);
            }
        }
    }
}

/// A pair of ports that is received from, for as long as this is held.
#[derive(Debug)]
struct Listening {
    endpoint: Endpoint,
    peers: Arc<Mutex<Peers>>,
    tasks: [JoinHandle<()>; 2],
}

impl Listening {
    fn new(endpoint: Endpoint, batch: usize) -> Arc<Self> {
        let peers = Arc::new(Mutex::new(Peers::default()));
        let receive = |port: &Arc<UdpPort>, rtcp| {
            tokio::spawn(receive(Arc::clone(port), rtcp, batch, Arc::clone(&peers)))
        };
        Arc::new(Self {
            tasks: [receive(&endpoint.rtp, false), receive(&endpoint.rtcp, true)],
            peers,
            endpoint,
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn lock(peers: &Mutex<Peers>) -> MutexGuard<'_, Peers> {
    peers.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(port: Arc<UdpPort>, rtcp: bool, batch: usize, peers: Arc<Mutex<Peers>>) {
    let mut batch = UdpBatch::new(batch);
    loop {
        if let Err(error) = port.recv(&mut batch).await {
            tracing::warn!(%error, port = %port.local_addr(), "receiving media failed");
            tokio::time::sleep(REST).await;
            continue;
        }
        let mut peers = lock(&peers);
        for datagram in batch.datagrams() {
            peers.dispatch(datagram.from, rtcp, datagram.data);
        }
    }
}

/// A track that goes by UDP, for as long as this is held.
#[derive(Debug)]
pub(super) struct Link {
    listening: Arc<Listening>,
    pub(super) peer: Arc<Peer>,
}

impl Link {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.listening.endpoint
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        lock(&self.listening.peers).remove(&self.peer);
    }
}

/// The ports of a server.
#[derive(Debug)]
pub(super) struct UdpMedia(Kind);

#[derive(Debug)]
enum Kind {
    Off,
    Shared(Arc<Listening>),
    Range {
        ip: IpAddr,
        first: u16,
        last: u16,
        /// Where the search for a free pair goes on.
        next: AtomicU16,
    },
}

impl UdpMedia {
    /// Binds what is shared. `ip` is the address of the listener.
    ///
    /// # Errors
    /// [`StreamError::Io`] where the ports cannot be had.
    pub(super) fn bind(ports: &UdpPorts, ip: IpAddr) -> Result<Self> {
        Ok(Self(match ports {
            UdpPorts::Off => Kind::Off,
            UdpPorts::Any => Kind::Shared(Listening::new(Endpoint::bind_any(ip)?, SHARED_BATCH)),
            UdpPorts::Shared(address) => {
                if address.port() % 2 != 0 {
                    return Err(config("the UDP port of RTP is to be even"));
                }
                Kind::Shared(Listening::new(Endpoint::bind(*address)?, SHARED_BATCH))
            }
            UdpPorts::Range(range) => Kind::Range {
                ip,
                first: range.start().saturating_add(1) & !1,
                last: *range.end(),
                next: AtomicU16::new(0),
            },
        }))
    }

    /// The ports that all sessions share, where they do.
    pub(super) fn shared_ports(&self) -> Option<Pair<u16>> {
        match &self.0 {
            Kind::Shared(listening) => Some(listening.endpoint.ports()),
            _ => None,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.0, Kind::Off)
    }

    /// Ports for a track whose other end is at `client` of `host`; `None` where none are free, or another session has that end.
    pub(super) fn link(
        &self,
        host: IpAddr,
        client: Pair<u16>,
        index: usize,
        inbox: mpsc::Sender<Datagram>,
    ) -> Option<Link> {
        // Port 0 is nobody's.
        if client.rtp == 0 || client.rtcp == 0 {
            return None;
        }
        let listening = match &self.0 {
            Kind::Off => return None,
            Kind::Shared(listening) => Arc::clone(listening),
            Kind::Range {
                ip,
                first,
                last,
                next,
            } => {
                let pairs =
                    u16::try_from((usize::from(*last) + 1).saturating_sub((*first).into()) / 2)
                        .unwrap_or(0);
                let start = next.fetch_add(1, Ordering::Relaxed);
                let mut ports = (0..pairs).map(|n| first + 2 * (start.wrapping_add(n) % pairs));
                let bound = ports.find_map(|port| Endpoint::bind(SocketAddr::new(*ip, port)).ok());
                Listening::new(bound?, OWN_BATCH)
            }
        };
        let peer = Arc::new(Peer {
            ip: host.to_canonical(),
            rtp: Port::new(client.rtp),
            rtcp: Port::new(client.rtcp),
            index,
            inbox,
            sends_media: AtomicBool::new(false),
        });
        let added = lock(&listening.peers).add(&peer);
        added.then_some(Link { listening, peer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(index: usize, rtp: u16) -> (Arc<Peer>, mpsc::Receiver<Datagram>) {
        let (inbox, datagrams) = mpsc::channel(4);
        let peer = Peer {
            ip: IpAddr::from([10, 0, 0, 1]),
            rtp: Port::new(rtp),
            rtcp: Port::new(rtp + 1),
            index,
            inbox,
            sends_media: AtomicBool::new(true),
        };
        (Arc::new(peer), datagrams)
    }

    fn from(ip: [u8; 4], port: u16) -> SocketAddr {
        SocketAddr::from((ip, port))
    }

    const HOST: [u8; 4] = [10, 0, 0, 1];

    #[test]
    fn a_datagram_reaches_the_session_that_named_its_address() {
        let mut peers = Peers::default();
        let (one, mut inbox) = peer(0, 5_000);
        let (other, mut others) = peer(1, 5_002);
        assert!(peers.add(&one) && peers.add(&other));
        assert!(!peers.add(&peer(2, 5_002).0), "an end has one session");
        peers.dispatch(from(HOST, 5_000), false, b"rtp");
        peers.dispatch(from(HOST, 5_003), true, b"rtcp");
        peers.dispatch(from([10, 0, 0, 2], 5_000), false, b"a stranger's");
        assert_eq!(inbox.try_recv().unwrap().data, "rtp");
        let rtcp = others.try_recv().unwrap();
        assert!(rtcp.rtcp && rtcp.index == 1);
        assert!(inbox.try_recv().is_err() && others.try_recv().is_err());
    }

    #[test]
    fn a_port_behind_a_nat_is_learnt_where_it_can_be_one_track_alone() {
        let mut peers = Peers::default();
        let (one, mut inbox) = peer(0, 5_000);
        peers.add(&one);
        peers.dispatch(from([10, 0, 0, 2], 7_000), false, b"another host's");
        peers.dispatch(from(HOST, 6_000), false, b"punch");
        assert_eq!(one.rtp(), from(HOST, 6_000));
        assert_eq!(inbox.try_recv().unwrap().data, "punch");
        peers.dispatch(from(HOST, 6_500), false, b"once is enough");
        assert_eq!(one.rtp(), from(HOST, 6_000));

        let (other, _others) = peer(1, 5_002);
        peers.add(&other);
        let (third, _thirds) = peer(2, 5_004);
        peers.add(&third);
        peers.dispatch(from(HOST, 6_002), false, b"whose?");
        assert_eq!((other.rtp().port(), third.rtp().port()), (5_002, 5_004));

        peers.remove(&one);
        peers.remove(&other);
        peers.remove(&third);
        assert!(peers.by_address.is_empty() && peers.by_host.is_empty());
    }
}
