//! Pictures to payloads.

use super::jfif::Headers;
use super::{MAX_SIDE, RESTART_TYPES};
use crate::payload::{Packetizer, Payload};
use crate::{Result, RtpError};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The shortest payload that [`MjpegPacketizer`] can be made for, in bytes: the first of a picture holds its headers and quantization tables.
pub const MIN_MJPEG_PAYLOAD_BYTES: usize = 320;

/// The value of Q by which each picture brings its own tables (3.1.8).
const TABLES_IN_BAND: u8 = 255;

/// The length of a picture that an offset of 24 bits can tell.
const MAX_PICTURE_BYTES: usize = 1 << 24;

/// Splits JPEG pictures, in payloads of the same length but the last. They are slices, but for the first, which brings the quantization tables.
#[derive(Debug)]
pub struct MjpegPacketizer {
    max_payload: usize,
}

impl MjpegPacketizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_MJPEG_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_MJPEG_PAYLOAD_BYTES),
        }
    }
}

impl Packetizer for MjpegPacketizer {
    /// # Errors
    /// [`RtpError::Malformed`] where the picture is damaged; [`RtpError::Unsupported`] where it is no baseline picture of 4:2:2 or 4:2:0 with the
    /// Huffman tables of Annex K, 8 bits a sample and at most 2040 pixels a side: RTP has no place to say so.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let (headers, coded) = Headers::read(data)?;
        let side = headers.width.max(headers.height);
        if side > MAX_SIDE || headers.width.min(headers.height) == 0 {
            return Err(RtpError::Unsupported {
                what: "JPEG width or height in RTP",
                value: side.into(),
            });
        }
        if coded.len() >= MAX_PICTURE_BYTES {
            return Err(RtpError::LimitExceeded {
                what: "bytes of a JPEG picture",
                max: MAX_PICTURE_BYTES,
            });
        }
        let restarts = headers.restart_interval > 0;
        let rtp_type = headers.sampling.rtp_type() + if restarts { RESTART_TYPES } else { 0 };
        let mut rest = coded.clone();
        while !rest.is_empty() {
            let offset = coded.len() - rest.len();
            let mut head = BytesMut::with_capacity(12);
            // Type-specific 0: a whole picture.
            head.put_u8(0);
            head.put_uint(offset as u64, 3);
            head.put_slice(&[rtp_type, TABLES_IN_BAND]);
            // At most 2040 pixels, in units of eight.
            head.put_u8(headers.width.div_ceil(8) as u8);
            head.put_u8(headers.height.div_ceil(8) as u8);
            if restarts {
                head.put_u16(headers.restart_interval);
                // F and L are set and the count is all ones: the picture is to be put together as a whole (3.1.7).
                head.put_u16(0xffff);
            }
            let mut room = self.max_payload - head.len();
            let mut tables = BytesMut::new();
            if offset == 0 {
                let [luma, chroma] = &headers.quant;
                tables.put_u8(0);
                tables.put_u8(u8::from(luma.wide) | u8::from(chroma.wide) << 1);
                // 256 bytes at most.
                tables.put_u16((luma.bytes.len() + chroma.bytes.len()) as u16);
                tables.put_slice(&luma.bytes);
                tables.put_slice(&chroma.bytes);
                room -= tables.len();
            }
            let mut body = rest.split_to(room.min(rest.len()));
            if !tables.is_empty() {
                tables.put(&mut body);
                body = tables.copy_to_bytes(tables.len());
            }
            payloads.push(Payload::new(&head, body).with_marker(rest.is_empty()));
        }
        Ok(())
    }
}
