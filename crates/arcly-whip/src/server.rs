//! The endpoints of WHIP and WHEP, and the ports that media comes and goes by.

use crate::driver::{Command, Media, Ports, Publishing, Router, Session, Watching};
use crate::driver::{local_addresses, now, run_ports};
use crate::http::{
    Problem, SDP, SDP_FRAGMENT, WhipMethod, WhipRequest, WhipResource, WhipResponse,
};
use crate::peers::{Peer, PeerSlot, Peers};
use crate::sdp::{
    LocalTransport, MAX_SDP_BYTES, Offer, Setup, TrickleFragment, WatchedTrack, accept_publisher,
    accept_viewer,
};
use crate::transport::{Carrier, IceCredentials, Identity, RtcTransport, RtcTransportConfig};
use crate::{IceServer, WhipConfig};
use arcly_core::health::Health;
use arcly_core::net::udp::UdpPort;
use arcly_core::rtp::rtp_tracks;
use arcly_core::{
    InboundProtocol, IngestContext, MediaKind, PlayRequest, PublishRequest, Result, StreamError,
    StreamHandle, StreamKey,
};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info, info_span};

/// The protocol of publishers, in events, logs and metrics.
const WHIP: &str = "whip";

/// That of viewers.
const WHEP: &str = "whep";

/// How long a viewer's answer waits for the codec configs of the stream's tracks.
const CONFIG_WAIT: Duration = Duration::from_secs(2);

/// WHIP and WHEP. Cheap to clone: all clones are the same server.
///
/// As an [`InboundProtocol`] it owns the ports by which media comes and goes; requests reach it by [`handle`](Self::handle), from whatever HTTP
/// server the host has. Before it is served, and after, requests are refused with 503.
#[derive(Clone)]
pub struct WhipServer {
    shared: Arc<Shared>,
}

struct Shared {
    config: WhipConfig,
    identity: Identity,
    peers: Peers,
    /// Ports that are bound and not served yet.
    bound: Mutex<Option<Bound>>,
    running: Mutex<Option<Arc<Running>>>,
}

struct Bound {
    udp: UdpPort,
    tcp: Option<TcpListener>,
}

impl Bound {
    async fn bind(config: &WhipConfig) -> Result<Self> {
        let udp = UdpPort::bind(config.udp)?;
        let tcp = match config.tcp {
            Some(address) => {
                // The same port as UDP, where the system chose that.
                let address = match address.port() {
                    0 => SocketAddr::new(address.ip(), udp.local_addr().port()),
                    _ => address,
                };
                let listener = TcpListener::bind(address).await;
                let io = |error| StreamError::io(format!("binding TCP {address}"), error);
                Some(listener.map_err(io)?)
            }
            None => None,
        };
        Ok(Self { udp, tcp })
    }
}

/// What there is while it is served.
struct Running {
    ctx: IngestContext,
    ports: Arc<Ports>,
    router: Arc<Router>,
    /// What peers are told.
    addresses: Vec<(Carrier, SocketAddr)>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl WhipServer {
    /// A server with a certificate of its own, whose ports are bound; they are served, once, by [`serve`](InboundProtocol::serve). Must be called on a
    /// tokio runtime.
    ///
    /// # Errors
    /// [`StreamError::Io`] where a port cannot be had.
    pub async fn bind(config: WhipConfig) -> Result<Self> {
        let bound = Bound::bind(&config).await?;
        let server = Self::new(config)?;
        *server
            .shared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(bound);
        Ok(server)
    }

    /// The address that UDP is bound to; `None` before [`bind`](Self::bind) and once it is served no longer.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        let bound = self
            .shared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bound = bound.as_ref().map(|bound| bound.udp.local_addr());
        bound.or_else(|| Some(self.running()?.ports.udp().local_addr()))
    }

