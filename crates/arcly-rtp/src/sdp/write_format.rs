//! From a payload format to `rtpmap` and `fmtp`.

use super::MediaFormat;
use super::parameters::{push, to_hex};
use crate::payload::aac::AuHeaderLayout;
use crate::payload::{AacFormat, PayloadFormat};
use arcly_codec::av1::Av1Config;
use arcly_codec::h264::AvcDecoderConfig;
use arcly_codec::h265::HevcDecoderConfig;
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;

impl MediaFormat {
    /// What is said of a payload type with this format.
    #[must_use]
    pub fn new(payload_type: u8, format: PayloadFormat) -> Self {
        Self {
            payload_type,
            encoding: format.encoding_name().to_owned(),
            clock_rate: format.clock_rate(),
            channels: format.described_channels(),
            parameters: format.fmtp().unwrap_or_default(),
            format: Some(format),
        }
    }

    /// The value of `rtpmap` behind the payload type.
    #[must_use]
    pub fn rtpmap(&self) -> String {
        let (encoding, rate) = (&self.encoding, self.clock_rate);
        match self.channels {
            Some(channels) => format!("{encoding}/{rate}/{channels}"),
            None => format!("{encoding}/{rate}"),
        }
    }
}

impl PayloadFormat {
    /// The payload type that RFC 3551 6 gives the format; `None` where it has to have a dynamic one.
    #[must_use]
    pub fn static_payload_type(&self) -> Option<u8> {
        let is_default = |pcm: &PcmFormat| *pcm == PcmFormat::default_of(pcm.codec);
        match self {
            Self::Pcm(pcm) => match pcm.codec {
                PcmCodec::L16 if (pcm.sample_rate, pcm.channels) == (44_100, 1) => Some(11),
                _ if !is_default(pcm) => None,
                PcmCodec::Pcmu => Some(0),
                PcmCodec::Pcma => Some(8),
                PcmCodec::G722 => Some(9),
                PcmCodec::L16 => Some(10),
                _ => None,
            },
            Self::Mp3 => Some(14),
            Self::Mjpeg => Some(26),
            Self::MpegTs => Some(33),
            _ => None,
        }
    }

    /// The channels that stand in `rtpmap`: those of audio, where they are not left out as one.
    fn described_channels(&self) -> Option<u8> {
        match self {
            Self::Aac(aac) => Some(aac.channels),
            // Always 2, whatever is coded (RFC 7587 7).
            Self::Opus { .. } => Some(2),
            Self::Pcm(pcm) => (pcm.channels > 1).then_some(pcm.channels),
            Self::Ac3 { channels, .. } | Self::Eac3 { channels, .. } => Some(*channels),
            _ => None,
        }
    }

    /// The parameters of `fmtp`; `None` where the format has none to tell.
    #[must_use]
    pub fn fmtp(&self) -> Option<String> {
        let mut fmtp = String::new();
        match self {
            Self::H264 {
                packetization_mode,
                config,
            } => {
                push(&mut fmtp, "packetization-mode", packetization_mode);
                let config = config.as_ref().map(AvcDecoderConfig::parse);
                if let Some(Ok(config)) = config {
                    let (profile, flags) = (config.profile_idc, config.constraint_flags);
                    let level_id = to_hex(&[profile, flags, config.level_idc]);
                    push(&mut fmtp, "profile-level-id", level_id.to_uppercase());
                    let sets = config.sps.iter().chain(&config.pps);
                    push(&mut fmtp, "sprop-parameter-sets", base64_list(sets));
                }
            }
            Self::H265 { config, .. } => {
                if let Some(Ok(config)) = config.as_ref().map(HevcDecoderConfig::parse) {
                    h265(&config, &mut fmtp);
                }
            }
            Self::Av1 { config } => {
                if let Some(Ok(config)) = config.as_ref().map(Av1Config::parse) {
                    push(&mut fmtp, "profile", config.profile);
                    push(&mut fmtp, "level-idx", config.level);
                    push(&mut fmtp, "tier", u8::from(config.high_tier));
                }
            }
            Self::Vp9 { profile } => push(&mut fmtp, "profile-id", profile),
            Self::Aac(aac) => aac_parameters(aac, &mut fmtp),
            Self::Latm {
                in_band,
                mux_config,
                ..
            } => {
                push(&mut fmtp, "cpresent", u8::from(*in_band));
                if let Some(config) = mux_config {
                    push(&mut fmtp, "config", to_hex(config));
                }
            }
            Self::Opus { channels } => push(&mut fmtp, "sprop-stereo", u8::from(*channels == 2)),
            _ => {}
        }
        (!fmtp.is_empty()).then_some(fmtp)
    }
}

/// RFC 7798 7.1. The parameter sets tell all that the other parameters would.
fn h265(config: &HevcDecoderConfig, fmtp: &mut String) {
    let profile = &config.profile_tier_level;
    push(fmtp, "profile-space", profile.profile_space);
    push(fmtp, "profile-id", profile.profile_idc);
    push(fmtp, "tier-flag", u8::from(profile.high_tier));
    push(fmtp, "level-id", profile.level_idc);
    let interop = to_hex(&profile.constraint_flags).to_uppercase();
    push(fmtp, "interop-constraints", interop);
    push(fmtp, "sprop-vps", base64_list(config.vps()));
    push(fmtp, "sprop-sps", base64_list(config.sps()));
    push(fmtp, "sprop-pps", base64_list(config.pps()));
}

/// RFC 3640 4.1. `profile-level-id` 1 is "Main Audio Profile, level 1", which everybody writes and nobody reads.
fn aac_parameters(aac: &AacFormat, fmtp: &mut String) {
    push(fmtp, "streamtype", 5);
    push(fmtp, "profile-level-id", 1);
    let layout = &aac.layout;
    let mode = match *layout {
        AuHeaderLayout::LBR => "AAC-lbr",
        AuHeaderLayout::HBR => "AAC-hbr",
        _ => "generic",
    };
    push(fmtp, "mode", mode);
    let random_access = u8::from(layout.random_access_indication);
    let fields: [(&str, u32); 10] = [
        ("sizelength", layout.size_length.into()),
        ("indexlength", layout.index_length.into()),
        ("indexdeltalength", layout.index_delta_length.into()),
        ("ctsdeltalength", layout.cts_delta_length.into()),
        ("dtsdeltalength", layout.dts_delta_length.into()),
        ("randomaccessindication", random_access.into()),
        (
            "streamstateindication",
            layout.stream_state_indication.into(),
        ),
        (
            "auxiliarydatasizelength",
            layout.auxiliary_data_size_length.into(),
        ),
        ("constantsize", layout.constant_size.into()),
        ("constantduration", layout.constant_duration),
    ];
    for (name, value) in fields.into_iter().filter(|&(_, value)| value > 0) {
        push(fmtp, name, value);
    }
    if let Some(config) = &aac.config {
        push(fmtp, "config", to_hex(config));
    }
}

fn base64_list<'a>(units: impl Iterator<Item = &'a Bytes>) -> String {
    let units: Vec<String> = units.map(|unit| BASE64.encode(unit)).collect();
    units.join(",")
}
