//! TLS 1.2 and 1.3 for every protocol over TCP, by rustls with ring (feature `tls`).
//!
//! A server has a [`TlsConfig`] around a [`ReloadableCertificate`] and [accepts](TlsConfig::accept) each connection; a client has a
//! [`TlsConnector`] that knows whom to trust. Both give a [`Transport`](super::Transport), so that what runs on it need not know.
//!
//! ```no_run
//! use arcly_core::net::tls::{ReloadableCertificate, TlsConfig, TlsError};
//! use arcly_core::CancellationToken;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! async fn server_tls(shutdown: CancellationToken) -> Result<TlsConfig, TlsError> {
//!     let certificate = ReloadableCertificate::load("/etc/tls/chain.pem", "/etc/tls/key.pem").await?;
//!     let certificate = Arc::new(certificate);
//!     let watched = Arc::clone(&certificate);
//!     tokio::spawn(async move { watched.watch(Duration::from_secs(10), shutdown).await });
//!     TlsConfig::new(certificate)
//! }
//! ```

mod certificate;
mod client;
mod error;
mod server;
mod socket;

pub use certificate::ReloadableCertificate;
pub use client::{ServerTrust, TlsConnector};
pub use error::TlsError;
pub use server::TlsConfig;
pub(super) use socket::TlsSocket;
pub use tokio_rustls::rustls;

use rustls::crypto::CryptoProvider;
use std::sync::Arc;

/// The one crypto provider of this workspace, given to rustls each time, so that a host that has installed another for its process
/// does not change what runs here, nor we what runs there.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests;
