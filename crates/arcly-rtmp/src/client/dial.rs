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
        let (stream, address) = self.connect_to_any(&addresses).await?;
        Ok((self.secure(url, stream).await?, address))
    }

    /// Connects to the first that answers.
    async fn connect_to_any(
        &self,
        addresses: &[SocketAddr],
    ) -> Result<(TcpStream, SocketAddr), Failure> {
        // One that does not answer must not use up the time of the others.
        let share = self.connect_timeout / (addresses.len() as u32).max(1);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for &address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Only a connection that is gone already refuses.
                    let _ = stream.set_nodelay(true);
                    return Ok((stream, address));
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::{TcpListener, TcpSocket};

    async fn listener(address: &str) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).await;
        let listener = listener.unwrap_or_else(|error| panic!("{address}: {error}"));
        let address = listener.local_addr().expect("an address");
        (listener, address)
    }

    #[tokio::test]
    async fn a_name_with_several_addresses_is_tried_to_the_first_that_answers() {
        let (_open, open) = listener("127.0.0.1:0").await;
        let (_spare, spare) = listener("127.0.0.1:0").await;
        // Bound, so that nobody else takes it, and not listening.
        let refusing = TcpSocket::new_v4().expect("a socket");
        refusing
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("a free port");
        let refusing = refusing.local_addr().expect("an address");
        let dialer = Dialer::new();
        let to = dialer.connect_to_any(&[refusing, open, spare]).await;
        assert_eq!(to.expect("one answers").1, open);
        let none = dialer.connect_to_any(&[refusing, refusing]).await;
        assert!(matches!(none, Err(Failure::Connect(_))), "{none:?}");
        let none = dialer.connect_to_any(&[]).await.expect_err("nowhere to go");
        assert!(none.to_string().contains("no address"), "{none}");
    }

    #[tokio::test]
    async fn an_address_that_is_silent_uses_up_its_own_share_of_the_time_only() {
        // On Linux a backlog that is full lets further connections wait for ever.
        let silent = TcpSocket::new_v4().expect("a socket");
        silent
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("a free port");
        let full = silent.listen(0).expect("a listener");
        let silent = full.local_addr().expect("an address");
        let mut waiting = Vec::new();
        let moment = Duration::from_millis(200);
        while waiting.len() < 1_000
            && let Ok(connected) = timeout(moment, TcpStream::connect(silent)).await
        {
            waiting.push(connected.expect("a place in the backlog"));
        }
        let (_open, open) = listener("127.0.0.1:0").await;
        let mut dialer = Dialer::new();
        dialer.connect_timeout = Duration::from_secs(1);
        let to = dialer.connect_to_any(&[silent, open]).await;
        assert_eq!(to.expect("the other answers").1, open);
    }
}
