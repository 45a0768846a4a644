//! The server's side.

use super::certificate::Resolver;
use super::rustls::ServerConfig;
use super::socket::TlsSocket;
use super::{ReloadableCertificate, TlsError, provider};
use crate::net::Transport;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// How a server speaks TLS. Cloning is cheap, and shares the certificate.
#[derive(Clone)]
pub struct TlsConfig {
    certificate: Arc<ReloadableCertificate>,
    config: Arc<ServerConfig>,
    handshake_timeout: Duration,
}

impl TlsConfig {
    /// The default of [`handshake_timeout`](Self::handshake_timeout).
    pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

    /// TLS 1.2 and 1.3 with `certificate`, without client certificates and without ALPN.
    ///
    /// # Errors
    /// [`TlsError::Unusable`] where the provider has no cipher suite for these versions, which it does.
    pub fn new(certificate: Arc<ReloadableCertificate>) -> Result<Self, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(&certificate))));
        Ok(Self {
            certificate,
            config: Arc::new(config),
            handshake_timeout: Self::DEFAULT_HANDSHAKE_TIMEOUT,
        })
    }

    /// Sets the protocols that are offered by ALPN, best first, as in `h2` and `http/1.1`. RTMPS and RTSPS have none.
    #[must_use]
    pub fn alpn(mut self, protocols: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = protocols.into_iter().collect();
        self
    }

    /// Sets how long a handshake may take. Under [`run_tcp_ingest_server`](crate::run_tcp_ingest_server) the loop's own deadline, which
    /// spans the protocol's handshake too, holds beside it.
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Arc<ReloadableCertificate> {
        &self.certificate
    }

    /// Shakes hands with a client. Called in a handler of [`run_tcp_ingest_server`](crate::run_tcp_ingest_server) it counts against the
    /// caps and the deadline of the connection, and the loop logs an error with the peer's address.
    ///
    /// # Errors
    /// [`TlsError::Handshake`], [`TlsError::TimedOut`].
    pub async fn accept(&self, stream: TcpStream) -> Result<Transport, TlsError> {
        let accepting = TlsAcceptor::from(Arc::clone(&self.config)).accept(stream);
        match tokio::time::timeout(self.handshake_timeout, accepting).await {
            Ok(Ok(stream)) => Ok(Transport::tls(TlsSocket::new(stream.into()))),
            Ok(Err(error)) => Err(TlsError::Handshake(Arc::new(error))),
            Err(_) => Err(TlsError::TimedOut(self.handshake_timeout)),
        }
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("certificate", &self.certificate)
            .field("handshake_timeout", &self.handshake_timeout)
            .finish_non_exhaustive()
    }
}
