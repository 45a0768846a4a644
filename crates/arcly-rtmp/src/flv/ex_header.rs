//! ExVideoTagHeader and ExAudioTagHeader (Enhanced RTMP v2): which packets of which tracks a tag holds.

use super::four_cc::FourCc;
use crate::Fault;
use arcly_core::MediaKind;
use bytes::{Buf, Bytes};

/// What a packet is, in both enumerations: VideoPacketType and AudioPacketType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketType {
    /// The codec config.
    SequenceStart,
    /// Media; of H.264, H.265 and VVC after a composition time.
    CodedFrames,
    /// Media that is presented when it is decoded.
    CodedFramesX,
    /// Nothing more of the sequence comes.
    SequenceEnd,
    /// AMF0 about the video.
    Metadata,
    /// A config in the form of MPEG-2 transport streams.
    Mpeg2TsSequenceStart,
    /// Which speakers the channels are for.
    MultichannelConfig,
}

/// Codes of the types that are no packets.
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const VIDEO_METADATA: u8 = 4;
const MOD_EX: u8 = 7;

/// VideoPacketModExType and AudioPacketModExType: nanoseconds to be added to the timestamp.
const TIMESTAMP_OFFSET_NANO: u8 = 0;

/// One packet of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExPacket {
    pub(super) packet_type: PacketType,
    pub(super) four_cc: FourCc,
    /// The track among those of its kind; 0 where the tag names none.
    pub(super) track: u8,
    pub(super) body: Bytes,
}

/// AvMultitrackType, or that there is one track without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Unnumbered,
    OneTrack,
    ManyTracks,
    ManyTracksManyCodecs,
}

/// The packets of one tag.
#[derive(Debug)]
pub(super) struct ExTag {
    /// The nanoseconds that are added to the tag's timestamp. The format says below a million; what 24 bits hold, 17 ms, is taken.
    pub(super) nanos: u32,
    packet_type: PacketType,
    layout: Layout,
    /// The codec of all packets, where they share one.
    four_cc: Option<FourCc>,
    /// The tracks that had their packet, one bit each.
    seen: [u64; 4],
    /// What was not read yet; `None` at the end.
    rest: Option<Bytes>,
}

impl ExTag {
    /// Reads ExAudioTagHeader. `first` is the tag's first byte, `rest` what follows it.
    pub(super) fn parse_audio(first: u8, mut rest: Bytes) -> Result<Self, Fault> {
        let (nanos, code) = modifiers(first & 0x0F, &mut rest)?;
        Self::parse(MediaKind::Audio, nanos, code, rest)
    }

    /// Reads ExVideoTagHeader. `None` where it holds a command to the player, which it does where the frame type says
    /// so and it is no metadata.
    pub(super) fn parse_video(
        first: u8,
        mut rest: Bytes,
        is_command: bool,
    ) -> Result<Option<Self>, Fault> {
        let (nanos, code) = modifiers(first & 0x0F, &mut rest)?;
        if is_command && code != VIDEO_METADATA {
            return Ok(None);
        }
        Self::parse(MediaKind::Video, nanos, code, rest).map(Some)
    }

    fn parse(kind: MediaKind, nanos: u32, mut code: u8, mut rest: Bytes) -> Result<Self, Fault> {
        let multitrack = match kind {
            MediaKind::Audio => AUDIO_MULTITRACK,
            _ => VIDEO_MULTITRACK,
        };
        let mut layout = Layout::Unnumbered;
        if code == multitrack {
            let byte = rest.try_get_u8().map_err(|_| cut_short())?;
            layout = match byte >> 4 {
                0 => Layout::OneTrack,
                1 => Layout::ManyTracks,
                2 => Layout::ManyTracksManyCodecs,
                _ => return Err(Fault::Malformed("multitrack type is none of 0, 1 and 2")),
            };
            code = byte & 0x0F;
        }
        let packet_type = packet_type(kind, code)?;
        let four_cc = match layout {
            Layout::ManyTracksManyCodecs => None,
            _ => Some(take_four_cc(&mut rest)?),
        };
        Ok(Self {
            nanos,
            packet_type,
            layout,
            four_cc,
            seen: [0; 4],
            rest: Some(rest),
        })
    }

