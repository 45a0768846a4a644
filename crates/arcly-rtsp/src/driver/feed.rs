//! What one player takes from its rendition, and how each track reaches it.

use super::udp::{Endpoint, Peer};
use crate::pacing::Burst;
use crate::proto::message::interleaved_head;
use crate::proto::transport::Pair;
use arcly_core::net::Outbox;
use arcly_core::rtp::rtcp::{Bye, RtcpPacket, SenderReport, SourceDescription};
use arcly_core::rtp::{RtpFrame, SenderStats};
use arcly_core::{PlaySession, RenditionSubscription, Shedding, TrackId};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What one player takes from its rendition.
pub(super) struct Feed {
    pub(super) packets: RenditionSubscription<RtpFrame>,
    pub(super) tracks: Vec<FeedTrack>,
    pub(super) by_udp: bool,
    pub(super) shedding: Shedding,
    /// Until a UDP player has caught up.
    pub(super) burst: Option<Burst>,
    pub(super) report_every: Duration,
    /// What is told of what it goes without.
    pub(super) play: Arc<PlaySession>,
}

/// How a track reaches the player.
pub(super) struct FeedTrack {
    pub(super) track: TrackId,
    pub(super) ssrc: u32,
    pub(super) clock_rate: u32,
    pub(super) out: TrackOut,
    stats: SenderStats,
    next_report: Option<Instant>,
    cname: Arc<str>,
}

pub(super) enum TrackOut {
    /// On the connection.
    Interleaved(Pair<u8>),
    /// From our ports to the player's.
    Udp(Endpoint, Arc<Peer>),
}

impl FeedTrack {
    pub(super) fn new(
        track: TrackId,
        (ssrc, clock_rate): (u32, u32),
        out: TrackOut,
        cname: Arc<str>,
    ) -> Self {
        Self {
            track,
            ssrc,
            clock_rate,
            out,
            stats: SenderStats::new(),
            next_report: None,
            cname,
        }
    }

    /// Whether a report is to go out before the next frame: the first one does before the first frame, so that players know from the start
    /// how the tracks' clocks relate.
    pub(super) fn owes_report(&self, now: Instant) -> bool {
        self.next_report.is_none_or(|due| due <= now)
    }

    /// The report that is due before `frame`.
    pub(super) fn report(&mut self, frame: &RtpFrame, now: Instant, every: Duration) -> Bytes {
        let counted = self
            .stats
            .report(self.ssrc, self.clock_rate, Duration::ZERO);
        let mut report = counted.unwrap_or_default();
        report.ssrc = self.ssrc;
        report.ntp = frame.sent();
        report.rtp_timestamp = frame.first_header().timestamp;
        self.next_report = now.checked_add(every);
        self.compound(report, None)
    }

    /// Counts what was sent: these frames, and no others since the last time.
    pub(super) fn sent<'f>(&mut self, frames: impl IntoIterator<Item = &'f RtpFrame>) {
        for frame in frames {
            let timestamp = frame.first_header().timestamp;
            let (count, octets) = (frame.packet_count(), frame.payload_bytes());
            self.stats
                .on_sent(count, octets, frame.sent(), timestamp, Duration::ZERO);
        }
    }

    /// The goodbye (RFC 3550, section 6.6).
    pub(super) fn bye(&self) -> Bytes {
        let mut report = self
            .stats
            .report(self.ssrc, self.clock_rate, Duration::ZERO)
            .unwrap_or_default();
        report.ssrc = self.ssrc;
        let mut bye = Bye::default();
        bye.ssrcs.push(self.ssrc);
        self.compound(report, Some(bye))
    }

    fn compound(&self, report: SenderReport, bye: Option<Bye>) -> Bytes {
        let mut out = BytesMut::with_capacity(96);
        RtcpPacket::SenderReport(report).write(&mut out);
        let names = SourceDescription::new(self.ssrc, &*self.cname);
        RtcpPacket::SourceDescription(names).write(&mut out);
        if let Some(bye) = bye {
            RtcpPacket::Bye(bye).write(&mut out);
        }
        out.freeze()
    }

    /// Sends an RTCP packet, or puts it into the outbox.
    pub(super) fn send_rtcp(&self, packet: &Bytes, outbox: &mut Outbox) {
        match &self.out {
            TrackOut::Interleaved(channels) => {
                let length = u16::try_from(packet.len()).unwrap_or_default();
                let head = interleaved_head(channels.rtcp, length);
                outbox.push(Bytes::copy_from_slice(&head));
                outbox.push(packet.clone());
            }
            // One that gets lost is followed by others.
            TrackOut::Udp(endpoint, peer) => {
                let _ = endpoint
                    .rtcp
                    .try_send(peer.rtcp(), None, packet.len(), packet);
            }
        }
    }

    /// The bytes of a frame for the player's connection: the shared ones, where its channel is that of the rendition.
    pub(super) fn interleaved(&self, frame: &RtpFrame) -> Bytes {
        let TrackOut::Interleaved(channels) = &self.out else {
            return Bytes::new();
        };
        if channels.rtp == frame.channel() {
            return frame.interleaved().clone();
        }
        let mut bytes = BytesMut::from(&frame.interleaved()[..]);
        for range in frame.ranges() {
            // The channel stands three bytes before the packet.
            let channel = range.start.checked_sub(3).and_then(|at| bytes.get_mut(at));
            if let Some(channel) = channel {
                *channel = channels.rtp;
            }
        }
        bytes.freeze()
    }
}

impl Feed {
    /// The goodbyes of all tracks.
    pub(super) fn say_bye(&self, outbox: &mut Outbox) {
        for track in &self.tracks {
            track.send_rtcp(&track.bye(), outbox);
        }
    }
}
