//! The rendition of a stream as RTP packets.

use super::frame::{INTERLEAVED_BYTES, RenditionClock, RtpFrame};
use super::packet::HEADER_BYTES;
use super::payload::{Packetizer, Payload};
use super::{NtpTime, RtpHeader, RtpTrack, rtp_tracks};
use crate::{
    Delivery, MediaFrame, MediaKind, Packager, Packets, StreamHandle, TrackId, TrackInfo, WallClock,
};
use bytes::{BufMut, BytesMut};
use std::time::Duration;

/// The longest RTP packet by default, header included, in bytes: with UDP, IPv6 and what tunnels add, it fits any path.
pub const DEFAULT_MAX_PACKET: usize = 1_200;

/// What [`RtpVariant::max_packet`] is held to.
const PACKET_BOUNDS: std::ops::RangeInclusive<usize> = 256..=60_000;

/// By how much the source's wall clock has to differ from what was told of it before to be told anew at once, in nanoseconds: it has been set. What is
/// less is approached, see [`CLOCK_SLEW`].
const CLOCK_STEP: u64 = 500_000_000;

/// How slowly the source's wall clock is approached: by one part in so many of the time that goes by, 0.5 ms a second (as `adjtime` does). A report
/// each 5 s steps a player's timestamps by 2.5 ms then, and the jitter of the source's own reports is not passed on.
const CLOCK_SLEW: i64 = 2_000;

/// The most tracks that are packed: interleaved channels have 8 bits, two a track. A stream has 32 by default.
const MAX_TRACKS: usize = 128;

/// What tells renditions of [`RtpPackager`] apart. A host should use few: each costs a copy of what the stream's log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RtpVariant {
    /// The longest RTP packet, header included, in bytes; 256 to 60 000.
    pub max_packet: usize,
    /// How long sound waits for the next picture at most; 0: not at all.
    pub flush_window: Duration,
}

impl Default for RtpVariant {
    /// Packets of [`DEFAULT_MAX_PACKET`] bytes, for UDP and interleaved connections alike; sound waits for 40 ms.
    fn default() -> Self {
        Self {
            max_packet: DEFAULT_MAX_PACKET,
            flush_window: Duration::from_millis(40),
        }
    }
}

/// Packetises a stream once for all viewers by RTP, see [`RtpFrame`].
///
/// Tracks in codecs that RTP does not carry are left out (see [`format_of`](super::format_of)), as are those whose codec config has not come.
/// Parameter sets go in band before keyframes. Viewers start at a keyframe, or at sound where no pictures are carried; there is no preamble.
///
/// Sound wakes nobody while there are pictures: it goes out with the next one, or after [`flush_window`](RtpVariant::flush_window).
#[derive(Debug)]
pub struct RtpPackager {
    variant: RtpVariant,
    stream: StreamHandle,
    clock: RenditionClock,
    wall: WallOrigin,
    tracks: Vec<TrackPackager>,
    configs: Vec<MediaFrame>,
    /// Whether pictures come that are carried.
    has_video: bool,
    /// Whether a sync point went by without a packet: the next frame that can be started with is one.
    owes_sync: bool,
    payloads: Vec<Payload>,
}

impl RtpPackager {
    /// A packager for the stream, with random SSRCs, first sequence numbers and timestamps (RFC 3550 5.1).
    #[must_use]
    pub fn new(stream: StreamHandle, variant: RtpVariant) -> Self {
        let RenditionClock(random) = RenditionClock::of(&stream);
        Self::with_random(stream, variant, random)
    }