    /// Notes that a track has its packet. A second one in the same tag, at the same time then, is what the format has no use for, and
    /// what would make a frame of each six bytes.
    fn see(&mut self, track: u8) -> Result<(), Fault> {
        let bit = 1 << (track % 64);
        match self.seen.get_mut(usize::from(track / 64)) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                Ok(())
            }
            _ => Err(Fault::Malformed("a track has two packets in one tag")),
        }
    }

    fn read_packet(&mut self, mut rest: Bytes) -> Result<ExPacket, Fault> {
        let four_cc = match self.four_cc {
            Some(four_cc) => four_cc,
            None => take_four_cc(&mut rest)?,
        };
        let mut track = 0;
        if self.layout != Layout::Unnumbered {
            track = rest.try_get_u8().map_err(|_| cut_short())?;
            self.see(track)?;
        }
        let body = if matches!(self.layout, Layout::Unnumbered | Layout::OneTrack) {
            rest
        } else {
            let size = take_u24(&mut rest)? as usize;
            if size > rest.len() {
                return Err(Fault::Malformed("a track's size exceeds its tag"));
            }
            let body = rest.split_to(size);
            self.rest = Some(rest).filter(|rest| !rest.is_empty());
            body
        };
        Ok(ExPacket {
            packet_type: self.packet_type,
            four_cc,
            track,
            body,
        })
    }
}

/// After an error, there is nothing more: where the next packet starts is unknown.
impl Iterator for ExTag {
    type Item = Result<ExPacket, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        Some(self.read_packet(rest))
    }
}

/// Reads the ModEx packets before the packet type `code`: the nanoseconds that they add, and the type that follows them.
/// Those that are not known are passed over. Each is three bytes of a tag at least, which bounds them.
fn modifiers(mut code: u8, rest: &mut Bytes) -> Result<(u32, u8), Fault> {
    let mut nanos = 0;
    while code == MOD_EX {
        let (modifier, next) = mod_ex(rest)?;
        nanos = modifier.unwrap_or(nanos);
        code = next;
    }
    Ok((nanos, code))
}

/// One ModEx packet: the nanoseconds, where it is that, and the type of what follows.
fn mod_ex(rest: &mut Bytes) -> Result<(Option<u32>, u8), Fault> {
    let mut size = usize::from(rest.try_get_u8().map_err(|_| cut_short())?) + 1;
    if size == 256 {
        size = usize::from(rest.try_get_u16().map_err(|_| cut_short())?) + 1;
    }
    if size > rest.len() {
        return Err(cut_short());
    }
    let mut data = rest.split_to(size);
    let byte = rest.try_get_u8().map_err(|_| cut_short())?;
    let nanos = if byte >> 4 == TIMESTAMP_OFFSET_NANO {
        let nanos = take_u24(&mut data);
        Some(nanos.map_err(|_| Fault::Malformed("nanosecond offset shorter than three bytes"))?)
    } else {
        None
    };
    Ok((nanos, byte & 0x0F))
}

fn packet_type(kind: MediaKind, code: u8) -> Result<PacketType, Fault> {
    match (kind, code) {
        (_, 0) => Ok(PacketType::SequenceStart),
        (_, 1) => Ok(PacketType::CodedFrames),
        (_, 2) => Ok(PacketType::SequenceEnd),
        (MediaKind::Audio, 4) => Ok(PacketType::MultichannelConfig),
        (MediaKind::Audio, _) => Err(Fault::Malformed(
            "Enhanced RTMP audio of a packet type that is not defined",
        )),
        (_, 3) => Ok(PacketType::CodedFramesX),
        (_, VIDEO_METADATA) => Ok(PacketType::Metadata),
        (_, 5) => Ok(PacketType::Mpeg2TsSequenceStart),
        _ => Err(Fault::Malformed(
            "Enhanced RTMP video of a packet type that is not defined",
        )),
    }
}

fn take_four_cc(rest: &mut Bytes) -> Result<FourCc, Fault> {
    let four_cc = rest.try_get_u32().map_err(|_| cut_short())?;
    Ok(four_cc.to_be_bytes())
}

fn take_u24(rest: &mut Bytes) -> Result<u32, Fault> {
    let high = rest.try_get_u8().map_err(|_| cut_short())?;
    let low = rest.try_get_u16().map_err(|_| cut_short())?;
    Ok(u32::from(high) << 16 | u32::from(low))
}

