//! Sequence numbers that do not wrap.

use crate::proto::sequence::SequenceNumber;

/// The sequence number of a packet, unwrapped to 64 bits, so that plain comparison is right: the lower 31 bits are what the
/// packet says. Only the edge of the connection knows of the wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PacketIndex(u64);

/// Where the first packet of a connection lies, beyond its own number: far enough from zero that what a peer says to lie before it
/// has an index too.
const ORIGIN: u64 = 1 << 32;

impl PacketIndex {
    /// The first packet of a connection, which has its initial sequence number.
    pub(super) const fn initial(number: SequenceNumber) -> Self {
        Self(ORIGIN + number.value() as u64)
    }

    /// The packet of that number which is nearest to this one.
    pub(super) const fn nearest(self, number: SequenceNumber) -> Self {
        let offset = number.offset_from(self.number());
        Self(self.0.saturating_add_signed(offset as i64))
    }

    /// What stands on the wire.
    pub(super) const fn number(self) -> SequenceNumber {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the lower 31 bits are the number"
        )]
        SequenceNumber::new(self.0 as u32)
    }

    /// The packet `packets` later.
    pub(super) const fn add(self, packets: u64) -> Self {
        Self(self.0.saturating_add(packets))
    }

    /// How many packets this one is after `other`; 0 where it is before.
    pub(super) const fn since(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }

    #[cfg(test)]
    pub(super) const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    #[cfg(test)]
    pub(super) const fn raw(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_index_is_found_again_by_its_number(
            initial: u32,
            at in 0..(1u64 << 40),
            by in -(1i64 << 30) + 1..(1i64 << 30) - 1,
        ) {
            let near = PacketIndex::initial(SequenceNumber::new(initial)).add(at);
            let index = PacketIndex(near.0.checked_add_signed(by).unwrap());
            prop_assert_eq!(near.nearest(index.number()), index);
        }
    }
}
