//! Opening a session: an offer is answered.

use super::tracks::{Watchable, has_b_frames, is_transcoded, watched_tracks};
use super::{Running, WhipServer};
use crate::IceServer;
use crate::driver::{Media, Publishing, Session, Watching, now};
use crate::http::{Problem, SDP, SDP_FRAGMENT, WhipRequest, WhipResource, WhipResponse};
use crate::peers::PeerSlot;
use crate::sdp::{LocalTransport, MAX_SDP_BYTES, Offer, Setup, accept_publisher, accept_viewer};
use crate::statistics::Meter;
use crate::transport::{IceCredentials, PeerTransport as _, RtcTransport, RtcTransportConfig};
use arcly_core::{Action, MediaKind, PlayRequest, PublishRequest, StreamKey};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::{Instrument, debug, info, info_span};

/// The protocol of publishers, in events, logs and metrics.
const WHIP: &str = "whip";

/// That of viewers.
const WHEP: &str = "whep";

impl WhipServer {
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
    pub(super) async fn publish(
        &self,
        request: WhipRequest,
        key: StreamKey,
    ) -> Result<WhipResponse, Problem> {
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
    pub(super) async fn play(
        &self,
        request: WhipRequest,
        key: StreamKey,
    ) -> Result<WhipResponse, Problem> {
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
        let transcoder = self.shared.transcoder.get();
        let watchable = watched_tracks(
            session.handle(),
            &offer,
            transcoder.map(AsRef::as_ref),
            &slot,
        )
        .await;
        let Watchable { tracks, refusals } = watchable;
        let (media, mut notices, answer) = accept_viewer(&offer, &tracks, &local, slot.number())?;
        if has_b_frames(session.handle()) {
            notices.push(
                "b-frames: the video has B-frames, which browsers show unevenly by WebRTC: publish without them"
                    .to_owned(),
            );
        }
        if !media
            .iter()
            .any(|media| media.track.rtp.kind == MediaKind::Audio)
        {
            // Why there is none after all, instead of what would be so without a transcoder.
            if !refusals.is_empty() {
                notices.retain(|notice| !notice.starts_with("no-audio:"));
            }
            notices.extend(refusals);
        }
        let transcoded = media
            .iter()
            .any(|media| is_transcoded(session.handle(), &media.track.rtp));
        let watching = Watching::new(
            session,
            media,
            transcoder.filter(|_| transcoded).cloned(),
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

    pub(super) fn local_transport(&self, running: &Running) -> LocalTransport {
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
            if let Err(error) = transport.add_remote_candidate(candidate) {
                debug!(%error, "a candidate is left out");
            }
        }
        let (key, action) = match &request.resource {
            WhipResource::Publish(key) => (key, Action::Publish),
            WhipResource::Play(key) => (key, Action::Play),
            WhipResource::Session(_) => return Err(Problem::method_not_allowed(&request.resource)),
        };
        let meter = Arc::new(Meter::new(
            slot.number(),
            key.clone(),
            action,
            request.peer,
            now(),
        ));
        let (inbox, commands) = mpsc::channel(self.shared.config.limits.max_inbox);
        running.router.add(local.ice.ufrag.clone(), inbox.clone());
        let id = slot.id().to_owned();
        let etag = self.shared.peers.insert(
            &slot,
            inbox.clone(),
            offer.ice.ufrag.clone(),
            Arc::clone(&meter),
        );
        let connecting = slot.take_connecting();
        let session = Session {
            transport: Box::new(transport),
            media,
            inbox: commands,
            address: inbox.downgrade(),
            ports: Arc::clone(&running.ports),
            router: Arc::clone(&running.router),
            routes: VecDeque::new(),
            meter,
            measured: now(),
            next_measure: now(),
            encryption: None,
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
}

pub(super) fn body_text(request: &WhipRequest) -> Result<&str, Problem> {
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
