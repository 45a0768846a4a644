//! The payload descriptor (RFC 9628 4.2).

use crate::{Result, RtpError};
use bytes::{Buf, Bytes};

const WHAT: &str = "VP9 payload descriptor";

/// The most reference indices of a frame (4.2: N).
const MAX_REFERENCES: usize = 3;

/// What the descriptor tells about frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// B: the packet begins the frame of a layer.
    pub(super) begins: bool,
    /// E: it ends one.
    pub(super) ends: bool,
    /// The spatial layer; 0 where there are none.
    pub(super) spatial_layer: u8,
}

impl Descriptor {
    /// Reads the descriptor and takes it off.
    pub(super) fn read(payload: &mut Bytes) -> Result<Self> {
        let flags = read_byte(payload)?;
        let has = |bit: u8| flags & bit != 0;
        let (has_id, predicted, has_layers, flexible) =
            (has(0x80), has(0x40), has(0x20), has(0x10));
        if has_id && read_byte(payload)? & 0x80 != 0 {
            read_byte(payload)?;
        }
        let mut spatial_layer = 0;
        if has_layers {
            // TID (3), U, SID (3), D.
            spatial_layer = read_byte(payload)? >> 1 & 7;
            if !flexible {
                // TL0PICIDX.
                read_byte(payload)?;
            }
        }
        if flexible && predicted {
            let mut references = 1;
            // P_DIFF (7), N.
            while read_byte(payload)? & 1 != 0 {
                references += 1;
                if references > MAX_REFERENCES {
                    return Err(RtpError::malformed(WHAT, "more than three references"));
                }
            }
        }
        if has(0x02) {
            skip_scalability_structure(payload)?;
        }
        Ok(Self {
            begins: has(0x08),
            ends: has(0x04),
            spatial_layer,
        })
    }
}

/// 4.2.1.
fn skip_scalability_structure(payload: &mut Bytes) -> Result<()> {
    // N_S (3), Y, G.
    let flags = read_byte(payload)?;
    if flags & 0x10 != 0 {
        skip(payload, 4 * (usize::from(flags >> 5) + 1))?;
    }
    if flags & 0x08 != 0 {
        for _ in 0..read_byte(payload)? {
            // TID (3), U, R (2).
            let references = read_byte(payload)? >> 2 & 3;
            skip(payload, references.into())?;
        }
    }
    Ok(())
}

fn read_byte(payload: &mut Bytes) -> Result<u8> {
    if payload.is_empty() {
        return Err(RtpError::malformed(WHAT, "truncated"));
    }
    Ok(payload.get_u8())
}

fn skip(payload: &mut Bytes, count: usize) -> Result<()> {
    if payload.len() < count {
        return Err(RtpError::malformed(WHAT, "truncated"));
    }
    payload.advance(count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8]) -> (Descriptor, Bytes) {
        let mut payload = Bytes::from_static(bytes);
        let descriptor = Descriptor::read(&mut payload).unwrap();
        (descriptor, payload)
    }

    #[test]
    fn all_that_may_stand_in_it_is_passed_over() {
        // I P L F B, a picture id of 15 bits, layer 2, two references.
        let (descriptor, rest) = read(&[0xf8, 0x81, 0x02, 0x05, 0x03, 0x02, 0xaa]);
        let expected = Descriptor {
            begins: true,
            ends: false,
            spatial_layer: 2,
        };
        assert_eq!((descriptor, &rest[..]), (expected, &[0xaa][..]));
        // I L E V, a picture id of 7 bits, TL0PICIDX, two sizes, a group of two pictures with one and two references.
        let (descriptor, rest) = read(&[
            0xa6, 0x05, 0x00, 0x11, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0x04, 1, 0x08, 1, 2, 0xbb,
        ]);
        assert!(descriptor.ends && !descriptor.begins);
        assert_eq!(rest, [0xbb][..]);
    }

    #[test]
    fn what_ends_early_is_refused() {
        let whole = [
            0xb6, 0x85, 0x05, 0x00, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x04, 1,
        ];
        for length in 0..whole.len() {
            let mut cut = Bytes::copy_from_slice(&whole[..length]);
            assert!(Descriptor::read(&mut cut).is_err(), "{length} bytes");
        }
        let mut many = Bytes::from_static(&[0x50, 3, 3, 3, 2]);
        assert!(Descriptor::read(&mut many).is_err());
    }
}
