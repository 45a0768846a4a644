//! NAL units between start codes, as MPEG-TS and raw `.h264`, `.h265` and `.vvc` files carry them (Annex B, the same in
//! all three specifications).

use super::length_prefixed::{self, LengthSize, check_count, check_size};
use super::{NalCodec, NalFilter};
use crate::Result;
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// The start code that is written: with its `zero_byte`, which B.1.2 demands before parameter sets and at the start
/// of an access unit.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Iterates over the NAL units of a byte stream; see [`nal_units`].
#[derive(Debug, Clone)]
pub struct NalUnits<'a> {
    data: &'a [u8],
    /// The offset behind the start code of the unit that comes next.
    next: Option<usize>,
}

/// The NAL units of `data`, each starting with its header byte.
///
/// Start codes may have three or four bytes. What stands before the first one is skipped. Zero bytes before a start
/// code or at the end are `trailing_zero_8bits` and belong to no unit (a unit never ends with a zero); empty units
/// are skipped.
///
/// ```
/// use arcly_codec::h264::annex_b;
///
/// let stream = [0, 0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x65, 0x88, 0, 0];
/// let units: Vec<_> = annex_b::nal_units(&stream).collect();
/// assert_eq!(units, [&[0x09, 0xf0], &[0x65, 0x88]]);
/// ```
#[must_use]
pub fn nal_units(data: &[u8]) -> NalUnits<'_> {
    nal_units_from(data, 0)
}

/// The NAL units whose start codes stand at or behind `from`.
pub(super) fn nal_units_from(data: &[u8], from: usize) -> NalUnits<'_> {
    NalUnits {
        data,
        next: find_start_code(data, from).map(|at| at + 3),
    }
}

/// The offset of the start code before the unit at `start`, which [`NalUnits::next_range`] gave, with its `zero_byte`.
pub(super) fn start_code_before(data: &[u8], start: usize) -> usize {
    let has_zero_byte = start
        .checked_sub(START_CODE.len())
        .is_some_and(|at| data.get(at) == Some(&0));
    start.saturating_sub(if has_zero_byte {
        START_CODE.len()
    } else {
        START_CODE.len() - 1
    })
}

impl NalUnits<'_> {
    /// Where the next unit stands, without its start code and trailing zeros.
    pub(super) fn next_range(&mut self) -> Option<Range<usize>> {
        loop {
            let start = self.next?;
            let code = find_start_code(self.data, start);
            self.next = code.map(|at| at + 3);
            let unit = self.data.get(start..code.unwrap_or(self.data.len()))?;
            if let Some(last) = unit.iter().rposition(|&byte| byte != 0) {
                return Some(start..start + last + 1);
            }
        }
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let range = self.next_range()?;
        self.data.get(range)
    }
}

impl std::iter::FusedIterator for NalUnits<'_> {}

/// The offset of the first `00 00 01` in `data` at or behind `from`.
fn find_start_code(data: &[u8], from: usize) -> Option<usize> {
    // Looks at every third byte only: where it is above 1, no start code can contain it.
    let mut at = from;
    while let Some(&[first, second, third]) = data.get(at..).and_then(|rest| rest.first_chunk()) {
        match third {
            0 => at += 1,
            1 if first == 0 && second == 0 => return Some(at),
            _ => at += 3,
        }
    }
    None
}

/// Whether `data` starts with a start code of three or four bytes. A length prefix can look the same (a unit
/// of one byte, or of 256 to 511), so this is a hint for input of unknown form, no proof.
#[must_use]
pub fn starts_with_start_code(data: &[u8]) -> bool {
    data.starts_with(&[0, 0, 1]) || data.starts_with(&START_CODE)
}