    /// A server with a certificate of its own, which binds its ports when it is served.
    ///
    /// # Errors
    /// Where there is no randomness to make one.
    pub fn new(config: WhipConfig) -> Result<Self> {
        let identity = Identity::generate().map_err(|error| {
            StreamError::io("making a certificate", std::io::Error::other(error))
        })?;
        Ok(Self {
            shared: Arc::new(Shared {
                peers: Peers::new(config.limits.clone()),
                config,
                identity,
                bound: Mutex::default(),
                running: Mutex::default(),
            }),
        })
    }

    /// Where media comes and goes, as peers are told; empty while it is not served.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Carrier, SocketAddr)> {
        self.running()
            .map(|running| running.addresses.clone())
            .unwrap_or_default()
    }

    /// Answers a request.
    pub async fn handle(&self, request: WhipRequest) -> WhipResponse {
        let peer = request.peer;
        let answered = match (request.method, request.resource.clone()) {
            (WhipMethod::Options, resource) => Ok(WhipResponse::options(&resource)),
            (WhipMethod::Post, WhipResource::Publish(key)) => self.publish(request, key).await,
            (WhipMethod::Post, WhipResource::Play(key)) => self.play(request, key).await,
            (WhipMethod::Patch, WhipResource::Session(id)) => self.patch(&request, &id).await,
            (WhipMethod::Delete, WhipResource::Session(id)) => self.delete(&id).await,
            (_, resource) => Err(Problem::method_not_allowed(&resource)),
        };
        answered.unwrap_or_else(|problem| {
            debug!(?peer, reason = problem.detail(), "refused");
            problem.into_response()
        })
    }

    fn running(&self) -> Option<Arc<Running>> {
        self.shared
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_running(&self, running: Option<Arc<Running>>) {
        *self
            .shared
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = running;
    }

    /// The offer of a POST, a place for its session, and what runs it.
    fn open(&self, request: &WhipRequest) -> Result<(Offer, PeerSlot, Arc<Running>), Problem> {
        if !request.is_of_type(SDP) {
            return Err(Problem::wrong_type(SDP));
        }
        let offer = Offer::parse(body_text(request)?)?;
        let running = self
            .running()
            .ok_or_else(|| Problem::busy("the server does not serve WebRTC now"))?;
        let ip = request.peer.map(|peer| peer.ip());
        let slot = self.shared.peers.admit(ip)?;
        Ok((offer, slot, running))
    }

    /// `POST …/whip`.
    async fn publish(&self, request: WhipRequest, key: StreamKey) -> Result<WhipResponse, Problem> {
        let (offer, slot, running) = self.open(&request)?;
        let local = self.local_transport(&running);
        let (media, answer) = accept_publisher(&offer, &local, slot.number())?;
        let mut publish = PublishRequest::new(key.clone())
            .credentials(request.credentials.clone())
            .protocol(WHIP);
        publish.peer = request.peer;
        let session = running.ctx.open_publish_with(publish).await?;
        let publishing = Publishing::new(session, media, slot.random_u32(), now());
        let media = Media::Publishing(Box::new(publishing));
        let response = self.start(&request, &running, slot, &offer, &local, media)?;
        info!(stream = %key, peer = ?request.peer, "publishing by WHIP");
        Ok(response.with_body(SDP, answer.into_string()))
    }

    /// `POST …/whep`.
    async fn play(&self, request: WhipRequest, key: StreamKey) -> Result<WhipResponse, Problem> {
        let (offer, slot, running) = self.open(&request)?;
        let local = self.local_transport(&running);
        let mut play = PlayRequest::new(key.clone())
            .credentials(request.credentials.clone())
            .protocol(WHEP);
        play.peer = request.peer;
        play.wait = self.shared.config.play_wait;
        let playback = running
            .ctx
            .playback()
            .ok_or_else(|| Problem::new(501, "Not implemented", "this host does not play"))?;
        let session = playback.open_play(play).await?;
        let tracks = watched_tracks(session.handle(), &offer, &slot).await;
        let (media, mut notices, answer) = accept_viewer(&offer, &tracks, &local, slot.number())?;
        if has_b_frames(session.handle()) {
            notices.push(
                "the video has B-frames, which browsers show unevenly by WebRTC: publish without them"
                    .to_owned(),
            );
        }
        let watching = Watching::new(
            session,
            media,
            self.shared.config.limits.max_catch_up,
            slot.number(),
            slot.random_u32() as u16,
            now(),
        );
        let media = Media::Watching(Box::new(watching));
        let mut response = self.start(&request, &running, slot, &offer, &local, media)?;
        for notice in notices {
            response = response.with("arcly-notice", notice);
        }
        info!(stream = %key, peer = ?request.peer, "watching by WHEP");
        Ok(response.with_body(SDP, answer.into_string()))
    }

    fn local_transport(&self, running: &Running) -> LocalTransport {
        LocalTransport {
            ice: IceCredentials::generate(),
            fingerprint: self.shared.identity.fingerprint(),
            is_ice_lite: self.shared.config.is_ice_lite(),
            addresses: running.addresses.clone(),
        }
    }

    /// Starts the session's task.
    fn start(
        &self,
        request: &WhipRequest,
        running: &Arc<Running>,
        mut slot: PeerSlot,
        offer: &Offer,
        local: &LocalTransport,
        media: Media,
    ) -> Result<WhipResponse, Problem> {
        let mut transport = RtcTransport::new(
            now(),
            RtcTransportConfig {
                identity: self.shared.identity.clone(),
                local: running.ports.local_candidates(),
                lite: local.is_ice_lite,
                // RFC 8445 6.1.1: who offers chooses, unless it only answers.
                controlling: offer.is_ice_lite && !local.is_ice_lite,
                local_credentials: local.ice.clone(),
                remote_credentials: offer.ice.clone(),
                remote_fingerprint: offer.fingerprint,
                peer_is_passive: offer.setup == Setup::Passive,
            },
        )?;
        for candidate in &offer.candidates {
            // One that we cannot read, or cannot reach, does not spoil the others.
            use crate::transport::PeerTransport as _;
            if let Err(error) = transport.add_remote_candidate(candidate) {
                debug!(%error, "a candidate is left out");
            }
        }
        let (inbox, commands) = mpsc::channel(self.shared.config.limits.max_inbox);
        running.router.add(local.ice.ufrag.clone(), inbox.clone());
        let id = slot.id().to_owned();
        let etag = self
            .shared
            .peers
            .insert(&slot, inbox.clone(), offer.ice.ufrag.clone());
        let connecting = slot.take_connecting();
        let session = Session {
            transport: Box::new(transport),
            media,
            inbox: commands,
            address: inbox.downgrade(),
            ports: Arc::clone(&running.ports),
            router: Arc::clone(&running.router),
            routes: VecDeque::new(),
            connected: Some(Box::new(move || drop(connecting))),
        };
        let router = Arc::clone(&running.router);
        let shutdown = running.shutdown.clone();
        let span = info_span!("webrtc", session = slot.number(), peer = ?request.peer);
        running.tasks.spawn(
            async move {
                let commands = session.run(shutdown).await;
                router.remove(&inbox);
                drop(slot);
                drop(commands);
            }
            .instrument(span),
        );
        let location = format!("{}/{id}", request.endpoint);
        let mut response = WhipResponse::new(201)
            .with("location", location)
            .with("etag", etag)
            .with("accept-patch", SDP_FRAGMENT);
        for server in &self.shared.config.ice_servers {
            response = response.with("link", link(server));
        }
        Ok(response)
    }

    /// `PATCH …/<session>`: more candidates, or a restart.
    async fn patch(&self, request: &WhipRequest, id: &str) -> Result<WhipResponse, Problem> {
        if !request.is_of_type(SDP_FRAGMENT) {
            return Err(Problem::wrong_type(SDP_FRAGMENT));
        }
        let fragment = TrickleFragment::parse(body_text(request)?)?;
        let peer = self
            .shared
            .peers
            .get(id)
            .ok_or_else(Problem::no_such_session)?;
        let restarts = fragment
            .ice
            .as_ref()
            .is_some_and(|ice| ice.ufrag != peer.remote_ufrag());
        // RFC 9725 4.3.1: candidates are for the ICE session that they name, a restart is for any.
        match request.if_match.as_deref() {
            Some(tags) if matches_etag(tags, &peer.etag()) => {}
            Some(_) => {
                return Err(Problem::new(
                    412,
                    "Precondition failed",
                    "ICE has been restarted since: the ETag is another one",
                ));
            }
            // Many clients send none with candidates.
            None if !restarts => {}
            None => {
                return Err(Problem::new(
                    428,
                    "Precondition required",
                    "a restart of ICE needs If-Match",
                ));
            }
        }
        match fragment.ice {
            Some(remote) if restarts => self.restart(&peer, remote, fragment.candidates).await,
            _ => {
                let (reply, answer) = oneshot::channel();
                let candidates = fragment.candidates;
                ask(&peer, Command::Candidates { candidates, reply }, answer).await?;
                Ok(WhipResponse::new(204))
            }
        }
    }

    async fn restart(
        &self,
        peer: &Peer,
        remote: IceCredentials,
        candidates: Vec<String>,
    ) -> Result<WhipResponse, Problem> {
        let running = self.running().ok_or_else(Problem::no_such_session)?;
        let ufrag = remote.ufrag.clone();
        let (reply, answer) = oneshot::channel();
        let command = Command::Restart {
            remote,
            candidates,
            reply,
        };
        let ice = ask(peer, command, answer).await??;
        let etag = peer.restarted(ufrag);
        let local = LocalTransport {
            ice,
            ..self.local_transport(&running)
        };
        let mut fragment = String::new();
        local.write_ice(&mut fragment);
        local.write_candidates(&mut fragment);
        Ok(WhipResponse::new(200)
            .with("etag", etag)
            .with_body(SDP_FRAGMENT, fragment))
    }

    /// `DELETE …/<session>`.
    async fn delete(&self, id: &str) -> Result<WhipResponse, Problem> {
        let peer = self
            .shared
            .peers
            .get(id)
            .ok_or_else(Problem::no_such_session)?;
        let inbox = peer.inbox();
        if inbox.send(Command::Close).await.is_ok() {
            // Once the answer is there, the stream's name is free and the session is not known any more.
            inbox.closed().await;
        }
        Ok(WhipResponse::new(200))
    }
}

