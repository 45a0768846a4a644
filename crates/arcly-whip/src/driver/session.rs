//! One peer: its transport, and what it publishes or watches.

use super::{Evidence, Ports, Publishing, Router, Watching, now};
use crate::statistics::{Measured, Meter, SessionState};
use crate::transport::demux::PacketKind;
use crate::transport::{
    CloseReason, IceCredentials, PeerTransport, Route, SrtpProfile, Transmit, TransportError,
    TransportEvent,
};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// How many ways are known to lead to one session; the oldest is forgotten for one more. ICE restarts bring new ones, without end.
const MAX_ROUTES: usize = 128;

/// How often a session tells how it fares.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);

/// What a session is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// A datagram has come.
    Datagram { route: Route, data: BytesMut },
    /// Candidates of the peer have come.
    Candidates {
        candidates: Vec<String>,
        reply: oneshot::Sender<()>,
    },
    /// The peer restarts ICE; our new credentials are the reply.
    Restart {
        remote: IceCredentials,
        candidates: Vec<String>,
        reply: oneshot::Sender<Result<IceCredentials, TransportError>>,
    },
    /// The peer has asked for the end.
    Close,
}

/// What a peer does.
pub(crate) enum Media {
    Publishing(Box<Publishing>),
    Watching(Box<Watching>),
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The peer asked for it.
    Deleted,
    /// Its transport closed.
    Transport(CloseReason),
    /// The stream ended, or the host ended the session.
    Stream(&'static str),
    /// The server winds down.
    Shutdown,
}

/// A peer's task.
pub(crate) struct Session {
    pub(crate) transport: Box<dyn PeerTransport>,
    pub(crate) media: Media,
    pub(crate) inbox: mpsc::Receiver<Command>,
    /// What others know the inbox by.
    pub(crate) address: mpsc::WeakSender<Command>,
    pub(crate) ports: Arc<Ports>,
    pub(crate) router: Arc<Router>,
    /// The ways that the router has for it, the oldest first.
    pub(crate) routes: VecDeque<Route>,
    /// Where it tells how it fares.
    pub(crate) meter: Arc<Meter>,
    pub(crate) measured: Instant,
    pub(crate) next_measure: Instant,
    pub(crate) encryption: Option<SrtpProfile>,
    /// Told once media can go.
    pub(crate) connected: Option<Box<dyn FnOnce() + Send>>,
}

impl Session {
    /// Runs until the peer, the stream or the server ends. The inbox is given back: who has asked for the end knows by its end that all is done.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) -> mpsc::Receiver<Command> {
        let end = self.serve(&shutdown).await;
        self.transport.close(now());
        self.transmit();
        match self.media {
            Media::Publishing(publishing) => {
                info!(?end, "publisher gone");
                publishing.finish().await;
            }
            Media::Watching(_) => info!(?end, "viewer gone"),
        }
        self.inbox
    }

    async fn serve(&mut self, shutdown: &CancellationToken) -> End {
        self.transmit();
        // These are waited for as long as the session lasts; made anew each time, they would cost as much as the media.
        let mut shut_down = pin!(shutdown.cancelled());
        let mut ended = self.media.ended();
        let mut alarm = Alarm::new();
        loop {
            let deadline = [self.transport.poll_timeout(), self.media.deadline()];
            let deadline = deadline.into_iter().flatten().min();
            tokio::select! {
                // Media first would starve what keeps the way open; it is bounded itself.
                biased;
                () = &mut shut_down => return End::Shutdown,
                () = &mut ended => return End::Stream("the host ended it"),
                command = self.inbox.recv() => match command {
                    Some(command) => {
                        if let Some(end) = self.handle(command) {
                            return end;
                        }
                        // Those that have come meanwhile, up to what the batch of the socket may have brought.
                        for _ in 0..32 {
                            let Ok(command) = self.inbox.try_recv() else { break };
                            if let Some(end) = self.handle(command) {
                                return end;
                            }
                        }
                    }
                    None => return End::Deleted,
                },
                ended = self.media.run(self.transport.as_mut(), &self.ports) => {
                    if let Some(reason) = ended {
                        return End::Stream(reason);
                    }
                }
                () = alarm.ring(deadline) => self.transport.handle_timeout(now()),
            }
            if let Some(end) = self.drive() {
                return end;
            }
        }
    }

    fn handle(&mut self, command: Command) -> Option<End> {
        match command {
            Command::Datagram { route, data } => self.handle_datagram(route, data),
            Command::Candidates { candidates, reply } => {
                self.add_candidates(&candidates);
                let _ = reply.send(());
            }
            Command::Restart {
                remote,
                candidates,
                reply,
            } => {
                let before = self.transport.local_credentials();
                let restarted = self.transport.restart_ice(now(), &remote).map(|()| {
                    let ours = self.transport.local_credentials();
                    if let Some(address) = self.address.upgrade() {
                        self.router
                            .rename(&before.ufrag, ours.ufrag.clone(), address);
                    }
                    self.add_candidates(&candidates);
                    ours
                });
                let _ = reply.send(restarted);
            }
            Command::Close => return Some(End::Deleted),
        }
        None
    }

    /// One that cannot be read, or cannot be reached, does not spoil the others.
    fn add_candidates(&mut self, candidates: &[String]) {
        for candidate in candidates {
            if let Err(error) = self.transport.add_remote_candidate(candidate) {
                debug!(%error, "a candidate is left out");
            }
        }
    }

