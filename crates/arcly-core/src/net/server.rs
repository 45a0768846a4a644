//! The accept loop.

use super::connection::HandshakeDeadline;
use super::log_limit::LogLimit;
use super::slots::{Slot, Slots};
use super::{ConnectionRefusal, TcpConnection, TcpIngestConfig};
use crate::{Result, StreamError};
use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info, info_span, warn};

/// The first pause after the system refused to accept, for want of descriptors or memory; doubled with each further refusal …
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// … up to this. The backlog keeps connections meanwhile.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections on `listener` and runs `handler` for each, in a task of its own, until `shutdown` is cancelled.
///
/// * Connections over a cap of `config`, and such whose handshake takes too long, are closed; a warning says whose and why
///   (one that a flood cannot multiply: the lines left out are counted), and [`TcpIngestConfig::on_refused`] is called.
/// * A handler that returns an error, or panics, ends its own connection and is logged.
/// * What the operating system refuses (out of descriptors, a peer gone before it was accepted) never ends the loop.
/// * On `shutdown` the listener is closed, each connection's token is cancelled, and handlers have
///   [`drain_deadline`](TcpIngestConfig::drain_deadline) to end; those that are left are then dropped. When this returns, none runs any more.
///
/// Dropping the returned future drops all connections at once.
///
/// ```
/// use arcly_core::{StreamError, TcpConnection, TcpIngestConfig, run_tcp_ingest_server};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio_util::sync::CancellationToken;
///
/// async fn echo(connection: TcpConnection) -> std::io::Result<()> {
///     let TcpConnection { mut stream, handshake, shutdown, .. } = connection;
///     let mut first = [0; 1];
///     stream.read_exact(&mut first).await?;
///     handshake.complete();
///     tokio::select! {
///         result = stream.write_all(&first) => result,
///         () = shutdown.cancelled() => Ok(()),
///     }
/// }
///
/// async fn serve(shutdown: CancellationToken) -> Result<(), StreamError> {
///     let address = "127.0.0.1:7007";
///     let listener = tokio::net::TcpListener::bind(address).await
///         .map_err(|error| StreamError::io(format!("binding {address}"), error))?;
///     run_tcp_ingest_server(listener, TcpIngestConfig::new("echo"), shutdown, echo).await
/// }
/// ```
///
/// # Errors
/// [`StreamError::Io`] if the listener has no local address, which means that it is none.
pub async fn run_tcp_ingest_server<H, F, E>(
    listener: TcpListener,
    config: TcpIngestConfig,
    shutdown: CancellationToken,
    handler: H,
) -> Result<()>
where
    H: Fn(TcpConnection) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let local = listener
        .local_addr()
        .map_err(|error| StreamError::io("reading the listener's address", error))?;
    info!(protocol = config.protocol, %local, "listening");
    Server::new(config, handler, shutdown).run(listener).await;
    info!(%local, "no longer listening");
    Ok(())
}

/// What connections come from: a listener, but for tests.
trait Accept: Send {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        Self::accept(self)
    }
}

/// How a connection's task ended, if it did not panic.
enum Ended {
    ByHandler,
    Failed(String),
    Refused(ConnectionRefusal),
}

struct Server<H> {
    config: TcpIngestConfig,
    handler: Arc<H>,
    shutdown: CancellationToken,
    slots: Slots,
    tasks: JoinSet<Ended>,
    /// Whose connection each of `tasks` serves.
    peers: HashMap<Id, SocketAddr>,
    log_limit: LogLimit,
}

