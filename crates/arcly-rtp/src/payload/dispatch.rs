//! From a format to what reads and writes it.

use super::aac::{AacDepacketizer, AacPacketizer, AuHeaderLayout};
use super::av1::{Av1Depacketizer, Av1Packetizer};
use super::h264::{H264Depacketizer, H264Packetizer, PacketizationMode};
use super::h265::{H265Depacketizer, H265Packetizer};
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
    /// [`RtpError::Unsupported`] where the format is not read, [`RtpError::Codec`] where its config is damaged, [`RtpError::Malformed`] where it
    /// lacks one that it cannot be read without.
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
                let layout = AuHeaderLayout {
                    size_length: aac.size_length,
                    index_length: aac.index_length,
                    index_delta_length: aac.index_delta_length,
                    ..AuHeaderLayout::default()
                };
                Box::new(AacDepacketizer::new(layout, config, aac.clock_rate)?)
            }
            Self::Opus { channels } => Box::new(OpusDepacketizer::new(*channels)?),
            Self::Pcm(format) => Box::new(PcmDepacketizer::new(*format)),
            _ => return Err(unsupported(self)),
        })
    }

    /// What splits access units into payloads of at most `max_payload` bytes, [`MIN_PAYLOAD_BYTES`](super::MIN_PAYLOAD_BYTES) at least. Where the
    /// format has a config, it is [set](Packetizer::set_config).
    ///
    /// # Errors
    /// [`RtpError::Unsupported`] where the format is not written, [`RtpError::Codec`] where its config is damaged.
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
            _ => return Err(unsupported(self)),
        };
        if let Some(config) = self.config() {
            packetizer.set_config(&config)?;
        }
        Ok(packetizer)
    }
}

fn unsupported(format: &PayloadFormat) -> RtpError {
    RtpError::Unsupported {
        what: format.encoding_name(),
        value: 0,
    }
}
