//! Emulation prevention (7.3.1 and 7.4.1 of H.264, 7.3.1.1 and 7.4.2 of H.265 and H.266): the 0x03 bytes that keep start codes out of NAL units.

use std::borrow::Cow;

/// Removes the emulation prevention bytes of a NAL unit, or of a part of it from its start on: what is left is the
/// header and the RBSP. Borrows where there is nothing to remove.
///
/// Every `00 00 03` loses its last byte, whatever follows, as in decoders; the same at the end of the unit.
///
/// ```
/// use arcly_codec::h264::emulation;
///
/// assert_eq!(emulation::remove(&[0x68, 0, 0, 3, 1]).as_ref(), [0x68, 0, 0, 1]);
/// ```
#[must_use]
pub fn remove(nal: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = nal.windows(3).position(|window| window == [0, 0, 3]) else {
        return Cow::Borrowed(nal);
    };
    let (head, tail) = nal.split_at(first);
    let mut out = Vec::with_capacity(nal.len());
    out.extend_from_slice(head);
    let mut zeros = 0;
    for &byte in tail {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    Cow::Owned(out)
}

/// Inserts emulation prevention bytes into a NAL unit's header and RBSP, so that no start code can be read in it and
/// it does not end with a zero. Borrows where there is nothing to insert.
///
/// [`remove`] undoes it for every RBSP: that is, for bytes that end with a stop bit, or behind it with
/// `cabac_zero_words` of two zero bytes each.
#[must_use]
pub fn insert(rbsp: &[u8]) -> Cow<'_, [u8]> {
    let clean = !rbsp
        .windows(3)
        .any(|window| matches!(window, [0, 0, 0..=3]))
        && rbsp.last() != Some(&0);
    if clean {
        return Cow::Borrowed(rbsp);
    }
    let mut out = Vec::with_capacity(rbsp.len() + rbsp.len() / 2 + 1);
    let mut zeros = 0;
    for &byte in rbsp {
        if zeros == 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    if zeros > 0 {
        // cabac_zero_words at the end: 7.4.1 appends a final 0x03.
        out.push(3);
    }
    Cow::Owned(out)
}