/// Converts an access unit from start codes to 4-byte lengths, without the units that `filter` names.
///
/// Where the start codes have four bytes and what is dropped stands at the start or end, the lengths take the places
/// of the start codes: nothing is copied if `access_unit` is the only handle to its buffer. Otherwise there is one
/// copy. The result is empty where nothing is left.
///
/// # Errors
/// [`LimitExceeded`](crate::CodecError::LimitExceeded) past [`MAX_ACCESS_UNIT_BYTES`](super::MAX_ACCESS_UNIT_BYTES)
/// or [`MAX_NAL_UNITS`](super::MAX_NAL_UNITS).
///
/// ```
/// use arcly_codec::h264::{NalFilter, annex_b};
/// use bytes::Bytes;
///
/// let stream = Bytes::from_static(&[0, 0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x65, 0x88]);
/// assert_eq!(annex_b::to_length_prefixed(stream, NalFilter::SAMPLE)?, [0, 0, 0, 2, 0x65, 0x88].as_slice());
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
pub fn to_length_prefixed<C: NalCodec>(access_unit: Bytes, filter: NalFilter<C>) -> Result<Bytes> {
    check_size(access_unit.len())?;
    let mut kept = Vec::new();
    let mut kept_bytes = 0;
    let mut units = nal_units(&access_unit);
    let mut count = 0;
    while let Some(range) = units.next_range() {
        count += 1;
        check_count(count)?;
        if access_unit
            .get(range.clone())
            .is_some_and(|nal| !filter.drops_nal(nal))
        {
            kept_bytes += START_CODE.len() + range.len();
            kept.push(range);
        }
    }
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
        return Ok(Bytes::new());
    };
    let (start, end) = (first.start, last.end);
    let mut neighbours = kept.iter().zip(kept.iter().skip(1));
    let has_room = start >= START_CODE.len()
        && neighbours.all(|(this, next)| next.start - this.end == START_CODE.len());
    if has_room {
        let offset = start - START_CODE.len();
        return match take_unshared(access_unit, offset..end) {
            Ok(mut buffer) => {
                for range in &kept {
                    let place = range.start - offset - START_CODE.len();
                    put_length(&mut buffer, place, range.len());
                }
                Ok(buffer.freeze())
            }
            Err(shared) => copy(
                &shared,
                kept.iter()
                    .map(|range| range.start - offset..range.end - offset),
                kept_bytes,
            ),
        };
    }
    copy(&access_unit, kept.into_iter(), kept_bytes)
}

fn copy(data: &[u8], units: impl Iterator<Item = Range<usize>>, bytes: usize) -> Result<Bytes> {
    let mut out = BytesMut::with_capacity(bytes);
    for nal in units.filter_map(|range| data.get(range)) {
        length_prefixed::push(&mut out, nal);
    }
    Ok(out.freeze())
}

/// Overwrites the four bytes at `place` with a length.
fn put_length(buffer: &mut BytesMut, place: usize, length: usize) {
    if let Some(prefix) = buffer.get_mut(place..place + START_CODE.len()) {
        prefix.copy_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
}

/// Takes a range of a buffer for writing, which succeeds where no other handle shares it; the range as it is otherwise.
fn take_unshared(data: Bytes, range: Range<usize>) -> Result<BytesMut, Bytes> {
    let slice = data.slice(range);
    drop(data);
    slice.try_into_mut()
}

/// Converts a length-prefixed access unit to start codes of four bytes.
///
/// With lengths of four bytes nothing is copied if `access_unit` is the only handle to its buffer; otherwise there is
/// one copy. Empty units are left out.
///
/// # Errors
/// [`Malformed`](crate::CodecError::Malformed) where the lengths do not add up;
/// [`LimitExceeded`](crate::CodecError::LimitExceeded) past [`MAX_ACCESS_UNIT_BYTES`](super::MAX_ACCESS_UNIT_BYTES)
/// or [`MAX_NAL_UNITS`](super::MAX_NAL_UNITS).
pub fn from_length_prefixed(access_unit: Bytes, size: LengthSize) -> Result<Bytes> {
    let total = converted_len(&access_unit, size)?;
    if size != LengthSize::Four || total != access_unit.len() {
        let mut out = BytesMut::with_capacity(total);
        write(&access_unit, size, &mut out)?;
        return Ok(out.freeze());
    }
    match access_unit.try_into_mut() {
        Ok(mut buffer) => {
            let mut place = 0;
            while let Some(prefix) = buffer
                .get_mut(place..)
                .and_then(|rest| rest.first_chunk_mut::<4>())
            {
                let length = u32::from_be_bytes(*prefix);
                *prefix = START_CODE;
                place += START_CODE.len() + length as usize;
            }
            Ok(buffer.freeze())
        }
        Err(shared) => {
            let mut out = BytesMut::with_capacity(total);
            write(&shared, size, &mut out)?;
            Ok(out.freeze())
        }
    }
}

/// Appends a length-prefixed access unit to `out` with start codes of four bytes. What is in `out` already, an access
/// unit delimiter and parameter sets for instance, stays.
///
/// # Errors
/// As for [`from_length_prefixed`]; `out` may then have got some of the units.
pub fn write(access_unit: &[u8], size: LengthSize, out: &mut BytesMut) -> Result<()> {
    check_size(access_unit.len())?;
    for (index, nal) in length_prefixed::nal_units(access_unit, size).enumerate() {
        check_count(index + 1)?;
        push(out, nal?);
    }
    Ok(())
}

/// Appends one NAL unit behind a start code of four bytes.
pub fn push(out: &mut BytesMut, nal: &[u8]) {
    out.put_slice(&START_CODE);
    out.put_slice(nal);
}

/// The length of `access_unit` with start codes.
fn converted_len(access_unit: &[u8], size: LengthSize) -> Result<usize> {
    check_size(access_unit.len())?;
    let mut total = 0;
    for (index, nal) in length_prefixed::nal_units(access_unit, size).enumerate() {
        check_count(index + 1)?;
        total += START_CODE.len() + nal?.len();
    }
    Ok(total)
}
