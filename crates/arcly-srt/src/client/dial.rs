//! From a URL to a connection.

use super::failure::Failure;
use super::url::{Mode, SrtUrl};
use crate::Connections;
use crate::driver::link::{Link, now};
use crate::driver::playing::only_sends;
use crate::driver::report::Entered;
use crate::proto::connection::{self, Connection};
use crate::proto::crypto;
use crate::proto::handshake::caller::Call;
use crate::proto::handshake::{Caller, Negotiated, Options, Progress, Rendezvous};
use crate::proto::listener::Path;
use crate::proto::packet::{Control, Datagram, Packet, SocketId, destination_of};
use crate::proto::sequence::SequenceNumber;
use crate::proto::time::PacketTime;
use arcly_core::net::udp::{UdpBatch, UdpPort};
use arcly_core::{Action, StreamKey};
use bytes::Bytes;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep_until, timeout};

/// Datagrams that wait for the connection; beyond, they are lost, as in a full socket.
const QUEUED_DATAGRAMS: usize = 1024;
/// Buffers that the socket is read into in one call.
const BUFFERS: usize = 4;

/// How a client calls.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) handshake: Options,
    pub(super) connection: connection::Options,
    pub(super) connect_timeout: Duration,
}

impl Default for Dialer {
    fn default() -> Self {
        let connection = connection::Options::default();
        Self {
            handshake: Options {
                flow_window: connection.limits.receive_packets,
                ..Options::default()
            },
            connection,
            connect_timeout: Duration::from_secs(3),
        }
    }
}

/// A connection of a client, with what reads its socket.
pub(super) struct Dialed {
    pub(super) link: Link,
    pub(super) peer: SocketAddr,
    _entered: Entered,
    _reader: AbortOnDrop,
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One of the two ways to a connection.
enum Handshake {
    Calling(Caller),
    Meeting(Box<Rendezvous>),
}

impl Handshake {
    fn poll(&mut self, now: Instant) -> Option<Datagram> {
        match self {
            Self::Calling(caller) => caller.poll(now),
            Self::Meeting(rendezvous) => rendezvous.poll(now),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Calling(caller) => caller.deadline(),
            Self::Meeting(rendezvous) => rendezvous.deadline(),
        }
    }

    fn has_timed_out(&mut self, now: Instant) -> bool {
        match self {
            Self::Calling(caller) => caller.has_timed_out(now),
            Self::Meeting(rendezvous) => rendezvous.has_timed_out(now),
        }
    }

    fn handle(&mut self, packet: Packet, now: Instant) -> Progress {
        let Packet::Control(packet) = packet else {
            return self.other();
        };
        match (packet.control, &mut *self) {
            (Control::Handshake(body), Self::Calling(caller)) => {
                caller.handle(body, packet.time, now)
            }
            (Control::Handshake(body), Self::Meeting(rendezvous)) => {
                rendezvous.handle(body, packet.time, now)
            }
            _ => self.other(),
        }
    }

    fn other(&mut self) -> Progress {
        match self {
            Self::Calling(_) => Progress::Going,
            Self::Meeting(rendezvous) => rendezvous.peer_is_connected(),
        }
    }
}

impl Dialer {
    /// Calls the remote of `url`.
    pub(super) async fn dial(
        &self,
        url: &SrtUrl,
        connections: &Connections,
        key: &StreamKey,
        action: Action,
    ) -> Result<Dialed, Failure> {
        let resolving = lookup_host((url.host(), url.port()));
        let mut addresses = timeout(self.connect_timeout, resolving)
            .await
            .map_err(|_| Failure::TimedOut(self.connect_timeout))?
            .map_err(Failure::Resolve)?;
        let reachable = |peer: &SocketAddr| {
            url.adapter()
                .is_none_or(|adapter| adapter.is_ipv4() == peer.is_ipv4())
        };
        let peer = addresses
            .find(reachable)
            .ok_or_else(|| Failure::Resolve(io::ErrorKind::NotFound.into()))?;
        let port = Arc::new(UdpPort::bind(local_address(url, peer))?);
        let (call, cookie) = self.call(url, peer)?;
        let local_id = call.local_id;
        let mut handshake = match url.mode() {
            Mode::Caller => Handshake::Calling(Caller::new(call, now())?),
            Mode::Rendezvous => Handshake::Meeting(Box::new(Rendezvous::new(call, cookie, now())?)),
        };
        let negotiated = self.shake(&port, peer, local_id, &mut handshake).await?;
        let path = Path { peer, local: None };
        let entered = connections.enter(&negotiated, path, key.clone(), action);
        let mut options = self.connection.clone();
        if action == Action::Publish {
            only_sends(&mut options);
        }
        let connection = Connection::new(*negotiated, options, now());
        let (route, incoming) = mpsc::channel(QUEUED_DATAGRAMS);
        let longest = self.handshake.max_packet_bytes();
        let reading = read(
            Arc::clone(&port),
            (peer, local_id),
            longest,
            handshake,
            route,
        );
        let reader = AbortOnDrop(tokio::spawn(reading).abort_handle());
        let link = Link::new(connection, path, port, incoming, entered.entry());
        Ok(Dialed {
            link,
            peer,
            _entered: entered,
            _reader: reader,
        })
    }

