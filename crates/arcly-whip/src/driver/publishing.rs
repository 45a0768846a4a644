//! What a peer publishes: packets in, frames to the stream, reports and requests back.

use super::Ports;
use crate::media::{ArrivalLog, ExtensionReader, NackGenerator, layer_track};
use crate::sdp::{PublishedCodec, PublishedMedia};
use crate::statistics::{TrackCounters, TrackReport, ticks};
use crate::transport::PeerTransport;
use arcly_core::rtp::rtcp::{Nack, RtcpPacket};
use arcly_core::rtp::{IngestConfig, IngestEvent, IngestTrack, RtpHeader, RtpIngest, RtpPacket};
use arcly_core::{MediaKind, PublishSession, TrackId};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// How long a missing packet is waited for: three times it is asked for on a way of 60 ms there and back.
const REORDER_WAIT: Duration = Duration::from_millis(200);

/// The round trip that requests are repeated after; the peer's own reports do not tell it to who only receives.
const ROUND_TRIP: Duration = Duration::from_millis(60);

/// How often the peer is told how its packets arrive.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is asked for a keyframe at most.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// The most SSRCs of one peer: three layers and sound, each with retransmissions, and what a peer that starts over takes.
const MAX_SOURCES: usize = 64;

/// What a peer's packets with one SSRC are.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// Media, of this track of the ingest.
    Media { index: usize },
    /// Retransmissions of media of this payload type; which SSRC's is told by the layer, by its place, or by there being one.
    Retransmission {
        media: usize,
        codec: usize,
        layer: Option<usize>,
    },
}

/// A track of the ingest, and what it was negotiated as.
#[derive(Debug)]
struct Track {
    ssrc: u32,
    media: usize,
    codec: usize,
    /// Which simulcast layer, by its place in the offer.
    layer: Option<usize>,
    nack: Option<NackGenerator>,
    /// What the ingest does not count.
    counters: TrackCounters,
}

/// A publisher.
pub(crate) struct Publishing {
    session: PublishSession,
    media: Vec<PublishedMedia>,
    ingest: RtpIngest,
    sources: HashMap<u32, Source>,
    tracks: Vec<Track>,
    arrivals: ArrivalLog,
    start: Instant,
    own_ssrc: u32,
    next_report: Instant,
    /// Tracks that are to be asked for a keyframe.
    keyframes_wanted: Vec<usize>,
    last_keyframe_request: Option<Instant>,
    out: BytesMut,
}

impl Publishing {
    pub(crate) fn new(
        session: PublishSession,
        media: Vec<PublishedMedia>,
        own_ssrc: u32,
        now: Instant,
    ) -> Self {
        let mut config = IngestConfig::datagrams();
        config.reorder_wait = REORDER_WAIT;
        config.keyframe_interval = KEYFRAME_INTERVAL;
        Self {
            session,
            media,
            ingest: RtpIngest::new(config),
            sources: HashMap::new(),
            tracks: Vec::new(),
            arrivals: ArrivalLog::default(),
            start: now,
            own_ssrc,
            next_report: now + REPORT_INTERVAL,
            keyframes_wanted: Vec::new(),
            last_keyframe_request: None,
            out: BytesMut::new(),
        }
    }

