//! One connection: its socket, its session, and the streams it publishes.

use super::NAME;
use super::outcome::{ConnectionError, end, refusal};
use crate::Config;
use crate::proto::session::{Event, Input, MessageStreamId, Output, PublishRequest, ServerSession};
use crate::proto::status::StatusCode;
#[cfg(feature = "tls")]
use arcly_core::net::tls::TlsConfig;
use arcly_core::{
    Credentials, EndReason, EventKind, Handshake, IngestContext, MediaFrame, PublishSession,
    StreamError, StreamKey, TcpConnection, Transport,
};
use bytes::Bytes;
use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// How much is read at once. A session copies what it keeps, so one buffer serves all connections of a thread.
const READ_BYTES: usize = 64 << 10;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// How long a peer has to take the last words before the socket is closed: closing it with unread input would reset the
/// connection, and the words be lost.
const LINGER: Duration = Duration::from_millis(500);

/// Serves one connection to its end.
pub(super) async fn serve(
    connection: TcpConnection,
    ctx: IngestContext,
    config: Config,
) -> Result<(), ConnectionError> {
    let TcpConnection {
        stream,
        peer,
        handshake,
        shutdown,
        ..
    } = connection;
    serve_on(
        Transport::plain(stream),
        peer,
        handshake,
        shutdown,
        ctx,
        config,
    )
    .await
}

/// Serves one connection to its end, once its TLS handshake is through.
#[cfg(feature = "tls")]
pub(super) async fn serve_tls(
    connection: TcpConnection,
    tls: TlsConfig,
    ctx: IngestContext,
    config: Config,
) -> Result<(), ConnectionError> {
    let TcpConnection {
        stream,
        peer,
        handshake,
        shutdown,
        ..
    } = connection;
    let accepted = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        accepted = tls.accept(stream) => accepted,
    };
    let stream = accepted.inspect_err(|error| refused(&ctx, peer, error))?;
    serve_on(stream, peer, handshake, shutdown, ctx, config).await
}

async fn serve_on(
    stream: Transport,
    peer: SocketAddr,
    handshake: Handshake,
    shutdown: CancellationToken,
    ctx: IngestContext,
    config: Config,
) -> Result<(), ConnectionError> {
    let write_timeout = config.limits.write_timeout;
    let mut connection = Connection {
        session: ServerSession::new(config, now()),
        stream,
        peer,
        ctx,
        handshake: Some(handshake),
        heard: false,
        publications: Vec::new(),
        write_timeout,
        failure: None,
    };
    let result = connection.run(&shutdown).await;
    if let Err(ConnectionError::Session(error)) = &result {
        refused(&connection.ctx, peer, error);
    }
    result
}

fn refused(ctx: &IngestContext, peer: SocketAddr, error: &impl ToString) {
    let (protocol, reason) = (NAME.to_owned(), error.to_string());
    ctx.emit(EventKind::ConnectionRefused {
        protocol,
        peer,
        reason,
    });
}

struct Connection {
    session: ServerSession,
    stream: Transport,
    peer: SocketAddr,
    ctx: IngestContext,
    /// Taken once the peer has sent `connect`.
    handshake: Option<Handshake>,
    /// Whether a byte came.
    heard: bool,
    publications: Vec<(MessageStreamId, PublishSession)>,
    write_timeout: Duration,
    /// Why the connection will be closed.
    failure: Option<ConnectionError>,
}

/// What the connection waited for.
enum Woken {
    Shutdown,
    Ended(MessageStreamId, EndReason),
    Readable(io::Result<()>),
    Deadline,
}

impl Connection {
    async fn run(&mut self, shutdown: &CancellationToken) -> Result<(), ConnectionError> {
        let mut timer = pin!(sleep_until(now().into()));
        loop {
            let Some(deadline) = self.drain(shutdown).await? else {
                return self.close().await;
            };
            match self.wait(timer.as_mut(), deadline, shutdown).await {
                Woken::Shutdown if self.publications.is_empty() => return Ok(()),
                Woken::Shutdown => self.end_all(EndReason::Shutdown),
                Woken::Ended(stream, reason) => self.end(stream, reason),
                Woken::Readable(ready) => {
                    ready.map_err(|source| ConnectionError::Io {
                        action: "reading",
                        source,
                    })?;
                    if self.read()?.is_break() {
                        return self.closed_by_peer();
                    }
                    // A socket that always has more must not keep the thread from the others.
                    tokio::task::consume_budget().await;
                }
                Woken::Deadline => self.handle(Input::Timeout),
            }
        }
    }

