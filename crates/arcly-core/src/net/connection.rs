//! What a handler gets for each connection, and the deadline of its handshake.

use super::ConnectionRefusal;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// An accepted connection, as [`run_tcp_ingest_server`](crate::run_tcp_ingest_server) hands it to its handler.
///
/// The connection is closed when the handler's future ends, or is dropped by the server.
#[derive(Debug)]
#[non_exhaustive]
pub struct TcpConnection {
    /// The socket, with `TCP_NODELAY` set.
    pub stream: TcpStream,
    /// The peer's address.
    pub peer: SocketAddr,
    /// To be completed when the protocol's handshake is through.
    pub handshake: Handshake,
    /// Cancelled when the server shuts down: say goodbye as the protocol does, and return.
    pub shutdown: CancellationToken,
}

/// The handshake of one connection. Unless [`complete`](Self::complete) is called in time, the connection is closed; dropping this does not
/// stop the clock.
#[derive(Debug)]
#[must_use = "the connection is closed unless its handshake is completed in time"]
pub struct Handshake(oneshot::Sender<()>);

impl Handshake {
    /// The handshake is through: the peer speaks the protocol, and from now on the protocol's own timeouts hold. A protocol
    /// without a handshake calls this with the first sensible bytes.
    pub fn complete(self) {
        // An error means that the connection is being closed already.
        let _ = self.0.send(());
    }
}

/// The server's side of a [`Handshake`].
#[derive(Debug)]
pub(super) struct HandshakeDeadline {
    completed: oneshot::Receiver<()>,
    timeout: Duration,
}

impl HandshakeDeadline {
    pub(super) fn new(timeout: Duration) -> (Handshake, Self) {
        let (complete, completed) = oneshot::channel();
        (Handshake(complete), Self { completed, timeout })
    }

    /// Runs `connection` to its end, or to the deadline if it has not completed its handshake by then.
    pub(super) async fn guard<F: Future>(
        self,
        connection: F,
    ) -> Result<F::Output, ConnectionRefusal> {
        let Self { completed, timeout } = self;
        let mut connection = pin!(connection);
        let expired = async {
            let handshake = async {
                if completed.await.is_err() {
                    // Dropped, not completed: wait for the deadline.
                    std::future::pending().await
                }
            };
            tokio::time::timeout(timeout, handshake).await.is_err()
        };
        tokio::select! {
            biased;
            output = &mut connection => return Ok(output),
            expired = expired => if expired {
                return Err(ConnectionRefusal::HandshakeTimeout { timeout });
            },
        }
        // The timer is gone: a connection that has said hello costs none.
        Ok(connection.await)
    }
}
