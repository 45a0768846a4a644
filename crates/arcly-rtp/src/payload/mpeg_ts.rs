//! MPEG transport streams, `MP2T` (RFC 2250 2): whole packets of 188 bytes.

use super::{AccessUnit, Depacketizer, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use bytes::Bytes;

/// The length of a packet of a transport stream, in bytes.
pub const TS_PACKET_BYTES: usize = 188;

const SYNC: u8 = 0x47;

/// Hands out the transport packets of each payload as they are, as one unit, for a demultiplexer. Payloads that are not made of whole ones,
/// with their sync bytes, are refused.
#[derive(Debug, Default)]
pub struct MpegTsDepacketizer {}

impl MpegTsDepacketizer {
    /// At the start of a stream.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// `data` is made of whole packets.
fn check(data: &[u8]) -> Result<()> {
    let whole = data.len().is_multiple_of(TS_PACKET_BYTES)
        && data
            .chunks(TS_PACKET_BYTES)
            .all(|packet| packet.first() == Some(&SYNC));
    if !whole {
        return Err(RtpError::malformed(
            "MPEG-TS payload",
            "not made of whole transport packets",
        ));
    }
    Ok(())
}

impl Depacketizer for MpegTsDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        check(&packet.payload)?;
        if !packet.payload.is_empty() {
            let data = packet.payload.clone();
            units.push(AccessUnit::new(packet.header.timestamp, data));
        }
        Ok(())
    }

    fn lost(&mut self) {}
}

/// Sends transport packets, as many in each payload as fit: slices of the same length but the last.
#[derive(Debug)]
pub struct MpegTsPacketizer {
    payload_bytes: usize,
}

impl MpegTsPacketizer {
    /// For payloads of at most `max_payload` bytes, which is [`TS_PACKET_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        let packets = (max_payload / TS_PACKET_BYTES).max(1);
        Self {
            payload_bytes: packets * TS_PACKET_BYTES,
        }
    }
}

impl Packetizer for MpegTsPacketizer {
    /// # Errors
    /// [`RtpError::Malformed`] where `data` is not made of whole transport packets.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        check(data)?;
        let mut rest = data.clone();
        while !rest.is_empty() {
            let body = rest.split_to(self.payload_bytes.min(rest.len()));
            payloads.push(Payload::new(&[], body));
        }
        Ok(())
    }
}
