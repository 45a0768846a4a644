//! The tracks that are published: where their packets go out, and the reports that go with them.

use super::super::control::resolve;
use super::super::io::{Carriage, Event};
use super::media::Way;
use super::outbox::Outbox;
use crate::proto::message::interleaved_head;
use crate::proto::transport::Pair;
use crate::proto::url::RtspUrl;
use arcly_core::rtp::rtcp::{self, Bye, RtcpPacket, SenderReport, SourceDescription};
use arcly_core::rtp::sdp::SessionDescription;
use arcly_core::rtp::{NtpTime, RtpFrame};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The name that reports give the source (RFC 3550 6.5.1).
const CANONICAL_NAME: &str = "arcly";

/// A packet for a port, see [`Output::Datagram`](super::super::io::Output::Datagram).
pub(super) type Datagram = (usize, bool, Bytes);

/// What is announced, and sent.
#[derive(Debug)]
pub(super) struct Publishing {
    description: Bytes,
    tracks: Vec<Sending>,
}

/// A track, by its place in the announcement.
#[derive(Debug)]
struct Sending {
    /// The channel that its packets are made for.
    channel: u8,
    /// `None` until it is set up.
    way: Option<Way>,
    sent: Option<Sent>,
}

/// What was sent of a track, as a sender report tells it (RFC 3550 6.4.1).
#[derive(Debug, Clone, Copy)]
struct Sent {
    ssrc: u32,
    ntp: NtpTime,
    timestamp: u32,
    packets: u32,
    octets: u32,
}

impl Publishing {
    /// Nothing is published.
    pub(super) const fn nothing() -> Self {
        Self {
            description: Bytes::new(),
            tracks: Vec::new(),
        }
    }

    pub(super) fn new(mut description: SessionDescription, channels: &[u8]) -> Self {
        for (index, media) in description.media.iter_mut().enumerate() {
            media.control = Some(control(index));
        }
        let sending = |&channel: &u8| Sending {
            channel,
            way: None,
            sent: None,
        };
        Self {
            description: description.to_string().into(),
            tracks: channels.iter().map(sending).collect(),
        }
    }

    pub(super) fn description(&self) -> Bytes {
        self.description.clone()
    }

    pub(super) fn track_count(&self) -> usize {
        self.tracks.len()
    }

    pub(super) fn control_url(&self, url: &RtspUrl, track: usize) -> String {
        resolve(&url.request_uri(), &control(track))
    }

    /// The first channel to ask for: that which packets are made for.
    pub(super) fn channel(&self, track: usize) -> u8 {
        self.tracks.get(track).map_or(0, |track| track.channel)
    }

    pub(super) fn set_up(&mut self, track: usize, carriage: Carriage, channels: Pair<u8>) {
        if let Some(track) = self.tracks.get_mut(track) {
            track.way = Some(match carriage {
                Carriage::Interleaved => Way::Interleaved(channels),
                Carriage::Datagrams(_) => Way::Datagrams,
            });
        }
    }

    pub(super) fn is_any_set_up(&self) -> bool {
        self.tracks.iter().any(|track| track.way.is_some())
    }

    pub(super) fn is_interleaved(&self) -> bool {
        let ways = self.tracks.iter().filter_map(|track| track.way);
        ways.into_iter()
            .any(|way| matches!(way, Way::Interleaved(_)))
    }

