//! What a connection plays.

use super::NAME;
use super::connection::{Connection, Shared, wall_now};
use super::feed::{Feed, FeedTrack, TrackOut};
use super::player::PlayEnd;
use crate::proto::message::StatusCode;
use crate::proto::range::Range;
use crate::proto::session::{
    Access, Carriage, OfferedTrack, PlayStarted, Presentation, Refusal, TrackSetup,
};
use crate::proto::target::track_control;
use crate::proto::transport::Pair;
use arcly_core::net::now;
use arcly_core::rtp::rtcp::{self, RtcpPacket};
use arcly_core::rtp::sdp::Origin;
use arcly_core::rtp::{
    RenditionClock, RtpFrame, RtpPackager, RtpTrack, RtpVariant, describe, rtp_tracks,
};
use arcly_core::{
    CodecId, MediaKind, PlayRequest, PlaySession, Rendition, RenditionSubscription, Shedding,
    StartAt, StreamHandle, Timestamp, ViewerLoss,
};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout_at;
use tracing::{debug, info};

/// How long PLAY waits for the rendition's first packets, to tell where it starts.
const FIRST_PACKETS: Duration = Duration::from_secs(1);
/// How long a player by TCP may stay on the connection after its stream has ended.
const FAREWELL_TCP: Duration = Duration::from_secs(2);
/// And one by UDP, for which the end of the connection is no end of the media: GStreamer's `rtspsrc` overlooks a BYE within the two seconds of its
/// jitter buffer, takes its sources for gone at the next RTCP interval (at most 6.2 s, RFC 3550, section 6.3.1), and only then says PAUSE and TEARDOWN.
const FAREWELL_UDP: Duration = Duration::from_secs(8);
/// How many packets are looked at for where each track starts.
const PEEKED: usize = 64;
/// How long after its first frame a stream is taken to have shown all its tracks.
const ALL_SHOWN: Duration = Duration::from_millis(500);

/// A stream that is described or played.
pub(super) struct Play {
    session: Arc<PlaySession>,
    ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    rendition: Rendition<RtpFrame>,
    variant: RtpVariant,
    tracks: Vec<RtpTrack>,
    clock: RenditionClock,
}

impl Play {
    fn new(session: PlaySession, tracks: Vec<RtpTrack>, variant: RtpVariant) -> Self {
        let handle = session.handle();
        let rendition = handle.rendition(RtpPackager::new(handle.clone(), variant));
        let clock = RenditionClock::of(handle);
        let session = Arc::new(session);
        let ended = Box::pin({
            let session = Arc::clone(&session);
            async move { session.ended().await }
        });
        Self {
            session,
            ended,
            rendition,
            variant,
            tracks,
            clock,
        }
    }

    pub(super) fn handle(&self) -> &StreamHandle {
        self.session.handle()
    }

    /// Whether the host has ended it.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ended.as_mut().poll(cx)
    }

    fn presentation(&self, address: &str) -> Presentation {
        let mut description = describe(&self.tracks, |_, track| Some(track_control(track.track.0)));
        let handle = self.session.handle();
        description.origin = Origin::new(handle.session().get(), 1, address);
        description.name = handle.key().to_string();
        description.control = Some("*".into());
        description.range = Some("npt=now-".into());
        let offered = self.tracks.iter().enumerate().map(|(index, track)| {
            let channel = u8::try_from(index * 2).unwrap_or_default();
            let channels = Pair::new(channel, channel.saturating_add(1));
            OfferedTrack::new(track.track.0, self.clock.ssrc(track.track), channels)
        });
        Presentation::new(offered.collect(), description.to_string().into())
    }

    fn track(&self, setup: &TrackSetup) -> Option<&RtpTrack> {
        let mut tracks = self.tracks.iter();
        tracks.find(|track| track.track.0 == setup.number)
    }

    /// Where each track starts. All are told of the same moment, that of the earliest first packet: players that go by it have sound and picture
    /// together from the start.
    ///
    /// At the live edge the tracks' first packets are yet to come but for one, and no track is told of its number: where `rtspsrc` knows the first number
    /// of one track and not of another, it lets the one pass at once and keeps the other for its latency, and moves the first one when it
    /// learns how the two relate. The parameter is optional (RFC 2326, section 12.33).
    fn started(
        &self,
        setups: &[TrackSetup],
        first: &[(u16, u16, Timestamp)],
        at_the_edge: bool,
    ) -> PlayStarted {
        let of = |number| first.iter().find(|(track, ..)| *track == number);
        let firsts = setups.iter().filter_map(|setup| of(setup.number));
        let start = firsts.map(|(_, _, pts)| *pts).min();
        let starts = setups.iter().map(|setup| {
            let sequence = of(setup.number).filter(|_| !at_the_edge);
            let sequence = sequence.map(|(_, sequence, _)| *sequence);
            let timestamp = start.zip(self.track(setup)).map(|(start, track)| {
                let rate = track.format.clock_rate();
                self.clock.timestamp(track.track, rate, start)
            });
            (sequence, timestamp)
        });
        PlayStarted::new(starts.collect())
    }
}

