//! A track on its way to one viewer: the rendition's packets with the viewer's numbers.

use super::ExtensionWriter;
use super::history::History;
use crate::sdp::{WatchedMedia, WatchedTrack};
use crate::statistics::{RoundTrip, TrackCounters, TrackReport, ticks};
use arcly_core::rtp::rtcp::{ReportBlock, SenderReport};
use arcly_core::rtp::{NtpTime, RtpHeader, RtpTrack, SenderStats};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

/// Players are to show pictures as soon as they have them, and at most 500 ms later; in units of 10 ms, 12 bits each.
const PLAYOUT_DELAY: [u8; 3] = [0, 0, 50];

/// On how many packets players are told so.
const PLAYOUT_DELAY_PACKETS: u32 = 200;

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
    /// Packets, resent ones left out.
    packets: u32,
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
            packets: 0,
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

    /// A frame was sent: so many packets of this timestamp, which is of that time on the wall clock.
    pub(crate) fn frame_sent(
        &mut self,
        packets: u32,
        octets: usize,
        at: NtpTime,
        timestamp: u32,
        now: Duration,
    ) {
        self.counters.packets += u64::from(packets);
        self.counters.bytes += octets as u64;
        self.stats.on_sent(packets, octets, at, timestamp, now);
    }

    /// What the viewer is to be told, every few seconds; `None` until something was sent.
    pub(crate) fn report(&mut self, now: Duration) -> Option<SenderReport> {
        let WatchedTrack { ssrc, rtp, .. } = &self.media.track;
        let report = self.stats.report(*ssrc, rtp.format.clock_rate(), now)?;
        self.round_trip.on_sent(report.ntp.middle(), now);
        Some(report)
    }

    /// Appends the packet as the viewer gets it, not encrypted yet. `timestamp` is the viewer's, `transport_sequence` counts all its packets.
    pub(crate) fn write(
        &mut self,
        rendition: RtpHeader,
        payload: Bytes,
        timestamp: u32,
        transport_sequence: u16,
        out: &mut BytesMut,
    ) {
        let header = RtpHeader {
            payload_type: self.media.payload_type,
            marker: rendition.marker,
            sequence: self.sequence,
            timestamp,
            ssrc: self.media.track.ssrc,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.put(header, None, &payload, transport_sequence, out);
        if self.media.nack {
            self.history.push(header, payload);
        }
    }

    /// Appends a packet that the viewer misses, not encrypted yet; `None` where it is not there any more.
    pub(crate) fn resend(
        &mut self,
        sequence: u16,
        transport_sequence: u16,
        out: &mut BytesMut,
    ) -> Option<Resend> {
        let (header, payload) = self.history.resend(sequence)?;
        self.counters.retransmitted += 1;
        let Some(payload_type) = self.media.retransmission else {
            self.put(header, None, &payload, transport_sequence, out);
            return Some(Resend::Same);
        };
        let WatchedTrack {
            retransmission_ssrc,
            ..
        } = self.media.track;
        let again = RtpHeader {
            payload_type,
            sequence: self.retransmission_sequence,
            ssrc: retransmission_ssrc,
            ..header
        };
        self.retransmission_sequence = self.retransmission_sequence.wrapping_add(1);
        self.put(
            again,
            Some(header.sequence),
            &payload,
            transport_sequence,
            out,
        );
        Some(Resend::Retransmission)
    }

    /// `original` is the sequence number that goes before the payload of a retransmission (RFC 4588 4).
    fn put(
        &self,
        header: RtpHeader,
        original: Option<u16>,
        payload: &Bytes,
        transport_sequence: u16,
        out: &mut BytesMut,
    ) {
        let start = out.len();
        out.put_slice(&header.to_bytes());
        let mut extensions = ExtensionWriter::new(out, start);
        if let Some((id, mid)) = &self.media.mid {
            extensions.put(Some(*id), mid.as_bytes());
        }
        let number = transport_sequence.to_be_bytes();
        extensions.put(self.media.transport_cc_extension, &number);
        // Players keep it, so the first packets are enough; on all of a picture, so that these stay equally long.
        if self.packets <= PLAYOUT_DELAY_PACKETS {
            extensions.put(self.media.playout_delay_extension, &PLAYOUT_DELAY);
        }
        extensions.finish();
        if let Some(original) = original {
            out.put_u16(original);
        }
        out.put_slice(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ExtensionReader;
    use arcly_core::rtp::RtpPacket;
    use arcly_core::rtp::payload::PayloadFormat;
    use arcly_core::{CodecId, MediaKind, TrackId};

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

    fn rendition(sequence: u16) -> RtpHeader {
        RtpHeader {
            payload_type: 99,
            marker: true,
            sequence,
            timestamp: 5,
            ssrc: 1,
        }
    }

    fn read(out: &mut BytesMut) -> RtpPacket {
        RtpPacket::parse(out.split().freeze()).unwrap()
    }

    #[test]
    fn packets_get_the_viewers_numbers_without_holes() {
        let mut track = track(None);
        let mut out = BytesMut::new();
        // The rendition's numbers jump, as where the viewer skipped.
        for (rendition_sequence, expected) in [(7, 65_535), (9_000, 0)] {
            track.write(
                rendition(rendition_sequence),
                Bytes::from_static(b"vp8"),
                77,
                500,
                &mut out,
            );
            let packet = read(&mut out);
            assert_eq!(packet.header.sequence, expected);
            assert_eq!(packet.header.ssrc, 10);
            assert_eq!(packet.header.payload_type, 120);
            assert_eq!(packet.header.timestamp, 77);
            assert!(packet.header.marker);
            assert_eq!(packet.payload, "vp8");
            let extensions = ExtensionReader::new(packet.extension.as_ref());
            assert_eq!(extensions.text(Some(4)), Some("0"));
            assert_eq!(extensions.get(Some(3)), Some(&500_u16.to_be_bytes()[..]));
            assert_eq!(extensions.get(Some(6)), Some(&PLAYOUT_DELAY[..]));
        }
    }

    #[test]
    fn what_is_missed_is_sent_again_in_a_stream_of_its_own() {
        let mut track = track(Some(121));
        let mut out = BytesMut::new();
        track.write(rendition(7), Bytes::from_static(b"vp8"), 77, 0, &mut out);
        out.clear();
        assert_eq!(track.resend(3, 1, &mut out), None, "never sent");
        assert_eq!(
            track.resend(65_535, 2, &mut out),
            Some(Resend::Retransmission)
        );
        let packet = read(&mut out);
        assert_eq!(packet.header.ssrc, 11);
        assert_eq!(packet.header.payload_type, 121);
        assert_eq!(packet.header.timestamp, 77);
        assert_eq!(packet.payload[..], *b"\xff\xffvp8");
    }

    #[test]
    fn without_such_a_stream_it_is_sent_as_it_was() {
        let mut track = track(None);
        let mut out = BytesMut::new();
        track.write(rendition(7), Bytes::from_static(b"vp8"), 77, 0, &mut out);
        let first = read(&mut out);
        assert_eq!(track.resend(65_535, 0, &mut out), Some(Resend::Same));
        assert_eq!(read(&mut out), first);
    }
}
