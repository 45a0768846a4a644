//! From messages to chunks.

use super::{EXTENDED_TIMESTAMP, INITIAL_CHUNK_SIZE, MAX_MESSAGE_BYTES};
use crate::proto::message::Message;
use bytes::{BufMut, BytesMut};

/// Writes messages as chunks.
///
/// Every message starts with a type 0 header, so that no message depends on one before it: the bytes of a message can
/// be shared between receivers and left out at will. That costs at most 11 bytes a message.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    chunk_size: usize,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self {
            chunk_size: INITIAL_CHUNK_SIZE as usize,
        }
    }
}

impl ChunkWriter {
    /// Writes with `chunk_size` from now on, 1 to 16 777 215 (others count as the nearest of these). The receiver must
    /// have been told by Set Chunk Size.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = chunk_size.clamp(1, MAX_MESSAGE_BYTES) as usize;
    }

    /// Appends the chunks of `message` on the chunk stream `chunk_stream`, 2 to 63 (others count as the nearest of
    /// these). A payload is cut at 16 777 215 bytes, the most that the format can say.
    pub fn write(&self, out: &mut BytesMut, chunk_stream: u8, message: &Message) {
        let id = chunk_stream.clamp(2, 63);
        let payload = message
            .payload
            .get(..MAX_MESSAGE_BYTES as usize)
            .unwrap_or(&message.payload);
        let extended = message.timestamp >= EXTENDED_TIMESTAMP;
        out.reserve(payload.len() + 16 + payload.len() / self.chunk_size * 5);
        out.put_u8(id);
        out.put_uint(message.timestamp.min(EXTENDED_TIMESTAMP).into(), 3);
        out.put_uint(payload.len() as u64, 3);
        out.put_u8(message.type_id);
        out.put_u32_le(message.stream_id);
        let mut chunks = payload.chunks(self.chunk_size);
        loop {
            if extended {
                out.put_u32(message.timestamp);
            }
            out.put_slice(chunks.next().unwrap_or_default());
            if chunks.len() == 0 {
                break;
            }
            out.put_u8(0xC0 | id);
        }
    }
}
