//! What has arrived and waits for its time, and what is missing among it.

use super::index::PacketIndex;
use super::ranges::RangeSet;
use crate::proto::packet::Position;
use crate::proto::sequence::MessageNumber;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;

/// A packet that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) payload: Bytes,
    pub(super) message: MessageNumber,
    pub(super) position: Position,
    /// When it was submitted, on the peer's clock: microseconds, unwrapped.
    pub(super) stamp: i64,
}

/// Packets by their place. One takes memory for itself alone, however far it is ahead of the others.
#[derive(Debug)]
pub(super) struct ReceiveBuffer {
    /// What arrived and was not delivered.
    waiting: BTreeMap<PacketIndex, Waiting>,
    bytes: usize,
    /// What did not, and may yet.
    missing: RangeSet,
    /// The packet that is delivered next, if it comes.
    start: PacketIndex,
    /// Behind the last packet that arrived.
    end: PacketIndex,
    max_packets: u64,
    max_bytes: usize,
}

/// What a packet is to the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It is wanted; what it shows to be missing is the range.
    New(Range<PacketIndex>),
    /// It was missing.
    Recovered,
    /// It is there already.
    Duplicate,
    /// It was delivered or given up before.
    Belated,
    /// It is beyond the window.
    FarAhead,
    /// It does not fit.
    Full,
}

impl ReceiveBuffer {
    pub(super) const fn new(first: PacketIndex, max_packets: u64, max_bytes: usize) -> Self {
        Self {
            waiting: BTreeMap::new(),
            bytes: 0,
            missing: RangeSet::new(),
            start: first,
            end: first,
            max_packets,
            max_bytes,
        }
    }

    /// Behind the last packet that arrived.
    pub(super) const fn end(&self) -> PacketIndex {
        self.end
    }

    pub(super) const fn missing(&self) -> &RangeSet {
        &self.missing
    }

    /// Behind the last packet before which none is waited for: what is acknowledged.
    pub(super) fn acknowledgeable(&self) -> PacketIndex {
        self.missing.first().unwrap_or(self.end)
    }

