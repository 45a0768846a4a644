//! The client's side.

use super::certificate::read_certificates;
use super::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use super::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use super::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use super::rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use super::socket::TlsSocket;
use super::{TlsError, provider, rustls};
use crate::net::Transport;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;

/// Whose certificates a client trusts. A certificate has to be valid and to name the server, but for the last.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ServerTrust {
    /// Those that the operating system trusts.
    #[default]
    System,
    /// Those in this PEM file, and no others: a private authority, or a server's own certificate.
    CaFile(PathBuf),
    /// These and no others.
    Roots(Arc<RootCertStore>),
    /// Any certificate, also of somebody in between: the connection is encrypted, but with whom is not known. For servers with
    /// self-signed certificates on a network that is trusted anyway.
    AcceptAnyCertificate,
}

/// Connects with TLS 1.2 or 1.3. Cloning is cheap; one serves any number of connections.
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

impl TlsConnector {
    /// One that trusts whom `trust` says; files are read here, once.
    ///
    /// # Errors
    /// [`TlsError::NoSystemRoots`]; for a file, as [`ReloadableCertificate::load`](super::ReloadableCertificate::load).
    pub async fn new(trust: &ServerTrust) -> Result<Self, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let roots = match trust {
            ServerTrust::AcceptAnyCertificate => {
                let verifier = Arc::new(AcceptAny(provider));
                let config = builder
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth();
                return Ok(Self {
                    config: Arc::new(config),
                });
            }
            ServerTrust::System => Arc::new(system_roots().await?),
            ServerTrust::Roots(roots) => Arc::clone(roots),
            ServerTrust::CaFile(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in read_certificates("CA file", path).await? {
                    roots.add(certificate).map_err(TlsError::Unusable)?;
                }
                Arc::new(roots)
            }
        };
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// The settings, for clients that shake hands themselves.
    #[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
    pub(crate) fn client_config(&self) -> &ClientConfig {
        &self.config
    }

    /// Shakes hands with the server at the other end of `stream`, whose certificate has to name `server`, a DNS name or an address
    /// (IPv6 without brackets). How long that may take is the caller's to bound.
    ///
    /// # Errors
    /// [`TlsError::InvalidServerName`], [`TlsError::Handshake`].
    pub async fn connect(&self, server: &str, stream: TcpStream) -> Result<Transport, TlsError> {
        let name =
            ServerName::try_from(server.to_owned()).map_err(|_| TlsError::InvalidServerName)?;
        let connecting =
            tokio_rustls::TlsConnector::from(Arc::clone(&self.config)).connect(name, stream);
        match connecting.await {
            Ok(stream) => Ok(Transport::tls(TlsSocket::new(stream.into()))),
            Err(error) => Err(TlsError::Handshake(Arc::new(error))),
        }
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

/// The certificates that the operating system trusts. Those among them that rustls cannot read are left out.
async fn system_roots() -> Result<RootCertStore, TlsError> {
    let failed = |reason: String| TlsError::NoSystemRoots(reason);
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let (usable, _unusable) = roots.add_parsable_certificates(loaded.certs);
    if usable == 0 {
        let reason = loaded.errors.first().map(ToString::to_string);
        return Err(failed(
            reason.unwrap_or_else(|| "there are none".to_owned()),
        ));
    }
    Ok(roots)
}

/// Checks that the server has the key of the certificate it shows, and nothing else.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
