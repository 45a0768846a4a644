//! A track on its way to one viewer: the rendition's packets with the viewer's numbers.

use super::ExtensionWriter;
use super::history::{Headers, History};
use super::playout::PlayoutDelay;
use crate::sdp::{WatchedMedia, WatchedTrack};
use crate::statistics::{RoundTrip, TrackCounters, TrackReport, ticks};
use arcly_core::CodecId;
use arcly_core::rtp::rtcp::{ReportBlock, SenderReport};
use arcly_core::rtp::{NtpTime, RtpFrame, RtpHeader, RtpTrack, SenderStats};
use bytes::{BufMut, BytesMut};
use std::time::Duration;

/// How packets that are missed are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resend {
    /// In packets of a stream of their own (RFC 4588).
    Retransmission,
    /// As they were.
    Same,
}

/// One track of one viewer. Sequence numbers have no holes but for what the network loses, whatever the viewer skips.
#[derive(Debug)]
pub(crate) struct OutgoingTrack {
    media: WatchedMedia,
    sequence: u16,
    retransmission_sequence: u16,
    history: History,
    playout: PlayoutDelay,
    /// What the packets of the frame that is being written say of it: all of them, so that these stay equally long.
    playout_told: Option<[u8; 3]>,
    /// The number of the picture that is being written, where the payload has one.
    picture_id: Option<u16>,
    stats: SenderStats,
    counters: TrackCounters,
    round_trip: RoundTrip,
}

impl OutgoingTrack {
    /// A track that begins with this sequence number.
    pub(crate) fn new(media: WatchedMedia, sequence: u16) -> Self {
        Self {
            media,
            sequence,
            retransmission_sequence: sequence,
            history: History::default(),
            playout: PlayoutDelay::default(),
            playout_told: None,
            picture_id: None,
            stats: SenderStats::new(),
            counters: TrackCounters::default(),
            round_trip: RoundTrip::default(),
        }
    }

    /// What was counted, to be added to by who knows more.
    pub(crate) const fn counters(&mut self) -> &mut TrackCounters {
        &mut self.counters
    }

    /// How it fares; the rate is worked out by who asks every second.
    pub(crate) fn track_report(&self) -> TrackReport {
        let RtpTrack {
            track,
            kind,
            ref format,
            ..
        } = self.media.track.rtp;
        TrackReport {
            track,
            kind,
            codec: format.encoding_name(),
            layer: None,
            bitrate: 0,
            counters: self.counters,
        }
    }

