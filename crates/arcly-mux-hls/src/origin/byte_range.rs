//! `Range` (RFC 9110 14.2).

use bytes::Bytes;
use std::ops::Range;

/// What a `Range` header asks for of a body of some length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ByteRange {
    /// All of it: there is no range, or one in another unit.
    Whole,
    /// This part of it.
    Part(Range<u64>),
    /// Nothing that there is, or more than one range.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads a header for a body of `length` bytes.
    pub(super) fn read(header: Option<&str>, length: u64) -> Self {
        let ranges = header.and_then(|header| {
            let (unit, ranges) = header.split_once('=')?;
            unit.trim().eq_ignore_ascii_case("bytes").then_some(ranges)
        });
        let Some(ranges) = ranges else {
            return Self::Whole;
        };
        if ranges.contains(',') {
            return Self::Unsatisfiable;
        }
        let Some((first, last)) = ranges.trim().split_once('-') else {
            return Self::Whole;
        };
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // One that is too large for 64 bits lies past any end.
            is_number.then(|| text.parse().unwrap_or(u64::MAX))
        };
        let range = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(length),
            (Some(first), None) if last.is_empty() => first..length,
            (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
            _ => return Self::Whole,
        };
        if range.is_empty() {
            return Self::Unsatisfiable;
        }
        Self::Part(range)
    }
}

/// A range of a body in pieces, sharing its bytes.
pub(super) fn slice(pieces: &[Bytes], range: &Range<u64>) -> Vec<Bytes> {
    let mut sliced = Vec::with_capacity(pieces.len());
    let mut start = 0_u64;
    for piece in pieces {
        let end = start + piece.len() as u64;
        let (from, to) = (range.start.max(start), range.end.min(end));
        if from < to {
            // Both lie within the piece, so they fit.
            let index = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
            sliced.push(piece.slice(index(from)..index(to)));
        }
        start = end;
    }
    sliced
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges() {
        for (header, expected) in [
            ("bytes=0-0", ByteRange::Part(0..1)),
            ("bytes=2-", ByteRange::Part(2..10)),
            ("bytes=-3", ByteRange::Part(7..10)),
            ("bytes=-30", ByteRange::Part(0..10)),
            ("Bytes= 5-99999999999999999999", ByteRange::Part(5..10)),
            ("bytes=10-", ByteRange::Unsatisfiable),
            ("bytes=-0", ByteRange::Unsatisfiable),
            ("bytes=0-1,3-4", ByteRange::Unsatisfiable),
            ("bytes=3-2", ByteRange::Whole),
            ("bytes=a-b", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=", ByteRange::Whole),
            ("lines=1-2", ByteRange::Whole),
        ] {
            assert_eq!(ByteRange::read(Some(header), 10), expected, "{header}");
        }
        assert_eq!(ByteRange::read(None, 10), ByteRange::Whole);
        assert_eq!(
            ByteRange::read(Some("bytes=0-"), 0),
            ByteRange::Unsatisfiable
        );
    }

    proptest! {
        #[test]
        fn a_slice_of_pieces_is_the_slice_of_all(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9), a in 0_u64..80, b in 0_u64..80) {
            let pieces: Vec<_> = pieces.into_iter().map(Bytes::from).collect();
            let whole = pieces.concat();
            let length = whole.len() as u64;
            let range = a.min(b).min(length)..b.max(a).min(length);
            let expected = &whole[range.start as usize..range.end as usize];
            prop_assert_eq!(slice(&pieces, &range).concat(), expected);
        }

        #[test]
        fn any_header_is_read(header in ".{0,40}", length in any::<u64>()) {
            if let ByteRange::Part(range) = ByteRange::read(Some(&header), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