    /// What is asked for, with numbers drawn for it.
    fn call(&self, url: &SrtUrl, peer: SocketAddr) -> Result<(Call, u32), Failure> {
        let mut random = [0; 12];
        crypto::random(&mut random)?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = random;
        let id = u32::from_be_bytes([a, b, c, d]) & 0x3fff_ffff;
        let cookie = u32::from_be_bytes([i, j, k, l]).max(1);
        let mut options = self.handshake.clone();
        if let Some(latency) = url.latency() {
            (options.receive_latency, options.peer_latency) = (latency, latency);
        }
        options.key_length = url.key_length().or(options.key_length);
        let call = Call {
            options,
            stream_id: url.stream_id().map(str::to_owned),
            passphrase: url.passphrase().cloned(),
            local_id: SocketId(id.max(1)),
            isn: SequenceNumber::new(u32::from_be_bytes([e, f, g, h])),
            peer: peer.ip(),
            timeout: self.connect_timeout,
        };
        Ok((call, cookie))
    }

    async fn shake(
        &self,
        port: &UdpPort,
        peer: SocketAddr,
        local_id: SocketId,
        handshake: &mut Handshake,
    ) -> Result<Box<Negotiated>, Failure> {
        let mut batch = UdpBatch::new(1);
        let mut result = None;
        loop {
            while let Some(datagram) = handshake.poll(now()) {
                let bytes = datagram.to_bytes();
                port.send(peer, None, bytes.len(), &bytes).await?;
            }
            match result.take() {
                Some(Progress::Connected(negotiated)) => return Ok(negotiated),
                Some(Progress::Rejected(reason)) => return Err(Failure::Rejected(reason)),
                _ => {}
            }
            if handshake.has_timed_out(now()) {
                return Err(Failure::TimedOut(self.connect_timeout));
            }
            let deadline = handshake.deadline().unwrap_or_else(now);
            tokio::select! {
                received = port.recv(&mut batch) => received?,
                () = sleep_until(deadline.into()) => continue,
            }
            for datagram in batch.datagrams() {
                let for_us = destination_of(datagram.data)
                    .is_some_and(|to| to == local_id || to == SocketId::LISTENER);
                if datagram.from != peer || !for_us {
                    continue;
                }
                let bytes = Bytes::copy_from_slice(datagram.data);
                if let Ok(packet) = Packet::parse(bytes) {
                    match handshake.handle(packet, now()) {
                        Progress::Going => {}
                        over => result = Some(over),
                    }
                }
            }
        }
    }
}

/// Where a call comes from.
fn local_address(url: &SrtUrl, peer: SocketAddr) -> SocketAddr {
    let any: IpAddr = if peer.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let port = url.local_port().unwrap_or(match url.mode() {
        Mode::Caller => 0,
        // The peer calls the same one.
        Mode::Rendezvous => url.port(),
    });
    SocketAddr::new(url.adapter().unwrap_or(any), port)
}

/// Reads the socket of a connection. Where both have called, the peer may still miss the last word of the handshake.
async fn read(
    port: Arc<UdpPort>,
    (peer, local_id): (SocketAddr, SocketId),
    longest: usize,
    mut handshake: Handshake,
    route: mpsc::Sender<Bytes>,
) {
    let mut batch = UdpBatch::new(BUFFERS);
    while !route.is_closed() && port.recv(&mut batch).await.is_ok() {
        for datagram in batch.datagrams() {
            let for_us = destination_of(datagram.data) == Some(local_id);
            if datagram.from != peer || !for_us || datagram.data.len() > longest {
                continue;
            }
            // Where the queue is full it is lost, as it would be in a full socket.
            let _ = route.try_send(Bytes::copy_from_slice(datagram.data));
            if let Handshake::Meeting(rendezvous) = &mut handshake
                && let Ok(Packet::Control(packet)) =
                    Packet::parse(Bytes::copy_from_slice(datagram.data))
                && let Control::Handshake(body) = packet.control
            {
                let time: PacketTime = packet.time;
                let _ = rendezvous.handle(body, time, now());
            }
        }
        while let Some(datagram) = handshake.poll(now()) {
            let bytes = datagram.to_bytes();
            let _ = port.send(peer, None, bytes.len(), &bytes).await;
        }
    }
}