    /// The round trip, as the viewer's reports tell it.
    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
    }

    /// The viewer has told how the track's packets arrive (RFC 3550 6.4.2).
    pub(crate) fn on_report(&mut self, block: &ReportBlock, now: Duration) {
        let rate = self.media.track.rtp.format.clock_rate();
        self.counters.lost = block.cumulative_lost.max(0).unsigned_abs().into();
        self.counters.fraction_lost = block.fraction_lost;
        self.counters.jitter = ticks(block.jitter, rate);
        self.round_trip
            .on_report(block.last_report, block.since_last_report, now);
    }

    /// What was negotiated.
    pub(crate) const fn media(&self) -> &WatchedMedia {
        &self.media
    }

    /// The packets of a frame were written, the first with this `transport_sequence`, and all with this timestamp, which is of the time `at` on the
    /// wall clock.
    pub(crate) fn frame_sent(
        &mut self,
        frame: &RtpFrame,
        at: NtpTime,
        timestamp: u32,
        transport_sequence: u16,
        now: Duration,
    ) {
        let (packets, octets) = (frame.packet_count(), frame.payload_bytes());
        self.counters.packets += u64::from(packets);
        self.counters.bytes += octets as u64;
        self.stats.on_sent(packets, octets, at, timestamp, now);
        if self.media.nack {
            let first = self.sequence.wrapping_sub(packets as u16);
            let first = Headers {
                header: self.header(frame.first_header().marker, first, timestamp),
                transport_sequence,
                playout_delay: self.playout_told,
                picture_id: self.picture_id,
            };
            self.history.push(frame, first);
        }
    }

    const fn header(&self, marker: bool, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader {
            payload_type: self.media.payload_type,
            marker,
            sequence,
            timestamp,
            ssrc: self.media.track.ssrc,
        }
    }

    /// What the viewer is to be told, every few seconds; `None` until something was sent.
    pub(crate) fn report(&mut self, now: Duration) -> Option<SenderReport> {
        let WatchedTrack { ssrc, rtp, .. } = &self.media.track;
        let report = self.stats.report(*ssrc, rtp.format.clock_rate(), now)?;
        self.round_trip.on_sent(report.ntp.middle(), now);
        Some(report)
    }

    /// Nothing of what was written so far is sent again: the player goes on with a keyframe.
    pub(crate) fn forget(&mut self) {
        self.history = History::default();
    }

    /// A frame is written next.
    pub(crate) fn begin_frame(&mut self, frame: &RtpFrame, now: Duration) {
        if picture_id_place(self.media.track.rtp.codec).is_some() {
            // 15 bits, from 0 on.
            let next = |id: u16| id.wrapping_add(1) & 0x7fff;
            self.picture_id = Some(self.picture_id.map_or(0, next));
        }
        let round_trip = self.round_trip.get();
        self.playout_told = self
            .playout
            .on_picture(frame.packet_count(), round_trip, now);
    }

    /// Appends the packet as the viewer gets it, not encrypted yet, and returns its sequence number. `timestamp` is the viewer's, `transport_sequence`
    /// counts all its packets.
    pub(crate) fn write(
        &mut self,
        rendition: RtpHeader,
        payload: &[u8],
        timestamp: u32,
        transport_sequence: u16,
        out: &mut BytesMut,
    ) -> u16 {
        let headers = Headers {
            header: self.header(rendition.marker, self.sequence, timestamp),
            transport_sequence,
            playout_delay: self.playout_told,
            picture_id: self.picture_id,
        };
        self.sequence = self.sequence.wrapping_add(1);
        put(&self.media, headers, None, payload, out);
        headers.header.sequence
    }

    /// How often a packet that the viewer misses is to be [sent again](Self::resend) now: where an earlier retransmission was lost as well, the player
    /// has no time for a third, and two of them are safer than one.
    pub(crate) fn copies(&self, sequence: u16) -> usize {
        match self.history.resends(sequence) {
            0 => 1,
            _ => 2,
        }
    }

    /// Appends a packet that the viewer misses, not encrypted yet; `None` where it is not there any more.
    pub(crate) fn resend(
        &mut self,
        sequence: u16,
        transport_sequence: u16,
        out: &mut BytesMut,
    ) -> Option<Resend> {
        if self.history.resends(sequence) == 0 {
            self.playout.on_missed();
        }
        let (sent, payload) = self.history.resend(sequence)?;
        self.counters.retransmitted += 1;
        let Some(payload_type) = self.media.retransmission else {
            // The same bytes: with other ones, the same nonce would be used for two packets (RFC 7714 8.4).
            put(&self.media, sent, None, payload, out);
            return Some(Resend::Same);
        };
        let again = Headers {
            header: retransmission(
                &self.media,
                self.retransmission_sequence,
                payload_type,
                sent,
            ),
            transport_sequence,
            ..sent
        };
        self.retransmission_sequence = self.retransmission_sequence.wrapping_add(1);
        put(&self.media, again, Some(sent.header.sequence), payload, out);
        Some(Resend::Retransmission)
    }

    /// Appends the packet that was sent last but so many, as a retransmission that nobody asked for: it tells how much gets through. `false` where
    /// there is none, or no stream for retransmissions.
    pub(crate) fn probe(
        &mut self,
        before: usize,
        transport_sequence: u16,
        out: &mut BytesMut,
    ) -> bool {
        let (Some((sent, payload)), Some(payload_type)) =
            (self.history.recent(before), self.media.retransmission)
        else {
            return false;
        };
        let again = Headers {
            header: retransmission(
                &self.media,
                self.retransmission_sequence,
                payload_type,
                sent,
            ),
            transport_sequence,
            ..sent
        };
        put(&self.media, again, Some(sent.header.sequence), payload, out);
        self.retransmission_sequence = self.retransmission_sequence.wrapping_add(1);
        true
    }
}

