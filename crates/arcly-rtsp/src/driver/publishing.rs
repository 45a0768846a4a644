//! What a connection publishes.

use super::NAME;
use super::connection::{Connection, Shared};
use super::outcome::ConnectionError;
use super::udp::Datagram;
use crate::proto::message::{StatusCode, interleaved_head};
use crate::proto::session::{Access, Carriage, Refusal};
use arcly_core::mux::{Demuxer, DemuxerFactory};
use arcly_core::net::now;
use arcly_core::rtp::sdp::{MediaDescription, MediaType, SessionDescription};
use arcly_core::rtp::{IngestConfig, IngestEvent, IngestTrack, PayloadFormat, RtpIngest};
use arcly_core::{EndReason, MediaFrame, PublishRequest, PublishSession, StreamError, TrackId};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// How often a publisher is asked for a keyframe that viewers want.
const KEYFRAME_EVERY: Duration = Duration::from_secs(1);

/// How long after the end of a publication its last datagrams are waited for: until none has come for this long, …
const SILENCE: Duration = Duration::from_millis(20);
/// … and at most for this long.
const LAST_DATAGRAMS: Duration = Duration::from_millis(200);

/// A publication, and what tells that the host ends it or wants something of it.
pub(super) struct Publication {
    session: PublishSession,
    ended: Pin<Box<dyn Future<Output = EndReason> + Send>>,
    keyframe_wanted: Pin<Box<dyn Future<Output = ()> + Send>>,
    description: SessionDescription,
    /// Once it records.
    recording: Option<Recording>,
}

/// What a publisher's packets go into.
struct Recording {
    ingest: RtpIngest,
    /// For each track that was set up, in that order: its index in `ingest`, where its format is known.
    tracks: Vec<Option<usize>>,
    /// For the transport stream among them: one, as the tracks in it have numbers of their own.
    demuxer: Option<Box<dyn Demuxer>>,
    started: Instant,
    next_report: Instant,
    keyframe_asked: Option<Instant>,
    running: bool,
}

impl Recording {
    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// The place in the order of setting up.
    fn place(&self, index: usize) -> Option<usize> {
        self.tracks.iter().position(|track| *track == Some(index))
    }
}

impl Publication {
    fn new(session: PublishSession, description: SessionDescription) -> Self {
        let handle = session.handle().clone();
        let ended = Box::pin({
            let handle = handle.clone();
            async move { handle.ended().await }
        });
        Self {
            session,
            ended,
            keyframe_wanted: Box::pin(async move { handle.keyframe_requested().await }),
            description,
            recording: None,
        }
    }

    /// Whether the host has ended it.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        self.ended.as_mut().poll(cx)
    }

    /// Whether a viewer wants a keyframe.
    pub(super) fn poll_keyframe_wanted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wanted = self.keyframe_wanted.as_mut().poll(cx);
        if wanted.is_ready() {
            let handle = self.session.handle().clone();
            self.keyframe_wanted = Box::pin(async move { handle.keyframe_requested().await });
        }
        wanted
    }

    pub(super) fn key(&self) -> &arcly_core::StreamKey {
        self.session.key()
    }

    /// When something is to be done though nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let recording = self.recording.as_ref()?;
        let ingest = recording.ingest.next_timeout();
        let ingest = ingest.and_then(|at| recording.started.checked_add(at));
        Some(ingest.map_or(recording.next_report, |at| at.min(recording.next_report)))
    }

    /// How the tracks that were set up go into frames: `sections` are their media sections.
    fn recording(
        &self,
        sections: &[u16],
        demuxers: Option<&dyn DemuxerFactory>,
        config: IngestConfig,
        every: Duration,
        now: Instant,
    ) -> Recording {
        let mut ingest = RtpIngest::new(config);
        let (mut taken, mut demuxer) = (Vec::new(), None);
        let tracks = sections.iter().map(|section| {
            let media = self.description.media.get(usize::from(*section))?;
            let preferred = media.preferred()?;
            let format = preferred.format.clone()?;
            let id = if matches!(format, PayloadFormat::MpegTs) {
                if demuxer.is_some() {
                    warn!(stream = %self.key(), "a second transport stream is left out");
                    return None;
                }
                demuxer = Some(demuxers?.new_demuxer());
                TRANSPORT_STREAM
            } else {
                track_id(&media.kind, &mut taken)
            };
            let track = IngestTrack::new(id, preferred.payload_type, format)
                .clock_rate(preferred.clock_rate);
            ingest
                .add_track(track)
                .inspect_err(|error| warn!(stream = %self.key(), %error, "a track is left out"))
                .ok()
        });
        Recording {
            tracks: tracks.collect(),
            demuxer,
            ingest,
            started: now,
            next_report: now + every,
            keyframe_asked: None,
            running: true,
        }
    }
}

/// What a transport stream is called where its packets come in: on the stream there are the tracks in it.
const TRANSPORT_STREAM: TrackId = TrackId(u16::MAX);

