//! A caller of our own, driven by hand: it can do what no real one does.

use super::numbered::now;
use super::process::PATIENCE;
use arcly_srt::proto::connection::{Connection, Event, Options};
use arcly_srt::proto::crypto::Passphrase;
use arcly_srt::proto::handshake::caller::Call;
use arcly_srt::proto::handshake::{self, Caller, Negotiated, Progress, RejectReason};
use arcly_srt::proto::packet::{Control, Packet, SocketId};
use arcly_srt::proto::sequence::SequenceNumber;
use bytes::Bytes;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

/// The id of each caller's socket: they are told apart by their ports.
pub(crate) const ID: SocketId = SocketId(0x0bad_cafe);
/// The number of each caller's first packet.
pub(crate) const ISN: SequenceNumber = SequenceNumber::new(1_000_000);

/// One caller.
pub(crate) struct Peer {
    pub(crate) socket: UdpSocket,
    pub(crate) connection: Connection,
    /// What to address to the server's end of the connection.
    pub(crate) peer_id: SocketId,
    buffer: Vec<u8>,
}

/// What is asked for.
pub(crate) fn call_to(server: SocketAddr, stream_id: &str, passphrase: Option<&str>) -> Call {
    Call {
        options: handshake::Options::default(),
        stream_id: Some(stream_id.to_owned()),
        passphrase: passphrase.map(|secret| Passphrase::new(secret).expect("long enough")),
        local_id: ID,
        isn: ISN,
        peer: server.ip(),
        timeout: PATIENCE,
    }
}

/// Calls `server`: what both have agreed on, or the reason for which it refuses.
pub(crate) async fn shake(
    socket: &UdpSocket,
    server: SocketAddr,
    stream_id: &str,
    passphrase: Option<&str>,
) -> Result<Negotiated, RejectReason> {
    let call = call_to(server, stream_id, passphrase);
    let mut caller = Caller::new(call, now()).expect("a valid call");
    let mut buffer = vec![0; 2_048];
    loop {
        while let Some(datagram) = caller.poll(now()) {
            let sent = socket.send(&datagram.to_bytes()).await;
            sent.expect("loopback takes it");
        }
        assert!(!caller.has_timed_out(now()), "the server answers");
        let deadline = caller.deadline().unwrap_or_else(now);
        let length = tokio::select! {
            length = socket.recv(&mut buffer) => length.expect("loopback"),
            () = sleep_until(deadline.into()) => continue,
        };
        let datagram = Bytes::copy_from_slice(&buffer[..length]);
        let Ok(Packet::Control(packet)) = Packet::parse(datagram) else {
            continue;
        };
        let Control::Handshake(body) = packet.control else {
            continue;
        };
        match caller.handle(body, packet.time, now()) {
            Progress::Connected(negotiated) => return Ok(*negotiated),
            Progress::Rejected(reason) => return Err(reason),
            _ => {}
        }
    }
}

/// A socket that sends to `server`.
pub(crate) async fn socket(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    socket.connect(server).await.expect("loopback");
    socket
}

impl Peer {
    pub(crate) async fn call(
        server: SocketAddr,
        stream_id: &str,
        passphrase: Option<&str>,
    ) -> Result<Self, RejectReason> {
        let socket = socket(server).await;
        let negotiated = shake(&socket, server, stream_id, passphrase).await?;
        let peer_id = negotiated.peer_id;
        let connection = Connection::new(negotiated, Options::default(), now());
        Ok(Self {
            socket,
            connection,
            peer_id,
            buffer: vec![0; 2_048],
        })
    }

    /// Does what is due and waits for what comes, until `deadline` at most. What was delivered, and `None` after the end.
    pub(crate) async fn turn(&mut self, deadline: Instant) -> Option<Vec<Bytes>> {
        let (mut delivered, mut ended) = (Vec::new(), false);
        self.connection.handle_timeout(now());
        while let Some(event) = self.connection.poll_event(now()) {
            match event {
                Event::Data(data) => delivered.push(data.payload),
                Event::Closed(_) => ended = true,
                _ => {}
            }
        }
        while let Some(datagram) = self.connection.poll_transmit(now()) {
            let sent = self.socket.send(&datagram.to_bytes()).await;
            sent.expect("loopback takes it");
        }
        if ended {
            return None;
        }
        let timeout = self.connection.next_timeout(now());
        let wake = timeout.map_or(deadline, |timeout| timeout.min(deadline));
        tokio::select! {
            () = sleep_until(wake.into()) => {}
            length = self.socket.recv(&mut self.buffer) => {
                let mut length = length;
                while let Ok(read) = length {
                    let datagram = Bytes::copy_from_slice(&self.buffer[..read]);
                    self.connection.handle_datagram(datagram, now());
                    length = self.socket.try_recv(&mut self.buffer);
                }
            }
        }
        Some(delivered)
    }

    /// Goes on until `end`; what was delivered, one after the other.
    pub(crate) async fn run_until(&mut self, end: Instant) -> Vec<u8> {
        let mut all = Vec::new();
        while now() < end
            && let Some(delivered) = self.turn(end).await
        {
            delivered
                .iter()
                .for_each(|payload| all.extend_from_slice(payload));
        }
        all
    }
}