/// The header of the packet that carries another one again (RFC 4588 4).
const fn retransmission(
    media: &WatchedMedia,
    sequence: u16,
    payload_type: u8,
    sent: Headers,
) -> RtpHeader {
    RtpHeader {
        payload_type,
        sequence,
        ssrc: media.track.retransmission_ssrc,
        ..sent.header
    }
}

/// Where payloads have the number of the picture, of 15 bits: the rendition's numbers are each layer's own, a viewer's go on from one to the other.
const fn picture_id_place(codec: CodecId) -> Option<usize> {
    match codec {
        // Behind the first byte and the extension's flags (RFC 7741 4.2).
        CodecId::Vp8 => Some(2),
        // Behind the first byte (RFC 9628 4.2).
        CodecId::Vp9 => Some(1),
        _ => None,
    }
}

/// Appends a packet. `original` is the sequence number that goes before the payload of a retransmission (RFC 4588 4).
fn put(
    media: &WatchedMedia,
    headers: Headers,
    original: Option<u16>,
    payload: &[u8],
    out: &mut BytesMut,
) {
    let start = out.len();
    out.put_slice(&headers.header.to_bytes());
    let mut extensions = ExtensionWriter::new(out, start);
    if let Some((id, mid)) = &media.mid {
        extensions.put(Some(*id), mid.as_bytes());
    }
    let number = headers.transport_sequence.to_be_bytes();
    extensions.put(media.transport_cc_extension, &number);
    if let Some(told) = headers.playout_delay {
        extensions.put(media.playout_delay_extension, &told);
    }
    extensions.finish();
    if let Some(original) = original {
        out.put_u16(original);
    }
    let start = out.len();
    out.put_slice(payload);
    if let (Some(id), Some(place)) = (headers.picture_id, picture_id_place(media.track.rtp.codec))
        && let Some(bytes) = out.get_mut(start + place..start + place + 2)
    {
        bytes.copy_from_slice(&(0x8000 | id).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ExtensionReader;
    use crate::media::tests::rendition;
    use arcly_core::rtp::RtpPacket;
    use arcly_core::rtp::payload::PayloadFormat;
    use arcly_core::{MediaKind, TrackId};

    fn track(retransmission: Option<u8>) -> OutgoingTrack {
        let rtp = RtpTrack::with_format(
            TrackId::VIDEO,
            MediaKind::Video,
            CodecId::Vp8,
            99,
            PayloadFormat::Vp8,
        );
        let media = WatchedMedia {
            track: WatchedTrack {
                rtp,
                ssrc: 10,
                retransmission_ssrc: 11,
            },
            mid: Some((4, "0".to_owned())),
            payload_type: 120,
            retransmission,
            nack: true,
            transport_cc_extension: Some(3),
            playout_delay_extension: Some(6),
        };
        OutgoingTrack::new(media, 65_535)
    }

    fn read(out: &mut BytesMut) -> RtpPacket {
        RtpPacket::parse(out.split().freeze()).unwrap()
    }

    /// Sends the frame, with 77 as its timestamp and 500 as the first packet's transport sequence; returns its packets.
    fn send(track: &mut OutgoingTrack, frame: &RtpFrame) -> Vec<RtpPacket> {
        let mut out = BytesMut::new();
        let mut packets = Vec::new();
        track.begin_frame(frame, Duration::ZERO);
        for ((header, payload), number) in frame.as_payloads().zip(500..) {
            track.write(header, payload, 77, number, &mut out);
            packets.push(read(&mut out));
        }
        track.frame_sent(frame, frame.sent(), 77, 500, Duration::ZERO);
        packets
    }

    #[tokio::test]
    async fn packets_get_the_viewers_numbers_without_holes() {
        let frames = rendition(&[100, 100, 100]).await;
        let mut track = track(None);
        // The second one is skipped.
        for (frame, expected, picture) in [(&frames[0], 65_535, 0), (&frames[2], 0, 1)] {
            let [packet] = &send(&mut track, frame)[..] else {
                panic!("one packet");
            };
            assert_eq!(packet.header.sequence, expected);
            assert_eq!(packet.header.ssrc, 10);
            assert_eq!(packet.header.payload_type, 120);
            assert_eq!(packet.header.timestamp, 77);
            assert!(packet.header.marker);
            let (_, payload) = frame.as_payloads().next().unwrap();
            assert_eq!(packet.payload[..2], payload[..2]);
            assert_eq!(
                packet.payload[2..4],
                [0x80, picture],
                "and numbers of pictures"
            );
            assert_eq!(packet.payload[4..], payload[4..]);
            let extensions = ExtensionReader::new(packet.extension.as_ref());
            assert_eq!(extensions.text(Some(4)), Some("0"));
            assert_eq!(extensions.get(Some(3)), Some(&500_u16.to_be_bytes()[..]));
            assert_eq!(extensions.get(Some(6)), Some(&[0, 0, 50][..]));
        }
    }

    #[tokio::test]
    async fn a_frames_packets_are_equally_long_but_for_the_last() {
        let frames = rendition(&[30_000; 40]).await;
        let mut track = track(None);
        let mut delays = 0;
        for frame in &frames {
            let packets = send(&mut track, frame);
            let has_delay = |packet: &RtpPacket| {
                let extensions = ExtensionReader::new(packet.extension.as_ref());
                extensions.get(Some(6)).is_some()
            };
            let with = packets.iter().filter(|packet| has_delay(packet)).count();
            assert!(with == 0 || with == packets.len());
            delays += usize::from(with > 0);
        }
        assert_eq!(delays, 30, "players keep what they are told");
    }

    #[tokio::test]
    async fn what_is_missed_is_sent_again_in_a_stream_of_its_own() {
        let frames = rendition(&[3_000]).await;
        let mut track = track(Some(121));
        let sent = send(&mut track, &frames[0]);
        let mut out = BytesMut::new();
        assert_eq!(track.resend(3, 1, &mut out), None, "never sent");
        assert_eq!(track.copies(0), 1);
        let again = track.resend(0, 2, &mut out);
        assert_eq!(again, Some(Resend::Retransmission));
        assert_eq!(track.copies(0), 2, "that one was lost as well");
        let packet = read(&mut out);
        assert_eq!(packet.header.ssrc, 11);
        assert_eq!(packet.header.payload_type, 121);
        assert_eq!(packet.header.timestamp, 77);
        assert_eq!(packet.payload[..2], [0, 0]);
        assert_eq!(packet.payload[2..], sent[1].payload);
        // The newest but one is the same packet; as a probe it does not count.
        out.clear();
        assert!(track.probe(1, 3, &mut out));
        assert_eq!(read(&mut out).payload, packet.payload);
        assert_eq!(track.copies(0), 2);
        assert!(!track.probe(3, 4, &mut out), "there were three packets");
        let extensions = ExtensionReader::new(packet.extension.as_ref());
        assert_eq!(extensions.get(Some(3)), Some(&[0, 2][..]));
    }

    /// RFC 7714 8.4: one nonce, one packet.
    #[tokio::test]
    async fn without_such_a_stream_it_is_sent_as_it_was() {
        let frames = rendition(&[3_000]).await;
        let mut track = track(None);
        let sent = send(&mut track, &frames[0]);
        let mut out = BytesMut::new();
        for (packet, sequence) in sent.iter().zip([65_535, 0, 1]) {
            let again = track.resend(sequence, 900, &mut out);
            assert_eq!(again, Some(Resend::Same));
            assert_eq!(read(&mut out), *packet);
        }
    }
}
