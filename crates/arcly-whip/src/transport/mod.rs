//! How one peer is reached: ICE finds a way, DTLS agrees on keys, SRTP carries the media. Sans-IO.
//!
//! The seam is [`PeerTransport`]. [`RtcTransport`] implements it with the sans-IO engine of webrtc-rs: its crates `rtc-ice`, `rtc-dtls` and
//! `rtc-srtp`, without its peer connection, whose pipeline handles each packet for each viewer anew. What goes out is packetised once a stream
//! here, and only encrypted for each viewer.

pub mod demux;
mod identity;
mod rtc;
mod sealer;
mod srtp;

pub use identity::{Fingerprint, Identity};
pub use rtc::{MAX_REMOTE_ADDRESSES, RtcTransport, RtcTransportConfig};
pub use srtp::SrtpProfile;

use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Carries datagrams: UDP itself, or TCP with the framing of RFC 4571 (ICE-TCP, RFC 6544).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "ICE has these two (RFC 8445, RFC 6544)"
)]
pub enum Carrier {
    /// A datagram of its own.
    Udp,
    /// A frame on a connection that the peer has opened.
    Tcp,
}

impl Carrier {
    /// The lower-case name used in candidates and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// The way that a datagram came, or is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a way between two addresses")]
pub struct Route {
    /// By what.
    pub carrier: Carrier,
    /// Our side, as in the local candidate.
    pub local: SocketAddr,
    /// The peer's side.
    pub remote: SocketAddr,
}

/// A datagram that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// Which way.
    pub route: Route,
    /// Its bytes.
    pub data: BytesMut,
}

/// What became of a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// Media can be sent and received.
    Connected {
        /// How media is encrypted.
        profile: SrtpProfile,
    },
    /// An RTP packet came, decrypted and authenticated.
    Rtp(Bytes),
    /// A compound of RTCP packets came, decrypted and authenticated.
    Rtcp(Bytes),
    /// The peer has closed, or has not been heard of for too long: the transport is of no use any more.
    Closed(CloseReason),
}

/// Why a transport has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer has said goodbye (DTLS `close_notify`).
    #[error("closed by the peer")]
    PeerClosed,
    /// No candidate pair works, or no longer does.
    #[error("no way to the peer: ICE failed")]
    IceFailed,
    /// The handshake failed, as where the certificate is not that of the offer.
    #[error("the DTLS handshake failed")]
    DtlsFailed,
}

/// Why a transport refused something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// What the peer has signalled cannot be used.
    #[error("{what}: {reason}")]
    Refused {
        /// What was refused, as in `candidate`.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Keys are not agreed on yet.
    #[error("not connected yet")]
    NotConnected,
    /// The engine failed at something that it should not fail at.
    #[error("WebRTC engine: {0}")]
    Engine(String),
}

/// An ICE user name fragment and password (RFC 8445 5.3).
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "ICE credentials are these two")]
pub struct IceCredentials {
    /// 4 to 256 characters.
    pub ufrag: String,
    /// 22 to 256 characters.
    pub pwd: String,
}

impl IceCredentials {
    /// New ones, of 96 and 192 random bits.
    #[must_use]
    pub fn generate() -> Self {
        Self {
            ufrag: rtc_ice::rand::generate_ufrag(),
            pwd: rtc_ice::rand::generate_pwd(),
        }
    }
}

/// The password is not shown.
impl std::fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceCredentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

/// One peer's transport. Sans-IO: datagrams and the time go in; datagrams, events and the next deadline come out.
///
/// After each call that takes the time, drain [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event), then ask for
/// [`poll_timeout`](Self::poll_timeout).
pub trait PeerTransport: Send {
    /// The credentials that the answer is to carry, and that the peer's checks name.
    fn local_credentials(&self) -> IceCredentials;

    /// A candidate of the peer has come: the value of an `a=candidate` line. Names of hosts (mDNS) are tolerated and not looked up: such a peer
    /// is found by its checks.
    ///
    /// # Errors
    /// Where it is none.
    fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), TransportError>;

    /// The peer restarts ICE (RFC 8445 9) with new credentials; media goes on by the old way until a new one is found. Ours change as well.
    ///
    /// # Errors
    /// Where the credentials cannot be used.
    fn restart_ice(&mut self, now: Instant, remote: &IceCredentials) -> Result<(), TransportError>;

    /// A datagram has come: STUN, DTLS, SRTP or SRTCP. What cannot be used is dropped and counted.
    fn handle_datagram(&mut self, now: Instant, route: Route, data: BytesMut);

    /// The time that [`poll_timeout`](Self::poll_timeout) told has come.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    fn poll_timeout(&mut self) -> Option<Instant>;

    /// A datagram to be sent.
    fn poll_transmit(&mut self) -> Option<Transmit>;

    /// Something that has happened.
    fn poll_event(&mut self) -> Option<TransportEvent>;

    /// Which way media is to go; `None` until one works.
    fn route(&self) -> Option<Route>;

    /// Encrypts, where it stands, the RTP packet that begins at `start` and ends `out`, which grows by the tag. Packets of one SSRC go in the order
    /// of their sequence numbers; one that is sent again has to be the same in every byte (RFC 7714 8.4).
    ///
    /// # Errors
    /// Before the keys are there, or where the packet is none. What `out` holds from `start` on is of no use then.
    fn seal_rtp(&mut self, out: &mut BytesMut, start: usize) -> Result<(), TransportError>;

    /// As [`seal_rtp`](Self::seal_rtp), appending the packet to `out`.
    ///
    /// # Errors
    /// As [`seal_rtp`](Self::seal_rtp); `out` is as it was then.
    fn protect_rtp(&mut self, packet: &[u8], out: &mut BytesMut) -> Result<(), TransportError> {
        let start = out.len();
        out.extend_from_slice(packet);
        let sealed = self.seal_rtp(out, start);
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }

    /// Encrypts a compound of RTCP packets, appending it to `out`.
    ///
    /// # Errors
    /// Before the keys are there, or where the packet is none.
    fn protect_rtcp(&mut self, packet: &[u8], out: &mut BytesMut) -> Result<(), TransportError>;

    /// The round trip of the way that is selected, as ICE's checks tell it; `None` where it makes none, or has no answer yet.
    fn round_trip(&self, now: Instant) -> Option<Duration>;

    /// How many datagrams were dropped, being malformed, replayed, forged or from somewhere else.
    fn dropped(&self) -> u64;

    /// Says goodbye; what is to be sent for it is polled as ever.
    fn close(&mut self, now: Instant);
}
