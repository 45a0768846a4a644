//! For fuzz targets: a publisher and a viewer as they are once a transport has decrypted and authenticated what comes.

use super::{Media, Ports, Publishing, Watching};
use crate::sdp::{LocalTransport, Offer, WatchedTrack, accept_publisher, accept_viewer};
use crate::transport::{
    Carrier, Fingerprint, IceCredentials, PeerTransport, Route, Transmit, TransportError,
    TransportEvent,
};
use arcly_core::net::udp::UdpPort;
use arcly_core::rtp::rtp_tracks;
use arcly_core::{PlaySession, PublishSession};
use bytes::{Bytes, BytesMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A peer's media, behind a transport that is open and encrypts nothing. What it sends goes nowhere.
pub struct Decrypted {
    media: Media,
    ports: Ports,
}

impl Decrypted {
    fn local() -> Option<LocalTransport> {
        let fingerprint = ["00"; 32].join(":");
        Some(LocalTransport {
            ice: IceCredentials::generate(),
            fingerprint: format!("sha-256 {fingerprint}")
                .parse::<Fingerprint>()
                .ok()?,
            is_ice_lite: false,
            addresses: Vec::new(),
        })
    }

    fn ports() -> Option<Ports> {
        let udp = UdpPort::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).ok()?;
        Some(Ports::new(udp, None))
    }

    /// A publisher that has made this offer. On a tokio runtime.
    #[must_use]
    pub fn publisher(session: PublishSession, offer: &str, now: Instant) -> Option<Self> {
        let offer = Offer::parse(offer).ok()?;
        let (media, _) = accept_publisher(&offer, &Self::local()?, 1).ok()?;
        let publishing = Publishing::new(session, media, 1, now);
        Some(Self {
            media: Media::Publishing(Box::new(publishing)),
            ports: Self::ports()?,
        })
    }

    /// A viewer that has made this offer, and has joined. On a tokio runtime.
    #[must_use]
    pub fn viewer(play: PlaySession, offer: &str, now: Instant) -> Option<Self> {
        let offer = Offer::parse(offer).ok()?;
        let tracks = rtp_tracks(play.handle());
        let numbered = tracks.into_iter().zip(1..);
        let tracks: Vec<_> = numbered
            .map(|(rtp, number)| WatchedTrack {
                rtp,
                ssrc: number,
                retransmission_ssrc: number + 100,
            })
            .collect();
        let (media, _, _) = accept_viewer(&offer, &tracks, &Self::local()?, 1).ok()?;
        let catch_up = Duration::from_secs(5);
        let mut watching = Watching::new(play, media, None, catch_up, 1, 7, now);
        watching.connected(now);
        Some(Self {
            media: Media::Watching(Box::new(watching)),
            ports: Self::ports()?,
        })
    }

    /// An RTP packet has come.
    pub fn handle_rtp(&mut self, packet: Bytes, now: Instant) {
        if let Media::Publishing(publishing) = &mut self.media {
            publishing.handle_rtp(packet, now);
        }
    }

    /// RTCP packets have come.
    pub fn handle_rtcp(&mut self, packets: &[u8], now: Instant) {
        match &mut self.media {
            Media::Publishing(publishing) => publishing.handle_rtcp(packets, now),
            Media::Watching(watching) => watching.handle_rtcp(packets, now),
        }
    }

    /// Time has gone by. `false` at the end of the session.
    pub fn drive(&mut self, now: Instant) -> bool {
        let driven = match &mut self.media {
            Media::Publishing(publishing) => publishing.drive(&mut Open, &self.ports, now),
            Media::Watching(watching) => watching.drive(&mut Open, &self.ports, now),
        };
        driven.is_ok()
    }
}

/// A way by a connection that there is none of: what is sent is lost.
struct Open;

impl PeerTransport for Open {
    fn local_credentials(&self) -> IceCredentials {
        IceCredentials::generate()
    }

    fn add_remote_candidate(&mut self, _: &str) -> Result<(), TransportError> {
        Ok(())
    }

    fn restart_ice(&mut self, _: Instant, _: &IceCredentials) -> Result<(), TransportError> {
        Ok(())
    }

    fn handle_datagram(&mut self, _: Instant, _: Route, _: BytesMut) {}

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }

    fn poll_event(&mut self) -> Option<TransportEvent> {
        None
    }

    fn route(&self) -> Option<Route> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        Some(Route {
            carrier: Carrier::Tcp,
            local: address,
            remote: address,
        })
    }

    fn seal_rtp(&mut self, out: &mut BytesMut, _: usize) -> Result<(), TransportError> {
        out.extend_from_slice(&[0; 16]);
        Ok(())
    }

    fn protect_rtcp(&mut self, packet: &[u8], out: &mut BytesMut) -> Result<(), TransportError> {
        out.extend_from_slice(packet);
        Ok(())
    }

    fn round_trip(&self, _: Instant) -> Option<Duration> {
        None
    }

    fn dropped(&self) -> u64 {
        0
    }

    fn close(&mut self, _: Instant) {}
}