    /// Sends the packets of a frame; its first sender report comes before. Nothing where its track was not set up.
    pub(super) fn send(
        &mut self,
        frame: &RtpFrame,
        out: &mut Outbox,
        datagrams: &mut VecDeque<Datagram>,
    ) {
        let mut tracks = self.tracks.iter_mut().enumerate();
        let Some((place, track)) = tracks.find(|(_, track)| track.channel == frame.channel())
        else {
            return;
        };
        let Some(way) = track.way else {
            return;
        };
        let header = frame.first_header();
        let before = track.sent.filter(|sent| sent.ssrc == header.ssrc);
        let mut sent = before.unwrap_or(Sent {
            ssrc: header.ssrc,
            ntp: frame.sent(),
            timestamp: header.timestamp,
            packets: 0,
            octets: 0,
        });
        if before.is_none() {
            write_reports(place, way, sent.report(), out, datagrams);
        }
        (sent.ntp, sent.timestamp) = (frame.sent(), header.timestamp);
        sent.packets = sent.packets.wrapping_add(frame.packet_count());
        sent.octets = sent.octets.wrapping_add(frame.payload_bytes() as u32);
        track.sent = Some(sent);
        match way {
            Way::Interleaved(channels) if channels.rtp == frame.channel() => {
                out.push(frame.interleaved().clone());
            }
            // The server has given the track another channel.
            Way::Interleaved(channels) => {
                for packet in frame.as_packets() {
                    write_interleaved(out.tail(), channels.rtp, packet);
                }
            }
            Way::Datagrams => {
                datagrams.extend(frame.packets().map(|packet| (place, false, packet)));
            }
        }
    }

    /// Tells of all tracks that have sent.
    pub(super) fn send_reports(&self, out: &mut Outbox, datagrams: &mut VecDeque<Datagram>) {
        for (place, track) in self.tracks.iter().enumerate() {
            if let (Some(way), Some(sent)) = (track.way, track.sent) {
                write_reports(place, way, sent.report(), out, datagrams);
            }
        }
    }

    /// Tells that all tracks end (RFC 3550 6.6).
    pub(super) fn say_bye(&self, out: &mut Outbox, datagrams: &mut VecDeque<Datagram>) {
        for (place, track) in self.tracks.iter().enumerate() {
            if let (Some(way), Some(sent)) = (track.way, track.sent) {
                let mut packets = sent.report();
                Bye::new(sent.ssrc).write(&mut packets);
                write_reports(place, way, packets, out, datagrams);
            }
        }
    }

    /// What the server reports on a channel.
    pub(super) fn report(&self, channel: u8, data: &[u8], events: &mut VecDeque<Event>) {
        let is_ours = self.tracks.iter().any(|track| {
            matches!(track.way, Some(Way::Interleaved(channels)) if channels.rtcp == channel)
        });
        if is_ours {
            self.report_datagram(data, events);
        }
    }

    /// What the server reports. That somebody needs a keyframe is what matters of it.
    pub(super) fn report_datagram(&self, data: &[u8], events: &mut VecDeque<Event>) {
        let wanted = rtcp::read(data).flatten().any(|packet| {
            matches!(
                packet,
                RtcpPacket::PictureLoss(_) | RtcpPacket::FullIntra(_)
            )
        });
        if wanted && events.back() != Some(&Event::KeyframeWanted) {
            events.push_back(Event::KeyframeWanted);
        }
    }
}

impl Sent {
    /// A sender report and the source's name.
    fn report(&self) -> BytesMut {
        let mut packets = BytesMut::new();
        let mut report = SenderReport::default();
        report.ssrc = self.ssrc;
        report.ntp = self.ntp;
        report.rtp_timestamp = self.timestamp;
        report.packets = self.packets;
        report.octets = self.octets;
        report.write(&mut packets);
        SourceDescription::new(self.ssrc, CANONICAL_NAME).write(&mut packets);
        packets
    }
}

/// The control URL of a track in the announcement.
fn control(track: usize) -> String {
    format!("trackID={track}")
}

fn write_reports(
    place: usize,
    way: Way,
    packets: BytesMut,
    out: &mut Outbox,
    datagrams: &mut VecDeque<Datagram>,
) {
    match way {
        Way::Interleaved(channels) => write_interleaved(out.tail(), channels.rtcp, &packets),
        Way::Datagrams => datagrams.push_back((place, true, packets.freeze())),
    }
}

/// Appends a packet as it goes on an interleaved connection. One that is longer than the length field can say is left out.
pub(super) fn write_interleaved(out: &mut Vec<u8>, channel: u8, packet: &[u8]) {
    if let Ok(length) = u16::try_from(packet.len()) {
        out.extend_from_slice(&interleaved_head(channel, length));
        out.extend_from_slice(packet);
    }
}
