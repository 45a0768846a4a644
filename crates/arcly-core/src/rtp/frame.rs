//! The packets of one access unit, ready for all viewers.

use super::packet::HEADER_BYTES;
use super::{NtpTime, RtpHeader};
use crate::net::fan_out::WireBytes;
use crate::{CodecId, LogItem, MediaKind, StreamHandle, Timestamp, TrackId};
use bytes::Bytes;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

/// Length of what goes before each packet on an interleaved connection: `$`, channel, length (RFC 2326 10.12, RFC 7826 14).
pub(super) const INTERLEAVED_BYTES: usize = 4;

/// The RTP packets of one access unit of one track, in one allocation:
///
/// ```text
/// [`$`] [channel 1] [length 2] [RTP packet] [`$`] [channel 1] [length 2] [RTP packet] …
/// ```
///
/// A viewer on an interleaved connection whose channel is [`channel`](Self::channel) writes [`interleaved`](Self::interleaved) as it is; one by
/// UDP sends the [`packets`](Self::packets), in [`runs`](Self::runs) of equal length where the platform takes several at once; one that needs
/// headers of its own takes the [`payloads`](Self::payloads). All are slices of the same bytes. Cloning shares them.
///
/// SSRC, sequence numbers and timestamps are those of the rendition, and the same for all its viewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpFrame {
    pub(super) bytes: Bytes,
    pub(super) pts: Timestamp,
    pub(super) dts: Timestamp,
    pub(super) sent: NtpTime,
    pub(super) clock: RenditionClock,
    pub(super) first: RtpHeader,
    pub(super) clock_rate: u32,
    /// How many packets.
    pub(super) count: u32,
    pub(super) track: TrackId,
    pub(super) codec: CodecId,
    pub(super) kind: MediaKind,
    pub(super) channel: u8,
    pub(super) keyframe: bool,
    pub(super) sync: bool,
    pub(super) disposable: bool,
    pub(super) discontinuity: bool,
    pub(super) wakes: bool,
}

impl RtpFrame {
    /// All packets with their interleaved headers, for a connection on which the track has [`channel`](Self::channel).
    #[must_use]
    pub const fn interleaved(&self) -> &Bytes {
        &self.bytes
    }

    /// The interleaved channel that the bytes are made for: twice the track's index in [`rtp_tracks`](super::rtp_tracks). Its RTCP has the next one.
    #[must_use]
    pub const fn channel(&self) -> u8 {
        self.channel
    }

