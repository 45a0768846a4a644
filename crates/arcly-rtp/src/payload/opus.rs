//! Opus (RFC 7587): a packet of Opus in each packet.

use super::{AccessUnit, Depacketizer, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::opus::{OpusHead, PacketInfo};
use bytes::Bytes;

/// Takes Opus packets out of RTP packets, as slices. The first one comes with the config, an OpusHead. Packets of no bytes, which discontinuous
/// transmission may leave, are passed over.
#[derive(Debug)]
pub struct OpusDepacketizer {
    config: Option<Bytes>,
}

impl OpusDepacketizer {
    /// For a stream that decodes to this many channels: 2, or 1 where the session description says `sprop-stereo=0` (RFC 7587 6.1), or those of
    /// `multiopus`. RTP tells no pre-skip: it is 0.
    ///
    /// # Errors
    /// [`RtpError::Codec`] for no channels.
    pub fn new(channels: u8) -> Result<Self> {
        Self::with_head(&OpusHead::new(channels, 0)?)
    }

    /// For a stream with this config.
    ///
    /// # Errors
    /// [`RtpError::Codec`] where it cannot be written.
    pub fn with_head(head: &OpusHead) -> Result<Self> {
        Ok(Self {
            config: Some(head.to_bytes()?),
        })
    }
}

impl Depacketizer for OpusDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        if packet.payload.is_empty() {
            return Ok(());
        }
        PacketInfo::parse(&packet.payload)?;
        let mut unit = AccessUnit::new(packet.header.timestamp, packet.payload.clone());
        unit.config = self.config.take();
        units.push(unit);
        Ok(())
    }

    fn lost(&mut self) {}
}

/// Puts each Opus packet into an RTP packet, as it is. The marker, which stands for the start of a talkspurt, is never set.
#[derive(Debug)]
pub struct OpusPacketizer {
    max_payload: usize,
}

impl OpusPacketizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
        }
    }
}

impl Packetizer for OpusPacketizer {
    /// # Errors
    /// [`RtpError::LimitExceeded`] where the packet exceeds a payload: the format has no fragments (RFC 7587 4.2). At 510 kbit/s, the most that
    /// Opus has, 20 ms take 1275 bytes.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        if data.len() > self.max_payload {
            return Err(RtpError::LimitExceeded {
                what: "bytes of an Opus packet",
                max: self.max_payload,
            });
        }
        payloads.push(Payload::new(&[], data.clone()));
        Ok(())
    }
}
