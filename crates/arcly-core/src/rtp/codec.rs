//! Which codec has which payload format.

use super::PayloadFormat;
use super::payload::AacFormat;
use crate::{CodecId, TrackInfo};
use arcly_codec::aac::AudioSpecificConfig;
use arcly_codec::opus::OpusHead;
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use bytes::Bytes;

/// The codec of the frames that a payload format carries; `None` for MPEG-TS, which carries tracks of its own.
#[must_use]
pub fn codec_of(format: &PayloadFormat) -> Option<CodecId> {
    Some(match format {
        PayloadFormat::H264 { .. } => CodecId::H264,
        PayloadFormat::H265 { .. } => CodecId::H265,
        PayloadFormat::Av1 { .. } => CodecId::Av1,
        PayloadFormat::Vp8 => CodecId::Vp8,
        PayloadFormat::Vp9 { .. } => CodecId::Vp9,
        PayloadFormat::Mjpeg => CodecId::Mjpeg,
        PayloadFormat::Aac(_) | PayloadFormat::Latm { .. } => CodecId::Aac,
        PayloadFormat::Opus { .. } => CodecId::Opus,
        PayloadFormat::Pcm(pcm) => match pcm.codec {
            PcmCodec::Pcmu => CodecId::Pcmu,
            PcmCodec::Pcma => CodecId::Pcma,
            PcmCodec::G722 => CodecId::G722,
            PcmCodec::L16 => CodecId::L16,
            _ => return None,
        },
        PayloadFormat::Mp3 => CodecId::Mp3,
        PayloadFormat::Ac3 { .. } => CodecId::Ac3,
        PayloadFormat::Eac3 { .. } => CodecId::Eac3,
        PayloadFormat::Klv { .. } => CodecId::Klv,
        _ => return None,
    })
}

/// The payload format that a track of a stream goes out in; `config` is its codec config, in the shape of
/// [`MediaFrame`](crate::MediaFrame).
///
/// `None` where RTP does not carry the codec, or what its format has to say is not known: AAC without config, Opus with more than two
/// channels, AC-3 and L16 of unknown rate. That of H.264 and H.265 can be known later, and go out in band until then.
#[must_use]
pub fn format_of(track: &TrackInfo, config: Option<&Bytes>) -> Option<PayloadFormat> {
    let config = config.cloned();
    let channels = || {
        u8::try_from(track.channels?)
            .ok()
            .filter(|&count| count > 0)
    };
    let pcm = |codec| {
        let format = PcmFormat::default_of(codec);
        let rate = track.sample_rate.unwrap_or(format.sample_rate);
        let channels = channels().unwrap_or(format.channels);
        PcmFormat::new(codec, rate, channels).ok()
    };
    Some(match track.codec {
        CodecId::H264 => PayloadFormat::H264 {
            packetization_mode: 1,
            config,
        },
        CodecId::H265 => PayloadFormat::H265 {
            donl: false,
            config,
        },
        CodecId::Av1 => PayloadFormat::Av1 { config },
        CodecId::Vp8 => PayloadFormat::Vp8,
        CodecId::Vp9 => {
            // vp09.PP.LL.DD
            let profile = track.codec_string.as_deref();
            let profile = profile.and_then(|string| string.split('.').nth(1)?.parse().ok());
            PayloadFormat::Vp9 {
                profile: profile.unwrap_or(0),
            }
        }
        CodecId::Mjpeg => PayloadFormat::Mjpeg,
        CodecId::Aac => {
            let asc = AudioSpecificConfig::parse(config.as_ref()?).ok()?;
            // The rate of what is coded, which is half of what is played with SBR (RFC 3640 4.1 leaves it open; all senders do so).
            let format = AacFormat::high_bit_rate(asc.sample_rate, asc.output_channels(), config);
            PayloadFormat::Aac(format)
        }
        CodecId::Opus => {
            let channels = match &config {
                Some(config) => OpusHead::parse(config).ok()?.channels,
                None => 2,
            };
            if channels > 2 {
                return None;
            }
            PayloadFormat::Opus { channels }
        }
        CodecId::Mp3 => PayloadFormat::Mp3,
        CodecId::Ac3 => PayloadFormat::Ac3 {
            clock_rate: track.sample_rate?,
            channels: channels()?,
        },
        CodecId::Eac3 => PayloadFormat::Eac3 {
            clock_rate: track.sample_rate?,
            channels: channels()?,
        },
        CodecId::Pcmu => PayloadFormat::Pcm(pcm(PcmCodec::Pcmu)?),
        CodecId::Pcma => PayloadFormat::Pcm(pcm(PcmCodec::Pcma)?),
        CodecId::G722 => PayloadFormat::Pcm(pcm(PcmCodec::G722)?),
        CodecId::L16 if track.sample_rate.is_some() => PayloadFormat::Pcm(pcm(PcmCodec::L16)?),
        CodecId::Klv => PayloadFormat::Klv { clock_rate: 90_000 },
        _ => return None,
    })
}