    pub(super) fn connected(&self) {
        debug!(stream = %self.session.key(), "the publisher is connected");
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start)
    }

    pub(super) fn handle_rtp(&mut self, datagram: Bytes, now: Instant) {
        let at = self.elapsed(now);
        let Ok(packet) = RtpPacket::parse(datagram.clone()) else {
            return;
        };
        let extensions = ExtensionReader::new(packet.extension.as_ref());
        let Some(source) = self.source(&packet.header, extensions) else {
            return;
        };
        match source {
            Source::Media { index } => {
                self.count_arrival(index, &packet.header, extensions, at);
                self.take(index, packet.header.sequence, datagram, at);
            }
            Source::Retransmission {
                media,
                codec,
                layer,
            } => {
                if let Some((index, original)) = self.restore(&packet, media, codec, layer) {
                    self.count_arrival(index, &packet.header, extensions, at);
                    if let Some(track) = self.tracks.get_mut(index) {
                        track.counters.retransmitted += 1;
                    }
                    let sequence = u16::from_be_bytes(
                        packet.payload.first_chunk().copied().unwrap_or_default(),
                    );
                    self.take(index, sequence, original, at);
                }
            }
        }
    }

    /// A packet of a track, as it was or restored.
    fn take(&mut self, index: usize, sequence: u16, datagram: Bytes, at: Duration) {
        if let Some(nack) = self
            .tracks
            .get_mut(index)
            .and_then(|track| track.nack.as_mut())
        {
            nack.on_packet(sequence, at);
        }
        if let Err(error) = self.ingest.handle_rtp(index, datagram, at) {
            debug!(stream = %self.session.key(), %error, "a packet cannot be used");
        }
    }

    fn count_arrival(
        &mut self,
        index: usize,
        header: &RtpHeader,
        extensions: ExtensionReader<'_>,
        at: Duration,
    ) {
        let media = self
            .tracks
            .get(index)
            .and_then(|track| self.media.get(track.media));
        let id = media.and_then(|media| media.transport_cc_extension);
        if let Some(&[high, low]) = extensions.get(id).and_then(|data| data.first_chunk()) {
            let number = u16::from_be_bytes([high, low]);
            self.arrivals.on_packet(header, number, at);
        }
    }

    /// The packet that a retransmission carries (RFC 4588 4), and its track.
    fn restore(
        &self,
        packet: &RtpPacket,
        media: usize,
        codec: usize,
        layer: Option<usize>,
    ) -> Option<(usize, Bytes)> {
        let index = self.tracks.iter().position(|track| {
            track.media == media && track.codec == codec && track.layer == layer
        })?;
        let track = self.tracks.get(index)?;
        let payload_type = self.media.get(media)?.codecs.get(codec)?.payload_type;
        let (&sequence, payload) = packet.payload.split_first_chunk()?;
        let header = RtpHeader {
            payload_type,
            sequence: u16::from_be_bytes(sequence),
            ssrc: track.ssrc,
            ..packet.header
        };
        let mut restored = BytesMut::with_capacity(12 + payload.len());
        restored.put_slice(&header.to_bytes());
        restored.put_slice(payload);
        Some((index, restored.freeze()))
    }

    /// What the packet's SSRC is, learnt from its payload type and extensions where it is new.
    fn source(&mut self, header: &RtpHeader, extensions: ExtensionReader<'_>) -> Option<Source> {
        let (media, codec, is_retransmission) = self.negotiated(header.payload_type, extensions)?;
        let known = self.sources.get(&header.ssrc).copied();
        match known {
            Some(Source::Retransmission { .. }) if is_retransmission => return known,
            Some(Source::Media { index }) if !is_retransmission => {
                let same = self
                    .tracks
                    .get(index)
                    .is_some_and(|track| track.codec == codec);
                if same {
                    return known;
                }
            }
            _ => {}
        }
        let layer = self.layer(media, is_retransmission, extensions)?;
        if known.is_none() && self.sources.len() == MAX_SOURCES {
            return None;
        }
        let source = if is_retransmission {
            Source::Retransmission {
                media,
                codec,
                layer,
            }
        } else {
            let index = self.add_track(header.ssrc, media, codec, layer)?;
            Source::Media { index }
        };
        self.sources.insert(header.ssrc, source);
        Some(source)
    }

    /// Which layer a packet of a new source is of: `Some(None)` where there are none. `None` where the packet does not tell, or names one that was not
    /// negotiated; senders tell until they know from our reports that we have learnt it.
    fn layer(
        &self,
        media: usize,
        is_retransmission: bool,
        extensions: ExtensionReader<'_>,
    ) -> Option<Option<usize>> {
        let media = self.media.get(media)?;
        if media.layers.is_empty() {
            return Some(None);
        }
        let extension = match is_retransmission {
            true => media.repaired_layer_extension,
            false => media.layer_extension,
        };
        let name = extensions.text(extension)?;
        media
            .layers
            .iter()
            .position(|layer| layer == name)
            .map(Some)
    }

    /// Which media and codec a payload type is of, and whether it is that of retransmissions.
    fn negotiated(
        &self,
        payload_type: u8,
        extensions: ExtensionReader<'_>,
    ) -> Option<(usize, usize, bool)> {
        let all = self.media.iter().enumerate().flat_map(|(place, media)| {
            media
                .codecs
                .iter()
                .enumerate()
                .map(move |(codec, negotiated)| (place, media, codec, negotiated))
        });
        let mut of_type = all.filter(|(_, _, _, codec)| {
            codec.payload_type == payload_type || codec.retransmission == Some(payload_type)
        });
        let first = of_type.next()?;
        // Of several with the same payload type, the packet says which.
        let named = std::iter::once(first)
            .chain(of_type)
            .find(|(_, media, _, _)| {
                extensions.text(media.mid_extension) == Some(media.mid.as_str())
            });
        let (media, _, codec, negotiated) = named.unwrap_or(first);
        Some((media, codec, negotiated.payload_type != payload_type))
    }

    /// Adds a track of the ingest for a new source, or has the one that was there go on with it.
    fn add_track(
        &mut self,
        ssrc: u32,
        media: usize,
        codec: usize,
        layer: Option<usize>,
    ) -> Option<usize> {
        let negotiated = self.media.get(media)?;
        let PublishedCodec {
            payload_type,
            format,
            nack,
            ..
        } = negotiated.codecs.get(codec)?;
        let nack = nack.then(|| NackGenerator::new(ROUND_TRIP));
        let same =
            |track: &Track| track.media == media && track.codec == codec && track.layer == layer;
        if let Some(index) = self.tracks.iter().position(same) {
            let track = self.tracks.get_mut(index)?;
            track.ssrc = ssrc;
            track.nack = nack;
            return Some(index);
        }
        let id = self.track_id(media, layer)?;
        let track = IngestTrack::new(id, *payload_type, format.clone());
        let index = match self.ingest.add_track(track) {
            Ok(index) => index,
            Err(error) => {
                // Each of its packets comes here.
                debug!(stream = %self.session.key(), %error, "a track is left out");
                return None;
            }
        };
        debug!(stream = %self.session.key(), track = %id, ssrc, layer, "a track begins");
        self.tracks.push(Track {
            ssrc,
            media,
            codec,
            layer,
            nack,
            counters: TrackCounters::default(),
        });
        Some(index)
    }

    fn track_id(&self, media: usize, layer: Option<usize>) -> Option<TrackId> {
        let section = self.media.get(media)?;
        let first = self
            .media
            .iter()
            .position(|other| other.kind == section.kind);
        layer_track(
            section.kind,
            first == Some(media),
            media,
            layer.unwrap_or(0),
        )
    }

    pub(super) fn handle_rtcp(&mut self, datagram: &[u8], now: Instant) {
        let at = self.elapsed(now);
        for packet in arcly_core::rtp::rtcp::read(datagram) {
            let Ok(packet) = packet else { return };
            if let RtcpPacket::SenderReport(report) = packet {
                let index = self
                    .tracks
                    .iter()
                    .position(|track| track.ssrc == report.ssrc);
                if let Some(index) = index {
                    self.ingest
                        .handle_sender_report(index, report.ntp, report.rtp_timestamp, at);
                }
            }
        }
    }

    /// Waits for the host: for its wish for a keyframe, or for its end.
    pub(super) async fn ready(&mut self) -> Option<&'static str> {
        let handle = self.session.handle().clone();
        tokio::select! {
            _ = self.session.ended() => Some("the session was ended"),
            () = handle.keyframe_requested() => {
                self.keyframes_wanted = (0..self.tracks.len()).collect();
                None
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let nacks = self
            .tracks
            .iter()
            .filter_map(|track| track.nack.as_ref()?.next_request());
        let wanted = self
            .last_keyframe_request
            .filter(|_| !self.keyframes_wanted.is_empty());
        nacks
            .chain(self.ingest.next_timeout())
            .chain(self.arrivals.due())
            .map(|at| self.start + at)
            .chain(wanted.map(|last| last + KEYFRAME_INTERVAL))
            .chain([self.next_report])
            .min()
    }

    pub(super) fn drive(
        &mut self,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
        now: Instant,
    ) -> Result<(), &'static str> {
        let at = self.elapsed(now);
        self.ingest.handle_timeout(at);
        while let Some(event) = self.ingest.poll_event() {
            match event {
                IngestEvent::Frame(frame) => {
                    if let Err(error) = self.session.publish_frame(frame) {
                        warn!(stream = %self.session.key(), %error, "a frame cannot be published");
                        return Err("the session was ended");
                    }
                }
                IngestEvent::KeyframeWanted { index }
                    if !self.keyframes_wanted.contains(&index) =>
                {
                    self.keyframes_wanted.push(index);
                }
                _ => {}
            }
        }
        self.request_keyframes(transport, ports, now);
        self.request_missing(transport, ports, at);
        let mut feedback = BytesMut::new();
        self.arrivals.feedback(at, self.own_ssrc, &mut feedback);
        self.send(transport, ports, &feedback);
        if now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            for index in 0..self.tracks.len() {
                if let Some(report) = self.ingest.receiver_report(index, self.own_ssrc, at) {
                    self.send(transport, ports, &report);
                }
            }
        }
        Ok(())
    }

    fn request_keyframes(
        &mut self,
        transport: &mut dyn PeerTransport,
        ports: &Ports,
        now: Instant,
    ) {
        let is_time = self
            .last_keyframe_request
            .is_none_or(|last| now >= last + KEYFRAME_INTERVAL);
        if self.keyframes_wanted.is_empty() || !is_time {
            return;
        }
        self.last_keyframe_request = Some(now);
        let at = self.elapsed(now);
        for index in std::mem::take(&mut self.keyframes_wanted) {
            let is_video = self
                .tracks
                .get(index)
                .and_then(|track| self.media.get(track.media))
                .is_some_and(|media| media.kind == MediaKind::Video);
            if !is_video {
                continue;
            }
            if let Some(request) = self.ingest.keyframe_request(index, self.own_ssrc, at) {
                self.send(transport, ports, &request);
                if let Some(track) = self.tracks.get_mut(index) {
                    track.counters.keyframe_requests += 1;
                }
            }
        }
    }

    /// How its tracks fare.
    pub(super) fn track_reports(&self) -> Vec<TrackReport> {
        let reports = self.tracks.iter().enumerate().filter_map(|(index, track)| {
            let media = self.media.get(track.media)?;
            let format = &media.codecs.get(track.codec)?.format;
            let stats = self.ingest.stats(index)?;
            Some(TrackReport {
                track: self.track_id(track.media, track.layer)?,
                kind: media.kind,
                codec: format.encoding_name(),
                layer: track
                    .layer
                    .and_then(|layer| media.layers.get(layer))
                    .cloned(),
                bitrate: 0,
                counters: TrackCounters {
                    packets: stats.packets,
                    bytes: stats.bytes,
                    lost: stats.lost,
                    jitter: ticks(stats.jitter, format.clock_rate()),
                    ..track.counters
                },
            })
        });
        reports.collect()
    }

    fn request_missing(&mut self, transport: &mut dyn PeerTransport, ports: &Ports, at: Duration) {
        let mut sequences = Vec::new();
        let mut packet = BytesMut::new();
        for track in &mut self.tracks {
            let Some(nack) = &mut track.nack else {
                continue;
            };
            nack.requests(at, &mut sequences);
            if !sequences.is_empty() {
                track.counters.nacked += sequences.len() as u64;
                Nack::new(self.own_ssrc, track.ssrc, sequences.drain(..)).write(&mut packet);
            }
        }
        self.send(transport, ports, &packet);
    }

    fn send(&mut self, transport: &mut dyn PeerTransport, ports: &Ports, packet: &[u8]) {
        if packet.is_empty() {
            return;
        }
        let Some(route) = transport.route() else {
            return;
        };
        self.out.clear();
        if transport.protect_rtcp(packet, &mut self.out).is_ok() {
            // The next report tells what this one would have.
            let _ = ports.send(route, self.out.len(), &self.out);
        }
    }

    /// Ends the publish.
    pub(super) async fn finish(mut self) {
        self.ingest.finish(self.elapsed(super::now()));
        while let Some(event) = self.ingest.poll_event() {
            if let IngestEvent::Frame(frame) = event
                && self.session.publish_frame(frame).is_err()
            {
                break;
            }
        }
        let key = self.session.key().clone();
        if let Err(error) = self.session.finish().await {
            debug!(stream = %key, %error, "the publish had ended before");
        }
    }
}
