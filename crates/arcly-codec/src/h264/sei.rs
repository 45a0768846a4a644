//! Supplemental enhancement information, as far as random access needs it (H.264 7.3.2.3, D.1.8).

use super::emulation;
use h264_reader::rbsp::{BitRead, BitReader};

/// `payloadType` of a recovery point.
const RECOVERY_POINT: usize = 6;

/// The most messages of one SEI NAL unit that are looked at. Encoders write one to four.
const MAX_MESSAGES: usize = 64;

/// The bytes of an SEI NAL unit that are looked at. Captions and encoder settings can be long, but come behind or
/// apart from the recovery point.
const MAX_SEI_BYTES: usize = 4096;

/// A recovery point: from the picture that it comes with, decoding can start without an IDR picture (D.2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryPoint {
    /// After how many frames (steps of `frame_num`) the output is right. 0: at once, as with the I picture of an open
    /// GOP. Above: the picture is refreshed bit by bit.
    pub frames: u32,
    /// `exact_match_flag`: the output is then the same as if decoding had begun at an IDR picture, rather than much
    /// alike.
    pub exact: bool,
    /// `broken_link_flag`: pictures that follow in decoding order may be damaged however decoding got here, as after
    /// a cut.
    pub broken_link: bool,
}

impl RecoveryPoint {
    /// The recovery point in an SEI NAL unit (whole, with its header byte), where there is one. A message that is cut
    /// off counts as absent.
    #[must_use]
    pub fn find(nal: &[u8]) -> Option<Self> {
        let rbsp = emulation::remove(nal.get(1..nal.len().min(MAX_SEI_BYTES))?);
        let mut rest = &rbsp[..];
        for _ in 0..MAX_MESSAGES {
            let payload_type = read_varint(&mut rest)?;
            let length = read_varint(&mut rest)?;
            let (payload, behind) = rest.split_at_checked(length)?;
            if payload_type == RECOVERY_POINT {
                return Self::read(payload);
            }
            rest = behind;
        }
        None
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let mut bits = BitReader::new(payload);
        Some(Self {
            frames: bits.read_ue("recovery_frame_cnt").ok()?,
            exact: bits.read_bit("exact_match_flag").ok()?,
            broken_link: bits.read_bit("broken_link_flag").ok()?,
        })
    }
}

/// A number as 0xff bytes that count 255 each, and a last byte (7.3.2.3.1).
fn read_varint(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        value += usize::from(byte);
        if byte != 0xff {
            return Some(value);
        }
    }
}
