//! What a peer watches: the rendition's packets, made its own, encrypted and sent.

use super::{Ports, now};
use crate::media::{Adaptation, OutgoingTrack, Purpose, Resend, Wish};
use crate::sdp::WatchedMedia;
use crate::statistics::TrackReport;
use crate::transport::PeerTransport;
use arcly_core::rtp::rtcp::{Nack, ReceiverReport, RtcpPacket, SourceDescription};
use arcly_core::rtp::{RtpFrame, RtpPackager, RtpVariant, TranscodingRtpPackager};
use arcly_core::transcode::AudioTranscoder;
use arcly_core::{
    MediaKind, PlaySession, Rendition, RenditionSubscription, StartAt, TimeDelta, Timestamp,
};
use bytes::BytesMut;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often sender reports are sent.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How often a viewer's wish for a keyframe is passed on.
const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);

/// How many packets tell how much gets through.
const PROBE_PACKETS: usize = 10;

/// How much of what a viewer catches up with is sent at once.
const CATCH_UP_BURST: Duration = Duration::from_millis(10);

/// By how much pictures that a viewer catches up with are shown faster than they were made.
const CATCH_UP_SPEED: i64 = 32;

/// The most frames that are sent at once.
const MAX_FRAMES: usize = 32;

/// How often frames are sent before the way is looked after again.
const MAX_ROUNDS: usize = 4;

/// A viewer.
pub(crate) struct Watching {
    play: PlaySession,
    rendition: Rendition<RtpFrame>,
    subscription: Option<RenditionSubscription<RtpFrame>>,
    tracks: Vec<OutgoingTrack>,
    max_catch_up: Duration,
    transport_sequence: u16,
    /// While catching up: when live began for this viewer, and what may be sent when.
    catch_up: Option<CatchUp>,
    adaptation: Adaptation,
    requests: Vec<(usize, u16)>,
    own_ssrc_name: String,
    start: Instant,
    next_report: Option<Instant>,
    last_keyframe_request: Option<Instant>,
    out: BytesMut,
}

/// The newest GOP is sent at once, and shown fast: its pictures' timestamps are squeezed together before that of the first live one.
#[derive(Debug, Clone, Copy)]
struct CatchUp {
    /// How much there was to catch up with when the viewer joined.
    behind: TimeDelta,
    /// When live begins: that much after the first frame, once there is one.
    live: Option<Timestamp>,
    /// When as much as was sent has had its time.
    paid_until: Instant,
}

impl CatchUp {
    /// The time at which a frame of before is shown; `None` for those of live.
    fn squeeze(&mut self, at: Timestamp) -> Option<Timestamp> {
        let live = *self.live.get_or_insert(at + self.behind);
        let behind = live.since(at).raw();
        (behind > 0).then(|| live - TimeDelta::from_raw(behind / CATCH_UP_SPEED))
    }
}

impl Watching {
    pub(crate) fn new(
        play: PlaySession,
        media: Vec<WatchedMedia>,
        transcoder: Option<Arc<dyn AudioTranscoder>>,
        max_catch_up: Duration,
        session: u64,
        sequence: u16,
        now: Instant,
    ) -> Self {
        let handle = play.handle().clone();
        let (stream, variant) = (handle.clone(), RtpVariant::default());
        let rendition = match transcoder {
            Some(transcoder) => {
                handle.rendition(TranscodingRtpPackager::new(stream, variant, transcoder))
            }
            None => handle.rendition(RtpPackager::new(stream, variant)),
        };
        Self {
            rendition,
            play,
            subscription: None,
            tracks: media
                .into_iter()
                .map(|media| OutgoingTrack::new(media, sequence & 0x7fff))
                .collect(),
            max_catch_up,
            transport_sequence: 0,
            catch_up: None,
            adaptation: Adaptation::default(),
            requests: Vec::new(),
            own_ssrc_name: session.to_string(),
            start: now,
            next_report: None,
            last_keyframe_request: None,
            out: BytesMut::new(),
        }
    }

    fn has_video(&self) -> bool {
        self.tracks
            .iter()
            .any(|track| track.media().track.rtp.kind == MediaKind::Video)
    }

