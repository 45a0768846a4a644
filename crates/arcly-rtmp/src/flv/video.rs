//! VIDEODATA (FLV, E.4.3), with the codecs that were never in the format but in use, and ExVideoTagHeader (Enhanced RTMP v2).

use super::ex_header::ExTag;
use super::packet::{Coded, Content, FrameType, Packets, take_composition};
use crate::Fault;
use arcly_core::{CodecId, MediaKind};
use bytes::Bytes;

/// The bit that says Enhanced RTMP, where the first byte's rest means something else.
const IS_EX_HEADER: u8 = 0x80;

/// Reads the header of a tag body.
pub(super) fn packets(body: &Bytes) -> Result<Packets, Fault> {
    let Some(&first) = body.first() else {
        return Ok(Packets::NONE);
    };
    let rest = body.slice(1..);
    if first & IS_EX_HEADER != 0 {
        let frame_type = FrameType::from_bits(first >> 4);
        let tag = ExTag::parse_video(first, rest, frame_type == FrameType::Command)?;
        return Ok(tag.map_or(Packets::NONE, |tag| {
            Packets::Enhanced(tag, MediaKind::Video, frame_type)
        }));
    }
    let frame_type = FrameType::from_bits(first >> 4);
    if frame_type == FrameType::Command {
        // A command to the player, such as the end of a seek.
        return Ok(Packets::NONE);
    }
    let codec = match first & 0x0F {
        7 => CodecId::H264,
        // Never in the specification, but in the CDNs, encoders and players of China, in the form of H.264.
        12 => CodecId::H265,
        13 => CodecId::Av1,
        codec => return Err(Fault::Unsupported(unsupported(codec))),
    };
    avc_packet(codec, frame_type, rest)
}

/// AVCVIDEOPACKET (FLV, E.4.3.2).
fn avc_packet(codec: CodecId, frame_type: FrameType, mut rest: Bytes) -> Result<Packets, Fault> {
    let Some(&packet_type) = rest.first() else {
        return Err(Fault::Malformed("video tag shorter than its header"));
    };
    rest = rest.slice(1..);
    let composition = take_composition(&mut rest)?;
    let content = match packet_type {
        0 => Content::SequenceStart(rest),
        1 => Content::Coded(Coded {
            payload: rest,
            composition,
            flagged_key: frame_type == FrameType::Key,
        }),
        2 => Content::SequenceEnd,
        _ => return Err(Fault::Malformed("AVC packet type is none of 0, 1 and 2")),
    };
    Ok(Packets::one(codec, content))
}

/// Why a CodecID (FLV, E.4.3.1) is refused.
fn unsupported(codec: u8) -> &'static str {
    match codec {
        1 => "video codec JPEG (FLV codec id 1); send H.264",
        2 => "video codec Sorenson H.263 (FLV codec id 2); send H.264",
        3 => "video codec Screen video (FLV codec id 3); send H.264",
        4 => "video codec On2 VP6 (FLV codec id 4); send H.264",
        5 => "video codec On2 VP6 with alpha channel (FLV codec id 5); send H.264",
        6 => "video codec Screen video 2 (FLV codec id 6); send H.264",
        _ => "video codec with an FLV codec id that nobody defines; send H.264",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<Vec<Content>, Fault> {
        packets(&Bytes::copy_from_slice(body))?
            .map(|packet| packet.map(|packet| packet.content))
            .collect()
    }

    #[test]
    fn other_codecs_are_refused_by_name() {
        for codec in (0..16).filter(|codec| ![7, 12, 13].contains(codec)) {
            let result = read(&[0x10 | codec, 0, 0, 0, 0, 1]);
            assert!(matches!(result, Err(Fault::Unsupported(_))), "{codec}");
        }
        assert!(matches!(read(b"\x90hev1\x01"), Err(Fault::Unsupported(_))));
        assert!(
            matches!(read(b"\x90Opus\x01"), Err(Fault::Unsupported(_))),
            "no video"
        );
        assert!(matches!(read(b"\x95av01\x80"), Err(Fault::Unsupported(_))));
    }

    #[test]
    fn commands_to_the_player_and_ends_of_sequence_are_passed_over() {
        assert_eq!(read(&[0x57, 0]), Ok(vec![]));
        assert_eq!(read(b"\xd1\x00"), Ok(vec![]), "Enhanced RTMP's");
        assert_eq!(read(&[0x17, 2, 0, 0, 0]), Ok(vec![Content::SequenceEnd]));
        assert_eq!(read(b"\x92hvc1"), Ok(vec![Content::SequenceEnd]));
        assert_eq!(read(&[]), Ok(vec![]));
        assert!(matches!(read(&[0x17, 0, 0]), Err(Fault::Malformed(_))));
    }

    #[test]
    fn composition_times_are_signed() {
        for (tag, expected) in [
            (&b"\x27\x01\xff\xff\xfex"[..], -2),
            (b"\xa1hvc1\x00\x00\x28x", 40),
            (b"\xa3hvc1x", 0),
            (b"\xa1av01x", 0),
        ] {
            let content = read(tag);
            let Ok([Content::Coded(coded)]) = content.as_deref() else {
                panic!("{content:?}")
            };
            assert_eq!(
                (coded.composition, &coded.payload[..]),
                (expected, &b"x"[..])
            );
        }
    }
}
