//! One viewer by WHEP.

use crate::load::media::{Stamp, now as clock};
use crate::load::quantiles::Quantiles;
use arcly_whip::sdp::Offer;
use arcly_whip::transport::demux::PacketKind;
use arcly_whip::transport::{
    Carrier, IceCredentials, Identity, PeerTransport as _, Route, RtcTransport, RtcTransportConfig,
    TransportEvent,
};
use bytes::BytesMut;
use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{sleep_until, timeout};

/// How long a viewer may take until media can come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all viewers have seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Whether [`datagrams`](Self::datagrams), [`bytes`](Self::bytes) and what was checked count.
    pub measuring: bool,
    /// Datagrams of media.
    pub datagrams: u64,
    /// Their bytes, as UDP carries them.
    pub bytes: u64,
    /// Pictures that those who decrypt have seen.
    pub pictures: u64,
    /// Of these, how many did not come.
    pub missed: u64,
    /// Milliseconds from a picture being made to its first packet being decrypted.
    pub latency: Quantiles,
    /// Milliseconds from the offer to the first datagram of media.
    pub joins: Quantiles,
}

/// What viewers and the bench share.
pub type Shared = Rc<RefCell<Seen>>;

/// The offer of a browser that wants H.264 and Opus, in what matters for what it is sent.
fn offer(ice: &IceCredentials, identity: &Identity) -> String {
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{}\r\na=setup:actpass\r\na=rtcp-mux\r\na=recvonly\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n",
        ice.ufrag,
        ice.pwd,
        identity.fingerprint()
    );
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n{transport}a=mid:0\r\n\
         a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 transport-cc\r\n\
         a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{transport}a=mid:1\r\na=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
    )
}

/// A viewer that is connected, or about to be.
pub struct Viewer {
    socket: UdpSocket,
    transport: RtcTransport,
    offered: Instant,
    buffer: Vec<u8>,
    /// Whether it decrypts what comes.
    checks: bool,
    is_connected: bool,
    has_media: bool,
    last_picture: Option<u64>,
}

impl Viewer {
    /// Offers by `signalling`, which takes an offer behind its length and answers likewise. `identity` may be shared: making one costs more than
    /// all else here.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn offer(
        signalling: SocketAddr,
        identity: &Identity,
        checks: bool,
    ) -> io::Result<Self> {
        let offered = Instant::now();
        let ice = IceCredentials::generate();
        let answer = ask(signalling, &offer(&ice, identity)).await?;
        let said = Offer::parse(&answer).map_err(|_| io::Error::other(answer))?;
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let config = RtcTransportConfig {
            identity: identity.clone(),
            local: vec![(Carrier::Udp, socket.local_addr()?)],
            lite: false,
            controlling: true,
            local_credentials: ice,
            remote_credentials: said.ice,
            remote_fingerprint: said.fingerprint,
            peer_is_passive: true,
        };
        let mut transport = RtcTransport::new(Instant::now(), config).map_err(io::Error::other)?;
        for candidate in &said.candidates {
            // Those of TCP are of no use here.
            let _ = transport.add_remote_candidate(candidate);
        }
        Ok(Self {
            socket,
            transport,
            offered,
            buffer: vec![0; 2_048],
            checks,
            is_connected: false,
            has_media: false,
            last_picture: None,
        })
    }

    /// Watches until the server says goodbye.
    ///
    /// # Errors
    /// Where it does not connect, or the connection is lost.
    pub async fn watch(mut self, seen: &Shared) -> io::Result<()> {
        timeout(PATIENCE, async {
            while !self.is_connected {
                self.turn(seen).await?;
            }
            io::Result::Ok(())
        })
        .await??;
        loop {
            self.turn(seen).await?;
        }
    }

    async fn turn(&mut self, seen: &Shared) -> io::Result<()> {
        while let Some(transmit) = self.transport.poll_transmit() {
            let to = transmit.route.remote;
            let _ = self.socket.send_to(&transmit.data, to).await;
        }
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Connected { .. } => self.is_connected = true,
                TransportEvent::Rtp(packet) => self.check(&packet, &mut seen.borrow_mut()),
                TransportEvent::Closed(reason) => return Err(io::Error::other(reason)),
                _ => {}
            }
        }
        let wake = self.transport.poll_timeout();
        let wake = wake.unwrap_or_else(|| Instant::now() + PATIENCE);
        tokio::select! {
            readable = self.socket.readable() => {
                readable?;
                while let Ok((length, remote)) = self.socket.try_recv_from(&mut self.buffer) {
                    self.take(length, remote, seen)?;
                }
            }
            () = sleep_until(wake.into()) => self.transport.handle_timeout(Instant::now()),
        }
        Ok(())
    }

    fn take(&mut self, length: usize, remote: SocketAddr, seen: &Shared) -> io::Result<()> {
        let data = &self.buffer[..length];
        let is_media = PacketKind::of(data) == Some(PacketKind::Rtp);
        if is_media {
            let mut seen = seen.borrow_mut();
            if !self.has_media {
                self.has_media = true;
                seen.joins.add(self.offered.elapsed().as_secs_f64() * 1e3);
            }
            if seen.measuring {
                seen.datagrams += 1;
                seen.bytes += length as u64;
            }
        }
        if !is_media || self.checks {
            let route = Route {
                carrier: Carrier::Udp,
                local: self.socket.local_addr()?,
                remote,
            };
            let data = BytesMut::from(data);
            self.transport.handle_datagram(Instant::now(), route, data);
        }
        Ok(())
    }

    fn check(&mut self, packet: &[u8], seen: &mut Seen) {
        let mut found = None;
        Stamp::find_all(packet, |stamp| found = Some(stamp));
        let Some(Stamp { sent, number }) = found else {
            return;
        };
        let last = self.last_picture.replace(number);
        if seen.measuring {
            seen.pictures += 1;
            seen.missed += last.map_or(0, |last| number.saturating_sub(last + 1));
            let nanos = clock().saturating_sub(sent);
            seen.latency.add(nanos as f64 / 1e6);
        }
    }
}

/// Sends a text behind its length, and reads one.
async fn ask(signalling: SocketAddr, text: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect(signalling).await?;
    socket.set_nodelay(true)?;
    write_text(&mut socket, text).await?;
    read_text(&mut socket).await
}

/// Writes a text behind its length.
///
/// # Errors
/// What the socket reports.
pub async fn write_text(socket: &mut TcpStream, text: &str) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let bytes = [&length.to_be_bytes(), text.as_bytes()].concat();
    socket.write_all(&bytes).await
}

/// Reads a text behind its length.
///
/// # Errors
/// What the socket reports, and where it is no text.
pub async fn read_text(socket: &mut TcpStream) -> io::Result<String> {
    let length = socket.read_u32().await?;
    let mut text = vec![0; length as usize];
    socket.read_exact(&mut text).await?;
    String::from_utf8(text).map_err(io::Error::other)
}
