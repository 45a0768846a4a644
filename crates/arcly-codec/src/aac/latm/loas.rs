//! AudioSyncStream: AudioMuxElements with a syncword and a length (ISO/IEC 14496-3 1.7.2.1, Table 1.36).

use crate::frame_splitter::{FrameHeader, Look};
use crate::{CodecError, Location, Result};

const WHAT: &str = "LOAS header";

/// The length of the header, in bytes.
pub const LOAS_HEADER_BYTES: usize = 3;

/// The longest AudioMuxElement, in bytes: `audioMuxLengthBytes` has 13 bits.
pub const MAX_ELEMENT_BYTES: usize = 0x1fff;

/// The header of an AudioSyncStream frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LoasHeader {
    /// `audioMuxLengthBytes`: the length of the AudioMuxElement behind the header, in bytes; at most [`MAX_ELEMENT_BYTES`].
    pub element_bytes: usize,
}

impl LoasHeader {
    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where there is no syncword or the header is cut off.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let Some(&[sync, b1, b2]) = data.first_chunk() else {
            return Err(CodecError::truncated(WHAT, Location::Byte(data.len())));
        };
        if sync != 0x56 || b1 & 0xe0 != 0xe0 {
            return Err(CodecError::malformed(
                WHAT,
                Location::Byte(0),
                "no syncword",
            ));
        }
        Ok(Self {
            element_bytes: usize::from(b1 & 0x1f) << 8 | usize::from(b2),
        })
    }

    /// The header of an element of `element_bytes`.
    ///
    /// # Errors
    /// [`CodecError::LimitExceeded`] past [`MAX_ELEMENT_BYTES`].
    pub const fn for_element(element_bytes: usize) -> Result<[u8; LOAS_HEADER_BYTES]> {
        if element_bytes > MAX_ELEMENT_BYTES {
            return Err(CodecError::LimitExceeded {
                what: "bytes of an AudioMuxElement",
                max: MAX_ELEMENT_BYTES,
            });
        }
        Ok([0x56, 0xe0 | (element_bytes >> 8) as u8, element_bytes as u8])
    }

    /// The length of header and element in bytes.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        LOAS_HEADER_BYTES + self.element_bytes
    }

    /// The AudioMuxElement of `frame`, which starts with this header; `None` where `frame` is cut off.
    #[must_use]
    pub fn element<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        frame.get(LOAS_HEADER_BYTES..self.frame_bytes())
    }
}

impl FrameHeader for LoasHeader {
    const SYNC: u8 = 0x56;

    fn look(data: &[u8]) -> Look<Self> {
        if data.get(1).is_some_and(|second| second & 0xe0 != 0xe0) {
            return Look::Noise;
        }
        if data.len() < LOAS_HEADER_BYTES {
            return Look::Incomplete;
        }
        Self::parse(data).map_or(Look::Noise, Look::Header)
    }

    fn frame_bytes(&self) -> usize {
        Self::frame_bytes(self)
    }

    fn is_followed_by(&self, _next: &Self) -> bool {
        // The header says nothing of the stream.
        true
    }
}