    /// Media can go: the viewer joins.
    pub(super) fn connected(&mut self, now: Instant) {
        self.next_report = Some(now);
        if !self.has_video() {
            // Sound can neither be squeezed nor does it need a keyframe.
            self.subscription = Some(self.rendition.subscribe_from(StartAt::Live));
            return;
        }
        // The stream's own log tells how long the newest GOP is; the rendition's may still be in the making.
        let mut past = self.play.subscribe_from(StartAt::LatestKeyframe);
        let behind = past.backlog();
        let is_near = past.try_recv().is_some()
            && behind
                .to_duration()
                .is_some_and(|behind| behind <= self.max_catch_up);
        if is_near {
            self.subscription = Some(self.rendition.subscribe_from(StartAt::LatestKeyframe));
            self.catch_up = Some(CatchUp {
                behind,
                live: None,
                paid_until: now,
            });
        } else {
            self.subscription = Some(self.rendition.subscribe_from(StartAt::NextKeyframe));
            self.request_keyframe(now);
        }
    }

    /// Asks the publisher for a keyframe, once an interval.
    fn request_keyframe(&mut self, now: Instant) {
        let is_time = self
            .last_keyframe_request
            .is_none_or(|last| now >= last + KEYFRAME_INTERVAL);
        if is_time {
            self.last_keyframe_request = Some(now);
            self.play.handle().request_keyframe();
        }
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    pub(super) fn handle_rtcp(&mut self, datagram: &[u8], now: Instant) {
        self.adaptation.on_rtcp(datagram, self.elapsed(now));
        // What is reported lost is not waited for to be asked for: the request may be lost as well.
        self.requests.extend(self.adaptation.take_lost());
        for packet in arcly_core::rtp::rtcp::read(datagram) {
            match packet {
                Ok(RtcpPacket::Nack(nack)) => self.note_missing(&nack),
                Ok(RtcpPacket::PictureLoss(_) | RtcpPacket::FullIntra(_)) => {
                    // Of which track does not matter: pictures have one.
                    let is_video = |track: &&mut OutgoingTrack| {
                        track.media().track.rtp.kind == MediaKind::Video
                    };
                    if let Some(track) = self.tracks.iter_mut().find(is_video) {
                        track.counters().keyframe_requests += 1;
                    }
                    self.request_keyframe(now);
                }
                Ok(RtcpPacket::ReceiverReport(report)) => self.note_arrival(&report, now),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn note_missing(&mut self, nack: &Nack) {
        /// What one datagram can ask for; browsers ask for far less.
        const MAX_REQUESTS: usize = 512;
        let mut tracks = self.tracks.iter();
        let track = tracks.position(|track| track.media().track.ssrc == nack.media);
        if let Some(track) = track {
            if let Some(track) = self.tracks.get_mut(track) {
                track.counters().nacked += nack.sequences().count() as u64;
            }
            let room = MAX_REQUESTS.saturating_sub(self.requests.len());
            let missing = nack.sequences().take(room);
            self.requests
                .extend(missing.map(|sequence| (track, sequence)));
        }
    }

    fn note_arrival(&mut self, report: &ReceiverReport, now: Instant) {
        let elapsed = self.elapsed(now);
        for block in &report.blocks {
            let of_block = |track: &&mut OutgoingTrack| track.media().track.ssrc == block.ssrc;
            if let Some(track) = self.tracks.iter_mut().find(of_block) {
                track.on_report(block, elapsed);
            }
        }
    }

    /// How its tracks fare.
    pub(super) fn track_reports(&self) -> Vec<TrackReport> {
        self.tracks
            .iter()
            .map(OutgoingTrack::track_report)
            .collect()
    }

    /// The round trip, as the viewer's reports tell it.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.tracks.iter().find_map(OutgoingTrack::round_trip)
    }

    /// How much gets through, in bits a second, as far as that has been tried.
    pub(super) fn bandwidth(&self) -> Option<u64> {
        self.adaptation.bits_per_second()
    }

    /// Waits until the host ends it.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.play.ended_owned()
    }

    /// Sends packets as they come, without a turn of the whole session for each: that would cost as much as sending. Returns now and then, when the
    /// deadline changes, and at the end. Cancel-safe.
    pub(super) async fn run(
        &mut self,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
    ) -> Option<&'static str> {
        let deadline = self.deadline();
        for _ in 0..MAX_ROUNDS {
            if let Some(reason) = self.ready().await {
                return Some(reason);
            }
            if let Err(reason) = self.drive(transport, ports, now()) {
                return Some(reason);
            }
            if self.deadline() != deadline {
                break;
            }
        }
        None
    }

    /// Waits for packets, or the stream's end.
    async fn ready(&mut self) -> Option<&'static str> {
        // While catching up, the next time is a deadline.
        let paced = self
            .catch_up
            .is_some_and(|catch_up| catch_up.live.is_some());
        match &mut self.subscription {
            Some(subscription) if !paced => {
                (!subscription.ready().await).then_some("the stream has ended")
            }
            _ => pending().await,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let catch_up = self
            .catch_up
            .filter(|catch_up| catch_up.live.is_some())
            .map(|catch_up| catch_up.paid_until);
        [catch_up, self.next_report].into_iter().flatten().min()
    }

    pub(super) fn drive(
        &mut self,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
        now: Instant,
    ) -> Result<(), &'static str> {
        self.resend(transport, ports, now);
        match self.adaptation.take_wish() {
            Some(Wish::Keyframe) => self.play.handle().request_keyframe(),
            Some(Wish::Probe(wanted)) => self.probe(wanted, transport, ports, now),
            None => {}
        }
        for _ in 0..MAX_FRAMES {
            if self
                .catch_up
                .is_some_and(|catch_up| catch_up.paid_until > now + CATCH_UP_BURST)
            {
                break;
            }
            let Some(subscription) = &mut self.subscription else {
                break;
            };
            let Some(frame) = subscription.try_recv() else {
                // All of the past is sent, unless there is none of it yet.
                self.catch_up = self.catch_up.filter(|catch_up| catch_up.live.is_none());
                if subscription.end().is_some() {
                    return Err("the stream has ended");
                }
                break;
            };
            if self.is_of_another_codec(&frame) {
                return Err("the stream's codec is another one now: it has to be negotiated anew");
            }
            self.send_frame(&frame, transport, ports, now);
        }
        if self.next_report.is_some_and(|next| next <= now) && self.report(transport, ports, now) {
            self.next_report = Some(now + REPORT_INTERVAL);
        } else if self.next_report.is_some_and(|next| next <= now) {
            // Nothing was sent yet that could be told of.
            self.next_report = Some(now + CATCH_UP_BURST);
        }
        Ok(())
    }

