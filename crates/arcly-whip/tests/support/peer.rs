//! A peer: an ICE agent, a DTLS client and SRTP over a socket of its own, made of the crate's own transport in the part of the client.

use super::{PATIENCE, Server, session_of};
use arcly_core::rtp::rtcp::RtcpPacket;
use arcly_core::rtp::{RtpHeader, RtpPacket};
use arcly_whip::sdp::Offer;
use arcly_whip::transport::{
    Carrier, IceCredentials, Identity, PeerTransport as _, Route, RtcTransport, RtcTransportConfig,
    TransportEvent,
};
use arcly_whip::{WhipResource, WhipResponse};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::Instant;
use tokio::net::UdpSocket;
use tokio::time::{sleep_until, timeout};

/// Payload types and header extensions that [`Peer::offer`] names.
pub(crate) const VP8: u8 = 96;
pub(crate) const VP8_RTX: u8 = 97;
pub(crate) const OPUS: u8 = 111;
pub(crate) const TRANSPORT_CC: u8 = 3;

pub(crate) struct Peer {
    pub(crate) session: String,
    pub(crate) answer: String,
    pub(crate) response: WhipResponse,
    transport: RtcTransport,
    socket: UdpSocket,
    server: SocketAddr,
    arrivals: Arrivals,
}

/// What has come, for transport-wide feedback to be told of it.
#[derive(Default)]
struct Arrivals {
    start: Option<Instant>,
    /// Transport-wide numbers and arrival times in quarters of a millisecond.
    packets: Vec<(u16, i64)>,
    next: Option<u16>,
    told: i64,
}

/// What has come.
#[derive(Debug)]
pub(crate) enum Input {
    Connected,
    Rtp(RtpPacket),
    Rtcp(Vec<RtcpPacket>),
    Closed,
}

#[expect(clippy::disallowed_methods, reason = "real sockets, real time")]
fn now() -> Instant {
    Instant::now()
}

/// The offer of a client with these credentials: VP8 with retransmissions, and Opus.
pub(crate) fn offer(direction: &str, ice: &IceCredentials, identity: &Identity) -> String {
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:{}\r\na=setup:actpass\r\na=rtcp-mux\r\na={direction}\r\n",
        ice.ufrag,
        ice.pwd,
        identity.fingerprint()
    );
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF {VP8} {VP8_RTX}\r\n{transport}a=mid:0\r\n\
         a=extmap:{TRANSPORT_CC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=rtpmap:{VP8} VP8/90000\r\na=rtcp-fb:{VP8} nack\r\na=rtcp-fb:{VP8} nack pli\r\na=rtcp-fb:{VP8} transport-cc\r\n\
         a=rtpmap:{VP8_RTX} rtx/90000\r\na=fmtp:{VP8_RTX} apt={VP8}\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF {OPUS}\r\n{transport}a=mid:1\r\na=rtpmap:{OPUS} opus/48000/2\r\n"
    )
}

/// One from nobody, for what is decided before media.
pub(crate) fn any_offer(direction: &str) -> String {
    let identity = Identity::generate().expect("randomness");
    offer(direction, &IceCredentials::generate(), &identity)
}

impl Peer {
    /// Offers, and takes the answer; connects by what [`next`](Self::next) does.
    pub(crate) async fn open(server: &Server, resource: WhipResource) -> Self {
        Self::open_by(server, resource, None).await
    }

    async fn open_by(server: &Server, resource: WhipResource, proxy: Option<SocketAddr>) -> Self {
        let direction = match resource {
            WhipResource::Publish(_) => "sendonly",
            _ => "recvonly",
        };
        let identity = Identity::generate().expect("randomness");
        let ice = IceCredentials::generate();
        let response = server
            .post(resource, &offer(direction, &ice, &identity))
            .await;
        let answer = String::from_utf8(response.body.to_vec()).expect("text");
        assert_eq!(response.status, 201, "{answer}");
        let said = Offer::parse(&answer).expect("an answer reads as an offer does");
        let local = match server.media_address() {
            SocketAddr::V4(_) => "127.0.0.1:0",
            SocketAddr::V6(_) => "[::1]:0",
        };
        let socket = UdpSocket::bind(local).await.expect("a port");
        let config = RtcTransportConfig {
            identity,
            local: vec![(Carrier::Udp, socket.local_addr().expect("bound"))],
            lite: false,
            controlling: true,
            local_credentials: ice,
            remote_credentials: said.ice,
            remote_fingerprint: said.fingerprint,
            peer_is_passive: true,
        };
        let mut transport = RtcTransport::new(now(), config).expect("a transport");
        let by_proxy = proxy.map(|proxy| {
            format!(
                "candidate:1 1 udp 2130706431 {} {} typ host",
                proxy.ip(),
                proxy.port()
            )
        });
        let candidates = match by_proxy {
            Some(candidate) => vec![candidate],
            None => said.candidates,
        };
        for candidate in &candidates {
            // Those of TCP are of no use here.
            let _ = transport.add_remote_candidate(candidate);
        }
        Self {
            session: session_of(&response),
            answer,
            response,
            transport,
            socket,
            server: server.media_address(),
            arrivals: Arrivals::default(),
        }
    }