    pub(super) fn packets(&self) -> usize {
        self.waiting.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// For how many more packets there is room.
    pub(super) fn available(&self) -> u64 {
        let window = self.max_packets.saturating_sub(self.end.since(self.start));
        let room = self.max_bytes.saturating_sub(self.bytes);
        // By the mean length of what is there; by that of seven packets of MPEG-TS where nothing is.
        let mean = self
            .bytes
            .checked_div(self.waiting.len())
            .unwrap_or(1316)
            .max(1);
        window.min((room / mean) as u64)
    }

    /// What a packet of `bytes` payload would be.
    pub(super) fn place(&self, index: PacketIndex, bytes: usize) -> Place {
        if index < self.start {
            return Place::Belated;
        }
        if index.since(self.start) >= self.max_packets {
            return Place::FarAhead;
        }
        if index < self.end && self.waiting.contains_key(&index) {
            return Place::Duplicate;
        }
        if self.bytes.saturating_add(bytes) > self.max_bytes {
            return Place::Full;
        }
        if index < self.end {
            return Place::Recovered;
        }
        Place::New(self.end..index)
    }

    /// Notes that a packet arrived that [`place`](Self::place) found to be new or recovered. Without `waiting` it is of no use, and will not be asked for
    /// again.
    pub(super) fn insert(&mut self, index: PacketIndex, waiting: Option<Waiting>) {
        if index >= self.end {
            self.missing.insert(self.end..index);
            self.end = index.add(1);
        } else {
            self.missing.remove(index..index.add(1));
        }
        if let Some(waiting) = waiting {
            self.bytes += waiting.payload.len();
            self.waiting.insert(index, waiting);
        }
    }

    /// Gives up on packets of a range that are missing (draft-sharabayko-srt-01, 3.2.9): they are not asked for any more, and taken should they
    /// come nonetheless. Where the range goes on behind what arrived, as far as the window, what is behind it comes next.
    pub(super) fn give_up(&mut self, range: Range<PacketIndex>) -> u64 {
        let window_end = self.start.add(self.max_packets);
        let range = range.start.max(self.start)..range.end.min(window_end);
        if range.start <= self.end && range.end > self.end {
            self.end = range.end;
        }
        self.missing.remove(range)
    }

    /// The first packet that waits.
    pub(super) fn head(&self) -> Option<(PacketIndex, &Waiting)> {
        let (&index, waiting) = self.waiting.first_key_value()?;
        Some((index, waiting))
    }

    /// How many packets are missing before the first that waits.
    pub(super) fn gap(&self) -> u64 {
        self.head().map_or(0, |(index, _)| index.since(self.start))
    }

    /// Gives up what is missing before the first packet that waits, and says how many that are.
    pub(super) fn skip_gap(&mut self) -> u64 {
        let Some((&index, _)) = self.waiting.first_key_value() else {
            return 0;
        };
        let gap = index.since(self.start);
        self.start = self.start.max(index);
        self.missing.remove_before(self.start);
        gap
    }

    /// The last packet that waits.
    pub(super) fn last(&self) -> Option<&Waiting> {
        self.waiting.last_key_value().map(|(_, waiting)| waiting)
    }

    /// Takes the first packet that waits, and gives up what is missing before it.
    pub(super) fn pop(&mut self) -> Option<(PacketIndex, Waiting)> {
        let (index, waiting) = self.waiting.pop_first()?;
        self.bytes -= waiting.payload.len();
        self.start = index.add(1);
        self.missing.remove_before(self.start);
        Some((index, waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::sequence::SequenceNumber;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn first() -> PacketIndex {
        PacketIndex::initial(SequenceNumber::new(0x7fff_fff0))
    }

    fn waiting(bytes: usize) -> Waiting {
        Waiting {
            payload: Bytes::from(vec![0; bytes]),
            message: MessageNumber::FIRST,
            position: Position::Solo,
            stamp: 0,
        }
    }

    fn put(buffer: &mut ReceiveBuffer, offset: u64) -> Place {
        let index = first().add(offset);
        let place = buffer.place(index, 100);
        if matches!(place, Place::New(_) | Place::Recovered) {
            buffer.insert(index, Some(waiting(100)));
        }
        place
    }

    #[test]
    fn packets_are_told_apart() {
        let mut buffer = ReceiveBuffer::new(first(), 100, 1_000);
        assert_eq!(put(&mut buffer, 0), Place::New(first()..first()));
        assert_eq!(
            put(&mut buffer, 3),
            Place::New(first().add(1)..first().add(3))
        );
        assert_eq!(buffer.acknowledgeable(), first().add(1));
        assert_eq!(put(&mut buffer, 1), Place::Recovered);
        assert_eq!(put(&mut buffer, 1), Place::Duplicate);
        assert_eq!(buffer.acknowledgeable(), first().add(2));
        assert_eq!(buffer.pop().unwrap().0, first());
        assert_eq!(put(&mut buffer, 0), Place::Belated);
        assert_eq!(put(&mut buffer, 101), Place::FarAhead);
        assert_eq!(buffer.pop().unwrap().0, first().add(1));
        assert_eq!(buffer.gap(), 1);
        assert_eq!(buffer.skip_gap(), 1);
        assert_eq!(buffer.gap(), 0);
        assert_eq!(buffer.pop().unwrap().0, first().add(3));
        assert_eq!(put(&mut buffer, 2), Place::Belated);
        assert!(buffer.missing().is_empty());
    }

    #[test]
    fn a_packet_far_ahead_takes_no_more_than_itself() {
        let mut buffer = ReceiveBuffer::new(first(), 8_192, 1_000);
        put(&mut buffer, 8_191);
        assert_eq!((buffer.packets(), buffer.bytes()), (1, 100));
        assert_eq!(buffer.missing().packets(), 8_191);
        assert_eq!(buffer.missing().iter().count(), 1);
        assert_eq!(buffer.available(), 0);
    }

    #[test]
    fn bytes_are_bounded() {
        let mut buffer = ReceiveBuffer::new(first(), 8_192, 1_000);
        for offset in 0..10 {
            put(&mut buffer, offset);
        }
        assert_eq!(put(&mut buffer, 10), Place::Full);
        assert_eq!(buffer.available(), 0);
        buffer.pop();
        assert_eq!(buffer.available(), 1);
        assert!(matches!(put(&mut buffer, 10), Place::New(_)));
    }

    #[test]
    fn what_is_given_up_is_not_waited_for() {
        let mut buffer = ReceiveBuffer::new(first(), 100, 10_000);
        put(&mut buffer, 0);
        put(&mut buffer, 5);
        assert_eq!(buffer.give_up(first().add(1)..first().add(4)), 3);
        assert_eq!(buffer.acknowledgeable(), first().add(4));
        // It comes nonetheless.
        assert_eq!(put(&mut buffer, 2), Place::Recovered);
        // All there is, and beyond.
        assert_eq!(buffer.give_up(first()..first().add(1_000_000)), 1);
        assert_eq!(buffer.end(), first().add(100));
        assert!(buffer.missing().is_empty());
        assert_eq!(buffer.packets(), 3);
    }

    proptest! {
        /// Whatever comes in whatever order, packets are delivered in order and once, and what did not come is missing.
        #[test]
        fn order_and_gaps(offsets in prop::collection::vec(0..200u64, 0..300), pops in 0..50usize) {
            let mut buffer = ReceiveBuffer::new(first(), 128, 1 << 20);
            let mut there = BTreeSet::new();
            for &offset in &offsets {
                if matches!(put(&mut buffer, offset), Place::New(_) | Place::Recovered) {
                    prop_assert!(offset < 128 && there.insert(offset));
                }
            }
            let missing = there.last().map_or(0, |&last| (0..last).filter(|o| !there.contains(o)).count());
            prop_assert_eq!(buffer.missing().packets(), missing as u64);
            prop_assert_eq!(buffer.packets(), there.len());
            for _ in 0..pops {
                let next = there.pop_first();
                prop_assert_eq!(buffer.pop().map(|(index, _)| index), next.map(|o| first().add(o)));
            }
            prop_assert_eq!(buffer.bytes(), 100 * there.len());
        }
    }
}
