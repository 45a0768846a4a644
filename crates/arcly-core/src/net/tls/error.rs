//! What can go wrong with TLS.

use super::rustls;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Why a certificate cannot be used, or a handshake failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("reading the {what} {}: {source}", path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// A file holds no such thing in PEM.
    #[error("the {what} {} {reason}", path.display())]
    InvalidFile {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The certificate and its key, or the roots, are not usable: they do not belong together, or are of a kind that is not supported.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[source] rustls::Error),
    /// The system has no certificates of authorities, or none that can be read.
    #[error("the system's trusted certificates cannot be loaded: {0}")]
    NoSystemRoots(String),
    /// A server's name is neither a DNS name nor an address.
    #[error("a certificate cannot be checked for this server name")]
    InvalidServerName,
    /// The handshake failed: the peer does not speak TLS, offers nothing in common, or its certificate is not trusted.
    #[error("TLS handshake: {}", explain(.0))]
    Handshake(#[source] Arc<io::Error>),
    /// The handshake took too long.
    #[error("the TLS handshake took longer than {0:?}")]
    TimedOut(Duration),
}

/// The cause in words; rustls' own for a peer that speaks something else says little.
fn explain(error: &io::Error) -> String {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidMessage(_)) => "the peer does not speak TLS".to_owned(),
        Some(error) => error.to_string(),
        None => error.to_string(),
    }
}
