//! Access units to payloads.

use crate::Result;
use crate::payload::{MIN_PAYLOAD_BYTES, Packetizer, Payload};
use bytes::Bytes;

/// Splits VP9 frames and superframes, in payloads of the same length but the last, which are slices.
///
/// In flexible mode (RFC 9628 4.2): each picture has a number of 15 bits and, but for key frames, says that it refers to the one before. That
/// names one reference of several, and is what receivers go by that wait for the references of a picture (browsers); in the other mode
/// they want to know how the layers of the stream follow each other, which nobody told us. A superframe goes as one frame.
#[derive(Debug)]
pub struct Vp9Packetizer {
    max_payload: usize,
    picture_id: u16,
}

impl Vp9Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
            picture_id: 0,
        }
    }
}

/// `P_DIFF` 1, and no further one.
const PREVIOUS_PICTURE: u8 = 1 << 1;

impl Packetizer for Vp9Packetizer {
    fn packetize(
        &mut self,
        data: &Bytes,
        keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let [high, low] = self.picture_id.to_be_bytes();
        self.picture_id = self.picture_id.wrapping_add(1) & 0x7fff;
        // I, F, and P.
        let flags = 0x90 | if keyframe { 0 } else { 0x40 };
        let head_bytes = if keyframe { 3 } else { 4 };
        let mut begins = 0x08;
        let mut rest = data.clone();
        while !rest.is_empty() {
            let body = rest.split_to((self.max_payload - head_bytes).min(rest.len()));
            let ends = if rest.is_empty() { 0x04 } else { 0 };
            let head = [flags | begins | ends, 0x80 | high, low, PREVIOUS_PICTURE];
            let head = head.get(..head_bytes).unwrap_or_default();
            payloads.push(Payload::new(head, body).with_marker(rest.is_empty()));
            begins = 0;
        }
        Ok(())
    }
}
