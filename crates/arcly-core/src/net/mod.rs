//! What all protocols share. On TCP: the accept loop [`run_tcp_ingest_server`], the [`Dialer`] of clients, and the [`Transport`] that is
//! plain or TLS, and the [`Outbox`] before it; one stream to many connections is [`fan_out`]. On UDP: a port for many peers, `udp::UdpPort` (feature `udp`).
//!
//! A protocol brings a handler for one connection; the loop brings what every listener on the open Internet needs:
//! a cap on connections, a cap for each peer, a deadline for the handshake, log lines that a flood cannot turn into a full
//! disk, and a drain with a deadline.

mod clock;
mod config;
mod connection;
mod dial;
pub mod fan_out;
mod log_limit;
mod outbox;
mod rate;
mod server;
mod slots;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;
#[cfg(feature = "udp")]
pub mod udp;

pub use clock::now;
pub use config::{ConnectionRefusal, RefusalHook, TcpIngestConfig};
pub use connection::{Handshake, TcpConnection};
pub use dial::{DialError, Dialer};
pub use outbox::Outbox;
pub use rate::Rate;
pub use server::run_tcp_ingest_server;
pub use transport::Transport;