    /// The RTP packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = Bytes> {
        self.ranges().map(|range| self.bytes.slice(range))
    }

    /// The RTP packets, borrowed.
    pub fn as_packets(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges()
            .map(|range| self.bytes.get(range).unwrap_or_default())
    }

    /// Where the packets stand in [`interleaved`](Self::interleaved); each has its 4 bytes of interleaved header before it.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let header = self.bytes.get(at..)?.first_chunk::<INTERLEAVED_BYTES>()?;
            let [_, _, high, low] = *header;
            let start = at + INTERLEAVED_BYTES;
            at = start + usize::from(u16::from_be_bytes([high, low]));
            Some(start..at)
        })
    }

    /// The packets in runs that one segmented send (UDP GSO) can take: all of a run have the same length but its last, which may be shorter.
    /// At most `max` packets a run.
    pub fn runs(&self, max: usize) -> impl Iterator<Item = RtpRun> {
        let mut ranges = self.ranges().peekable();
        std::iter::from_fn(move || {
            let first = ranges.next()?;
            let segment = first.len();
            let mut run = RtpRun {
                segment,
                packets: vec![first],
            };
            while run.packets.len() < max.max(1)
                && run.packets.last().is_some_and(|last| last.len() == segment)
            {
                let Some(next) = ranges.next_if(|next| next.len() <= segment) else {
                    break;
                };
                run.packets.push(next);
            }
            Some(run)
        })
    }

    /// The packets as header and payload, for senders with SSRC, sequence numbers or payload types of their own.
    pub fn payloads(&self) -> impl Iterator<Item = (RtpHeader, Bytes)> {
        self.packets().filter_map(|packet| {
            let header = self.header_of(&packet)?;
            Some((header, packet.slice(HEADER_BYTES..)))
        })
    }

    /// As [`payloads`](Self::payloads), borrowed.
    pub fn as_payloads(&self) -> impl Iterator<Item = (RtpHeader, &[u8])> {
        self.as_packets()
            .filter_map(|packet| Some((self.header_of(packet)?, packet.get(HEADER_BYTES..)?)))
    }

    fn header_of(&self, packet: &[u8]) -> Option<RtpHeader> {
        let [_, second, s0, s1, t0, t1, t2, t3, ..] = *packet.first_chunk::<HEADER_BYTES>()?;
        Some(RtpHeader {
            payload_type: second & 0x7f,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: self.first.ssrc,
        })
    }

    /// How many packets.
    #[must_use]
    pub const fn packet_count(&self) -> u32 {
        self.count
    }

    /// The bytes of all payloads together, without headers: what a sender report counts.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        let headers = (INTERLEAVED_BYTES + HEADER_BYTES) * self.count as usize;
        self.bytes.len().saturating_sub(headers)
    }

    /// The track.
    #[must_use]
    pub const fn track(&self) -> TrackId {
        self.track
    }

    /// The codec.
    #[must_use]
    pub const fn codec(&self) -> CodecId {
        self.codec
    }

    /// Video, audio or data.
    #[must_use]
    pub const fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The header of the first packet: its sequence number and timestamp are those of `RTP-Info`.
    #[must_use]
    pub const fn first_header(&self) -> RtpHeader {
        self.first
    }

    /// The clock rate of the track's timestamps, in Hz.
    #[must_use]
    pub const fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// When the frame is presented.
    #[must_use]
    pub const fn pts(&self) -> Timestamp {
        self.pts
    }

    /// Whether decoding can start at this frame. Always so but with video.
    #[must_use]
    pub const fn is_keyframe(&self) -> bool {
        self.keyframe
    }

    /// Whether viewers start here.
    #[must_use]
    pub const fn is_sync(&self) -> bool {
        self.sync
    }

    /// Whether a congested viewer can go without it and keep a correct picture.
    #[must_use]
    pub const fn is_disposable(&self) -> bool {
        self.disposable
    }

    /// Whether the timeline breaks before it.
    #[must_use]
    pub const fn is_discontinuity(&self) -> bool {
        self.discontinuity
    }

    /// The wall clock at the packets' timestamp: with [`first_header`](Self::first_header)'s timestamp, the pair that a sender report gives
    /// (RFC 3550 6.4.1). All tracks and all viewers of the stream have one clock: the source's where it has told, otherwise the time at which the
    /// stream began (see [`Origin::started`](crate::Origin::started)) for timestamp 0.
    #[must_use]
    pub const fn sent(&self) -> NtpTime {
        self.sent
    }

    /// What relates timestamps and SSRCs of all tracks of this rendition.
    #[must_use]
    pub const fn clock(&self) -> RenditionClock {
        self.clock
    }
}

/// Packets of an [`RtpFrame`] that one segmented send can take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpRun {
    /// The length of all packets but the last, in bytes.
    pub segment: usize,
    /// Where they stand in [`RtpFrame::interleaved`].
    pub packets: Vec<Range<usize>>,
}

/// SSRCs and timestamps of the tracks of a rendition: random, and fixed while its stream lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RenditionClock(pub(super) u64);

impl RenditionClock {
    /// That of a stream: the same for all its renditions in this process, and so known before there is one.
    #[must_use]
    pub fn of(stream: &StreamHandle) -> Self {
        // The keys of the standard library's hasher come from the system's source of random numbers.
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self(KEYS.hash_one(stream.session()))
    }

    /// The SSRC of a track.
    #[must_use]
    pub const fn ssrc(self, track: TrackId) -> u32 {
        (self.mix(track, 1) >> 32) as u32
    }

    /// The timestamp of `at` on a track with this clock rate: what `RTP-Info` says of a track that has no packet there.
    #[must_use]
    pub fn timestamp(self, track: TrackId, clock_rate: u32, at: Timestamp) -> u32 {
        let offset = self.mix(track, 2) as u32;
        offset.wrapping_add(at.to_ticks(clock_rate) as u32)
    }

    /// The first sequence number of a track.
    pub(super) const fn first_sequence(self, track: TrackId) -> u16 {
        // RFC 3550 5.1 wants it random; the upper half is left out, so that receivers which take a wrap in the first packets for loss do not meet one.
        (self.mix(track, 3) as u16) & 0x7fff
    }

    /// A number of its own for each track and use (the finaliser of MurmurHash3 over both).
    const fn mix(self, track: TrackId, salt: u64) -> u64 {
        let mut hash = self.0 ^ ((track.0 as u64) << 8 | salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ (hash >> 33)
    }
}

impl WireBytes for RtpFrame {
    fn as_wire(&self) -> &[u8] {
        &self.bytes
    }

    fn wire(&self) -> Bytes {
        self.bytes.clone()
    }
}

impl LogItem for RtpFrame {
    fn weight(&self) -> usize {
        self.bytes.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }

    fn wakes(&self) -> bool {
        self.wakes
    }
}