    /// Whether a frame cannot be sent as what was negotiated: the publisher has come back with something else.
    fn is_of_another_codec(&self, frame: &RtpFrame) -> bool {
        let mut tracks = self.tracks.iter().map(|track| &track.media().track.rtp);
        let negotiated = tracks.find(|rtp| rtp.track == frame.track());
        negotiated.is_some_and(|rtp| rtp.codec != frame.codec())
    }

    fn send_frame(
        &mut self,
        frame: &RtpFrame,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
        now: Instant,
    ) {
        let elapsed = self.elapsed(now);
        let of_video = |track: &&OutgoingTrack| track.media().track.rtp.kind == MediaKind::Video;
        let video = self.tracks.iter().find(of_video);
        let video = video.map(|track| track.media().track.rtp.track);
        let is_past = self.catch_up.is_some();
        let Some(route_track) = self.adaptation.route(frame, video, is_past, elapsed) else {
            return;
        };
        let place = self
            .tracks
            .iter()
            .position(|track| track.media().track.rtp.track == route_track);
        let (Some(place), Some(route)) = (place, transport.route()) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(place) else {
            return;
        };
        let rendition = frame.first_header().timestamp;
        let clock = frame.clock();
        let mut shown = frame.pts();
        // The wall clock at which it counts as sent: reports relate the two.
        let mut sent = frame.sent();
        if let Some(catch_up) = &mut self.catch_up {
            match catch_up.squeeze(frame.pts()) {
                None => self.catch_up = None,
                // Sound cannot be squeezed; it begins with the first of live.
                Some(_) if frame.kind() != MediaKind::Video => return,
                Some(squeezed) => {
                    shown = squeezed;
                    sent = sent.after(shown.since(frame.pts()).to_duration().unwrap_or_default());
                    let bits = frame.interleaved().len() as u64 * 8;
                    let cost = bits * 1_000_000 / self.adaptation.catch_up_rate();
                    catch_up.paid_until =
                        catch_up.paid_until.max(now) + Duration::from_micros(cost);
                }
            }
        }
        let mut timestamp = clock.timestamp(route_track, frame.clock_rate(), shown);
        if Some(route_track) == video {
            if self.adaptation.changes_layer(frame.track()) {
                track.forget();
            }
            timestamp = self.adaptation.timestamp(frame.track(), timestamp);
        }
        self.out.clear();
        track.begin_frame(frame, elapsed);
        let is_counted = track.media().transport_cc_extension.is_some();
        let first = self.transport_sequence;
        // Packets of a picture are equally long but for the last, and go out in one send.
        let (mut run, mut segment) = (0, 0);
        for (header, payload) in frame.as_payloads() {
            let at = timestamp.wrapping_add(header.timestamp.wrapping_sub(rendition));
            let start = self.out.len();
            let number = self.transport_sequence;
            let sequence = track.write(header, payload, at, number, &mut self.out);
            if transport.seal_rtp(&mut self.out, start).is_err() {
                return;
            }
            let length = self.out.len() - start;
            if is_counted {
                self.transport_sequence = number.wrapping_add(1);
                let purpose = media_purpose(place, sequence);
                self.adaptation.on_sent(number, length, purpose, elapsed);
            }
            let before = start - run;
            if before == 0 {
                segment = length;
            } else if length > segment || !before.is_multiple_of(segment) {
                let _ = ports.send(route, segment, self.out.get(run..start).unwrap_or_default());
                (run, segment) = (start, length);
            }
        }
        // What a full socket does not take is lost as on any network, and asked for again.
        let _ = ports.send(route, segment, self.out.get(run..).unwrap_or_default());
        track.frame_sent(frame, sent, timestamp, first, elapsed);
    }