    /// As [`new`](Self::new), with SSRCs, first sequence numbers and timestamps that follow from `random`.
    #[must_use]
    pub fn with_random(stream: StreamHandle, mut variant: RtpVariant, random: u64) -> Self {
        variant.max_packet = variant
            .max_packet
            .clamp(*PACKET_BOUNDS.start(), *PACKET_BOUNDS.end());
        Self {
            wall: WallOrigin::at(NtpTime::from_system(stream.origin().started)),
            variant,
            stream,
            clock: RenditionClock(random),
            tracks: Vec::new(),
            configs: Vec::new(),
            has_video: false,
            owes_sync: false,
            payloads: Vec::new(),
        }
    }
}

/// One track of a rendition.
struct TrackPackager {
    track: TrackId,
    /// How it is carried; `None` where it is not, or not known yet.
    carried: Option<Carried>,
    /// Whether a codec config has come since `carried` was made.
    stale: bool,
    channel: u8,
    sequence: u16,
}

struct Carried {
    rtp: RtpTrack,
    packetizer: Box<dyn Packetizer>,
}

impl std::fmt::Debug for TrackPackager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackPackager")
            .field("track", &self.track)
            .field("rtp", &self.carried.as_ref().map(|carried| &carried.rtp))
            .finish_non_exhaustive()
    }
}

impl RtpPackager {
    /// The packets of a frame of media; `None` where its track is not carried.
    fn packetize(&mut self, frame: &MediaFrame, sync: bool) -> Option<RtpFrame> {
        let place = self.place_of(frame)?;
        let track = self.tracks.get_mut(place)?;
        let carried = track.carried.as_mut()?;
        self.payloads.clear();
        let keyframe = frame.kind != MediaKind::Video || frame.is_keyframe();
        let packetized = carried
            .packetizer
            .packetize(&frame.payload, keyframe, &mut self.payloads);
        if let Err(error) = packetized {
            tracing::debug!(stream = %self.stream.key(), track = %frame.track, %error, "a frame cannot be sent by RTP");
            return None;
        }
        let clock_rate = carried.rtp.format.clock_rate();
        let first = RtpHeader {
            payload_type: carried.rtp.payload_type,
            marker: self.payloads.first()?.marker,
            sequence: track.sequence,
            timestamp: self.clock.timestamp(frame.track, clock_rate, frame.pts),
            ssrc: self.clock.ssrc(frame.track),
        };
        let headers = INTERLEAVED_BYTES + HEADER_BYTES;
        let size = self.payloads.iter().map(|payload| headers + payload.len());
        let mut bytes = BytesMut::with_capacity(size.sum());
        for payload in &self.payloads {
            let header = RtpHeader {
                marker: payload.marker,
                sequence: track.sequence,
                timestamp: first.timestamp.wrapping_add(payload.timestamp_offset),
                ..first
            };
            track.sequence = track.sequence.wrapping_add(1);
            bytes.put_slice(&[b'$', track.channel]);
            bytes.put_u16((HEADER_BYTES + payload.len()) as u16);
            bytes.put_slice(&header.to_bytes());
            bytes.put_slice(payload.head());
            bytes.put_slice(&payload.body);
        }
        self.has_video |= frame.is_video();
        Some(RtpFrame {
            bytes: bytes.freeze(),
            pts: frame.pts,
            dts: frame.dts,
            sent: self.wall.at_frame(frame),
            clock: self.clock,
            first,
            clock_rate,
            count: self.payloads.len() as u32,
            track: frame.track,
            codec: frame.codec,
            kind: frame.kind,
            channel: track.channel,
            keyframe,
            sync,
            disposable: frame.is_disposable(),
            discontinuity: frame.is_discontinuity(),
            wakes: frame.is_video() || !self.has_video || self.variant.flush_window.is_zero(),
        })
    }

