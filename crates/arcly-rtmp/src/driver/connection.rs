//! One connection and its session. Its socket, what it publishes and what it plays are in files of their own.

use super::NAME;
use super::feeds::{Feeds, Wire};
use super::outcome::ConnectionError;
use super::pace::Pacer;
use super::playing::{Play, PlayWoken};
use super::publishing::Publication;
use super::rare::Rare;
use crate::Config;
use crate::egress::FlvVariant;
use crate::proto::session::{Event, Input, MessageStreamId, Output, PlayEnd, ServerSession};
use crate::proto::status::StatusCode;
use arcly_core::net::fan_out::{Flushers, Joined};
#[cfg(feature = "tls")]
use arcly_core::net::tls::TlsConfig;
use arcly_core::net::{Rate, now};
use arcly_core::{
    EndReason, EventKind, Handshake, IngestContext, StreamError, StreamKey, TcpConnection,
    Transport,
};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::{debug, info, warn};

/// How many bytes of replies may wait for a peer that does not take them; it is not read meanwhile.
const MAX_REPLY_BYTES: usize = 64 << 10;

/// What all connections of a server have in common.
pub(super) struct Shared {
    pub(super) ctx: IngestContext,
    pub(super) config: Arc<Config>,
    pub(super) pacer: Arc<Pacer>,
    pub(super) flushers: Flushers<FlvVariant, Feeds>,
}

/// Serves one connection to its end.
pub(super) async fn serve(
    connection: TcpConnection,
    shared: Arc<Shared>,
) -> Result<(), ConnectionError> {
    let TcpConnection {
        stream,
        peer,
        handshake,
        shutdown,
        ..
    } = connection;
    // Boxed, like what else is large: the accept loop wraps this future more than once, with room for it each time.
    let mut connection = Box::new(Connection::new(
        Transport::plain(stream),
        peer,
        handshake,
        shared,
    ));
    connection.serve(&shutdown).await
}

/// Serves one connection to its end, once its TLS handshake is through.
#[cfg(feature = "tls")]
pub(super) async fn serve_tls(
    connection: TcpConnection,
    tls: TlsConfig,
    shared: Arc<Shared>,
) -> Result<(), ConnectionError> {
    let TcpConnection {
        stream,
        peer,
        handshake,
        shutdown,
        ..
    } = connection;
    // Boxed, as it is over soon: the task need not have room for it ever after.
    let accept = Box::pin(tls.accept(stream));
    let accepted = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        accepted = accept => accepted,
    };
    let stream = accepted.inspect_err(|error| refused(&shared.ctx, peer, error))?;
    let mut connection = Box::new(Connection::new(stream, peer, handshake, shared));
    connection.serve(&shutdown).await
}

fn refused(ctx: &IngestContext, peer: SocketAddr, error: &impl ToString) {
    let (protocol, reason) = (NAME.to_owned(), error.to_string());
    ctx.emit(EventKind::ConnectionRefused {
        protocol,
        peer,
        cause: "tls",
        reason,
    });
}

pub(super) struct Connection {
    pub(super) session: ServerSession,
    pub(super) wire: Arc<Wire>,
    pub(super) peer: SocketAddr,
    pub(super) ctx: IngestContext,
    pub(super) config: Arc<Config>,
    pub(super) shared: Arc<Shared>,
    /// Taken once the peer has sent `connect`.
    handshake: Option<Handshake>,
    /// Whether a byte came.
    heard: bool,
    pub(super) publications: Vec<Publication>,
    pub(super) plays: Vec<Play>,
    ingest: Rate,
    /// When the peer is read again, who sends more than it may.
    read_again: Option<Instant>,
    /// Watches for the end of the server, of publications and of plays.
    pub(super) rare: Rare,
    /// Why the connection will be closed.
    pub(super) failure: Option<ConnectionError>,
}

/// What the connection waited for.
enum Woken {
    Shutdown,
    PublicationEnded(MessageStreamId, EndReason),
    Play(usize, PlayWoken),
    PlayEnded(MessageStreamId, PlayEnd),
    WriteFailed(io::Error),
    Read(io::Result<ControlFlow<()>>),
    Deadline,
}