/// The first video, audio and data tracks have the numbers that are theirs by convention; others the next ones.
fn track_id(kind: &MediaType, taken: &mut Vec<TrackId>) -> TrackId {
    let usual = match kind {
        MediaType::Video => TrackId::VIDEO,
        MediaType::Audio => TrackId::AUDIO,
        _ => TrackId::DATA,
    };
    let others = (TrackId::DATA.0 + 1..=u16::MAX).map(TrackId);
    let mut ids = std::iter::once(usual).chain(others);
    let id = ids.find(|id| !taken.contains(id)).unwrap_or(usual);
    taken.push(id);
    id
}

/// Opens a publication for a peer.
async fn open(
    shared: &Shared,
    peer: SocketAddr,
    access: &Access,
    description: &[u8],
) -> Result<Publication, Refusal> {
    let description = SessionDescription::parse(description)?;
    let mut media = description.media.iter();
    let demuxes = shared.demuxers.is_some();
    let is_read = |media: &MediaDescription| {
        let format = media
            .preferred()
            .and_then(|preferred| preferred.format.as_ref());
        format.is_some_and(|format| demuxes || !matches!(format, PayloadFormat::MpegTs))
    };
    if !media.any(is_read) {
        let reason = "none of the tracks has a format that is read here";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let request = PublishRequest::new(access.key.clone())
        .credentials(shared.credentials(access).await?)
        .peer(peer)
        .protocol(NAME);
    let session = shared.ctx.open_publish_with(request).await;
    let session = session.map_err(|error| Refusal::from(&error))?;
    Ok(Publication::new(session, description))
}

impl Connection {
    /// Answers [`Event::Publish`](crate::proto::session::Event::Publish).
    pub(super) async fn publish(&mut self, access: &Access, description: &[u8]) {
        self.play = None;
        let result = match open(&self.shared, self.peer, access, description).await {
            Ok(publication) => {
                info!(stream = %publication.key(), "publishing");
                self.publication = Some(publication);
                self.session.accept_publish(now())
            }
            Err(refusal) => {
                self.refused(access, &refusal);
                self.session.reject(&refusal, now())
            }
        };
        self.note(result);
    }

    /// Answers [`Event::Record`](crate::proto::session::Event::Record).
    pub(super) fn record(&mut self) {
        let by_udp = !self.links.is_empty();
        let sections: Vec<u16> = self
            .session
            .setups()
            .iter()
            .map(|setup| setup.number)
            .collect();
        let mut config = match by_udp {
            true => IngestConfig::datagrams(),
            false => IngestConfig::reliable(),
        };
        config.max_reorder_bytes = self.config.limits.reorder_bytes;
        config.sync_wait = self.config.sync_wait;
        let result = match &mut self.publication {
            Some(publication) => {
                if let Some(recording) = &mut publication.recording {
                    recording.running = true;
                } else {
                    let every = self.config.report_interval;
                    let demuxers = self.shared.demuxers.as_deref();
                    let recording =
                        publication.recording(&sections, demuxers, config, every, now());
                    publication.recording = Some(recording);
                }
                for link in &self.links {
                    link.peer.takes_media();
                }
                self.session.accept_record(now())
            }
            None => {
                let gone = Refusal::new(StatusCode::NOT_FOUND, "the publication was ended");
                self.session.reject(&gone, now())
            }
        };
        self.note(result);
    }

    /// Takes nothing until the next RECORD.
    pub(super) fn pause_record(&mut self) {
        let publication = self.publication.as_mut();
        if let Some(recording) = publication.and_then(|publication| publication.recording.as_mut())
        {
            recording.running = false;
            let at = recording.at(now());
            recording.ingest.restart(at);
        }
        self.publish_ready();
    }

    /// A packet of the session has come.
    pub(super) fn packet(&mut self, packet: Datagram) {
        let Datagram { index, rtcp, data } = packet;
        if self.publication.is_none() {
            if rtcp {
                self.feedback(&data);
            }
            return;
        }
        let Some(recording) = self.recording() else {
            return;
        };
        let at = recording.at(now());
        let Some(Some(track)) = recording.tracks.get(index).copied() else {
            return;
        };
        let taken = if rtcp {
            recording.ingest.handle_rtcp(track, &data, at)
        } else if recording.running {
            recording.ingest.handle_rtp(track, data, at)
        } else {
            Ok(())
        };
        if let Err(error) = taken {
            debug!(peer = %self.peer, %error, "a packet is left out");
        }
        self.publish_ready();
    }

    fn recording(&mut self) -> Option<&mut Recording> {
        self.publication.as_mut()?.recording.as_mut()
    }

    /// Publishes what has become whole.
    fn publish_ready(&mut self) {
        while let Some(event) = self.recording().and_then(|r| r.ingest.poll_event()) {
            match event {
                IngestEvent::Frame(frame) => self.frame(frame),
                IngestEvent::TransportStream { data, .. } => self.demux(data),
                IngestEvent::KeyframeWanted { index } => self.ask_for_keyframe(Some(index)),
                // The end is told by TEARDOWN, or the connection: some sources say BYE when they change their SSRC.
                IngestEvent::Bye { .. } => {}
                _ => {}
            }
        }
    }

    fn demux(&mut self, data: Bytes) {
        let recording = self.recording();
        let Some(demuxer) = recording.and_then(|recording| recording.demuxer.as_mut()) else {
            return;
        };
        let mut frames = Vec::new();
        if let Err(error) = demuxer.read(data, &mut frames) {
            debug!(peer = %self.peer, %error, "a piece of a transport stream is left out");
        }
        for frame in frames {
            self.frame(frame);
        }
    }

    fn frame(&mut self, frame: MediaFrame) {
        let Some(publication) = &self.publication else {
            return;
        };
        match publication.session.publish_frame(frame) {
            Ok(_subscribers) => {}
            Err(StreamError::SessionEnded { reason, .. }) => self.publication_ended(reason),
            // Refused for its size or the like; the engine has told its observers.
            Err(error) => debug!(%error, "frame refused"),
        }
    }

    /// Asks the publisher for a keyframe, of one track or of all.
    pub(super) fn ask_for_keyframe(&mut self, index: Option<usize>) {
        let (now, ssrc) = (now(), self.ssrc);
        let Some(recording) = self.recording() else {
            return;
        };
        let asked = recording.keyframe_asked;
        // What the ingest asks for is limited by itself.
        if index.is_none() && asked.is_some_and(|asked| now < asked + KEYFRAME_EVERY) {
            return;
        }
        recording.keyframe_asked = Some(now);
        let at = recording.at(now);
        let all = recording.tracks.clone();
        for track in all.into_iter().flatten() {
            if index.is_none_or(|index| index == track) {
                let request = self
                    .recording()
                    .and_then(|recording| recording.ingest.keyframe_request(track, ssrc, at));
                self.send_rtcp(track, request);
            }
        }
    }

    /// Sends RTCP to the publisher, about the track with this index of the ingest.
    fn send_rtcp(&mut self, track: usize, packet: Option<Bytes>) {
        let place = self
            .recording()
            .and_then(|recording| recording.place(track));
        let (Some(packet), Some(place)) = (packet, place) else {
            return;
        };
        match self.session.setups().get(place).map(|setup| setup.carriage) {
            Some(Carriage::Interleaved(channels)) => {
                let length = u16::try_from(packet.len()).unwrap_or_default();
                let mut block = BytesMut::from(&interleaved_head(channels.rtcp, length)[..]);
                block.extend_from_slice(&packet);
                self.wire.lock().push_reply(block.freeze());
            }
            Some(Carriage::Udp { .. }) => {
                if let Some(link) = self.links.iter().find(|link| link.peer.index() == place) {
                    let port = &link.endpoint().rtcp;
                    // One that gets lost is followed by others.
                    let _ = port.try_send(link.peer.rtcp(), None, packet.len(), &packet);
                }
            }
            None => {}
        }
    }

    /// Does what is due by now.
    pub(super) fn publication_due(&mut self) {
        let (now, ssrc, every) = (now(), self.ssrc, self.config.report_interval);
        let Some(recording) = self.recording() else {
            return;
        };
        let at = recording.at(now);
        if recording.ingest.next_timeout().is_some_and(|due| due <= at) {
            recording.ingest.handle_timeout(at);
            self.publish_ready();
        }
        let Some(recording) = self.recording() else {
            return;
        };
        if recording.next_report > now {
            return;
        }
        recording.next_report = now + every;
        for track in recording.tracks.clone().into_iter().flatten() {
            let report = self
                .recording()
                .and_then(|recording| recording.ingest.receiver_report(track, ssrc, at));
            self.send_rtcp(track, report);
        }
    }

    /// The peer has ended the publication, or gone. What it sent by UDP before may still be on its way: it is waited for until
    /// nothing more comes.
    pub(super) async fn unpublish(&mut self) {
        if self.recording().is_some() && !self.links.is_empty() {
            let deadline = now() + LAST_DATAGRAMS;
            while now() < deadline
                && let Ok(Some(datagram)) = timeout(SILENCE, self.inbox.1.recv()).await
            {
                self.packet(datagram);
            }
        }
        let at = self.recording().map(|recording| recording.at(now()));
        if let (Some(at), Some(recording)) = (at, self.recording()) {
            recording.ingest.finish(at);
            self.publish_ready();
            let mut frames = Vec::new();
            let recording = self.recording();
            if let Some(demuxer) = recording.and_then(|r| r.demuxer.as_mut()) {
                demuxer.finish(&mut frames);
            }
            for frame in frames {
                self.frame(frame);
            }
        }
        let Some(publication) = self.publication.take() else {
            return;
        };
        let key = publication.key().clone();
        info!(stream = %key, "publishing ended");
        if let Err(error) = publication.session.finish().await {
            warn!(stream = %key, %error, "a publish session could not be released");
        }
    }

    /// The host has ended the publication.
    pub(super) fn publication_ended(&mut self, reason: EndReason) {
        if self.publication.take().is_some() {
            if reason != EndReason::Shutdown {
                self.failure.get_or_insert(ConnectionError::Ended(reason));
            }
            self.session.close();
        }
    }
}