    /// Where the frame's track stands, made ready for its codec and config.
    fn place_of(&mut self, frame: &MediaFrame) -> Option<usize> {
        let mut found = self.tracks.iter();
        let place = match found.position(|track| track.track == frame.track) {
            Some(place) => place,
            None if self.tracks.len() >= MAX_TRACKS => return None,
            None => {
                self.tracks.push(TrackPackager {
                    track: frame.track,
                    carried: None,
                    stale: true,
                    channel: 0,
                    sequence: self.clock.first_sequence(frame.track),
                });
                self.tracks.len() - 1
            }
        };
        let track = self.tracks.get(place)?;
        let is_current = match &track.carried {
            Some(carried) => carried.rtp.codec == frame.codec,
            None => true,
        };
        if !track.stale && is_current {
            return Some(place);
        }
        let carried = self.carry(frame);
        let channel = self.free_channel(frame.track);
        let track = self.tracks.get_mut(place)?;
        track.stale = false;
        if track.carried.is_none() {
            track.channel = channel;
        }
        track.carried = carried;
        Some(place)
    }

    /// How the frame's track is carried.
    fn carry(&self, frame: &MediaFrame) -> Option<Carried> {
        let mut configs = self.configs.iter();
        let config =
            configs.find(|config| config.track == frame.track && config.codec == frame.codec);
        let info = match config {
            Some(config) => TrackInfo::from_config(config),
            None => TrackInfo::from_frame(frame),
        };
        let rtp = RtpTrack::of(&info, config)?;
        let max_payload = self.variant.max_packet - HEADER_BYTES;
        match rtp.format.packetizer(max_payload) {
            Ok(packetizer) => Some(Carried { rtp, packetizer }),
            Err(error) => {
                tracing::debug!(stream = %self.stream.key(), track = %frame.track, %error, "a track cannot be sent by RTP");
                None
            }
        }
    }

    /// The interleaved channel of a track: by its place among those that can be described, so that it is the one that most viewers ask
    /// for; the first that no other track has, where that is taken.
    fn free_channel(&self, track: TrackId) -> u8 {
        let carried = self
            .tracks
            .iter()
            .filter(|other| other.track != track && other.carried.is_some());
        let taken: Vec<u8> = carried.map(|other| other.channel).collect();
        let described = rtp_tracks(&self.stream);
        let place = described.iter().position(|other| other.track == track);
        let wanted = place.and_then(|place| u8::try_from(place * 2).ok());
        wanted
            .into_iter()
            .chain((0..=254).step_by(2))
            .find(|channel| !taken.contains(channel))
            .unwrap_or_default()
    }

    fn keep_config(&mut self, frame: &MediaFrame) {
        self.configs.retain(|held| held.track != frame.track);
        if self.configs.len() < MAX_TRACKS {
            self.configs.push(frame.clone());
        }
        let mut tracks = self.tracks.iter_mut();
        if let Some(track) = tracks.find(|track| track.track == frame.track) {
            track.stale = true;
        }
    }
}

impl Packager for RtpPackager {
    type Packet = RtpFrame;
    type Variant = RtpVariant;

    fn variant(&self) -> RtpVariant {
        self.variant
    }

    fn flush_window(&self) -> Duration {
        self.variant.flush_window
    }

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, RtpFrame>) {
        if frame.is_config() {
            self.keep_config(frame);
            return;
        }
        if frame.is_sync_point {
            self.owe_sync(frame);
        }
        self.pack_frame(frame, out);
    }
}

impl RtpPackager {
    /// Viewers can start here in the stream: the next frame with which they can start is where they do.
    pub(super) fn owe_sync(&mut self, frame: &MediaFrame) {
        self.owes_sync = true;
        // Sound makes the sync points where there are no pictures, or have not been for long.
        self.has_video &= frame.is_video();
    }

    /// Packs a frame of media.
    pub(super) fn pack_frame(&mut self, frame: &MediaFrame, out: &mut Packets<'_, RtpFrame>) {
        let starts = frame.is_keyframe() || !self.has_video && !frame.is_video();
        let sync = self.owes_sync && starts;
        let Some(packets) = self.packetize(frame, sync) else {
            return;
        };
        if sync {
            self.owes_sync = false;
            out.push_sync(packets);
        } else {
            out.push(packets);
        }
    }
}

