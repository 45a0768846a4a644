//! How clouds are spoken to.

use crate::net::tls;
use crate::{Result, StreamError};
use object_store::client::{ClientConfigKey, ClientOptions, HttpClient, HttpConnector};
use object_store::{BackoffConfig, RetryConfig};
use std::io;
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two pieces of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_RETRIES: usize = 4;
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes HTTP clients with the TLS of this workspace, where `object_store`'s own would use the crypto provider that is installed for
/// the whole process, or bring another.
#[derive(Debug)]
pub(super) struct Https {
    tls: tls::rustls::ClientConfig,
}

impl Https {
    pub(super) async fn new() -> Result<Self> {
        let tls = tls::TlsConnector::new(&tls::ServerTrust::System).await;
        let tls = tls.map_err(|error| {
            StreamError::io("preparing HTTPS for a storage", io::Error::other(error))
        })?;
        Ok(Self {
            tls: tls.client_config().clone(),
        })
    }
}

impl HttpConnector for Https {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allows_http = options.get_config_value(&ClientConfigKey::AllowHttp);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .https_only(allows_http.as_deref() != Some("true"))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("arcly/", env!("CARGO_PKG_VERSION")))
            .build();
        client
            .map(HttpClient::new)
            .map_err(|error| object_store::Error::Generic {
                store: "HTTP client",
                source: Box::new(error),
            })
    }
}

/// How often and how long a request is tried again.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIMEOUT,
    }
}