impl<H, F, E> Server<H>
where
    H: Fn(TcpConnection) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + Send + 'static,
{
    fn new(config: TcpIngestConfig, handler: H, shutdown: CancellationToken) -> Self {
        let slots = Slots::new(&config);
        let (tasks, peers) = (JoinSet::new(), HashMap::new());
        let handler = Arc::new(handler);
        Self {
            config,
            handler,
            shutdown,
            slots,
            tasks,
            peers,
            log_limit: LogLimit::new(now()),
        }
    }

    async fn run(mut self, mut listener: impl Accept) {
        let mut pause = Pause::default();
        let shutdown = self.shutdown.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                accepted = accept(&mut listener, &mut pause) => match accepted {
                    Ok((stream, peer)) => {
                        pause.reset();
                        self.connected(stream, peer);
                    }
                    Err(error) => self.not_accepted(&error, &mut pause),
                },
            }
        }
        // Whoever connects from now on is told by the system that nobody listens.
        drop(listener);
        self.drain().await;
    }

    fn connected(&mut self, stream: TcpStream, peer: SocketAddr) {
        let slot = match self.slots.take(peer.ip()) {
            Ok(slot) => slot,
            Err(refusal) => return self.refused(peer, refusal),
        };
        if let Err(error) = stream.set_nodelay(true) {
            // Only a connection that is gone already refuses; its handler will find out.
            debug!(protocol = self.config.protocol, %peer, %error, "setting TCP_NODELAY");
        }
        let (handshake, deadline) = HandshakeDeadline::new(self.config.handshake_timeout);
        let connection = TcpConnection {
            stream,
            peer,
            handshake,
            shutdown: self.shutdown.child_token(),
        };
        let handler = Arc::clone(&self.handler);
        // The handler is called in the task, so that a panic before its first await harms nobody else either.
        let handled = async move { handler(connection).await };
        let span = info_span!("connection", protocol = self.config.protocol, %peer);
        let task = self
            .tasks
            .spawn(serve(slot, deadline, handled).instrument(span));
        self.peers.insert(task.id(), peer);
    }

    fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        let protocol = self.config.protocol;
        match ended {
            Ok((_, Ended::ByHandler)) => debug!(protocol, %peer, "connection closed"),
            Ok((_, Ended::Failed(error))) => {
                if let Some(suppressed) = self.log_limit.admit(now()) {
                    warn!(protocol, %peer, error, suppressed, "connection failed");
                }
            }
            Ok((_, Ended::Refused(refusal))) => self.refused(peer, refusal),
            Err(error) if error.is_panic() => {
                if let Some(suppressed) = self.log_limit.admit(now()) {
                    let panic = panic_message(error);
                    tracing::error!(protocol, %peer, panic, suppressed, "connection handler panicked");
                }
            }
            // Aborted by `drain`, which logs how many.
            Err(_) => {}
        }
    }

    fn refused(&mut self, peer: SocketAddr, refusal: ConnectionRefusal) {
        if let Some(suppressed) = self.log_limit.admit(now()) {
            warn!(protocol = self.config.protocol, %peer, reason = %refusal, suppressed, "connection refused");
        }
        if let Some(hook) = &self.config.on_refused {
            // The host's code: its panic would end the accept loop.
            let told = catch_unwind(AssertUnwindSafe(|| hook(peer, refusal)));
            if told.is_err() {
                tracing::error!(protocol = self.config.protocol, %peer, "the hook for refused connections panicked");
            }
        }
    }

    fn not_accepted(&mut self, error: &io::Error, pause: &mut Pause) {
        if concerns_one_peer(error) {
            debug!(protocol = self.config.protocol, %error, "a connection was gone before it was accepted");
            return;
        }
        let pause = pause.extend();
        if let Some(suppressed) = self.log_limit.admit(now()) {
            warn!(protocol = self.config.protocol, %error, ?pause, suppressed, "cannot accept connections");
        }
    }

    /// Waits for the connections to end, and ends the rest at the deadline.
    async fn drain(mut self) {
        let protocol = self.config.protocol;
        let deadline = self.config.drain_deadline;
        let draining = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.ended(ended);
            }
        };
        if tokio::time::timeout(deadline, draining).await.is_err() {
            let left = self.tasks.len();
            warn!(
                protocol,
                left, "connections did not end in time and are dropped"
            );
            self.tasks.abort_all();
            while let Some(ended) = self.tasks.join_next_with_id().await {
                self.ended(ended);
            }
        }
        let suppressed = self.log_limit.take_suppressed();
        if suppressed > 0 {
            warn!(
                protocol,
                suppressed, "log lines on connections were left out"
            );
        }
    }
}

/// Runs one connection; the slot is given back when it ends, however it ends.
async fn serve<E: Display>(
    slot: Slot,
    deadline: HandshakeDeadline,
    handled: impl Future<Output = Result<(), E>>,
) -> Ended {
    let _slot = slot;
    match deadline.guard(handled).await {
        Ok(Ok(())) => Ended::ByHandler,
        Ok(Err(error)) => Ended::Failed(error.to_string()),
        Err(refusal) => Ended::Refused(refusal),
    }
}

/// The next connection, once `pause` is over.
async fn accept(
    listener: &mut impl Accept,
    pause: &mut Pause,
) -> io::Result<(TcpStream, SocketAddr)> {
    pause.over().await;
    listener.accept().await
}

/// Whether an accept error is about the connection that would have been accepted, so that the next one can be tried at once.
/// Linux' accept(2) passes on network errors that are pending on the new socket.
fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
    )
}

/// The pause after an accept error. It goes on while other branches of the loop's `select!` run.
#[derive(Default)]
struct Pause {
    last: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pause {
    fn extend(&mut self) -> Duration {
        let length = self
            .last
            .map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.last = Some(length);
        self.timer = Some(Box::pin(tokio::time::sleep(length)));
        length
    }

    fn reset(&mut self) {
        self.last = None;
    }

    async fn over(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.await;
            self.timer = None;
        }
    }
}

/// What a handler said as it panicked; the panic hook has printed where.
fn panic_message(error: JoinError) -> String {
    let payload = error.into_panic();
    let message = payload.downcast_ref::<&str>().copied();
    message
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver's clock, for limiting log lines"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