    fn resend(&mut self, transport: &mut dyn PeerTransport, ports: &Ports, now: Instant) {
        let Some(route) = transport.route() else {
            return;
        };
        let (elapsed, round_trip) = (self.elapsed(now), self.round_trip());
        for (place, sequence) in std::mem::take(&mut self.requests) {
            let Some(track) = self.tracks.get_mut(place) else {
                continue;
            };
            let purpose = media_purpose(place, sequence);
            let copies = track.copies(sequence);
            // Requests and reports of one loss cross the packet that was sent again for the first of them.
            if copies > 1 && self.adaptation.is_on_its_way(purpose, round_trip, elapsed) {
                continue;
            }
            for _ in 0..copies {
                self.out.clear();
                let number = self.transport_sequence;
                let Some(resent) = track.resend(sequence, number, &mut self.out) else {
                    break;
                };
                if transport.seal_rtp(&mut self.out, 0).is_err() {
                    return;
                }
                let _ = ports.send(route, self.out.len(), &self.out);
                // The same packet has the same number.
                let is_counted = track.media().transport_cc_extension.is_some();
                if is_counted && resent == Resend::Retransmission {
                    self.transport_sequence = number.wrapping_add(1);
                    self.adaptation
                        .on_sent(number, self.out.len(), purpose, elapsed);
                }
            }
        }
    }

    /// Sends a few packets of before once more, to see how fast they get through.
    fn probe(
        &mut self,
        wanted: u64,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
        now: Instant,
    ) {
        let elapsed = self.elapsed(now);
        let mut of_video = self.tracks.iter_mut();
        let track = of_video.find(|track| {
            let media = track.media();
            media.track.rtp.kind == MediaKind::Video && media.transport_cc_extension.is_some()
        });
        let (Some(track), Some(route)) = (track, transport.route()) else {
            return;
        };
        if !self.adaptation.begin_probe(wanted, elapsed) {
            return;
        }
        for before in 0..PROBE_PACKETS {
            self.out.clear();
            let number = self.transport_sequence;
            let is_there = track.probe(before, number, &mut self.out);
            if !is_there || transport.seal_rtp(&mut self.out, 0).is_err() {
                return;
            }
            let length = self.out.len();
            let _ = ports.send(route, length, &self.out);
            self.transport_sequence = number.wrapping_add(1);
            self.adaptation
                .on_sent(number, length, Purpose::Probe, elapsed);
        }
    }

    /// Tells which time the timestamps are of (RFC 3550 6.4.1), so that the player keeps sound and pictures in step. `false` before anything
    /// was sent.
    fn report(&mut self, transport: &mut dyn PeerTransport, ports: &Ports, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.start);
        let Some(route) = transport.route() else {
            return false;
        };
        let mut packet = BytesMut::new();
        for track in &mut self.tracks {
            let Some(report) = track.report(elapsed) else {
                continue;
            };
            report.write(&mut packet);
            let ssrc = report.ssrc;
            SourceDescription::new(ssrc, self.own_ssrc_name.clone()).write(&mut packet);
        }
        if packet.is_empty() {
            return false;
        }
        self.out.clear();
        if transport.protect_rtcp(&packet, &mut self.out).is_ok() {
            let _ = ports.send(route, self.out.len(), &self.out);
        }
        true
    }
}

/// A packet of the viewer's track at this place; a viewer has one track of each kind.
const fn media_purpose(place: usize, sequence: u16) -> Purpose {
    let track = place as u8;
    Purpose::Media { track, sequence }
}
