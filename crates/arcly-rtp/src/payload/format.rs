//! Which payload format a track has, with its parameters.

use super::aac::AuHeaderLayout;
use super::latm::read_mux_config;
use arcly_codec::opus::OpusHead;
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use bytes::Bytes;

/// The clock rate of video formats, in Hz.
const VIDEO_CLOCK: u32 = 90_000;

/// The payload format of a track and the parameters that its packets alone do not tell: what a session description says in `rtpmap`
/// and `fmtp`.
///
/// The decoder config that a description carries (`sprop-parameter-sets`, `config`, …) is here in the shape of the codec's own record, as
/// arcly-codec reads and writes it. Without one, it comes in band or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadFormat {
    /// H.264 (RFC 6184). Reading takes the packets of modes 0 and 1 whatever is said; mode 2 (interleaved) is not read.
    H264 {
        /// `packetization-mode`: 0, or 1, by which fragments and aggregates may be sent.
        packetization_mode: u8,
        /// The avcC record of `sprop-parameter-sets`.
        config: Option<Bytes>,
    },
    /// H.265 (RFC 7798).
    H265 {
        /// Whether packets carry decoding order numbers: `sprop-max-don-diff` above 0. These are skipped; units stay in the order of
        /// transmission.
        donl: bool,
        /// The hvcC record of `sprop-vps`, `sprop-sps` and `sprop-pps`.
        config: Option<Bytes>,
    },
    /// AV1 (AOMedia, "RTP Payload Format For AV1", 1.0).
    Av1 {
        /// The av1C record, where its sequence header is known. A description tells profile, level and tier of it at most, so that
        /// it is `None` in what was parsed.
        config: Option<Bytes>,
    },
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9 {
        /// `profile-id`; 0 where nothing is said.
        profile: u8,
    },
    /// Motion JPEG (RFC 2435).
    Mjpeg,
    /// AAC, `mpeg4-generic` (RFC 3640).
    Aac(AacFormat),
    /// AAC, `MP4A-LATM` (RFC 6416).
    Latm {
        /// The rate of the timestamps in Hz.
        clock_rate: u32,
        /// `cpresent`: whether StreamMuxConfig comes in band.
        in_band: bool,
        /// The StreamMuxConfig of `config`, as it was given (ISO/IEC 14496-3 1.7.3).
        mux_config: Option<Bytes>,
    },
    /// Opus (RFC 7587).
    Opus {
        /// The channels that are sent: 1 or 2 (`sprop-stereo`).
        channels: u8,
    },
    /// G.711, G.722, or L16 (RFC 3551 4.5).
    Pcm(PcmFormat),
    /// MPEG audio, `MPA` (RFC 2250 3.5). Layer III is read and written.
    Mp3,
    /// AC-3 (RFC 4184).
    Ac3 {
        /// The rate of the timestamps: that of the samples, in Hz.
        clock_rate: u32,
        /// The channels that the description declares.
        channels: u8,
    },
    /// Enhanced AC-3 (RFC 4598).
    Eac3 {
        /// The rate of the timestamps: that of the samples, in Hz.
        clock_rate: u32,
        /// The channels that the description declares.
        channels: u8,
    },
    /// KLV metadata, `smpte336m` (RFC 6597).
    Klv {
        /// The rate of the timestamps in Hz.
        clock_rate: u32,
    },
    /// An MPEG transport stream, `MP2T` (RFC 2250 2). What it carries is for a demultiplexer: its units are runs of whole TS packets.
    MpegTs,
}

/// The parameters of `mpeg4-generic` (RFC 3640 4.1) for AAC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AacFormat {
    /// The rate of the timestamps in Hz: the sampling rate, but for mistaken senders.
    pub clock_rate: u32,
    /// The channels that the description declares.
    pub channels: u8,
    /// How the headers of its access units are laid out.
    pub layout: AuHeaderLayout,
    /// The AudioSpecificConfig of `config`.
    pub config: Option<Bytes>,
}

