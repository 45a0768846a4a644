//! One connection and its session. Its socket, what it publishes and what it plays are in files of their own.

use super::NAME;
use super::access::PasswordLookup;
use super::batch::Batch;
use super::feed::Feed;
use super::outcome::ConnectionError;
use super::player::{PlayEnd, Player, Wire};
use super::playing::Play;
use super::publishing::Publication;
use super::udp::{Datagram, INBOX, Link, UdpMedia};
use crate::Config;
use crate::proto::session::{
    Access, ConnectionSetup, Event, Input, Output, Refusal, ServerSession,
};
use arcly_core::mux::DemuxerFactory;
use arcly_core::net::fan_out::Flushers;
#[cfg(feature = "tls")]
use arcly_core::net::tls::TlsConfig;
use arcly_core::net::{Rate, now};
use arcly_core::rtp::RtpVariant;
use arcly_core::{
    EndReason, EventKind, Handshake, IngestContext, TcpConnection, TrackId, Transport,
};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};
use tracing::{debug, info};

/// How many bytes of replies may wait for a peer that does not take them; it is not read meanwhile.
const MAX_REPLY_BYTES: usize = 64 << 10;
/// How many datagrams are taken before other tasks get their turn.
const DATAGRAMS: usize = 64;

/// What all connections of a server have in common.
pub(super) struct Shared {
    pub(super) ctx: IngestContext,
    pub(super) config: Arc<Config>,
    pub(super) flushers: Flushers<RtpVariant, Player>,
    pub(super) udp: UdpMedia,
    pub(super) passwords: Option<Arc<dyn PasswordLookup>>,
    pub(super) demuxers: Option<Arc<dyn DemuxerFactory>>,
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
    )?);
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
    let stream = accepted.inspect_err(|error| refused(&shared.ctx, peer, "tls", error))?;
    let mut connection = Box::new(Connection::new(stream, peer, handshake, shared)?);
    connection.serve(&shutdown).await
}

fn refused(ctx: &IngestContext, peer: SocketAddr, cause: &'static str, error: &impl ToString) {
    let (protocol, reason) = (NAME.to_owned(), error.to_string());
    ctx.emit(EventKind::ConnectionRefused {
        protocol,
        peer,
        cause,
        reason,
    });
}

pub(super) struct Connection {
    pub(super) session: ServerSession,
    pub(super) wire: Arc<Wire>,
    pub(super) peer: SocketAddr,
    local: Option<SocketAddr>,
    pub(super) ctx: IngestContext,
    pub(super) config: Arc<Config>,
    pub(super) shared: Arc<Shared>,
    /// Taken once the peer has sent a request.
    handshake: Option<Handshake>,
    pub(super) publication: Option<Publication>,
    pub(super) play: Option<Play>,
    /// What is played once the response to PLAY is out.
    pub(super) starting: Option<Feed>,
    /// The tracks that go by UDP.
    pub(super) links: Vec<Link>,
    pub(super) inbox: (mpsc::Sender<Datagram>, mpsc::Receiver<Datagram>),
    /// How many packets a player has said to miss of each track.
    pub(super) reported_lost: HashMap<TrackId, u64>,
    /// Who we are in RTCP to a publisher.
    pub(super) ssrc: u32,
    ingest: Rate,
    /// When the peer is read again, who sends more than it may.
    read_again: Option<Instant>,
    /// When the connection is closed on a player whose stream has ended, and who has not hung up by then.
    pub(super) farewell: Option<Instant>,
    /// Why the connection will be closed.
    pub(super) failure: Option<ConnectionError>,
}

/// What the connection waited for.
enum Woken {
    Shutdown,
    PublicationEnded(EndReason),
    KeyframeWanted,
    PlayEnded(PlayEnd),
    WriteFailed(io::Error),
    Datagrams(Vec<Datagram>),
    Read(io::Result<ControlFlow<()>>),
    Deadline,
}

