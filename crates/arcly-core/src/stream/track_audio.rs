//! What the configs and frames of audio codecs tell of their track.

use crate::CodecId;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::ac3::AccessUnit;
use crate::codec::flac::StreamInfo;
use crate::codec::mpeg_audio::MpegAudioHeader;
use crate::codec::opus::OpusHead;
use crate::codec::pcm::{PcmCodec, PcmFormat};

/// What is known of an audio track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AudioFormat {
    /// The RFC 6381 codec string, where the codec has one.
    pub(super) codec_string: Option<String>,
    pub(super) channels: u16,
    /// In Hz, as played: AAC's with SBR, 48 kHz for Opus.
    pub(super) sample_rate: u32,
}

impl AudioFormat {
    fn new(codec_string: impl Into<String>, channels: u8, sample_rate: u32) -> Self {
        Self {
            codec_string: Some(codec_string.into()),
            channels: channels.into(),
            sample_rate,
        }
    }

    /// What the codec config `payload` tells; `None` where it cannot be parsed, or the codec has no config.
    pub(super) fn from_config(codec: CodecId, payload: &[u8]) -> Option<Self> {
        match codec {
            CodecId::Aac => {
                let config = AudioSpecificConfig::parse(payload).ok()?;
                let rate = config.output_sample_rate();
                let channels = config.output_channels();
                Some(Self::new(config.codec_string(), channels, rate))
            }
            CodecId::Opus => {
                let head = OpusHead::parse(payload).ok()?;
                Some(Self::new(
                    head.codec_string(),
                    head.channels,
                    head.sample_rate(),
                ))
            }
            CodecId::Flac => {
                let info = StreamInfo::parse(payload).ok()?;
                Some(Self::new(
                    info.codec_string(),
                    info.channels,
                    info.sample_rate,
                ))
            }
            _ => PcmFormat::from_config(pcm_codec(codec)?, payload)
                .ok()
                .map(Self::of_pcm),
        }
    }

    fn of_pcm(format: PcmFormat) -> Self {
        Self {
            codec_string: format.codec_string().map(str::to_owned),
            channels: format.channels.into(),
            sample_rate: format.sample_rate,
        }
    }

    /// What the media frame `payload` tells of a codec without config; `None` where it cannot be parsed or does not tell.
    ///
    /// G.711 and G.722 are mono, at 8 and 16 kHz (RFC 3551 6, the static payload types), where no config says otherwise. L16 has no usual rate.
    pub(super) fn from_frame(codec: CodecId, payload: &[u8]) -> Option<Self> {
        let pcm = match codec {
            CodecId::Mp3 => {
                let header = MpegAudioHeader::parse(payload).ok()?;
                let string = header.mse_codec_string().unwrap_or(header.codec_string());
                return Some(Self::new(string, header.channels(), header.sample_rate));
            }
            CodecId::Ac3 | CodecId::Eac3 => {
                let unit = AccessUnit::parse(payload).ok()?;
                let (channels, rate) = (unit.channels(), unit.sample_rate());
                return Some(Self::new(unit.codec_string(), channels, rate));
            }
            CodecId::L16 => return None,
            _ => pcm_codec(codec)?,
        };
        Some(Self::of_pcm(PcmFormat::default_of(pcm)))
    }
}

fn pcm_codec(codec: CodecId) -> Option<PcmCodec> {
    Some(match codec {
        CodecId::Pcmu => PcmCodec::Pcmu,
        CodecId::Pcma => PcmCodec::Pcma,
        CodecId::G722 => PcmCodec::G722,
        CodecId::L16 => PcmCodec::L16,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(format: Option<AudioFormat>) -> Option<(Option<String>, u16, u32)> {
        format.map(|f| (f.codec_string, f.channels, f.sample_rate))
    }

    fn known(string: &str, channels: u16, rate: u32) -> Option<(Option<String>, u16, u32)> {
        Some((Some(string.to_owned()), channels, rate))
    }

    #[test]
    fn configs_tell_what_a_track_is() {
        let of = |codec, payload: &[u8]| facts(AudioFormat::from_config(codec, payload));
        let asc = [0x12, 0x10];
        assert_eq!(of(CodecId::Aac, &asc), known("mp4a.40.2", 2, 44_100));
        assert_eq!(
            of(CodecId::L16, b"\0\0\xbb\x80\x02"),
            known("ipcm", 2, 48_000)
        );
        assert_eq!(
            of(CodecId::Pcmu, b"\0\0\x3e\x80\x01"),
            known("ulaw", 1, 16_000)
        );
        assert_eq!(of(CodecId::L16, b"\0\0\0\0\x02"), None);
        let head = b"OpusHead\x01\x02\x38\x01\x44\xac\x00\x00\x00\x00\x00";
        // Opus plays at 48 kHz, whatever was encoded.
        assert_eq!(of(CodecId::Opus, head), known("opus", 2, 48_000));
        let info = StreamInfo::new(96_000, 6, 24).and_then(|info| info.to_block());
        let block = info.expect("valid");
        assert_eq!(of(CodecId::Flac, &block), known("flac", 6, 96_000));
        assert_eq!(of(CodecId::Opus, &head[..9]), None);
        assert_eq!(of(CodecId::Mp3, &asc), None);
    }

    #[test]
    fn frames_tell_where_there_is_no_config() {
        let of = |codec, payload: &[u8]| facts(AudioFormat::from_frame(codec, payload));
        let mp3 = [0xff, 0xfb, 0x50, 0x64];
        assert_eq!(of(CodecId::Mp3, &mp3), known("mp3", 2, 44_100));
        let mut ac3 = vec![0x0b, 0x77, 0, 0, 0, 0x40, 0x20, 0];
        ac3.resize(128, 0);
        assert_eq!(of(CodecId::Ac3, &ac3), known("ac-3", 1, 48_000));
        let eac3 = [0x0b, 0x77, 0x00, 0x03, 0x34, 0x87, 0xc0, 0x00];
        assert_eq!(of(CodecId::Eac3, &eac3), known("ec-3", 2, 48_000));
        assert_eq!(of(CodecId::Pcmu, &[]), known("ulaw", 1, 8_000));
        assert_eq!(of(CodecId::G722, &[]), Some((None, 1, 16_000)));
        assert_eq!(of(CodecId::Ac3, &ac3[..100]), None, "cut off");
        assert_eq!(of(CodecId::L16, &[0; 4]), None, "any rate is as likely");
        assert_eq!(of(CodecId::Aac, &[0; 4]), None);
    }
}
