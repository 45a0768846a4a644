//! A UDP port for many peers: datagrams come in batches and go out in runs, one call to the system for several of either.
//!
//! What the platform has is used: `recvmmsg` and generic receive offload, generic segmentation offload (GSO), the address that a datagram
//! came to. Where it has none of these, everything works one datagram at a time.

use crate::{Result, StreamError};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// How much the system is asked to buffer each way, in bytes. It may give less.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// What one buffer of a batch holds: the longest datagram, or several of one sender that the system has joined.
const BUFFER_BYTES: usize = 64 * 1024;

/// What one send may hold in all, headers of IP and UDP included, in bytes: the length of an IP packet has 16 bits.
const MAX_SEND_BYTES: usize = 65_000;

/// A bound UDP socket.
#[derive(Debug)]
pub struct UdpPort {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl UdpPort {
    /// Binds a port. An unspecified IPv6 address takes IPv4 as well, where the system allows it; its peers' addresses come as IPv4 ones.
    ///
    /// # Errors
    /// [`StreamError::Io`] where the address cannot be had.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let io = |error| StreamError::io(format!("binding UDP {address}"), error);
        let socket = bind(address).map_err(io)?;
        Self::from_std(socket).map_err(io)
    }

    /// Takes a socket that is bound already, with options of the caller's own; must be called on a tokio runtime.
    ///
    /// # Errors
    /// Where it is no UDP socket.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // Where the system gives less, that is what there is.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let socket = UdpSocket::from_std(socket)?;
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            state,
        })
    }

    /// The address that it is bound to.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The socket, for options such as multicast groups.
    #[must_use]
    pub const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// How many datagrams one send takes at most; 1 where the platform does not segment.
    #[must_use]
    pub fn max_segments(&self) -> usize {
        self.state.max_gso_segments().max(1)
    }

    /// Waits for datagrams, and puts those that have come into `batch`, whose earlier ones are gone. Cancel-safe.
    ///
    /// # Errors
    /// What the system reports; what a peer's host reports (a closed port) is passed over.
    pub async fn recv(&self, batch: &mut UdpBatch) -> io::Result<()> {
        loop {
            batch.filled = 0;
            let received = self
                .socket
                .async_io(Interest::READABLE, || {
                    batch.receive(&self.state, UdpSockRef::from(&self.socket))
                })
                .await;
            match received {
                // A datagram that was sent earlier met nobody: no concern of the others.
                Err(error) if is_of_one_peer(&error) => {}
                received => return received,
            }
        }
    }

    /// Sends `datagrams`, back to back in one buffer, each `segment` bytes long but for the last, which may be shorter; from `source`, where
    /// the host has several addresses. Waits while the socket is full.
    ///
    /// # Errors
    /// What the system reports, as for a datagram that is too long for the path. All that were before it are sent.
    pub async fn send(
        &self,
        to: SocketAddr,
        source: Option<IpAddr>,
        segment: usize,
        datagrams: &[u8],
    ) -> io::Result<()> {
        let mut rest = datagrams;
        while !rest.is_empty() {
            let sent = self
                .socket
                .async_io(Interest::WRITABLE, || {
                    self.send_run(to, source, segment, rest)
                })
                .await?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// As [`send`](Self::send), without waiting. Returns how many bytes were sent: fewer than all where the socket got full.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`io::ErrorKind::WouldBlock`] where nothing was sent.
    pub fn try_send(
        &self,
        to: SocketAddr,
        source: Option<IpAddr>,
        segment: usize,
        datagrams: &[u8],
    ) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = datagrams.get(sent..).filter(|rest| !rest.is_empty()) {
            let run = self.socket.try_io(Interest::WRITABLE, || {
                self.send_run(to, source, segment, rest)
            });
            match run {
                Ok(bytes) => sent += bytes,
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Sends as many datagrams as one call takes, and returns how many bytes these are.
    fn send_run(
        &self,
        to: SocketAddr,
        source: Option<IpAddr>,
        segment: usize,
        datagrams: &[u8],
    ) -> io::Result<usize> {
        let segment = segment.max(1);
        let segments = (MAX_SEND_BYTES / segment).clamp(1, self.max_segments());
        let bytes = datagrams.len().min(segments * segment);
        let contents = datagrams.get(..bytes).unwrap_or_default();
        let transmit = Transmit {
            destination: self.in_family(to),
            ecn: None,
            contents,
            segment_size: (bytes > segment).then_some(segment),
            src_ip: source,
        };
        let send = || {
            self.state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
        };
        match send() {
            // The interface turned out not to segment; the state knows now, and the next call sends one by one.
            Err(_) if transmit.segment_size.is_some() && self.max_segments() == 1 => {
                self.send_run(to, source, segment, datagrams)
            }
            // That was told of an earlier datagram; this one has not been sent yet.
            Err(error) if is_of_one_peer(&error) => send().map(|()| bytes),
            Err(error) => Err(error),
            Ok(()) => Ok(bytes),
        }
    }

    /// The address as the socket's family writes it.
    fn in_family(&self, to: SocketAddr) -> SocketAddr {
        match (self.local, to) {
            (SocketAddr::V6(_), SocketAddr::V4(to)) => {
                SocketAddr::new(to.ip().to_ipv6_mapped().into(), to.port())
            }
            _ => to,
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        // Not everywhere can one socket do both; then it is IPv6 alone.
        let _ = socket.set_only_v6(false);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Whether the error is about a datagram that was sent before, to a peer that is gone.
fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

/// Buffers for the datagrams that one call receives, 64 KiB each.
#[derive(Debug)]
pub struct UdpBatch {
    buffers: Vec<Box<[u8]>>,
    meta: Vec<RecvMeta>,
    filled: usize,
}

impl UdpBatch {
    /// How many buffers are used at most.
    pub const MAX_BUFFERS: usize = quinn_udp::BATCH_SIZE;

    /// Room for `buffers` datagrams, at least 1 and at most [`MAX_BUFFERS`](Self::MAX_BUFFERS); more where the system joins those of a sender.
    #[must_use]
    pub fn new(buffers: usize) -> Self {
        let buffers = buffers.clamp(1, Self::MAX_BUFFERS);
        Self {
            buffers: vec![vec![0; BUFFER_BYTES].into_boxed_slice(); buffers],
            meta: vec![RecvMeta::default(); buffers],
            filled: 0,
        }
    }

    /// The datagrams of the last [`recv`](UdpPort::recv), in the order in which they came.
    pub fn datagrams(&self) -> impl Iterator<Item = UdpDatagram<'_>> {
        let filled = self.buffers.iter().zip(&self.meta).take(self.filled);
        filled.flat_map(|(buffer, meta)| {
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            bytes.chunks(meta.stride.max(1)).map(|data| UdpDatagram {
                from: SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port()),
                to: meta.dst_ip.map(|ip| ip.to_canonical()),
                data,
            })
        })
    }

    fn receive(&mut self, state: &UdpSocketState, socket: UdpSockRef<'_>) -> io::Result<()> {
        let mut slices: Vec<IoSliceMut<'_>> = self
            .buffers
            .iter_mut()
            .map(|buffer| IoSliceMut::new(buffer))
            .collect();
        self.filled = state.recv(socket, &mut slices, &mut self.meta)?;
        Ok(())
    }
}

/// A datagram that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpDatagram<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// Which of the host's addresses it came to, where the platform tells: what an answer is to be sent from.
    pub to: Option<IpAddr>,
    /// Its bytes.
    pub data: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> UdpPort {
        UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    async fn receive(port: &UdpPort, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut batch = UdpBatch::new(4);
        let mut received = Vec::new();
        while received.len() < count {
            port.recv(&mut batch).await.unwrap();
            for datagram in batch.datagrams() {
                received.push((datagram.from, datagram.data.to_vec()));
            }
        }
        received
    }

    #[tokio::test]
    async fn a_run_arrives_as_the_datagrams_it_is_made_of() {
        let (from, to) = (loopback(), loopback());
        // More than one call takes, and a last one that is shorter.
        let datagrams: Vec<u8> = (0..200 * 1_200 + 7).map(|i| (i / 1_200) as u8).collect();
        let expected: Vec<_> = datagrams
            .chunks(1_200)
            .map(|data| (from.local_addr(), data.to_vec()))
            .collect();
        let (sent, received) = tokio::join!(
            from.send(to.local_addr(), None, 1_200, &datagrams),
            receive(&to, expected.len())
        );
        sent.unwrap();
        assert_eq!(received, expected);
    }

    #[tokio::test]
    async fn one_socket_talks_to_both_families() {
        let both = UdpPort::bind("[::]:0".parse().unwrap()).expect("a host with IPv6");
        let four = loopback();
        let port = both.local_addr().port();
        let to_both = SocketAddr::from(([127, 0, 0, 1], port));
        four.send(to_both, None, 5, b"there").await.unwrap();
        let mut batch = UdpBatch::new(1);
        both.recv(&mut batch).await.unwrap();
        let (from, source) = {
            let datagram = batch.datagrams().next().unwrap();
            assert_eq!(datagram.data, b"there");
            (datagram.from, datagram.to)
        };
        assert_eq!(from, four.local_addr(), "an IPv4 address, not a mapped one");
        both.send(from, source, 8, b"and back").await.unwrap();
        let back = receive(&four, 1).await;
        assert_eq!(back, [(to_both, b"and back".to_vec())]);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_stops_nobody() {
        let port = loopback();
        let gone = loopback().local_addr();
        for _ in 0..3 {
            port.send(gone, None, 4, b"gone").await.unwrap();
        }
        let peer = loopback();
        peer.send(port.local_addr(), None, 4, b"here")
            .await
            .unwrap();
        assert_eq!(
            receive(&port, 1).await,
            [(peer.local_addr(), b"here".to_vec())]
        );
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_told() {
        let taken = loopback().local_addr();
        let _first = UdpPort::bind(taken).unwrap();
        let error = UdpPort::bind(taken).unwrap_err();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
    }
}
