//! What one packet carries.

use arcly_core::{LogItem, Timestamp};
use bytes::Bytes;

/// The payload of one packet, shared by all players: seven packets of MPEG-TS at most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The payload.
    pub payload: Bytes,
    /// DTS of the frame that ends in it.
    pub dts: Timestamp,
    /// Whether it ends what should be sent at once.
    pub(super) wakes: bool,
}

impl LogItem for Message {
    fn weight(&self) -> usize {
        self.payload.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }

    fn wakes(&self) -> bool {
        self.wakes
    }
}
