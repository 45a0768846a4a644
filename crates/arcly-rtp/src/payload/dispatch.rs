//! From a format to what reads and writes it.

use super::aac::{AacDepacketizer, AacPacketizer};
use super::ac3::{Ac3Depacketizer, Ac3Format, Ac3Packetizer};
use super::av1::{Av1Depacketizer, Av1Packetizer};
use super::h264::{H264Depacketizer, H264Packetizer, PacketizationMode};
use super::h265::{H265Depacketizer, H265Packetizer};
use super::klv::{KlvDepacketizer, KlvPacketizer};
use super::latm::{LatmDepacketizer, LatmPacketizer};
use super::mjpeg::{MjpegDepacketizer, MjpegPacketizer};
use super::mpeg_audio::{Mp3Depacketizer, Mp3Packetizer};
use super::mpeg_ts::{MpegTsDepacketizer, MpegTsPacketizer};
use super::opus::{OpusDepacketizer, OpusPacketizer};
use super::pcm::{PcmDepacketizer, PcmPacketizer};
use super::vp8::{Vp8Depacketizer, Vp8Packetizer};
use super::vp9::{Vp9Depacketizer, Vp9Packetizer};
use super::{Depacketizer, Packetizer, PayloadFormat};
use crate::{Result, RtpError};

impl PayloadFormat {
    /// What puts the access units of this format together.
    ///
    /// Its units carry [`config`](super::AccessUnit::config) with the first one that has a config in force, be it from this format or in band,
    /// and whenever it changes.
    ///
    /// # Errors
    /// [`RtpError::Codec`] where its config is damaged, [`RtpError::Malformed`] where it lacks one that it cannot be read without.
    pub fn depacketizer(&self) -> Result<Box<dyn Depacketizer>> {
        Ok(match self {
            Self::H264 { config, .. } => Box::new(H264Depacketizer::new(config.as_ref())?),
            Self::H265 { donl, config } => Box::new(H265Depacketizer::new(*donl, config.as_ref())?),
            Self::Av1 { config } => Box::new(Av1Depacketizer::new(config.as_ref())?),
            Self::Vp8 => Box::new(Vp8Depacketizer::new()),
            Self::Vp9 { .. } => Box::new(Vp9Depacketizer::new()),
            Self::Aac(aac) => {
                let Some(config) = aac.config.clone() else {
                    return Err(RtpError::malformed("mpeg4-generic format", "no config"));
                };
                Box::new(AacDepacketizer::new(aac.layout, config, aac.clock_rate)?)
            }
            Self::Opus { channels } => Box::new(OpusDepacketizer::new(*channels)?),
            Self::Pcm(format) => Box::new(PcmDepacketizer::new(*format)),
            Self::Latm {
                clock_rate,
                in_band: true,
                ..
            } => Box::new(LatmDepacketizer::in_band(*clock_rate)),
            Self::Latm {
                clock_rate,
                mux_config,
                ..
            } => {
                let Some(config) = mux_config else {
                    return Err(RtpError::malformed("MP4A-LATM format", "no config"));
                };
                Box::new(LatmDepacketizer::out_of_band(config, *clock_rate)?)
            }
            Self::Mjpeg => Box::new(MjpegDepacketizer::new()),
            Self::Mp3 => Box::new(Mp3Depacketizer::new()),
            Self::Ac3 { clock_rate, .. } => {
                Box::new(Ac3Depacketizer::new(Ac3Format::Ac3, *clock_rate))
            }
            Self::Eac3 { clock_rate, .. } => {
                Box::new(Ac3Depacketizer::new(Ac3Format::Eac3, *clock_rate))
            }
            Self::Klv { .. } => Box::new(KlvDepacketizer::new()),
            Self::MpegTs => Box::new(MpegTsDepacketizer::new()),
        })
    }

    /// What splits access units into payloads of at most `max_payload` bytes, [`MIN_PAYLOAD_BYTES`](super::MIN_PAYLOAD_BYTES) at least. Where the
    /// format has a config, it is [set](Packetizer::set_config).
    ///
    /// # Errors
    /// [`RtpError::Codec`] where its config is damaged.
    pub fn packetizer(&self, max_payload: usize) -> Result<Box<dyn Packetizer>> {
        let mut packetizer: Box<dyn Packetizer> = match self {
            Self::H264 {
                packetization_mode, ..
            } => {
                let mode = match packetization_mode {
                    0 => PacketizationMode::SingleNalUnit,
                    _ => PacketizationMode::NonInterleaved,
                };
                Box::new(H264Packetizer::new(mode, max_payload))
            }
            Self::H265 { .. } => Box::new(H265Packetizer::new(max_payload)),
            Self::Av1 { .. } => Box::new(Av1Packetizer::new(max_payload)),
            Self::Vp8 => Box::new(Vp8Packetizer::new(max_payload)),
            Self::Vp9 { .. } => Box::new(Vp9Packetizer::new(max_payload)),
            Self::Aac(_) => Box::new(AacPacketizer::new(max_payload)),
            Self::Opus { .. } => Box::new(OpusPacketizer::new(max_payload)),
            Self::Pcm(format) => Box::new(PcmPacketizer::new(*format, max_payload)?),
            Self::Latm { in_band, .. } => Box::new(LatmPacketizer::new(*in_band, max_payload)),
            Self::Mjpeg => Box::new(MjpegPacketizer::new(max_payload)),
            Self::Mp3 => Box::new(Mp3Packetizer::new(max_payload)),
            Self::Ac3 { .. } => Box::new(Ac3Packetizer::new(Ac3Format::Ac3, max_payload)),
            Self::Eac3 { .. } => Box::new(Ac3Packetizer::new(Ac3Format::Eac3, max_payload)),
            Self::Klv { .. } => Box::new(KlvPacketizer::new(max_payload)),
            Self::MpegTs => Box::new(MpegTsPacketizer::new(max_payload)),
        };
        if let Some(config) = self.config() {
            packetizer.set_config(&config)?;
        }
        Ok(packetizer)
    }
}