/// Has a session do something, and waits for what becomes of it.
async fn ask<T>(peer: &Peer, command: Command, answer: oneshot::Receiver<T>) -> Result<T, Problem> {
    let sent = peer.inbox().send(command).await;
    sent.map_err(|_| Problem::no_such_session())?;
    answer.await.map_err(|_| Problem::no_such_session())
}

fn body_text(request: &WhipRequest) -> Result<&str, Problem> {
    if request.body.len() > MAX_SDP_BYTES {
        return Err(Problem::new(
            413,
            "Content too large",
            format!("a description has at most {MAX_SDP_BYTES} bytes"),
        ));
    }
    std::str::from_utf8(&request.body)
        .map_err(|_| Problem::new(400, "The description cannot be used", "it is not UTF-8"))
}

/// The tracks of the stream that can be sent, once those that were asked for are known; the rest is waited for no longer than a moment.
async fn watched_tracks(
    stream: &StreamHandle,
    offer: &Offer,
    slot: &PeerSlot,
) -> Vec<WatchedTrack> {
    let wants = |kind: MediaKind| {
        offer
            .media
            .iter()
            .any(|section| section.kind == Some(kind) && section.direction.receives())
    };
    let mut subscription = stream.subscribe_resilient();
    let deadline = tokio::time::sleep(CONFIG_WAIT);
    tokio::pin!(deadline);
    loop {
        let tracks = rtp_tracks(stream);
        let has = |kind: MediaKind| tracks.iter().any(|track| track.kind == kind);
        let is_complete = [MediaKind::Video, MediaKind::Audio]
            .into_iter()
            .all(|kind| !wants(kind) || has(kind) || is_known_without(stream, kind));
        let more = async {
            // Tracks are made known by frames.
            subscription.recv().await.is_some()
        };
        let go_on = !is_complete
            && tokio::select! {
                more = more => more,
                () = &mut deadline => false,
            };
        if !go_on {
            return tracks
                .into_iter()
                .map(|rtp| WatchedTrack {
                    rtp,
                    ssrc: slot.random_u32(),
                    retransmission_ssrc: slot.random_u32(),
                })
                .collect();
        }
    }
}

