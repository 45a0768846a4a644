//! A server certificate that can be replaced while it is used.

use super::rustls::pki_types::pem::PemObject;
use super::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use super::rustls::server::{ClientHello, ResolvesServerCert};
use super::rustls::sign::CertifiedKey;
use super::{TlsError, provider};
use arc_swap::ArcSwap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The longest certificate or key file that is read. Real ones have a few KiB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A certificate chain and its private key from two PEM files, which can be read again while connections are served: those that are
/// there go on, new ones see the new certificate. The key is PKCS #8, PKCS #1 or SEC 1.
pub struct ReloadableCertificate {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
    /// How the files looked before they were read last: what is written while, or since, they are read makes a difference to it.
    seen: ArcSwap<Stamp>,
}

/// What changes when the files are written: the time and the length of each.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl ReloadableCertificate {
    /// Reads the chain, the server's own certificate first, and its key. Either file has 1 MiB at most.
    ///
    /// # Errors
    /// [`TlsError::Read`], [`TlsError::InvalidFile`], and [`TlsError::Unusable`] where the key is not that of the certificate.
    pub async fn load(
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let (chain, key) = (chain.into(), key.into());
        let seen = stamps(&chain, &key).await;
        let pair = read_pair(&chain, &key).await?;
        Ok(Self {
            chain,
            key,
            current: ArcSwap::from_pointee(pair),
            seen: ArcSwap::from_pointee(seen),
        })
    }

    /// Reads the files again.
    ///
    /// # Errors
    /// As [`load`](Self::load); then the certificate stays as it was.
    pub async fn reload(&self) -> Result<(), TlsError> {
        let seen = stamps(&self.chain, &self.key).await;
        self.seen.store(Arc::new(seen));
        let pair = read_pair(&self.chain, &self.key).await?;
        self.current.store(Arc::new(pair));
        Ok(())
    }

    /// Looks at the files' times and lengths every `interval`, and reloads when one has changed since the files were last read, until
    /// `shutdown` is cancelled. A bad pair
    /// is logged once, and the old one stays in use; between the writing of two files that belong together that is to be expected.
    pub async fn watch(&self, interval: Duration, shutdown: CancellationToken) {
        self.watch_with(interval, shutdown, |_| {}).await;
    }

    /// [`watch`](Self::watch), with each outcome also told to `outcome`.
    pub async fn watch_with(
        &self,
        interval: Duration,
        shutdown: CancellationToken,
        mut outcome: impl FnMut(Result<(), &TlsError>) + Send,
    ) {
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
            if stamps(&self.chain, &self.key).await == **self.seen.load() {
                continue;
            }
            let chain = self.chain.display();
            match self.reload().await {
                Ok(()) => {
                    info!(%chain, "TLS certificate reloaded");
                    outcome(Ok(()));
                }
                Err(error) => {
                    warn!(%chain, %error, "the new TLS certificate cannot be used; the old one stays");
                    outcome(Err(&error));
                }
            }
        }
    }

    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }
}

async fn stamps(chain: &Path, key: &Path) -> Stamp {
    [stamp(chain).await, stamp(key).await]
}

async fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

async fn read_pair(chain: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let certificates = read_certificates("certificate chain", chain).await?;
    let what = "private key";
    let key_bytes = read_file(what, key).await?;
    let key = PrivateKeyDer::from_pem_slice(&key_bytes).map_err(|_| TlsError::InvalidFile {
        what,
        path: key.to_owned(),
        reason: "holds no private key in PEM",
    })?;
    CertifiedKey::from_der(certificates, key, &provider()).map_err(TlsError::Unusable)
}

/// The certificates in a PEM file, one at least.
pub(super) async fn read_certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read_file(what, path).await?;
    let invalid = |reason| TlsError::InvalidFile {
        what,
        path: path.to_owned(),
        reason,
    };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| invalid("is not valid PEM"))?;
    if certificates.is_empty() {
        return Err(invalid("holds no certificate in PEM"));
    }
    Ok(certificates)
}

async fn read_file(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source: std::io::Error| TlsError::Read {
        what,
        path: path.to_owned(),
        source: Arc::new(source),
    };
    let length = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if length > MAX_FILE_BYTES {
        return Err(TlsError::InvalidFile {
            what,
            path: path.to_owned(),
            reason: "is longer than 1 MiB",
        });
    }
    tokio::fs::read(path).await.map_err(failed)
}

/// What rustls asks at each handshake.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<ReloadableCertificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current())
    }
}

impl fmt::Debug for ReloadableCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReloadableCertificate")
            .field("chain", &self.chain)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
