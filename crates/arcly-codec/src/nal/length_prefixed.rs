//! NAL units with length prefixes, as MP4, FLV and the bus carry them (ISO/IEC 14496-15 5.3.4.2, 8.3.2,
//! 11.2.2).

use super::{MAX_ACCESS_UNIT_BYTES, MAX_NAL_UNITS, NalCodec, NalFilter};
use crate::{CodecError, Location, Result};
use bytes::{Bytes, BytesMut};

const WHAT: &str = "length-prefixed access unit";

/// How many bytes each length prefix takes: `lengthSizeMinusOne` + 1.
///
/// ISO/IEC 14496-15 allows 1, 2 and 4; 3 is read all the same, because nothing about it is ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the field has two bits")]
pub enum LengthSize {
    /// One byte.
    One,
    /// Two bytes.
    Two,
    /// Three bytes.
    Three,
    /// Four bytes: what this project writes everywhere.
    #[default]
    Four,
}

impl LengthSize {
    /// The size in bytes, 1 to 4.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
            Self::Four => 4,
        }
    }

    /// The size for a `lengthSizeMinusOne` field, of which the lower two bits count.
    #[must_use]
    pub const fn from_minus_one(field: u8) -> Self {
        match field & 3 {
            0 => Self::One,
            1 => Self::Two,
            2 => Self::Three,
            _ => Self::Four,
        }
    }
}

/// Iterates over the NAL units of a length-prefixed access unit; see [`nal_units`].
#[derive(Debug, Clone)]
pub struct NalUnits<'a> {
    rest: &'a [u8],
    offset: usize,
    size: LengthSize,
}

/// The NAL units of `access_unit`, each starting with its header byte.
///
/// Units of length zero are skipped: some encoders pad with them, and there is nothing in them to decode. After an
/// error the iteration ends. Nothing is copied; `Bytes::slice_ref` turns an item of a `Bytes` into a `Bytes` of its
/// own.
///
/// # Errors
/// An item is [`CodecError::Malformed`] where a prefix is cut off or announces more than there is.
///
/// ```
/// use arcly_codec::h264::{LengthSize, NalUnitType, NalHeader, length_prefixed};
///
/// let unit = [0, 0, 0, 2, 0x09, 0xf0, 0, 0, 0, 2, 0x65, 0x88];
/// let types: Vec<_> = length_prefixed::nal_units(&unit, LengthSize::Four)
///     .map(|nal| Ok(NalHeader::of(nal?).map(|header| header.unit_type)))
///     .collect::<arcly_codec::Result<_>>()?;
/// assert_eq!(types, [Some(NalUnitType::AccessUnitDelimiter), Some(NalUnitType::IdrSlice)]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[must_use]
pub fn nal_units(access_unit: &[u8], size: LengthSize) -> NalUnits<'_> {
    NalUnits {
        rest: access_unit,
        offset: 0,
        size,
    }
}

impl<'a> NalUnits<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let at = Location::Byte(self.offset);
            self.rest = &[];
            return Err(CodecError::truncated(WHAT, at));
        };
        self.rest = rest;
        self.offset += count;
        Ok(taken)
    }

    fn read_one(&mut self) -> Result<&'a [u8]> {
        let prefix = self.take(self.size.bytes())?;
        let length = prefix
            .iter()
            .fold(0, |length, &byte| length << 8 | usize::from(byte));
        self.take(length)
    }
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = Result<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.read_one() {
                Ok([]) => {}
                item => return Some(item),
            }
        }
        None
    }
}

impl std::iter::FusedIterator for NalUnits<'_> {}

/// Brings a length-prefixed access unit into the form the bus carries: 4-byte lengths, no empty units, and without
/// the units that `filter` names.
///
/// Copies only where it must: input that already has 4-byte lengths comes back as a slice of itself as long as what
/// is dropped stands at its start or end, which is where parameter sets and delimiters stand. The result is empty
/// where nothing is left.
///
/// # Errors
/// [`CodecError::Malformed`] as for [`nal_units`]; [`CodecError::LimitExceeded`] past [`MAX_ACCESS_UNIT_BYTES`] or
/// [`MAX_NAL_UNITS`].
pub fn normalize<C: NalCodec>(
    access_unit: &Bytes,
    size: LengthSize,
    filter: NalFilter<C>,
) -> Result<Bytes> {
    check_size(access_unit.len())?;
    let mut kept_bytes = 0;
    // The range of the input that the kept units span, prefixes included. It can be used as it is where the
    // units in it, prefixed, add up to its length.
    let mut span: Option<(usize, usize)> = None;
    let mut units = nal_units(access_unit, size);
    let mut count = 0;
    while let Some(nal) = units.next() {
        let nal = nal?;
        count += 1;
        check_count(count)?;
        if !filter.drops_nal(nal) {
            kept_bytes += 4 + nal.len();
            let start = units.offset - nal.len() - size.bytes();
            span = Some((span.map_or(start, |(first, _)| first), units.offset));
        }
    }
    let Some((start, end)) = span else {
        return Ok(Bytes::new());
    };
    if size == LengthSize::Four && end - start == kept_bytes {
        return Ok(access_unit.slice(start..end));
    }
    let mut out = BytesMut::with_capacity(kept_bytes);
    for nal in nal_units(access_unit, size) {
        let nal = nal?;
        if !filter.drops_nal(nal) {
            push(&mut out, nal);
        }
    }
    Ok(out.freeze())
}

/// Appends `nal` with its 4-byte length. Callers have bounded it by [`MAX_ACCESS_UNIT_BYTES`].
pub(super) fn push(out: &mut BytesMut, nal: &[u8]) {
    let length = u32::try_from(nal.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(nal);
}

/// Joins `nals` into one access unit with 4-byte lengths.
///
/// # Errors
/// [`CodecError::LimitExceeded`] past [`MAX_ACCESS_UNIT_BYTES`] or [`MAX_NAL_UNITS`].
pub fn join<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Result<Bytes> {
    let mut out = BytesMut::new();
    for (index, nal) in nals.into_iter().enumerate() {
        check_count(index + 1)?;
        check_size(out.len().saturating_add(nal.len()))?;
        push(&mut out, nal);
    }
    Ok(out.freeze())
}

pub(super) const fn check_size(bytes: usize) -> Result<()> {
    if bytes > MAX_ACCESS_UNIT_BYTES {
        return Err(CodecError::LimitExceeded {
            what: "bytes of an access unit",
            max: MAX_ACCESS_UNIT_BYTES,
        });
    }
    Ok(())
}

pub(super) const fn check_count(units: usize) -> Result<()> {
    if units > MAX_NAL_UNITS {
        return Err(CodecError::LimitExceeded {
            what: "NAL units of an access unit",
            max: MAX_NAL_UNITS,
        });
    }
    Ok(())
}