impl Connection {
    fn new(
        stream: Transport,
        peer: SocketAddr,
        handshake: Handshake,
        shared: Arc<Shared>,
    ) -> Result<Self, ConnectionError> {
        let config = Arc::clone(&shared.config);
        let mut random = [0; 36];
        getrandom::fill(&mut random).map_err(ConnectionError::Random)?;
        let [s0, s1, s2, s3, seed @ ..] = random;
        let mut setup = ConnectionSetup::new(seed);
        setup.tls = stream.is_tls();
        setup.udp = !shared.udp.is_off();
        setup.digest = shared.passwords.is_some();
        Ok(Self {
            session: ServerSession::new(&config, setup, now()),
            local: stream.tcp().local_addr().ok(),
            wire: Wire::new(stream, Player::new(Arc::clone(&config))),
            peer: SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            ctx: shared.ctx.clone(),
            shared,
            handshake: Some(handshake),
            publication: None,
            play: None,
            starting: None,
            links: Vec::new(),
            inbox: mpsc::channel(INBOX),
            reported_lost: HashMap::new(),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            ingest: Rate::bytes(config.limits.bytes_per_second, now()),
            read_again: None,
            farewell: None,
            failure: None,
            config,
        })
    }

    /// Our address, as the peer knows it.
    pub(super) fn local_ip(&self) -> String {
        let local = self.local.map(|local| local.ip().to_canonical());
        local.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string())
    }

    async fn serve(&mut self, shutdown: &CancellationToken) -> Result<(), ConnectionError> {
        let result = self.run(shutdown).await;
        self.unpublish().await;
        self.wire.lock().media().stop();
        if let Err(ConnectionError::Session(error)) = &result {
            refused(&self.ctx, self.peer, "protocol", error);
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
                Woken::Shutdown => {
                    stopping = true;
                    self.publication_ended(EndReason::Shutdown);
                    if self.play.is_some() {
                        self.play_ended(PlayEnd::Unpublished);
                    }
                    self.session.close();
                }
                Woken::PublicationEnded(reason) => self.publication_ended(reason),
                Woken::KeyframeWanted => self.ask_for_keyframe(None),
                Woken::PlayEnded(end) => self.play_ended(end),
                Woken::WriteFailed(source) => return self.write_failed(source),
                Woken::Datagrams(datagrams) => self.datagrams(datagrams),
                Woken::Read(Ok(ControlFlow::Continue(()))) => {}
                Woken::Read(Ok(ControlFlow::Break(()))) => return self.closed_by_peer(),
                Woken::Read(Err(source)) => return self.read_failed(source),
                Woken::Deadline => self.deadline_passed()?,
            }
        }
    }

    /// Waits for what comes first; media is sent meanwhile.
    fn poll_woken(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Sleep>,
        deadline: Instant,
        stop: &mut Option<Pin<&mut WaitForCancellationFuture<'_>>>,
    ) -> Poll<Woken> {
        if let Some(stop) = stop
            && stop.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Woken::Shutdown);
        }
        if let Some(publication) = &mut self.publication {
            if let Poll::Ready(reason) = publication.poll_ended(cx) {
                return Poll::Ready(Woken::PublicationEnded(reason));
            }
            if publication.poll_keyframe_wanted(cx).is_ready() {
                return Poll::Ready(Woken::KeyframeWanted);
            }
        }
        if let Some(play) = &mut self.play
            && play.poll_ended(cx).is_ready()
        {
            return Poll::Ready(Woken::PlayEnded(PlayEnd::ByHost));
        }
        let sent = Batch::with_own(|batch| self.wire.lock().poll_send(cx, batch));
        if let Poll::Ready(woken) = sent {
            return Poll::Ready(match woken {
                Ok(end) => Woken::PlayEnded(end),
                Err(error) => Woken::WriteFailed(error),
            });
        }
        let mut datagrams = Vec::new();
        if let Poll::Ready(count) = self.inbox.1.poll_recv_many(cx, &mut datagrams, DATAGRAMS)
            && count > 0
        {
            return Poll::Ready(Woken::Datagrams(datagrams));
        }
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

    fn may_read(&mut self) -> bool {
        if self.read_again.is_some_and(|again| again > now()) {
            return false;
        }
        self.read_again = None;
        self.session.wants_input() && self.wire.lock().replies() < MAX_REPLY_BYTES
    }

    /// Reads what is there, once; breaks at the end of the input.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ControlFlow<()>>> {
        let read = self.wire.poll_read(cx, |bytes| {
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

    /// Takes what came by UDP.
    fn datagrams(&mut self, datagrams: Vec<Datagram>) {
        for datagram in datagrams {
            let now = now();
            let media = !datagram.rtcp;
            let result = self.session.handle_input(Input::Alive { media }, now);
            self.note(result);
            // Beyond the rate it is dropped, as the network would.
            if self
                .ingest
                .charge(datagram.data.len() as u64, now)
                .is_zero()
            {
                self.packet(datagram);
            }
        }
    }

    /// The next time at which something is to be done, though nothing comes.
    fn deadline(&self, session: Instant) -> Instant {
        let limit = self.config.limits.write_timeout;
        let (stuck, again) = {
            let line = self.wire.lock();
            (line.stuck_at(limit), line.again())
        };
        let publication = self.publication.as_ref().and_then(Publication::deadline);
        let others = [stuck, again, publication, self.read_again, self.farewell];
        others.into_iter().flatten().fold(session, Instant::min)
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
        if self.farewell.is_some_and(|farewell| farewell <= now) {
            self.session.close();
        }
        self.publication_due();
        let result = self.session.handle_input(Input::Timeout, now);
        self.note(result);
        Ok(())
    }

    /// Carries out all that the session asks for; its next deadline, or `None` where the connection is to be closed.
    async fn drain(
        &mut self,
        shutdown: &CancellationToken,
    ) -> Result<Option<Instant>, ConnectionError> {
        loop {
            match self.session.poll_output(now()) {
                Output::Event(Event::Packet {
                    index, rtcp, data, ..
                }) => {
                    self.packet(Datagram { index, rtcp, data });
                    // One read can bring thousands.
                    tokio::task::consume_budget().await;
                }
                // Boxed, as it is rare: a player's task need not have room for it.
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
                Output::Timeout(deadline) => {
                    self.begin_play();
                    return Ok(Some(deadline));
                }
                Output::Close => return Ok(None),
            }
        }
    }

    async fn act(&mut self, event: Event) {
        if let Some(handshake) = self.handshake.take() {
            handshake.complete();
        }
        match event {
            Event::Open(access) => self.open(&access).await,
            Event::Publish(access, description) => self.publish(&access, &description).await,
            Event::Udp(client) => {
                let index = self.session.setups().len();
                let inbox = self.inbox.0.clone();
                let link = self.shared.udp.link(self.peer.ip(), client, index, inbox);
                let ports = link.as_ref().map(|link| link.endpoint().ports());
                self.links.extend(link);
                let result = self.session.accept_udp(ports, now());
                self.note(result);
            }
            Event::Play(range) => self.start_play(range.as_ref()).await,
            Event::Pause => self.pause_play(),
            Event::Record => self.record(),
            Event::PauseRecord => self.pause_record(),
            Event::Packet {
                index, rtcp, data, ..
            } => self.packet(Datagram { index, rtcp, data }),
            Event::Ended => self.ended().await,
        }
    }

    /// The session is over; the connection may go on.
    async fn ended(&mut self) {
        if let Some(play) = self.play.take() {
            info!(stream = %play.handle().key(), "the player stopped");
        }
        self.starting = None;
        if self.wire.lock().media().stop().is_none() && self.farewell.is_some() {
            // It heard the goodbye and says the same.
            self.session.close();
        }
        self.unpublish().await;
        self.links.clear();
        self.reported_lost.clear();
    }

    /// Somebody was refused: once for the log, not each first request without credentials.
    pub(super) fn refused(&mut self, access: &Access, refusal: &Refusal) {
        let (key, reason) = (&access.key, &refusal.reason);
        debug!(stream = %key, method = %access.method, peer = %self.peer, reason, "refused");
        if !refusal.challenges || access.authorization.is_some() {
            self.failure.get_or_insert(ConnectionError::Refused {
                method: access.method.to_string(),
                key: key.clone(),
                reason: reason.clone(),
            });
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
        if self.publication.is_none() {
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
        if gone && self.publication.is_none() {
            return self.closed_by_peer();
        }
        Err(ConnectionError::Io {
            action: "reading",
            source,
        })
    }

    fn closed_by_peer(&mut self) -> Result<(), ConnectionError> {
        self.gone();
        self.failure.take().map_or(Ok(()), Err)
    }

    fn gone(&self) {
        if let Some(publication) = &self.publication {
            info!(stream = %publication.key(), "the publisher closed its connection");
        }
        if let Some(play) = &self.play {
            info!(stream = %play.handle().key(), "the player closed its connection");
        }
    }

    /// Closes after the last words.
    async fn close(&mut self) -> Result<(), ConnectionError> {
        self.unpublish().await;
        self.play = None;
        let result = self.failure.take().map_or(Ok(()), Err);
        if self.session.is_greeted() {
            self.wire.say_goodbye().await;
        }
        result
    }
}

/// The time of day, for how old a stream is.
#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where time comes from"
)]
pub(super) fn wall_now() -> SystemTime {
    SystemTime::now()
}