/// Where the wall clock stood at timestamp 0, as players are told.
///
/// Until the source tells its clock it is when the stream began here, which is off by as long as the first frames took. Players go by every sender report,
/// so what the source tells later is approached rather than jumped to: the timestamps of a player that steps with it would overlap. Both tracks
/// go by the same origin, so sound and picture stay together meanwhile.
#[derive(Debug, Clone, Copy)]
struct WallOrigin {
    /// Nanoseconds since 1970.
    nanos: i64,
    /// The latest presentation time up to which it was moved, in nanoseconds; `None` before the first frame.
    moved_at: Option<i64>,
}

impl WallOrigin {
    fn at(time: NtpTime) -> Self {
        Self {
            nanos: time.unix_nanos().unwrap_or_default(),
            moved_at: None,
        }
    }

    /// The wall clock at the frame's presentation.
    fn at_frame(&mut self, frame: &MediaFrame) -> NtpTime {
        let pts = frame.pts.to_ticks(1_000_000_000);
        let told = frame.wall_clock.map(|WallClock(nanos)| nanos);
        NtpTime::from_unix_nanos(self.at_pts(pts, told))
    }

    /// The wall clock at `pts`, where the source may have `told` what it was there; all in nanoseconds.
    fn at_pts(&mut self, pts: i64, told: Option<i64>) -> i64 {
        // Frames come in decoding order: only those that are later than all before are time that has gone by.
        let elapsed = self.moved_at.map(|at| pts.saturating_sub(at).max(0));
        if let Some(told) = told {
            let off = told.saturating_sub(pts).saturating_sub(self.nanos);
            let most = match elapsed {
                // Nobody was told of another.
                None => i64::MAX,
                Some(_) if off.unsigned_abs() > CLOCK_STEP => i64::MAX,
                Some(elapsed) => elapsed / CLOCK_SLEW,
            };
            self.nanos = self.nanos.saturating_add(off.clamp(-most, most));
        }
        self.moved_at = Some(self.moved_at.map_or(pts, |at| at.max(pts)));
        self.nanos.saturating_add(pts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn origin() -> WallOrigin {
        WallOrigin {
            nanos: 10_000 * MS,
            moved_at: None,
        }
    }

    #[test]
    fn what_the_source_tells_with_its_first_frame_holds() {
        let mut wall = origin();
        assert_eq!(wall.at_pts(40 * MS, Some(10_085 * MS)), 10_085 * MS);
        assert_eq!(wall.at_pts(80 * MS, None), 10_125 * MS);
    }

    #[test]
    fn what_it_tells_later_is_approached() {
        let mut wall = origin();
        assert_eq!(wall.at_pts(0, None), 10_000 * MS);
        // 45 ms ahead of the origin, from the second frame on; each is 40 ms long, and lets it move by 20 us.
        assert_eq!(
            wall.at_pts(40 * MS, Some(10_085 * MS)),
            10_040 * MS + MS / 50
        );
        // A picture that is presented before it moves nothing.
        assert_eq!(
            wall.at_pts(20 * MS, Some(10_065 * MS)),
            10_020 * MS + MS / 50
        );
        for frame in 2..=2_250 {
            let pts = frame * 40 * MS;
            wall.at_pts(pts, Some(10_045 * MS + pts));
        }
        let pts = 100_000 * MS;
        assert_eq!(
            wall.at_pts(pts, None),
            10_045 * MS + pts,
            "there, and no further"
        );
    }

    #[test]
    fn a_clock_that_was_set_is_followed_at_once() {
        let mut wall = origin();
        wall.at_pts(0, Some(10_000 * MS));
        assert_eq!(wall.at_pts(40 * MS, Some(10_541 * MS)), 10_541 * MS);
        assert_eq!(wall.at_pts(80 * MS, Some(80 * MS)), 80 * MS);
    }
}
