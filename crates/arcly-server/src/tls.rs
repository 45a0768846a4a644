//! The certificate: read at the start, and again when it changes or on SIGHUP.

use crate::config::Config;
use arcly_stream::net::tls::{ReloadableCertificate, TlsConfig, TlsError};
use arcly_stream::prelude::CancellationToken;
use std::sync::Arc;
use std::time::Duration;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// TLS as configured; none without a certificate.
pub(crate) async fn load(config: &Config) -> Result<Option<TlsConfig>, TlsError> {
    let (Some(chain), Some(key)) = (&config.tls_cert, &config.tls_key) else {
        return Ok(None);
    };
    let certificate = ReloadableCertificate::load(chain, key).await?;
    TlsConfig::new(Arc::new(certificate)).map(Some)
}

/// Follows the files until `shutdown`. Connections that are there stay as they are; a pair that cannot be used is logged, and the old one
/// stays.
pub(crate) async fn follow(tls: TlsConfig, shutdown: CancellationToken) {
    let certificate = tls.certificate();
    tokio::select! {
        () = certificate.watch(LOOK_EVERY, shutdown.clone()) => {}
        () = reload_on_hangup(certificate) => {}
    }
}

#[cfg(unix)]
async fn reload_on_hangup(certificate: &ReloadableCertificate) {
    use tokio::signal::unix::{SignalKind, signal};
    use tracing::{info, warn};
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return std::future::pending().await;
    };
    while hangup.recv().await.is_some() {
        match certificate.reload().await {
            Ok(()) => info!("the TLS certificate was read again"),
            Err(error) => warn!("the TLS certificate cannot be used, the old one stays: {error}"),
        }
    }
}

#[cfg(not(unix))]
async fn reload_on_hangup(_: &ReloadableCertificate) {
    std::future::pending().await
}
