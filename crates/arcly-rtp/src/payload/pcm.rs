//! Audio without frames: G.711, G.722 and linear PCM (RFC 3551 4.5), static payload types and dynamic ones.
//!
//! Timestamps count sampling instants, but for G.722: its 16 kHz are counted at 8 (RFC 3551 4.5.2); see
//! [`PcmFormat::rtp_clock_rate`].

use super::{AccessUnit, Depacketizer, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::pcm::PcmFormat;
use bytes::Bytes;

/// Hands out each payload as it is, as an access unit of as many samples as it has. There is no config. A sample at the end that is cut off is
/// dropped.
#[derive(Debug)]
pub struct PcmDepacketizer {
    format: PcmFormat,
}

impl PcmDepacketizer {
    /// For a stream of this format.
    #[must_use]
    pub const fn new(format: PcmFormat) -> Self {
        Self { format }
    }
}

impl Depacketizer for PcmDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let payload = &packet.payload;
        let bytes = self.format.bytes(self.format.samples(payload.len()));
        let whole = usize::try_from(bytes).map_or(payload.len(), |bytes| bytes.min(payload.len()));
        if whole > 0 {
            units.push(AccessUnit::new(
                packet.header.timestamp,
                payload.slice(..whole),
            ));
        } else if !payload.is_empty() {
            return Err(RtpError::malformed("PCM payload", "less than a sample"));
        }
        Ok(())
    }

    fn lost(&mut self) {}
}

/// Splits audio into payloads of whole samples, of the same length but the last, each with the timestamp of its first sample. The marker, which
/// stands for the start of a talkspurt, is never set.
#[derive(Debug)]
pub struct PcmPacketizer {
    format: PcmFormat,
    /// Whole samples of all channels.
    payload_bytes: usize,
}

impl PcmPacketizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    ///
    /// # Errors
    /// [`RtpError::LimitExceeded`] where one sample of all channels exceeds that.
    pub fn new(format: PcmFormat, max_payload: usize) -> Result<Self> {
        let max_payload = max_payload.max(MIN_PAYLOAD_BYTES);
        let bytes = format.bytes(format.samples(max_payload));
        let payload_bytes = usize::try_from(bytes).unwrap_or(max_payload);
        if payload_bytes == 0 {
            return Err(RtpError::LimitExceeded {
                what: "bytes of a sample",
                max: max_payload,
            });
        }
        Ok(Self {
            format,
            payload_bytes,
        })
    }

    /// The ticks that `bytes` last.
    fn ticks(&self, bytes: usize) -> u32 {
        let samples = self.format.samples(bytes);
        let rate = u64::from(self.format.sample_rate.max(1));
        // Wraps as timestamps do.
        (samples * u64::from(self.format.rtp_clock_rate()) / rate) as u32
    }
}

impl Packetizer for PcmPacketizer {
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let mut rest = data.clone();
        while !rest.is_empty() {
            let offset = self.ticks(data.len() - rest.len());
            let body = rest.split_to(self.payload_bytes.min(rest.len()));
            let mut payload = Payload::new(&[], body);
            payload.timestamp_offset = offset;
            payloads.push(payload);
        }
        Ok(())
    }
}