/// Whether the stream has media of the other kind already, and has had time to show this one: sound and pictures begin together.
fn is_known_without(stream: &StreamHandle, kind: MediaKind) -> bool {
    const SETTLED: u64 = 60;
    let metadata = stream.metadata();
    let is_there = metadata.tracks.iter().any(|track| track.kind == kind);
    let frames: u64 = stream
        .qos()
        .tracks
        .iter()
        .map(|track| track.frames)
        .max()
        .unwrap_or(0);
    !is_there && frames >= SETTLED
}

/// Whether pictures are shown in another order than they come in.
fn has_b_frames(stream: &StreamHandle) -> bool {
    stream
        .replay_buffer()
        .iter()
        .any(|frame| frame.is_video() && frame.pts != frame.dts)
}

/// Whether `If-Match` (RFC 9110 13.1.1) names this ETag. RFC 9725 4.3.3 writes the asterisk in quotes, and so do clients.
fn matches_etag(if_match: &str, etag: &str) -> bool {
    if_match
        .split(',')
        .map(str::trim)
        .any(|tag| tag == etag || matches!(tag, "*" | "\"*\""))
}

/// RFC 9725 4.6.
fn link(server: &IceServer) -> String {
    let IceServer {
        url,
        username,
        credential,
    } = server;
    let mut link = format!("<{url}>; rel=\"ice-server\"");
    if let (Some(username), Some(credential)) = (username, credential) {
        link.push_str(&format!(
            "; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\""
        ));
    }
    link
}

