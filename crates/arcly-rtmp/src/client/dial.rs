//! From a URL to a connected transport.

use super::failure::Failure;
use crate::proto::client::RtmpUrl;
use arcly_core::Transport;
#[cfg(feature = "tls")]
use arcly_core::net::tls::{ServerTrust, TlsConnector};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// How connections are made.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) connect_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(super) trust: ServerTrust,
}

/// The addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

impl Dialer {
    pub(super) fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            trust: ServerTrust::default(),
        }
    }

    /// Connects to the first of the server's addresses that answers, and shakes hands where TLS is asked for; all within the timeout.
    pub(super) async fn dial(&self, url: &RtmpUrl) -> Result<(Transport, SocketAddr), Failure> {
        match timeout(self.connect_timeout, self.connect(url)).await {
            Ok(connected) => connected,
            Err(_) => Err(Failure::ConnectTimeout(self.connect_timeout)),
        }
    }

    async fn connect(&self, url: &RtmpUrl) -> Result<(Transport, SocketAddr), Failure> {
        let addresses: Vec<_> = lookup_host((url.host(), url.port()))
            .await
            .map_err(Failure::Resolve)?
            .take(MAX_ADDRESSES)
            .collect();
        // One that does not answer must not use up the time of the others.
        let share = self.connect_timeout / (addresses.len() as u32).max(1);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Only a connection that is gone already refuses.
                    let _ = stream.set_nodelay(true);
                    return Ok((self.secure(url, stream).await?, address));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(Failure::Connect(last))
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, url: &RtmpUrl, stream: TcpStream) -> Result<Transport, Failure> {
        if !url.is_tls() {
            return Ok(Transport::plain(stream));
        }
        // Read anew each time, since a connection lives long and a file of authorities may change.
        let connector = TlsConnector::new(&self.trust).await?;
        Ok(connector.connect(url.host(), stream).await?)
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "as with TLS")]
    async fn secure(&self, url: &RtmpUrl, stream: TcpStream) -> Result<Transport, Failure> {
        if url.is_tls() {
            return Err(Failure::NoTls);
        }
        Ok(Transport::plain(stream))
    }
}