impl Connection {
    fn new(stream: Transport, peer: SocketAddr, handshake: Handshake, shared: Arc<Shared>) -> Self {
        let config = Arc::clone(&shared.config);
        Self {
            session: ServerSession::new(Arc::clone(&config), now()),
            wire: Wire::new(stream, Feeds::new(Arc::clone(&config))),
            peer,
            ctx: shared.ctx.clone(),
            shared,
            handshake: Some(handshake),
            heard: false,
            publications: Vec::new(),
            plays: Vec::new(),
            ingest: Rate::bytes(config.limits.bytes_per_second, now()),
            read_again: None,
            rare: Rare::new(),
            config,
            failure: None,
        }
    }

    async fn serve(&mut self, shutdown: &CancellationToken) -> Result<(), ConnectionError> {
        let result = self.run(shutdown).await;
        if let Err(ConnectionError::Session(error)) = &result {
            refused(&self.ctx, self.peer, error);
        }
        result
    }

    async fn run(&mut self, shutdown: &CancellationToken) -> Result<(), ConnectionError> {
        let mut timer = pin!(sleep_until(now().into()));
        let mut stop = pin!(shutdown.cancelled());
        let mut stopping = false;
        loop {
            let Some(deadline) = self.drain(shutdown).await? else {
                return Box::pin(self.close()).await;
            };
            let mut stop = (!stopping).then_some(stop.as_mut());
            let woken =
                poll_fn(|cx| self.poll_woken(cx, timer.as_mut(), deadline, &mut stop)).await;
            match woken {
                Woken::Shutdown if self.publications.is_empty() && self.plays.is_empty() => {
                    return Ok(());
                }
                Woken::Shutdown => {
                    stopping = true;
                    self.end_all_publications(EndReason::Shutdown);
                    self.end_all_plays();
                }
                Woken::PublicationEnded(stream, reason) => self.end_publication(stream, reason),
                Woken::Play(index, woken) => self.play_woken(index, woken),
                Woken::PlayEnded(stream, end) => self.play_ended(stream, end),
                Woken::WriteFailed(source) => return self.write_failed(source),
                Woken::Read(Ok(ControlFlow::Continue(()))) => {}
                Woken::Read(Ok(ControlFlow::Break(()))) => return self.closed_by_peer(),
                Woken::Read(Err(source)) => return self.read_failed(source),
                Woken::Deadline => self.deadline_passed()?,
            }
        }
    }

    /// Waits for what comes first; media is sent meanwhile. The timer is only set anew where the deadline comes earlier
    /// than it says, or it has fired: the deadline moves with each byte, and most of these moves need not be known.
    fn poll_woken(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        deadline: Instant,
        stop: &mut Option<Pin<&mut WaitForCancellationFuture<'_>>>,
    ) -> Poll<Woken> {
        if let Some(waker) = self.rare.poll(cx) {
            let rare = self.poll_rare(&mut Context::from_waker(&waker), stop);
            if rare.is_ready() {
                self.rare.raise();
                return rare;
            }
        }
        let mut line = self.wire.lock();
        // Alone, it has nothing to make ready for others.
        if let Poll::Ready(woken) = line.poll_send(cx, &mut Joined::default()) {
            return Poll::Ready(match woken {
                Ok((stream, end)) => Woken::PlayEnded(stream, end),
                Err(error) => Woken::WriteFailed(error),
            });
        }
        self.session.sent(line.media().take_sent());
        drop(line);
        if self.may_read()
            && let Poll::Ready(read) = self.poll_read(cx)
        {
            return Poll::Ready(Woken::Read(read));
        }
        // Only now: a flusher may have found the socket full since the last look.
        let deadline = self.deadline(deadline);
        if timer.is_elapsed() || timer.deadline() > deadline.into() {
            timer.as_mut().reset(deadline.into());
        }
        timer.poll(cx).map(|()| Woken::Deadline)
    }

