//! The handshake (RTMP 1.0, 5.2): plain, and with the digests of Flash Player 9, for both sides.

mod client;
mod server;

pub(crate) use client::ClientHandshake;
pub use client::HandshakeKind;
pub(crate) use server::ServerHandshake;

/// C0 + C1 + C2, and S0 + S1 + S2 as well.
pub(crate) const CLIENT_BYTES: usize = 1 + PACKET_BYTES + PACKET_BYTES;

/// The length of C1, C2, S1 and S2.
const PACKET_BYTES: usize = 1536;

/// The RTMP version of C0 and S0.
const VERSION: u8 = 3;