    /// As [`connect`](Self::connect), where the only way to the server is by a proxy.
    pub(crate) async fn connect_by(
        server: &Server,
        resource: WhipResource,
        proxy: SocketAddr,
    ) -> Self {
        let mut peer = Self::open_by(server, resource, Some(proxy)).await;
        peer.server = proxy;
        peer.find(|input| matches!(input, Input::Connected).then_some(()))
            .await;
        peer
    }

    /// As [`open`](Self::open), and connected.
    pub(crate) async fn connect(server: &Server, resource: WhipResource) -> Self {
        let mut peer = Self::open(server, resource).await;
        peer.find(|input| matches!(input, Input::Connected).then_some(()))
            .await;
        peer
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// The SSRC of the answer's first media section, of what the server sends.
    pub(crate) fn video_ssrc(&self) -> u32 {
        let line = self
            .answer
            .lines()
            .find_map(|line| line.strip_prefix("a=ssrc:"));
        let ssrc = line.and_then(|line| line.split(' ').next());
        ssrc.expect("an SSRC").parse().expect("a number")
    }

    /// The next thing that comes.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            while let Some(transmit) = self.transport.poll_transmit() {
                let _ = self
                    .socket
                    .send_to(&transmit.data, transmit.route.remote)
                    .await;
            }
            if let Some(event) = self.transport.poll_event() {
                return match event {
                    TransportEvent::Connected { .. } => Input::Connected,
                    TransportEvent::Rtp(packet) => {
                        Input::Rtp(RtpPacket::parse(packet).expect("well-formed"))
                    }
                    TransportEvent::Rtcp(packets) => Input::Rtcp(
                        arcly_core::rtp::rtcp::read(&packets)
                            .map(|packet| packet.expect("well-formed"))
                            .collect(),
                    ),
                    _ => Input::Closed,
                };
            }
            let wake = self.transport.poll_timeout();
            let mut datagram = vec![0; 65_536];
            tokio::select! {
                received = self.socket.recv_from(&mut datagram) => {
                    let Ok((length, remote)) = received else { continue };
                    let route = Route {
                        carrier: Carrier::Udp,
                        local: self.address(),
                        remote,
                    };
                    let data = BytesMut::from(&datagram[..length]);
                    self.transport.handle_datagram(now(), route, data);
                }
                () = async {
                    match wake {
                        Some(at) => sleep_until(at.into()).await,
                        None => std::future::pending().await,
                    }
                } => self.transport.handle_timeout(now()),
            }
        }
    }

    /// As [`next`](Self::next), and tells the server every 50 ms how its packets arrive (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    pub(crate) async fn next_with_feedback(&mut self) -> Input {
        let input = self.next().await;
        if let Input::Rtp(packet) = &input {
            let start = *self.arrivals.start.get_or_insert_with(now);
            let at = now().duration_since(start).as_micros() as i64 / 250;
            if let Some(number) = transport_number(packet) {
                self.arrivals.packets.push((number, at));
            }
            if at - self.arrivals.told >= 200 {
                self.arrivals.told = at;
                let feedback = self.arrivals.feedback();
                self.send_rtcp(&feedback).await;
            }
        }
        input
    }

    /// The first of what comes that is what is looked for.
    pub(crate) async fn find<T>(&mut self, mut look: impl FnMut(Input) -> Option<T>) -> T {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(found) = look(self.next().await) {
                    return found;
                }
            }
        });
        found.await.expect("it comes in time")
    }

    /// The next RTP packet with this payload type.
    pub(crate) async fn next_packet(&mut self, payload_type: u8) -> RtpPacket {
        self.find(|input| match input {
            Input::Rtp(packet) if packet.header.payload_type == payload_type => Some(packet),
            _ => None,
        })
        .await
    }

    /// Keeps the connection alive for a while, and tells what came.
    pub(crate) async fn listen(&mut self, time: std::time::Duration) -> Vec<Input> {
        let mut inputs = Vec::new();
        let _ = timeout(time, async {
            loop {
                inputs.push(self.next().await);
            }
        })
        .await;
        inputs
    }

    pub(crate) async fn send_rtp(&mut self, header: RtpHeader, payload: &[u8]) {
        let packet = [&header.to_bytes(), payload].concat();
        self.send_raw_rtp(&packet).await;
    }

    pub(crate) async fn send_raw_rtp(&mut self, packet: &[u8]) {
        let mut out = BytesMut::new();
        self.transport
            .protect_rtp(packet, &mut out)
            .expect("connected");
        self.send_datagram(&out).await;
    }

    pub(crate) async fn send_rtcp(&mut self, packet: &[u8]) {
        let mut out = BytesMut::new();
        self.transport
            .protect_rtcp(packet, &mut out)
            .expect("connected");
        self.send_datagram(&out).await;
    }

    /// Sends something as it is, from the peer's own address.
    pub(crate) async fn send_datagram(&self, datagram: &[u8]) {
        self.socket
            .send_to(datagram, self.server)
            .await
            .expect("sent");
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self) {
        self.transport.close(now());
        while let Some(transmit) = self.transport.poll_transmit() {
            let _ = self
                .socket
                .send_to(&transmit.data, transmit.route.remote)
                .await;
        }
    }
}

