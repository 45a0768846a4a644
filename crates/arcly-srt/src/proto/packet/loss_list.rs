//! Lists of lost packets (draft-sharabayko-srt-01, appendix A): a lone number, or the two ends of a range of which the first has
//! its topmost bit set.

use super::MAX_PAYLOAD_BYTES;
use crate::proto::sequence::SequenceNumber;
use crate::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};

const RANGE: u32 = 1 << 31;

/// Packets next to each other, one or more. How many is what the peer says: up to 2^30.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LossRange {
    first: SequenceNumber,
    last: SequenceNumber,
}

impl LossRange {
    /// From the first packet to the last, both included; `None` where the last is before the first.
    #[must_use]
    pub const fn new(first: SequenceNumber, last: SequenceNumber) -> Option<Self> {
        if last.is_before(first) {
            None
        } else {
            Some(Self { first, last })
        }
    }

    /// One packet.
    #[must_use]
    pub const fn one(sequence: SequenceNumber) -> Self {
        Self {
            first: sequence,
            last: sequence,
        }
    }

    /// The first packet.
    #[must_use]
    pub const fn first(self) -> SequenceNumber {
        self.first
    }

    /// The last packet.
    #[must_use]
    pub const fn last(self) -> SequenceNumber {
        self.last
    }

    /// How many packets.
    #[must_use]
    pub const fn packets(self) -> u32 {
        self.last.offset_from(self.first).unsigned_abs() + 1
    }
}

/// Reads a list, which has at most one entry for each four bytes. Bytes behind the last whole entry are ignored.
pub(super) fn read(mut body: Bytes) -> Result<Vec<LossRange>> {
    let mut losses = Vec::with_capacity(body.len().min(MAX_PAYLOAD_BYTES) / 4);
    while let Ok(word) = body.try_get_u32() {
        let first = SequenceNumber::new(word);
        if word & RANGE == 0 {
            losses.push(LossRange::one(first));
            continue;
        }
        let last = body
            .try_get_u32()
            .map_err(|_| Error::misbehaved("a range of losses without its end"))?;
        if last & RANGE != 0 {
            return Err(Error::misbehaved("a range of losses that ends in another"));
        }
        let range = LossRange::new(first, SequenceNumber::new(last)).ok_or(Error::misbehaved(
            "a range of losses that ends before it starts",
        ))?;
        losses.push(range);
    }
    if losses.is_empty() {
        return Err(Error::misbehaved("a report of no losses"));
    }
    Ok(losses)
}

/// Writes a list, as far as it fits into one packet.
pub(super) fn write(losses: &[LossRange]) -> Bytes {
    let mut body = BytesMut::with_capacity((losses.len() * 8).min(MAX_PAYLOAD_BYTES));
    for loss in losses {
        let bytes = if loss.first == loss.last { 4 } else { 8 };
        if body.len() + bytes > MAX_PAYLOAD_BYTES {
            break;
        }
        if loss.first == loss.last {
            body.put_u32(loss.first.value());
        } else {
            body.put_u32(loss.first.value() | RANGE);
            body.put_u32(loss.last.value());
        }
    }
    body.freeze()
}
