//! The stream: 720p30 video and AAC, together 2 Mbit/s, in RTP packets, each picture stamped with when it was sent.

use crate::load::media::{GOP, STAMP_BYTES, Stamp, Unit, now};
use arcly_core::rtp::payload::{Packetizer, Payload};
use arcly_core::rtp::{RtpHeader, RtpTrack, describe};
use arcly_core::{CodecId, MediaFrame, TrackId, TrackInfo};
use bytes::{BufMut, Bytes, BytesMut};
use std::io;

/// Megabits a second of payload.
pub const MEGABITS: f64 = 2.0;
/// A keyframe has seven times the bytes of another picture, and all of it comes to 1,872 kbit/s.
const KEYFRAME_BYTES: usize = 49_636;
const PICTURE_BYTES: usize = 7_090;
/// On average 341, which is 128 kbit/s; encoders vary.
const SOUND_BYTES: [usize; 5] = [341, 328, 352, 336, 348];
/// The longest packet, as servers have it.
const MAX_PACKET: usize = 1_200;
const RTP_HEADER_BYTES: usize = 12;
/// Where the first packet of a picture has its stamp: behind the RTP header, the two bytes that a fragment starts with, and the one that says that
/// the slice is a picture's first.
const STAMP_AT: usize = RTP_HEADER_BYTES + 2 + 1;

/// avcC of a small picture: servers look at it, decoders do not come into it.
const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
        \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
/// AudioSpecificConfig: AAC LC, 48 kHz, stereo.
const ASC: &[u8] = &[0x11, 0x90];

/// The stamp in a packet that starts a picture.
#[must_use]
pub fn stamp_of(packet: &[u8]) -> Option<Stamp> {
    let mut found = None;
    let bytes = packet.get(STAMP_AT..STAMP_AT + STAMP_BYTES)?;
    Stamp::find_all(bytes, |stamp| found = Some(stamp));
    found
}

/// The tracks of the stream, which number their packets.
pub struct Tracks {
    tracks: [Track; 2],
    payloads: Vec<Payload>,
}

struct Track {
    rtp: RtpTrack,
    packetizer: Box<dyn Packetizer>,
    sequence: u16,
}

impl std::fmt::Debug for Tracks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracks").finish_non_exhaustive()
    }
}

impl Tracks {
    /// Video, then sound.
    ///
    /// # Errors
    /// None that can come to pass: the formats are known.
    pub fn new() -> io::Result<Self> {
        let (video, sound) = (Bytes::from_static(AVCC), Bytes::from_static(ASC));
        let mut video = MediaFrame::new_video(0, 0, video, CodecId::H264, false).into_config();
        let mut sound = MediaFrame::new_audio(0, sound, CodecId::Aac).into_config();
        (video.track, sound.track) = (TrackId(0), TrackId(1));
        let track = |config: &MediaFrame| {
            let rtp = RtpTrack::of(&TrackInfo::from_config(config), Some(config));
            let rtp = rtp.ok_or_else(|| io::Error::other("RTP carries it"))?;
            let packetizer = rtp.format.packetizer(MAX_PACKET - RTP_HEADER_BYTES);
            io::Result::Ok(Track {
                packetizer: packetizer.map_err(io::Error::other)?,
                rtp,
                sequence: 0,
            })
        };
        Ok(Self {
            tracks: [track(&video)?, track(&sound)?],
            payloads: Vec::new(),
        })
    }

    /// The session description; the tracks are controlled by `track0` and `track1`.
    #[must_use]
    pub fn description(&self) -> String {
        let tracks: Vec<_> = self.tracks.iter().map(|track| track.rtp.clone()).collect();
        let control = |index: usize, _: &RtpTrack| Some(format!("track{index}"));
        describe(&tracks, control).to_string()
    }

    /// Calls `each` with the packets of a unit, stamped with the present time.
    ///
    /// # Errors
    /// None that can come to pass: the units are whole.
    pub fn packets(&mut self, unit: &Unit, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let (access_unit, is_key) = access_unit(unit);
        let track = &mut self.tracks[usize::from(!unit.is_picture)];
        self.payloads.clear();
        let packetized = track
            .packetizer
            .packetize(&access_unit, is_key, &mut self.payloads);
        packetized.map_err(io::Error::other)?;
        let rate = u128::from(track.rtp.format.clock_rate());
        let ticks = unit.due.as_nanos() * rate / 1_000_000_000;
        let mut packet = BytesMut::with_capacity(MAX_PACKET);
        for payload in &self.payloads {
            let header = RtpHeader {
                payload_type: track.rtp.payload_type,
                marker: payload.marker,
                sequence: track.sequence,
                timestamp: (ticks as u32).wrapping_add(payload.timestamp_offset),
                ssrc: u32::from(!unit.is_picture) + 1,
            };
            track.sequence = track.sequence.wrapping_add(1);
            packet.clear();
            packet.put_slice(&header.to_bytes());
            packet.put_slice(payload.head());
            packet.put_slice(&payload.body);
            each(&packet);
        }
        Ok(())
    }
}

/// A packet as connections have it: pictures on channel 0, sound on 2.
pub fn put_interleaved(out: &mut BytesMut, is_picture: bool, packet: &[u8]) {
    out.put_slice(&[b'$', if is_picture { 0 } else { 2 }]);
    out.put_u16(u16::try_from(packet.len()).unwrap_or(0));
    out.put_slice(packet);
}

fn access_unit(unit: &Unit) -> (Bytes, bool) {
    if !unit.is_picture {
        let index = unit.number as usize % SOUND_BYTES.len();
        return (vec![0xdd; SOUND_BYTES[index]].into(), true);
    }
    let is_key = unit.number.is_multiple_of(GOP);
    let size = if is_key {
        KEYFRAME_BYTES
    } else {
        PICTURE_BYTES
    };
    let mut payload = BytesMut::with_capacity(size + 4);
    payload.put_u32(u32::try_from(size).unwrap_or(0));
    payload.put_slice(if is_key { &[0x65, 0x88] } else { &[0x41, 0x9a] });
    let stamp = Stamp {
        sent: now(),
        number: unit.number,
    };
    payload.put_slice(&stamp.to_bytes());
    payload.put_bytes(0xee, size - 2 - STAMP_BYTES);
    (payload.freeze(), is_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::media::Source;
    use std::time::Duration;

    #[test]
    fn the_stream_has_the_bit_rate_that_it_says_and_a_stamp_a_picture() {
        let mut tracks = Tracks::new().unwrap();
        let (mut bytes, mut stamps, mut pictures) = (0, Vec::new(), 0);
        let units = Source::default().take_while(|unit| unit.due < Duration::from_secs(20));
        for unit in units {
            pictures += u64::from(unit.is_picture);
            let each = |packet: &[u8]| {
                assert!(packet.len() <= MAX_PACKET);
                bytes += packet.len() - RTP_HEADER_BYTES;
                stamps.extend(stamp_of(packet).map(|stamp| stamp.number));
            };
            tracks.packets(&unit, each).unwrap();
        }
        assert_eq!(stamps, (0..pictures).collect::<Vec<_>>());
        let megabits = bytes as f64 * 8.0 / 20.0 / 1e6;
        assert!((megabits / MEGABITS - 1.0).abs() < 0.03, "{megabits}");
    }
}
