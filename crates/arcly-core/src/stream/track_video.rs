//! What the configs and keyframes of video codecs tell of their track.

use crate::CodecId;
use crate::codec::av1::{Av1Config, SequenceHeader};
use crate::codec::h264::AvcDecoderConfig;
use crate::codec::h265::HevcDecoderConfig;
use crate::codec::video::FrameRate;
use crate::codec::vpc::{VpCodec, VpConfig};
use crate::codec::vvc::VvcDecoderConfig;
use crate::codec::{vp8, vp9};
use bytes::Bytes;

/// What is known of a video track.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct VideoFormat {
    /// The RFC 6381 codec string.
    pub(super) codec_string: Option<String>,
    /// Width and height in pixels.
    pub(super) size: Option<(u32, u32)>,
    /// Frames a second, as declared.
    pub(super) frame_rate: Option<f64>,
}

impl VideoFormat {
    fn new(
        codec_string: Option<String>,
        (width, height): (Option<u32>, Option<u32>),
        frame_rate: Option<FrameRate>,
    ) -> Self {
        Self {
            codec_string,
            size: width.zip(height),
            frame_rate: frame_rate.map(FrameRate::as_f64),
        }
    }

    /// What the codec config `payload` tells; `None` where it cannot be parsed, or the codec has no config.
    pub(super) fn from_config(codec: CodecId, payload: &Bytes) -> Option<Self> {
        match codec {
            CodecId::H264 => {
                let config = AvcDecoderConfig::parse(payload).ok()?;
                let size = (config.width(), config.height());
                let string = Some(config.codec_string());
                Some(Self::new(string, size, config.frame_rate()))
            }
            CodecId::H265 => {
                let config = HevcDecoderConfig::parse(payload).ok()?;
                let size = (config.width(), config.height());
                let string = Some(config.codec_string());
                Some(Self::new(string, size, config.frame_rate()))
            }
            CodecId::Vvc => {
                let config = VvcDecoderConfig::parse(payload).ok()?;
                let size = (config.width(), config.height());
                Some(Self::new(config.codec_string(), size, config.frame_rate()))
            }
            CodecId::Av1 => {
                let config = Av1Config::parse(payload).ok()?;
                let size = (config.width(), config.height());
                let string = Some(config.codec_string());
                Some(Self::new(string, size, config.frame_rate()))
            }
            CodecId::Vp8 => Self::from_vpc(VpCodec::Vp8, payload),
            CodecId::Vp9 => Self::from_vpc(VpCodec::Vp9, payload),
            _ => None,
        }
    }

    /// The record has no size: the keyframes do.
    fn from_vpc(codec: VpCodec, payload: &[u8]) -> Option<Self> {
        let config = VpConfig::parse(codec, payload).ok()?;
        Some(Self::new(Some(config.codec_string()), (None, None), None))
    }

    /// What the keyframe `payload` tells of a codec whose keyframes say it: VP8, VP9 and AV1. `None` where it cannot be
    /// parsed or is no keyframe.
    pub(super) fn from_keyframe(codec: CodecId, payload: &[u8]) -> Option<Self> {
        let (config, size) = match codec {
            CodecId::Vp8 => {
                let header = vp8::FrameHeader::parse(payload).ok()?;
                (vp8::config(payload, None), header.size?)
            }
            CodecId::Vp9 => {
                let frame = vp9::frames(payload).next()?;
                let format = vp9::FrameHeader::parse(frame).ok()?.format?;
                (vp9::config(payload, None), (format.width, format.height))
            }
            CodecId::Av1 => {
                let header = SequenceHeader::find(payload)?;
                return Some(Self::new(
                    Some(header.codec_string()),
                    (Some(header.width), Some(header.height)),
                    header.frame_rate(),
                ));
            }
            _ => return None,
        };
        let string = config.ok()??.codec_string();
        Some(Self {
            codec_string: Some(string),
            size: Some(size),
            frame_rate: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Bytes {
        let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(digit).collect()
    }

    /// Records of x265, SVT-AV1 and vvenc, as ffmpeg writes them into MP4; see the golden streams of `arcly-codec`.
    #[test]
    fn configs_tell_what_a_track_is() {
        let hvcc = "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e911009a10\
            001002842010101600000030090000003000003001ea020810596444924caf0168080000003008000000c84a2000100064401c171a112";
        let av1c = "81000c000a0a00000002afff9f7f3008";
        let vvcc = "ff00555f010210800000004000400000028f000100810079008b021080000080820411a8018bffeb084d958c10209c00a9021084418888b2\
            445a88bd1ead497924d496488b511788935112292224c9112ea488a08588840c9106a405584210b100859020442040b2102048810682049041c2\
            0c81168412421c43425c8e5410b1008590204420410cc119c5000003000100000300191880900001000b008100004102088907d040";
        let vpcc = "000a820202020000";
        let known = |string: &str, size, frame_rate| {
            Some(VideoFormat {
                codec_string: Some(string.to_owned()),
                size,
                frame_rate,
            })
        };
        let size = Some((64, 64));
        for (codec, record, expected) in [
            (
                CodecId::H265,
                hvcc,
                known("hvc1.1.6.L30.90", size, Some(25.0)),
            ),
            (CodecId::Av1, av1c, known("av01.0.00M.08", size, None)),
            (
                CodecId::Vvc,
                vvcc,
                known("vvc1.1.L16.CQA", size, Some(25.0)),
            ),
            (CodecId::Vp9, vpcc, known("vp09.00.10.08", None, None)),
            (CodecId::Vp8, vpcc, known("vp08.00.10.08", None, None)),
        ] {
            let record = hex(record);
            assert_eq!(
                VideoFormat::from_config(codec, &record),
                expected,
                "{codec}"
            );
            assert_eq!(VideoFormat::from_config(codec, &record.slice(..3)), None);
        }
    }

    #[test]
    fn keyframes_tell_where_the_config_does_not() {
        let vp8 = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xae, 0x00, 0x8e, 0x00];
        let format = VideoFormat::from_keyframe(CodecId::Vp8, &vp8).expect("a keyframe");
        assert_eq!(format.size, Some((174, 142)));
        assert_eq!(format.codec_string.as_deref(), Some("vp08.00.10.08"));
        // VP9 key frame of 64×64: marker and flags, sync code, colour space 0 and range 0, sizes less one.
        let vp9 = [0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x03, 0xf0];
        let format = VideoFormat::from_keyframe(CodecId::Vp9, &vp9).expect("a keyframe");
        assert_eq!(format.size, Some((64, 64)));
        // An AV1 sequence header OBU of SVT-AV1.
        let av1 = hex("0a0a00000002afff9f7f3008");
        let format = VideoFormat::from_keyframe(CodecId::Av1, &av1).expect("a sequence header");
        assert_eq!(format.size, Some((64, 64)));
        assert_eq!(
            VideoFormat::from_keyframe(CodecId::Vp9, &[0x86, 0, 0]),
            None
        );
        assert_eq!(VideoFormat::from_keyframe(CodecId::H264, &vp9), None);
    }
}