impl AacFormat {
    /// Mode AAC-hbr (RFC 3640 3.3.6), which is the one that is written and what nearly all send.
    #[must_use]
    pub const fn high_bit_rate(clock_rate: u32, channels: u8, config: Option<Bytes>) -> Self {
        Self {
            clock_rate,
            channels,
            layout: AuHeaderLayout::HBR,
            config,
        }
    }

    /// Mode AAC-lbr (RFC 3640 3.3.5).
    #[must_use]
    pub fn low_bit_rate(clock_rate: u32, channels: u8, config: Option<Bytes>) -> Self {
        Self {
            layout: AuHeaderLayout::LBR,
            ..Self::high_bit_rate(clock_rate, channels, config)
        }
    }
}

impl PayloadFormat {
    /// The rate of its timestamps in Hz, above 0.
    #[must_use]
    pub fn clock_rate(&self) -> u32 {
        let rate = match self {
            Self::H264 { .. }
            | Self::H265 { .. }
            | Self::Av1 { .. }
            | Self::Vp8
            | Self::Vp9 { .. }
            | Self::Mjpeg
            | Self::Mp3
            | Self::MpegTs => VIDEO_CLOCK,
            Self::Aac(aac) => aac.clock_rate,
            Self::Opus { .. } => arcly_codec::opus::SAMPLE_RATE,
            Self::Pcm(pcm) => pcm.rtp_clock_rate(),
            Self::Latm { clock_rate, .. }
            | Self::Ac3 { clock_rate, .. }
            | Self::Eac3 { clock_rate, .. }
            | Self::Klv { clock_rate } => *clock_rate,
        };
        rate.max(1)
    }

    /// The decoder config that is known without a packet, in the shape of the codec's own record. That of Opus is made of its channels, with no
    /// pre-skip, of which RTP says nothing. That of PCM is its rate and channels ([`PcmFormat::to_config`]), where these are not
    /// the only ones that a receiver would think of.
    #[must_use]
    pub fn config(&self) -> Option<Bytes> {
        match self {
            Self::H264 { config, .. } | Self::H265 { config, .. } | Self::Av1 { config } => {
                config.clone()
            }
            Self::Aac(aac) => aac.config.clone(),
            Self::Opus { channels } => {
                let head = OpusHead::new((*channels).clamp(1, 2), 0).ok()?;
                head.to_bytes().ok()
            }
            Self::Latm { mux_config, .. } => {
                let mux_config = mux_config.as_ref()?;
                let config = read_mux_config(mux_config).ok()?;
                config.audio.to_bytes().ok()
            }
            Self::Pcm(pcm) => {
                let linear = pcm.codec == PcmCodec::L16;
                let told = linear || *pcm != PcmFormat::default_of(pcm.codec);
                told.then(|| Bytes::copy_from_slice(&pcm.to_config()))
            }
            _ => None,
        }
    }

    /// The name of the format in session descriptions (`rtpmap`), as its registration writes it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Self::H264 { .. } => "H264",
            Self::H265 { .. } => "H265",
            Self::Av1 { .. } => "AV1",
            Self::Vp8 => "VP8",
            Self::Vp9 { .. } => "VP9",
            Self::Mjpeg => "JPEG",
            Self::Aac(_) => "MPEG4-GENERIC",
            Self::Latm { .. } => "MP4A-LATM",
            Self::Opus { .. } => "opus",
            Self::Pcm(pcm) => match pcm.codec {
                PcmCodec::Pcmu => "PCMU",
                PcmCodec::Pcma => "PCMA",
                PcmCodec::G722 => "G722",
                _ => "L16",
            },
            Self::Mp3 => "MPA",
            Self::Ac3 { .. } => "ac3",
            Self::Eac3 { .. } => "eac3",
            Self::Klv { .. } => "smpte336m",
            Self::MpegTs => "MP2T",
        }
    }
}