    /// What ends the connection or something on it from outside.
    fn poll_rare(
        &mut self,
        cx: &mut Context<'_>,
        stop: &mut Option<Pin<&mut WaitForCancellationFuture<'_>>>,
    ) -> Poll<Woken> {
        if let Some(stop) = stop
            && stop.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Woken::Shutdown);
        }
        for publication in &mut self.publications {
            if let Poll::Ready(reason) = publication.poll_ended(cx) {
                let ended = Woken::PublicationEnded(publication.stream, reason);
                return Poll::Ready(ended);
            }
        }
        for (index, play) in self.plays.iter_mut().enumerate() {
            if let Poll::Ready(woken) = play.poll_rare(cx) {
                return Poll::Ready(Woken::Play(index, woken));
            }
        }
        Poll::Pending
    }

    fn may_read(&mut self) -> bool {
        if self.read_again.is_some_and(|again| again > now()) {
            return false;
        }
        self.read_again = None;
        self.wire.lock().replies() < MAX_REPLY_BYTES
    }

    /// Reads what is there, once; breaks at the end of the input.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ControlFlow<()>>> {
        let read = self.wire.poll_read(cx, |bytes| {
            self.heard = true;
            let now = now();
            let wait = self.ingest.charge(bytes.len() as u64, now);
            self.read_again = (!wait.is_zero()).then(|| now + wait);
            self.session.handle_input(Input::Receive(bytes), now)
        });
        Poll::Ready(match ready!(read)? {
            Some(result) => {
                self.note(result);
                Ok(ControlFlow::Continue(()))
            }
            None => Ok(ControlFlow::Break(())),
        })
    }

    /// The next time at which something is to be done, though nothing comes.
    fn deadline(&self, session: Instant) -> Instant {
        let limit = self.config.limits.write_timeout;
        let stuck = self.wire.lock().stuck_at(limit);
        let others = stuck.into_iter().chain(self.read_again);
        others.fold(session, Instant::min)
    }

    fn deadline_passed(&mut self) -> Result<(), ConnectionError> {
        let now = now();
        let limit = self.config.limits.write_timeout;
        let stuck_at = self.wire.lock().stuck_at(limit);
        if stuck_at.is_some_and(|at| at <= now) {
            self.wire.lock().media().stuck();
            let failure = self.failure.take();
            return Err(failure.unwrap_or(ConnectionError::WriteTimeout(limit)));
        }
        let result = self.session.handle_input(Input::Timeout, now);
        self.note(result);
        self.end_vain_plays();
        Ok(())
    }

    /// Carries out all that the session asks for; its next deadline, or `None` where the connection is to be closed.
    async fn drain(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Instant>, ConnectionError> {
        loop {
            match self.session.poll_output() {
                Output::Event(Event::Frame(stream, frame)) => {
                    self.frame(stream, frame);
                    // One read can bring thousands.
                    tokio::task::consume_budget().await;
                }
                // Boxed, as it is rare: a viewer's task need not have room for it.
                Output::Event(event) => {
                    let act = Box::pin(self.act(event));
                    tokio::select! {
                        biased;
                        () = act => {}
                        // An authenticator may think for long.
                        () = shutdown.cancelled() => return Ok(None),
                    }
                }
                Output::Transmit(bytes) => self.wire.lock().push_reply(bytes),
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
            Event::PublishEnded(stream, drops) => self.unpublished(stream, drops).await,
            Event::Play(request) => self.play(*request),
            Event::PlayControl(stream, control) => self.control_play(stream, control),
            Event::PlayEnded(stream) => self.stopped(stream),
        }
    }

    /// Keeps the first failure; the session says when to close.
    pub(super) fn note(&mut self, result: crate::Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error.into());
        }
    }

    /// A peer that has said goodbye does not wait for the reply, and a player just goes: neither is a failure.
    fn write_failed(&mut self, source: io::Error) -> Result<(), ConnectionError> {
        let failure = self.failure.take();
        if self.publications.is_empty() {
            self.gone();
            return failure.map_or(Ok(()), Err);
        }
        Err(failure.unwrap_or(ConnectionError::Io {
            action: "writing",
            source,
        }))
    }

    fn read_failed(&mut self, source: io::Error) -> Result<(), ConnectionError> {
        // A player just goes, and with TLS not always with the words for it.
        let gone = matches!(
            source.kind(),
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
        );
        if gone && !self.plays.is_empty() {
            return self.closed_by_peer();
        }
        Err(ConnectionError::Io {
            action: "reading",
            source,
        })
    }

    fn closed_by_peer(&mut self) -> Result<(), ConnectionError> {
        self.gone();
        if self.heard && self.handshake.is_some() {
            return Err(ConnectionError::ClosedInHandshake);
        }
        Ok(())
    }

    fn gone(&mut self) {
        for publication in self.publications.drain(..) {
            info!(stream = %publication.session.key(), "the publisher closed its connection");
        }
        for play in self.plays.drain(..) {
            info!(stream = %play.key(), "the player closed its connection");
        }
    }

    /// Closes after the last words.
    async fn close(&mut self) -> Result<(), ConnectionError> {
        self.publications.clear();
        self.plays.clear();
        let result = self.failure.take().map_or(Ok(()), Err);
        if self.session.connect().is_some() {
            self.wire.say_goodbye().await;
        }
        result
    }
}
