//! Access units to payloads.

use super::AuHeaderLayout;
use crate::payload::{MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError};
use bytes::Bytes;

/// `AU-headers-length`, and one header of 16 bits.
const HEADER_BYTES: usize = 4;

/// The longest access unit that 13 bits of AAC-hbr can tell, in bytes.
pub const MAX_HBR_BYTES: usize = 0x1fff;

/// Splits AAC access units in mode AAC-hbr (RFC 3640 3.3.6): one a packet, or its fragments, of the same length but the last. Payloads are
/// slices of the access unit.
#[derive(Debug)]
pub struct AacPacketizer {
    max_payload: usize,
}

impl AacPacketizer {
    /// The layout that it writes, for the session description.
    pub const LAYOUT: AuHeaderLayout = AuHeaderLayout::HBR;

    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
        }
    }
}

impl Packetizer for AacPacketizer {
    /// # Errors
    /// [`RtpError::LimitExceeded`] for more than [`MAX_HBR_BYTES`].
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let Some(size) = u16::try_from(data.len())
            .ok()
            .filter(|&size| usize::from(size) <= MAX_HBR_BYTES)
        else {
            return Err(RtpError::LimitExceeded {
                what: "bytes of an AAC access unit",
                max: MAX_HBR_BYTES,
            });
        };
        // 16 bits of headers follow; the index in the lower three is 0.
        let [high, low] = (size << 3).to_be_bytes();
        let head = [0, 16, high, low];
        let mut rest = data.clone();
        while !rest.is_empty() {
            let body = rest.split_to((self.max_payload - HEADER_BYTES).min(rest.len()));
            payloads.push(Payload::new(&head, body).with_marker(rest.is_empty()));
        }
        Ok(())
    }
}