    /// Waits for what comes first. The timer is only set anew where the deadline comes earlier than it says, or it has
    /// fired: the deadline moves with each byte, and most of these moves need not be known.
    async fn wait(
        &self,
        mut timer: Pin<&mut Sleep>,
        deadline: Instant,
        shutdown: &CancellationToken,
    ) -> Woken {
        if timer.is_elapsed() || timer.deadline() > deadline.into() {
            timer.as_mut().reset(deadline.into());
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => Woken::Shutdown,
            (stream, reason) = first_ended(&self.publications) => Woken::Ended(stream, reason),
            ready = self.stream.readable() => Woken::Readable(ready),
            () = timer => Woken::Deadline,
        }
    }

    /// Carries out all that the session asks for; its next deadline, or `None` where the connection is to be closed.
    async fn drain(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Instant>, ConnectionError> {
        loop {
            match self.session.poll_output() {
                Output::Event(Event::Frame(stream, frame)) => self.frame(stream, frame),
                Output::Event(event) => {
                    tokio::select! {
                        biased;
                        () = self.act(event) => {}
                        // An authenticator may think for long.
                        () = shutdown.cancelled() => return Ok(None),
                    }
                }
                Output::Transmit(bytes) => self.write(&bytes).await?,
                Output::Timeout(deadline) => return Ok(Some(deadline)),
                Output::Close => return Ok(None),
            }
        }
    }

    async fn act(&mut self, event: Event) {
        match event {
            Event::Connect(connect) => {
                if let Some(handshake) = self.handshake.take() {
                    handshake.complete();
                }
                let app = connect.application();
                debug!(app, client = connect.flash_version, "connected");
                // The stream's name comes later; any valid one shows whether the application's is.
                let usable = match StreamKey::new(app.clone(), "-").validate() {
                    Ok(()) if !self.ctx.has_app(&app) => Err(StreamError::AppNotFound(app.into())),
                    valid => valid,
                };
                let result = match usable {
                    Ok(()) => self.session.accept_connect(now()),
                    Err(error) => {
                        let description = error.to_string();
                        self.failure = Some(ConnectionError::ConnectRefused(error));
                        self.session
                            .reject_connect(StatusCode::CONNECT_INVALID_APP, &description)
                    }
                };
                self.note(result);
            }
            Event::Publish(request) => self.publish(request).await,
            Event::Frame(stream, frame) => self.frame(stream, frame),
            Event::Notice(stream, notice) => {
                if let Some(publication) = self.publication(stream) {
                    warn!(stream = %publication.key(), "{notice}");
                }
            }
            Event::PublishEnded(stream, drops) => {
                let Some(publication) = self.take(stream) else {
                    return;
                };
                let key = publication.key().clone();
                info!(stream = %key, ?drops, "publishing ended");
                if let Err(error) = publication.finish().await {
                    warn!(stream = %key, %error, "a publish session could not be released");
                }
            }
        }
    }

    async fn publish(&mut self, request: PublishRequest) {
        let stream = request.stream;
        let target = request.target;
        let credentials = match target.token() {
            Some(token) => Credentials::token(token),
            None => Credentials::anonymous(),
        };
        let key = StreamKey::new(target.app, target.stream);
        let request = arcly_core::PublishRequest::new(key.clone())
            .credentials(credentials)
            .peer(self.peer)
            .protocol(NAME);
        let result = match self.ctx.open_publish_with(request).await {
            Ok(publication) => {
                info!(stream = %key, "publishing");
                self.publications.push((stream, publication));
                self.session.accept_publish(stream, now())
            }
            Err(source) => {
                let description = source.to_string();
                let code = refusal(&source);
                self.failure = Some(ConnectionError::PublishRefused { key, source });
                self.session.reject_publish(stream, code, &description)
            }
        };
        self.note(result);
    }

    fn frame(&mut self, stream: MessageStreamId, frame: MediaFrame) {
        let Some(publication) = self.publication(stream) else {
            return;
        };
        match publication.publish_frame(frame) {
            Ok(_subscribers) => {}
            Err(StreamError::SessionEnded { reason, .. }) => self.end(stream, reason),
            // Refused for its size or the like; the engine has told its observers.
            Err(error) => debug!(%error, "frame refused"),
        }
    }

    /// Tells the peer that the host has ended a publication.
    fn end(&mut self, stream: MessageStreamId, reason: EndReason) {
        if self.take(stream).is_some() {
            if reason != EndReason::Shutdown {
                self.failure = Some(ConnectionError::Ended(reason));
            }
            self.session
                .end_publish(stream, end(reason), &reason.to_string());
        }
    }

    fn end_all(&mut self, reason: EndReason) {
        while let Some(&(stream, _)) = self.publications.first() {
            self.end(stream, reason);
        }
    }

    /// Reads what is there, once; breaks at the end of the input.
    fn read(&mut self) -> Result<ControlFlow<()>, ConnectionError> {
        READ_BUFFER.with_borrow_mut(|buffer| match self.stream.try_read(buffer) {
            Ok(0) => Ok(ControlFlow::Break(())),
            Ok(length) => {
                self.heard = true;
                self.handle(Input::Receive(buffer.get(..length).unwrap_or_default()));
                Ok(ControlFlow::Continue(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok(ControlFlow::Continue(()))
            }
            Err(source) => Err(ConnectionError::Io {
                action: "reading",
                source,
            }),
        })
    }

    fn handle(&mut self, input: Input<'_>) {
        let result = self.session.handle_input(input, now());
        self.note(result);
    }

    /// Keeps the first failure; the session says when to close.
    fn note(&mut self, result: crate::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error.into());
        }
    }

    async fn write(&mut self, bytes: &Bytes) -> Result<(), ConnectionError> {
        match timeout(self.write_timeout, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            // A peer that has said goodbye does not wait for the reply; that is no failure.
            Ok(Err(_)) if self.publications.is_empty() && self.failure.is_none() => Ok(()),
            Ok(Err(source)) => {
                let failure = ConnectionError::Io {
                    action: "writing",
                    source,
                };
                Err(self.failure.take().unwrap_or(failure))
            }
            Err(_) => Err(self
                .failure
                .take()
                .unwrap_or(ConnectionError::WriteTimeout(self.write_timeout))),
        }
    }

    fn closed_by_peer(&mut self) -> Result<(), ConnectionError> {
        for (_, publication) in self.publications.drain(..) {
            info!(stream = %publication.key(), "the publisher closed its connection");
        }
        if self.heard && self.handshake.is_some() {
            return Err(ConnectionError::ClosedInHandshake);
        }
        Ok(())
    }

    /// Closes after the last words.
    async fn close(&mut self) -> Result<(), ConnectionError> {
        self.publications.clear();
        let result = self.failure.take().map_or(Ok(()), Err);
        if self.session.connect().is_some() && self.stream.shutdown().await.is_ok() {
            let discard = async {
                while self.stream.readable().await.is_ok() {
                    let read = READ_BUFFER.with_borrow_mut(|buffer| self.stream.try_read(buffer));
                    match read {
                        Ok(0) => break,
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => break,
                    }
                }
            };
            // Whether or not the peer hung up in time, it had its chance.
            let _ = timeout(LINGER, discard).await;
        }
        result
    }

    fn publication(&self, stream: MessageStreamId) -> Option<&PublishSession> {
        self.publications
            .iter()
            .find(|(id, _)| *id == stream)
            .map(|(_, publication)| publication)
    }

    fn take(&mut self, stream: MessageStreamId) -> Option<PublishSession> {
        let index = self.publications.iter().position(|(id, _)| *id == stream)?;
        Some(self.publications.swap_remove(index).1)
    }
}

/// Waits for the first publication that the host ends.
async fn first_ended(
    publications: &[(MessageStreamId, PublishSession)],
) -> (MessageStreamId, EndReason) {
    match publications {
        [] => pending().await,
        [(stream, publication)] => (*stream, publication.ended().await),
        several => {
            let mut ended: Vec<_> = several
                .iter()
                .map(|(stream, publication)| {
                    Box::pin(async move { (*stream, publication.ended().await) })
                })
                .collect();
            poll_fn(|context| {
                let ready = ended
                    .iter_mut()
                    .find_map(|ended| match ended.as_mut().poll(context) {
                        Poll::Ready(ended) => Some(ended),
                        Poll::Pending => None,
                    });
                ready.map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }
    }
}

/// Tokio's clock, which tests can hold.
#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where time comes from"
)]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
