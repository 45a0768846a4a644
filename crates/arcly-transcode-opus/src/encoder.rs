//! Samples to Opus.

use arcly_core::transcode::TranscodeRefused;
use bytes::Bytes;
use ropus::{Application, Bitrate, Channels};

/// Samples of a channel a second: what Opus counts by whatever it carries (RFC 7587 4.1).
pub(crate) const OPUS_RATE: u32 = 48_000;

/// 20 ms, as all senders by WebRTC use.
pub(crate) const PACKET_SAMPLES: usize = 960;

/// RFC 6716 3.2.1: no frame is longer, and these packets have one.
const MAX_PACKET_BYTES: usize = 1_275;

/// Encodes packets of [`PACKET_SAMPLES`].
pub(crate) struct Encoder {
    encoder: ropus::Encoder,
    packet: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(channels: usize, bits_per_channel: u32) -> Result<Self, TranscodeRefused> {
        let (layout, bitrate) = match channels {
            1 => (Channels::Mono, bits_per_channel),
            _ => (Channels::Stereo, bits_per_channel.saturating_mul(2)),
        };
        let encoder = ropus::Encoder::builder(OPUS_RATE, layout, Application::Audio)
            .bitrate(Bitrate::Bits(bitrate))
            .build()
            .map_err(|error| TranscodeRefused::Failed(error.to_string()))?;
        Ok(Self {
            encoder,
            packet: vec![0; MAX_PACKET_BYTES],
        })
    }

    /// By how many samples what a decoder puts out is later than what went in (`pre-skip` of RFC 7845 4.2).
    pub(crate) fn delay(&self) -> u32 {
        self.encoder.lookahead()
    }

    /// Encodes a packet's samples, interleaved; `None` where the encoder fails, which it has no reason to.
    pub(crate) fn encode(&mut self, samples: &[f32]) -> Option<Bytes> {
        let length = self.encoder.encode_float(samples, &mut self.packet).ok()?;
        self.packet.get(..length).map(Bytes::copy_from_slice)
    }
}
