//! From a host's name to a connected transport: what all TCP clients do first.

use super::Transport;
#[cfg(feature = "tls")]
use super::tls::{ServerTrust, TlsConnector};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// Connects a client to its server: name resolution, TCP, and TLS where it is asked for, all within one timeout.
#[derive(Debug, Clone)]
pub struct Dialer {
    connect_timeout: Duration,
    #[cfg(feature = "tls")]
    trust: ServerTrust,
}

/// Why a server could not be connected to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name has no address, or none could be asked for.
    #[error("the server's name cannot be resolved: {0}")]
    Resolve(#[source] io::Error),
    /// None of the name's addresses took a connection; the last one's error.
    #[error("connecting: {0}")]
    Connect(#[source] io::Error),
    /// It took too long.
    #[error("connecting took longer than {0:?}")]
    TimedOut(Duration),
    /// The TLS handshake, or what it needs.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] super::tls::TlsError),
    /// TLS is asked for, and was left out when this crate was built.
    #[cfg(not(feature = "tls"))]
    #[error("TLS needs the crate's feature \"tls\"")]
    NoTls,
}

impl Dialer {
    /// One that gives up after 10 s, and trusts the certificates that the system trusts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            #[cfg(feature = "tls")]
            trust: ServerTrust::default(),
        }
    }

    /// Sets how long connecting may take, with name resolution and TLS. Each of the name's addresses, of which eight are tried at most, is
    /// given an equal share.
    pub fn set_connect_timeout(&mut self, timeout: Duration) {
        self.connect_timeout = timeout;
    }

    /// Sets whose certificates are trusted.
    #[cfg(feature = "tls")]
    pub fn set_trust(&mut self, trust: ServerTrust) {
        self.trust = trust;
    }

    /// Connects to the first of the addresses of `host` (a name, or an address without brackets) that answers, and shakes hands where `tls`
    /// is asked for.
    ///
    /// # Errors
    /// [`DialError`], by what failed.
    pub async fn dial(
        &self,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<(Transport, SocketAddr), DialError> {
        match timeout(self.connect_timeout, self.connect(host, port, tls)).await {
            Ok(connected) => connected,
            Err(_) => Err(DialError::TimedOut(self.connect_timeout)),
        }
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
        tls: bool,
    ) -> Result<(Transport, SocketAddr), DialError> {
        let addresses: Vec<_> = lookup_host((host, port))
            .await
            .map_err(DialError::Resolve)?
            .take(MAX_ADDRESSES)
            .collect();
        let (stream, address) = self.connect_to_any(&addresses).await?;
        Ok((self.secure(host, tls, stream).await?, address))
    }

    /// Connects to the first that answers.
    async fn connect_to_any(
        &self,
        addresses: &[SocketAddr],
    ) -> Result<(TcpStream, SocketAddr), DialError> {
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
        Err(DialError::Connect(last))
    }

    #[cfg(feature = "tls")]
    async fn secure(
        &self,
        host: &str,
        tls: bool,
        stream: TcpStream,
    ) -> Result<Transport, DialError> {
        if !tls {
            return Ok(Transport::plain(stream));
        }
        // Read anew each time, since a connection lives long and a file of authorities may change.
        let connector = TlsConnector::new(&self.trust).await?;
        Ok(connector.connect(host, stream).await?)
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "as with TLS")]
    async fn secure(
        &self,
        _host: &str,
        tls: bool,
        stream: TcpStream,
    ) -> Result<Transport, DialError> {
        if tls {
            return Err(DialError::NoTls);
        }
        Ok(Transport::plain(stream))
    }
}

impl Default for Dialer {
    fn default() -> Self {
        Self::new()
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
        assert!(matches!(none, Err(DialError::Connect(_))), "{none:?}");
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