    fn handle_datagram(&mut self, route: Route, data: BytesMut) {
        let is_check = PacketKind::of(&data) == Some(PacketKind::Stun);
        let dropped = self.transport.dropped();
        self.transport.handle_datagram(now(), route, data);
        // A check that was accepted proves that the peer is there.
        if is_check && self.transport.dropped() == dropped {
            self.learn(route, Evidence::Proven);
        }
    }

    fn learn(&mut self, route: Route, evidence: Evidence) {
        let Some(address) = self.address.upgrade() else {
            return;
        };
        if !self.router.learn(route, &address, evidence) || self.routes.contains(&route) {
            return;
        }
        self.routes.push_back(route);
        if self.routes.len() > MAX_ROUTES
            && let Some(oldest) = self.routes.pop_front()
        {
            self.router.forget(oldest, &address);
        }
    }

    /// Passes on what the transport and the media have for each other and for the network.
    fn drive(&mut self) -> Option<End> {
        // The end of the handshake goes before the first media, which the peer could not decrypt otherwise.
        self.transmit();
        let mut end = None;
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Connected { profile } => {
                    debug!(%profile, "connected");
                    self.encryption = Some(profile);
                    self.next_measure = now();
                    if let Some(connected) = self.connected.take() {
                        connected();
                    }
                    self.media.connected();
                }
                TransportEvent::Rtp(packet) => self.media.handle_rtp(packet),
                TransportEvent::Rtcp(packet) => self.media.handle_rtcp(&packet),
                TransportEvent::Closed(reason) => end = Some(End::Transport(reason)),
            }
        }
        if let Err(reason) = self.media.drive(self.transport.as_mut(), &self.ports) {
            end = end.or(Some(End::Stream(reason)));
        }
        self.transmit();
        self.measure(now());
        end
    }

    /// Tells how it fares, once a second; media has something to drive as often.
    fn measure(&mut self, now: Instant) {
        if now < self.next_measure {
            return;
        }
        let since = now.saturating_duration_since(self.measured);
        self.measured = now;
        self.next_measure = now + MEASURE_INTERVAL;
        let route = self.transport.route();
        let (tracks, reported, bandwidth) = match &self.media {
            Media::Publishing(publishing) => (publishing.track_reports(), None, None),
            Media::Watching(watching) => (
                watching.track_reports(),
                watching.round_trip(),
                watching.bandwidth(),
            ),
        };
        let measured = Measured {
            state: match (route, self.encryption) {
                (_, Some(_)) => SessionState::Connected,
                (Some(_), None) => SessionState::Handshaking,
                (None, None) => SessionState::Checking,
            },
            route,
            encryption: self.encryption,
            round_trip: reported.or_else(|| self.transport.round_trip(now)),
            bandwidth,
            dropped: self.transport.dropped(),
            tracks,
        };
        self.meter.note(measured, since);
    }

    fn transmit(&mut self) {
        while let Some(Transmit { route, data }) = self.transport.poll_transmit() {
            // Answers to our checks name nobody: they are known by the way.
            if PacketKind::of(&data) == Some(PacketKind::Stun) {
                self.learn(route, Evidence::Claimed);
            }
            // What does not go out now is asked for or sent again.
            let _ = self.ports.send(route, data.len(), &data);
        }
    }
}

impl Media {
    fn connected(&mut self) {
        match self {
            Self::Publishing(publishing) => publishing.connected(),
            Self::Watching(watching) => watching.connected(now()),
        }
    }

    fn handle_rtp(&mut self, packet: bytes::Bytes) {
        if let Self::Publishing(publishing) = self {
            publishing.handle_rtp(packet, now());
        }
    }

    fn handle_rtcp(&mut self, packet: &[u8]) {
        match self {
            Self::Publishing(publishing) => publishing.handle_rtcp(packet, now()),
            Self::Watching(watching) => watching.handle_rtcp(packet, now()),
        }
    }

    /// Waits until the host ends it.
    fn ended(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self {
            // Told as it publishes.
            Self::Publishing(_) => Box::pin(pending()),
            Self::Watching(watching) => Box::pin(watching.ended()),
        }
    }

    /// Goes on until there is something for the session to do; `Some` where it is the end. Cancel-safe.
    async fn run(
        &mut self,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
    ) -> Option<&'static str> {
        match self {
            Self::Publishing(publishing) => publishing.ready().await,
            Self::Watching(watching) => watching.run(transport, ports).await,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Publishing(publishing) => publishing.deadline(),
            Self::Watching(watching) => watching.deadline(),
        }
    }

    fn drive(
        &mut self,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
    ) -> Result<(), &'static str> {
        match self {
            Self::Publishing(publishing) => publishing.drive(transport, ports, now()),
            Self::Watching(watching) => watching.drive(transport, ports, now()),
        }
    }
}

/// A timer that is moved as seldom as can be: deadlines mostly get later, and one that rings too early is set again then.
struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    fn new() -> Self {
        Self(Box::pin(sleep_until(now().into())))
    }

    /// Waits until the deadline, or less. Cancel-safe.
    async fn ring(&mut self, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            return pending().await;
        };
        let Self(sleep) = self;
        if sleep.is_elapsed() || deadline < sleep.deadline().into_std() {
            sleep.as_mut().reset(deadline.into());
        }
        sleep.as_mut().await;
    }
}
