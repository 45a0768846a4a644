//! A frame whose packets' payloads follow each other.

use super::MAX_ACCESS_UNIT_BYTES;
use crate::{Result, RtpError};
use bytes::{Bytes, BytesMut};

/// Collects the payloads of one frame. A frame of one packet stays a slice of it.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    first: Bytes,
    joined: BytesMut,
}

impl Fragments {
    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.first.len().max(self.joined.len())
    }

    /// # Errors
    /// [`RtpError::LimitExceeded`] past [`MAX_ACCESS_UNIT_BYTES`]; nothing is taken then.
    pub(super) fn push(&mut self, payload: Bytes) -> Result<()> {
        if self.len().saturating_add(payload.len()) > MAX_ACCESS_UNIT_BYTES {
            return Err(RtpError::LimitExceeded {
                what: "bytes of an access unit",
                max: MAX_ACCESS_UNIT_BYTES,
            });
        }
        if self.len() == 0 {
            self.first = payload;
            return Ok(());
        }
        if self.joined.is_empty() {
            self.joined
                .extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&payload);
        Ok(())
    }

    /// The bytes so far; none are left.
    pub(super) fn take(&mut self) -> Bytes {
        if self.joined.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            self.joined.split().freeze()
        }
    }

    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.joined.clear();
    }
}

/// How far a frame is whose packets tell whether they begin it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Progress {
    /// Behind a gap: the next packet may be in the middle of a frame.
    #[default]
    Unknown,
    /// Between two frames.
    Idle,
    /// In the frame with this timestamp, of which nothing is missing so far.
    Open(u32),
    /// In the frame with this timestamp, which is dropped.
    Skipping(u32),
}