/// The first frame of each track among what is ready: track, sequence number, time.
fn first_frames(packets: &mut RenditionSubscription<RtpFrame>) -> Vec<(u16, u16, Timestamp)> {
    let mut first: Vec<(u16, u16, Timestamp)> = Vec::new();
    for frame in packets.peek_ready(PEEKED) {
        let track = frame.track().0;
        if first.iter().all(|(known, ..)| *known != track) {
            first.push((track, frame.first_header().sequence, frame.pts()));
        }
    }
    first
}

/// Codecs of which a player needs the config before the first frame.
fn needs_config(codec: CodecId) -> bool {
    matches!(codec, CodecId::H264 | CodecId::H265 | CodecId::Aac)
}

/// Whether all tracks are there and can be described: those of a stream that has just begun may be still to come.
fn is_described(handle: &StreamHandle, tracks: &[RtpTrack]) -> bool {
    let metadata = handle.metadata();
    let known = metadata.tracks.iter().all(|info| {
        let mut described = tracks.iter();
        let described = described.find(|track| track.track == info.id);
        !needs_config(info.codec) || described.is_some_and(|track| track.format.config().is_some())
    });
    let has = |kind| metadata.first(kind).is_some();
    let age = wall_now().duration_since(handle.origin().started);
    let settled = age.is_ok_and(|age| age >= ALL_SHOWN);
    let all = settled || has(MediaKind::Video) && has(MediaKind::Audio);
    known && all && !tracks.is_empty()
}

/// The tracks of a stream, once they can be described, or what there is of them after `wait`.
async fn described(session: &PlaySession, wait: Duration) -> Vec<RtpTrack> {
    let handle = session.handle();
    let mut frames = session.subscribe_from(StartAt::Live);
    let deadline = now() + wait;
    loop {
        let tracks = rtp_tracks(handle);
        if is_described(handle, &tracks) {
            return tracks;
        }
        // A track that settles without another frame is looked at again all the same.
        let again = (now() + ALL_SHOWN / 5).min(deadline);
        let next = timeout_at(again.into(), frames.recv()).await;
        if matches!(next, Ok(None)) || now() >= deadline {
            return rtp_tracks(handle);
        }
    }
}

/// Opens a stream for a player at `peer`.
async fn open(shared: &Shared, peer: SocketAddr, access: &Access) -> Result<Play, Refusal> {
    let config = &shared.config;
    let playback = shared
        .ctx
        .playback()
        .ok_or_else(|| Refusal::new(StatusCode::FORBIDDEN, "this server does not play"))?;
    let request = PlayRequest::new(access.key.clone())
        .credentials(shared.credentials(access).await?)
        .peer(peer)
        .protocol(NAME)
        .wait(config.play_wait);
    let session = playback.open_play(request).await;
    let session = session.map_err(|error| Refusal::from(&error))?;
    let tracks = described(&session, config.describe_wait).await;
    if tracks.is_empty() {
        let reason = "the stream has no track that RTP carries";
        return Err(Refusal::new(StatusCode::NOT_FOUND, reason));
    }
    let mut variant = RtpVariant::default();
    variant.max_packet = config.max_packet;
    variant.flush_window = config.audio_flush_window;
    Ok(Play::new(session, tracks, variant))
}

impl Connection {
    /// Answers [`Event::Open`](crate::proto::session::Event::Open).
    pub(super) async fn open(&mut self, access: &Access) {
        self.play = None;
        let opened = open(&self.shared, self.peer, access).await;
        let result = match opened {
            Ok(play) => {
                let presentation = play.presentation(&self.local_ip());
                self.play = Some(play);
                self.session.accept_open(presentation, now())
            }
            Err(refusal) => {
                self.refused(access, &refusal);
                self.session.reject(&refusal, now())
            }
        };
        self.note(result);
    }

