//! AUDIODATA (FLV, E.4.2) and ExAudioTagHeader (Enhanced RTMP v2).

use super::ex_header::ExTag;
use super::packet::{Coded, Content, FrameType, Packets};
use crate::Fault;
use arcly_core::{CodecId, MediaKind};
use bytes::Bytes;

/// Reads the header of a tag body. An empty one is a period of silence.
pub(super) fn packets(body: &Bytes) -> Result<Packets, Fault> {
    let Some(&first) = body.first() else {
        return Ok(Packets::NONE);
    };
    let rest = body.slice(1..);
    let coded = |codec| {
        Ok(Packets::one(
            codec,
            Content::Coded(Coded::audio(rest.clone())),
        ))
    };
    match first >> 4 {
        2 | 14 => coded(CodecId::Mp3),
        // Both are 8 kHz, whatever the rate says, which has no code for it.
        7 | 8 if first & 1 != 0 => Err(Fault::Unsupported(
            "stereo G.711 (FLV sound formats 7 and 8); send one channel, or AAC",
        )),
        7 => coded(CodecId::Pcma),
        8 => coded(CodecId::Pcmu),
        9 => {
            let tag = ExTag::parse_audio(first, rest)?;
            Ok(Packets::Enhanced(tag, MediaKind::Audio, FrameType::Inter))
        }
        10 => aac(&rest),
        format => Err(Fault::Unsupported(unsupported(format))),
    }
}

/// AACAUDIODATA (FLV, E.4.2.2).
fn aac(rest: &Bytes) -> Result<Packets, Fault> {
    let Some(&packet_type) = rest.first() else {
        return Err(Fault::Malformed("AAC tag without a packet type"));
    };
    let payload = rest.slice(1..);
    let content = match packet_type {
        0 => Content::SequenceStart(payload),
        1 => Content::Coded(Coded::audio(payload)),
        _ => return Err(Fault::Malformed("AAC packet type is neither 0 nor 1")),
    };
    Ok(Packets::one(CodecId::Aac, content))
}

/// Why a SoundFormat (FLV, E.4.2.1) is refused.
fn unsupported(format: u8) -> &'static str {
    match format {
        0 => "audio codec linear PCM of the platform's byte order (FLV sound format 0); send AAC",
        1 => "audio codec ADPCM (FLV sound format 1); send AAC",
        3 => "audio codec linear PCM (FLV sound format 3); send AAC",
        4..=6 => "audio codec Nellymoser (FLV sound formats 4 to 6); send AAC",
        11 => "audio codec Speex (FLV sound format 11); send AAC",
        15 => "device-specific sound (FLV sound format 15); send AAC",
        _ => "audio codec with a reserved FLV sound format; send AAC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<Vec<(CodecId, Content)>, Fault> {
        packets(&Bytes::copy_from_slice(body))?
            .map(|packet| packet.map(|packet| (packet.codec, packet.content)))
            .collect()
    }

    #[test]
    fn each_format_that_is_carried() {
        for (tag, codec) in [
            (&[0x2F, 0xFF][..], CodecId::Mp3),
            (&[0xE2, 0xFF], CodecId::Mp3),
            (&[0x72, 0xFF], CodecId::Pcma),
            (&[0x82, 0xFF], CodecId::Pcmu),
            (&[0xAF, 1, 0xFF], CodecId::Aac),
            (b"\x91Opus\xff", CodecId::Opus),
            (b"\x91ac-3\xff", CodecId::Ac3),
            (b"\x91ec-3\xff", CodecId::Eac3),
            (b"\x91fLaC\xff", CodecId::Flac),
            (b"\x91mp4a\xff", CodecId::Aac),
            (b"\x91.mp3\xff", CodecId::Mp3),
        ] {
            let payload = Bytes::from_static(&[0xFF]);
            let coded = Content::Coded(Coded::audio(payload));
            assert_eq!(read(tag), Ok(vec![(codec, coded)]), "{tag:x?}");
        }
        let config = Content::SequenceStart(Bytes::from_static(&[0x12, 0x10]));
        assert_eq!(
            read(&[0xAF, 0, 0x12, 0x10]),
            Ok(vec![(CodecId::Aac, config)])
        );
        assert_eq!(read(&[]), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_malformed_or_refused() {
        assert!(matches!(read(&[0xAF]), Err(Fault::Malformed(_))));
        assert!(matches!(read(&[0xAF, 7, 1]), Err(Fault::Malformed(_))));
        assert!(matches!(read(b"\x91Opu"), Err(Fault::Malformed(_))));
        assert!(matches!(read(b"\x91hvc1x"), Err(Fault::Unsupported(_))));
        assert!(matches!(read(&[0x73, 0]), Err(Fault::Unsupported(_))));
        for format in (0..16).filter(|format| ![2, 7, 8, 9, 10, 14].contains(format)) {
            let result = read(&[format << 4, 0, 0]);
            assert!(matches!(result, Err(Fault::Unsupported(_))), "{format}");
        }
    }
}
