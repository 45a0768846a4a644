//! The chunk stream: messages cut into interleaved chunks (RTMP 1.0, 5.3).

mod header;
mod reader;
mod writer;

pub use reader::{ChunkReader, ReaderLimits, Received};
pub use writer::ChunkWriter;

/// The chunk size in both directions until it is changed (RTMP 1.0, 5.4.1).
pub const INITIAL_CHUNK_SIZE: u32 = 128;

/// The longest message that the 24-bit length field can say.
pub const MAX_MESSAGE_BYTES: u32 = 0xFF_FFFF;

/// The value of the 24-bit timestamp field which says that a 32-bit field follows (RTMP 1.0, 5.3.1.3).
const EXTENDED_TIMESTAMP: u32 = 0xFF_FFFF;