    /// Answers [`Event::Play`](crate::proto::session::Event::Play).
    pub(super) async fn start_play(&mut self, range: Option<&Range>) {
        let start = self.start_of(range);
        let at_the_edge = start == StartAt::NextKeyframe;
        if at_the_edge && let Some(play) = &self.play {
            // Where the source can be asked for one, the player does not wait for the rest of the GOP.
            play.handle().request_keyframe();
        }
        let packets = self.play.as_ref();
        let mut packets = packets.map(|play| play.rendition.subscribe_from(start));
        if let Some(packets) = &mut packets {
            let deadline = now() + FIRST_PACKETS;
            let _ = timeout_at(deadline.into(), packets.ready()).await;
        }
        let (Some(play), Some(mut packets)) = (&self.play, packets) else {
            let gone = Refusal::new(StatusCode::NOT_FOUND, "the stream has ended");
            let result = self.session.reject(&gone, now());
            return self.note(result);
        };
        let first = first_frames(&mut packets);
        let started = play.started(self.session.setups(), &first, at_the_edge);
        let by_udp = !self.links.is_empty();
        let cname: Arc<str> = format!("{}@arcly", self.session.id()).into();
        let links = &self.links;
        let tracks = self
            .session
            .setups()
            .iter()
            .enumerate()
            .filter_map(|(index, setup)| {
                let track = play.track(setup)?;
                let out = match setup.carriage {
                    Carriage::Interleaved(channels) => TrackOut::Interleaved(channels),
                    Carriage::Udp { .. } => {
                        let link = links.iter().find(|link| link.peer.index() == index)?;
                        TrackOut::Udp(link.endpoint().clone(), Arc::clone(&link.peer))
                    }
                };
                let clock = (play.clock.ssrc(track.track), track.format.clock_rate());
                Some(FeedTrack::new(track.track, clock, out, Arc::clone(&cname)))
            });
        let mut feed = Feed {
            tracks: tracks.collect(),
            by_udp,
            shedding: Shedding::new(),
            burst: None,
            report_every: self.config.report_interval,
            play: Arc::clone(&play.session),
            packets,
        };
        feed.start_burst(self.config.udp_burst, now());
        info!(stream = %play.handle().key(), by_udp, "playing");
        self.starting = Some(feed);
        let result = self.session.accept_play(&started, now());
        self.note(result);
    }

    /// Where a player starts that asks for this range.
    ///
    /// One that asks for a live stream from now on (GStreamer's `rtspsrc` does) is not sent what was before: it takes the time at which packets
    /// arrive for that at which they were sent, so a burst squeezes its timestamps, differently for each track, and those of reordered
    /// pictures cross.
    fn start_of(&self, range: Option<&Range>) -> StartAt {
        match self.config.play_start.into() {
            StartAt::LatestKeyframe if range == Some(&Range::NOW) => StartAt::NextKeyframe,
            start => start,
        }
    }

    /// Sends media from now on: the response to PLAY is out.
    pub(super) fn begin_play(&mut self) {
        let (Some(feed), Some(play)) = (self.starting.take(), &self.play) else {
            return;
        };
        self.wire.lock().media().play(feed);
        let stream = play.handle().session();
        let flushers = &self.shared.flushers;
        flushers.join(stream, play.variant, &play.rendition, &self.wire);
    }

    /// Sends no media until the next PLAY.
    pub(super) fn pause_play(&mut self) {
        self.starting = None;
        self.wire.lock().media().stop();
    }

    /// The play has come to its end from our side.
    pub(super) fn play_ended(&mut self, end: PlayEnd) {
        self.starting = None;
        {
            let mut line = self.wire.lock();
            let (player, outbox) = line.media_and_outbox();
            player.end(outbox);
        }
        let Some(play) = self.play.take() else {
            return;
        };
        let key = play.handle().key().clone();
        info!(stream = %key, ?end, "playing ended");
        if end == PlayEnd::Unpublished {
            // There is no request by which a server ends a session that clients know; they hear BYE, and some (GStreamer) take a connection that closes
            // before they have read it for an error. So they are given time to hang up.
            let farewell = if self.links.is_empty() {
                FAREWELL_TCP
            } else {
                FAREWELL_UDP
            };
            self.farewell = now().checked_add(farewell);
        } else {
            let ended = super::outcome::ConnectionError::PlayEnded { key, end };
            self.failure.get_or_insert(ended);
            self.session.close();
        }
    }

    /// Takes what a player reports.
    pub(super) fn feedback(&mut self, data: &[u8]) {
        let Some(play) = &self.play else {
            return;
        };
        for packet in rtcp::read(data) {
            match packet {
                Ok(RtcpPacket::PictureLoss(_) | RtcpPacket::FullIntra(_)) => {
                    play.handle().request_keyframe();
                }
                Ok(RtcpPacket::ReceiverReport(report)) => {
                    for block in &report.blocks {
                        let clock = play.clock;
                        let mut tracks = play.tracks.iter();
                        let Some(track) = tracks.find(|t| clock.ssrc(t.track) == block.ssrc) else {
                            continue;
                        };
                        let lost = self.reported_lost.entry(track.track).or_default();
                        let total = u64::try_from(block.cumulative_lost).unwrap_or(0);
                        let more = total.saturating_sub(*lost);
                        *lost = total.max(*lost);
                        if more > 0 {
                            play.session.lost(ViewerLoss::LostOnTheWay, more);
                        }
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    debug!(peer = %self.peer, %error, "a player's report cannot be read");
                    return;
                }
            }
        }
    }
}
