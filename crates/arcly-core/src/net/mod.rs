//! The accept loop that all TCP protocols share: [`run_tcp_ingest_server`].
//!
//! A protocol brings a handler for one connection; the loop brings what every listener on the open Internet needs:
//! a cap on connections, a cap for each peer, a deadline for the handshake, log lines that a flood cannot turn into a full
//! disk, and a drain with a deadline.

mod config;
mod connection;
mod log_limit;
mod server;
mod slots;

pub use config::{ConnectionRefusal, RefusalHook, TcpIngestConfig};
pub use connection::{Handshake, TcpConnection};
pub use server::run_tcp_ingest_server;
