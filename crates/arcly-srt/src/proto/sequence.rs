//! Numbers that wrap: packet sequence numbers of 31 bits and message numbers of 26 bits (draft-sharabayko-srt-01, 3.1).

use std::fmt;

/// The sequence number of a data packet: 31 bits, one more with each packet, 0 after 2^31 − 1.
///
/// There is no `Ord`, since numbers that wrap have no order of their own: [`offset_from`](Self::offset_from) says how far
/// one lies from another, the short way round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SequenceNumber(u32);

impl SequenceNumber {
    /// The largest number.
    pub const MAX: Self = Self(0x7fff_ffff);

    /// The number in the lower 31 bits of `value`; the topmost bit is ignored.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value & Self::MAX.0)
    }

    /// The number as it is on the wire, topmost bit clear.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number of the next packet.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }

    /// The number of the packet before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self::new(self.0.wrapping_sub(1))
    }

    /// The number `packets` further on.
    #[must_use]
    pub const fn plus(self, packets: u32) -> Self {
        Self::new(self.0.wrapping_add(packets))
    }

    /// The number `packets` back.
    #[must_use]
    pub const fn minus(self, packets: u32) -> Self {
        Self::new(self.0.wrapping_sub(packets))
    }

    /// How many packets this one is after `other`, negative where it is before: −2^30 to 2^30 − 1, the short way round.
    #[must_use]
    pub const fn offset_from(self, other: Self) -> i32 {
        // Shifted to the top of the word, a difference modulo 2^31 is a signed one of 32 bits.
        (self.0.wrapping_sub(other.0) << 1).cast_signed() >> 1
    }

    /// Whether this one is before `other`.
    #[must_use]
    pub const fn is_before(self, other: Self) -> bool {
        self.offset_from(other) < 0
    }

    /// Whether this one is after `other`.
    #[must_use]
    pub const fn is_after(self, other: Self) -> bool {
        self.offset_from(other) > 0
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a message: 26 bits, one more with each message, 1 after 2^26 − 1. 0 is no message: control packets
/// use it for "not known".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageNumber(u32);

impl MessageNumber {
    /// Stands for a message whose number is not known.
    pub const NONE: Self = Self(0);
    /// The number of the first message of a connection.
    pub const FIRST: Self = Self(1);
    /// The largest number.
    pub const MAX: Self = Self(0x03ff_ffff);

    /// The number in the lower 26 bits of `value`; the others are ignored.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value & Self::MAX.0)
    }

    /// The number as it is on the wire.
    #[must_use]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The number of the next message.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 >= Self::MAX.0 {
            Self::FIRST
        } else {
            Self(self.0 + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_wrap_at_31_bits() {
        assert_eq!(SequenceNumber::MAX.next(), SequenceNumber::new(0));
        assert_eq!(SequenceNumber::new(0).previous(), SequenceNumber::MAX);
        assert!(SequenceNumber::MAX.is_before(SequenceNumber::new(3)));
        assert_eq!(
            SequenceNumber::new(3).offset_from(SequenceNumber::MAX.minus(1)),
            5
        );
        assert_eq!(SequenceNumber::new(u32::MAX), SequenceNumber::MAX);
    }

    #[test]
    fn message_numbers_leave_out_0() {
        assert_eq!(MessageNumber::MAX.next(), MessageNumber::FIRST);
        assert_eq!(MessageNumber::FIRST.next(), MessageNumber::new(2));
    }

    proptest! {
        #[test]
        fn an_offset_leads_back(start: u32, by in -(1i32 << 30)..(1i32 << 30)) {
            let start = SequenceNumber::new(start);
            let end = start.plus(by.cast_unsigned());
            prop_assert_eq!(end.offset_from(start), by);
            prop_assert_eq!(start.is_before(end), by > 0);
            prop_assert_eq!(end.minus(by.cast_unsigned()), start);
        }
    }
}