#[async_trait]
impl InboundProtocol for WhipServer {
    fn name(&self) -> &'static str {
        "webrtc"
    }

    async fn serve(&self, ctx: IngestContext, shutdown: CancellationToken) -> Result<()> {
        let config = &self.shared.config;
        let bound = self
            .shared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Bound { udp, tcp: listener } = match bound {
            Some(bound) => bound,
            None => Bound::bind(config).await?,
        };
        let tcp = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok());
        let ports = Arc::new(Ports::new(udp, tcp));
        let router = Arc::new(Router::default());
        let sessions = shutdown.child_token();
        let addresses = local_addresses(config, &ports);
        info!(udp = %ports.udp().local_addr(), ?tcp, ?addresses, "WebRTC");
        let running = Arc::new(Running {
            ctx: ctx.clone(),
            ports: Arc::clone(&ports),
            router: Arc::clone(&router),
            addresses,
            tasks: TaskTracker::new(),
            shutdown: sessions.clone(),
        });
        self.set_running(Some(Arc::clone(&running)));
        ctx.report_health(Health::Healthy);
        let served = run_ports(&config.limits, ports, router, listener, shutdown).await;
        self.set_running(None);
        sessions.cancel();
        running.tasks.close();
        running.tasks.wait().await;
        served
    }
}

impl std::fmt::Debug for WhipServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WhipServer")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}
