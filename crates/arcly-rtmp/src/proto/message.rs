//! An RTMP message, whole, as it travels in chunks.

use bytes::Bytes;

/// Message type ids (RTMP 1.0, 5.4 and 7.1).
pub mod type_id {
    /// Set Chunk Size.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message.
    pub const ABORT: u8 = 2;
    /// Acknowledgement.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control Messages.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio.
    pub const AUDIO: u8 = 8;
    /// Video.
    pub const VIDEO: u8 = 9;
    /// Data, AMF3.
    pub const DATA_AMF3: u8 = 15;
    /// Shared object, AMF3.
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    /// Command, AMF3.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data, AMF0.
    pub const DATA_AMF0: u8 = 18;
    /// Shared object, AMF0.
    pub const SHARED_OBJECT_AMF0: u8 = 19;
    /// Command, AMF0.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate.
    pub const AGGREGATE: u8 = 22;
}

/// A message (RTMP 1.0, 6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the wire format fixes these fields"
)]
pub struct Message {
    /// Milliseconds, modulo 2^32, from an origin of the sender's choice.
    pub timestamp: u32,
    /// What the payload is, see [`type_id`].
    pub type_id: u8,
    /// The message stream it belongs to; 0 is the connection itself.
    pub stream_id: u32,
    /// The payload.
    pub payload: Bytes,
}

impl Message {
    /// Whether the payload is media, for which the larger size limit holds.
    #[must_use]
    pub(crate) fn is_media(type_id: u8) -> bool {
        matches!(
            type_id,
            type_id::AUDIO | type_id::VIDEO | type_id::AGGREGATE
        )
    }
}