fn cut_short() -> Fault {
    Fault::Malformed("Enhanced RTMP tag shorter than its header")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(kind: MediaKind, bytes: &[u8]) -> Result<(u32, Vec<ExPacket>), Fault> {
        let rest = Bytes::copy_from_slice(&bytes[1..]);
        let tag = match kind {
            MediaKind::Audio => ExTag::parse_audio(bytes[0], rest)?,
            _ => ExTag::parse_video(bytes[0], rest, false)?.expect("no command"),
        };
        let nanos = tag.nanos;
        let packets = tag.collect::<Result<Vec<_>, _>>()?;
        Ok((nanos, packets))
    }

    fn packet(
        packet_type: PacketType,
        four_cc: &[u8; 4],
        track: u8,
        body: &'static [u8],
    ) -> ExPacket {
        ExPacket {
            packet_type,
            four_cc: *four_cc,
            track,
            body: Bytes::from_static(body),
        }
    }

    #[test]
    fn one_packet_without_a_track() {
        let expected = packet(PacketType::CodedFramesX, b"hvc1", 0, b"abc");
        assert_eq!(
            packets(MediaKind::Video, b"\x93hvc1abc"),
            Ok((0, vec![expected]))
        );
        let expected = packet(PacketType::SequenceStart, b"Opus", 0, b"");
        assert_eq!(
            packets(MediaKind::Audio, b"\x90Opus"),
            Ok((0, vec![expected]))
        );
    }

    #[test]
    fn each_layout_of_tracks() {
        let one = packet(PacketType::CodedFrames, b"av01", 7, b"abc");
        assert_eq!(
            packets(MediaKind::Video, b"\x96\x01av01\x07abc"),
            Ok((0, vec![one.clone()]))
        );
        let two = packet(PacketType::CodedFrames, b"av01", 8, b"");
        assert_eq!(
            packets(MediaKind::Video, b"\x96\x11av01\x07\0\0\x03abc\x08\0\0\0"),
            Ok((0, vec![one, two]))
        );
        let many = vec![
            packet(PacketType::CodedFrames, b"Opus", 0, b"ab"),
            packet(PacketType::CodedFrames, b"ac-3", 1, b"c"),
        ];
        assert_eq!(
            packets(
                MediaKind::Audio,
                b"\x95\x21Opus\0\0\0\x02abac-3\x01\0\0\x01c"
            ),
            Ok((0, many))
        );
    }

    #[test]
    fn a_tag_has_one_packet_a_track_at_most() {
        let mut bytes = b"\x95\x11.mp3".to_vec();
        for n in 0..2_000_u32 {
            bytes.extend_from_slice(&[n as u8, 0, 0, 2, 0xFF, 0xFB]);
        }
        let rest = Bytes::copy_from_slice(&bytes[1..]);
        let mut tag = ExTag::parse_audio(bytes[0], rest).expect("a header");
        assert_eq!(tag.by_ref().take_while(Result::is_ok).count(), 256);
        assert_eq!(tag.next(), None);
    }

    #[test]
    fn modifiers_come_before_the_packet_type() {
        let plain = packet(PacketType::CodedFrames, b"Opus", 0, b"a");
        assert_eq!(
            packets(MediaKind::Audio, b"\x97\x02\x0b\x71\xb0\x01Opusa"),
            Ok((750_000, vec![plain.clone()]))
        );
        // One that is not known, of 300 bytes, and then the nanoseconds.
        let mut bytes = b"\x97\xff\x01\x2b".to_vec();
        bytes.extend_from_slice(&[0xAA; 300]);
        bytes.extend_from_slice(b"\x17\x02\x00\x00\x05\x01Opusa");
        assert_eq!(packets(MediaKind::Audio, &bytes), Ok((5, vec![plain])));
        let short = packets(MediaKind::Audio, b"\x97\x01\x0b\x71\x01Opusa");
        assert!(matches!(short, Err(Fault::Malformed(_))));
    }

    #[test]
    fn what_is_not_defined_is_malformed() {
        for bytes in [
            &b"\x98hvc1"[..],                    // a reserved packet type
            b"\x96\x31hvc1\0",                   // a reserved multitrack type
            b"\x96\x06hvc1\0",                   // multitrack within multitrack
            b"\x96\x07\x02\0\0\0",               // a modifier within multitrack
            b"\x96\x11av01\x07\0\0\x04abc",      // a size past the end
            b"\x96\x11av01\x07\0\0\0\x07\0\0\0", // a track twice
        ] {
            let result = packets(MediaKind::Video, bytes);
            assert!(matches!(result, Err(Fault::Malformed(_))), "{bytes:x?}");
        }
        let result = packets(MediaKind::Audio, b"\x93Opus");
        assert!(
            matches!(result, Err(Fault::Malformed(_))),
            "no CodedFramesX"
        );
    }
}