/// A picture of VP8 in one packet (RFC 7741 4): the descriptor, and a frame header with its size.
pub(crate) fn vp8_picture(is_keyframe: bool, content: u8) -> Bytes {
    let mut payload = vec![0x10];
    payload.extend_from_slice(&vp8_frame(is_keyframe, content));
    payload.into()
}

/// A frame of VP8 (RFC 6386 9.1): a keyframe says that it is one, and that it has 320 × 240 pixels.
pub(crate) fn vp8_frame(is_keyframe: bool, content: u8) -> Bytes {
    let mut frame = vec![u8::from(!is_keyframe) | 0x10, 2, 0];
    if is_keyframe {
        frame.extend_from_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
    }
    frame.extend_from_slice(&[content; 40]);
    frame.into()
}

/// The transport-wide number, where a packet has one: in one-byte header extensions (RFC 8285 4.2).
fn transport_number(packet: &RtpPacket) -> Option<u16> {
    let (_, data) = packet.extension.as_ref()?;
    let mut rest = &data[..];
    while let [head, after @ ..] = rest {
        if *head == 0 {
            rest = after;
            continue;
        }
        let length = usize::from(head & 15) + 1;
        if head >> 4 == TRANSPORT_CC {
            return Some(u16::from_be_bytes([after[0], after[1]]));
        }
        rest = &after[length..];
    }
    None
}

impl Arrivals {
    /// What has come since the last one, with two bytes for each packet.
    fn feedback(&mut self) -> Vec<u8> {
        let first = self.next.unwrap_or(self.packets[0].0);
        let place = |number: u16| i32::from(number.wrapping_sub(first) as i16);
        self.packets.retain(|(number, _)| place(*number) >= 0);
        self.packets.sort_by_key(|(number, _)| place(*number));
        let Some((last, _)) = self.packets.last() else {
            return vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        };
        let count = place(*last) as usize + 1;
        self.next = Some(last.wrapping_add(1));
        let mut symbols = vec![0_u16; count];
        let mut deltas = Vec::new();
        let reference = self.packets[0].1 / 256;
        let mut before = reference * 256;
        for (number, at) in self.packets.drain(..) {
            symbols[place(number) as usize] = 2;
            deltas.extend_from_slice(&((at - before) as i16).to_be_bytes());
            before = at;
        }
        let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2];
        body.extend_from_slice(&first.to_be_bytes());
        body.extend_from_slice(&(count as u16).to_be_bytes());
        body.extend_from_slice(&((reference as u32) << 8).to_be_bytes());
        for chunk in symbols.chunks(7) {
            let shifted = chunk.iter().zip((0..14).step_by(2).rev());
            let bits = shifted.fold(0xc000_u16, |bits, (symbol, shift)| bits | symbol << shift);
            body.extend_from_slice(&bits.to_be_bytes());
        }
        body.extend_from_slice(&deltas);
        while body.len() % 4 != 0 {
            body.push(0);
        }
        let mut packet = vec![0x8f, 205];
        packet.extend_from_slice(&((body.len() / 4) as u16).to_be_bytes());
        packet.extend_from_slice(&body);
        packet
    }
}
