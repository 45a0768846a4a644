//! A set of packets, kept as ranges: the loss lists of both sides.

use super::index::PacketIndex;
use std::collections::BTreeMap;
use std::ops::Range;

/// Which packets are missing, as ranges that neither overlap nor touch.
///
/// Every operation costs the logarithm of the number of ranges, beyond the ranges that it takes out, and each of these was put
/// in before: a report of whatever ranges costs no more than its own length. Memory: about 50 bytes a range.
#[derive(Debug, Clone, Default)]
pub(super) struct RangeSet {
    /// From the first of a range to behind its last.
    ranges: BTreeMap<PacketIndex, PacketIndex>,
    packets: u64,
}

impl RangeSet {
    pub(super) const fn new() -> Self {
        Self {
            ranges: BTreeMap::new(),
            packets: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many packets are in the set.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// The first packet of the set.
    pub(super) fn first(&self) -> Option<PacketIndex> {
        self.ranges.first_key_value().map(|(&start, _)| start)
    }

    /// The ranges, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<PacketIndex>> + '_ {
        self.ranges.iter().map(|(&start, &end)| start..end)
    }

    /// The first range that has packets from `index` on, as far as it lies there.
    fn first_from(&self, index: PacketIndex) -> Option<Range<PacketIndex>> {
        let before = self.ranges.range(..=index).next_back();
        if let Some((_, &end)) = before
            && end > index
        {
            return Some(index..end);
        }
        let (&start, &end) = self.ranges.range(index..).next()?;
        Some(start..end)
    }

    /// What of `range` is in the set, in order.
    pub(super) fn within(
        &self,
        range: Range<PacketIndex>,
    ) -> impl Iterator<Item = Range<PacketIndex>> + '_ {
        let mut from = range.start;
        std::iter::from_fn(move || {
            let next = self.first_from(from)?;
            from = next.end;
            (next.start < range.end).then(|| next.start..next.end.min(range.end))
        })
    }

    /// Adds a range and says how many of its packets are new.
    pub(super) fn insert(&mut self, range: Range<PacketIndex>) -> u64 {
        if range.start >= range.end {
            return 0;
        }
        let had = self.packets;
        let Range { mut start, mut end } = range;
        // The last range that starts before this one's end may touch it; the one before that, too.
        while let Some((&other_start, &other_end)) = self.ranges.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            start = start.min(other_start);
            end = end.max(other_end);
            self.take(other_start, other_end);
        }
        self.put(start, end);
        self.packets.saturating_sub(had)
    }

    /// Takes a range out and says how many packets of it were in the set.
    pub(super) fn remove(&mut self, range: Range<PacketIndex>) -> u64 {
        if range.start >= range.end {
            return 0;
        }
        let had = self.packets;
        while let Some((&start, &end)) = self.ranges.range(..range.end).next_back() {
            if end <= range.start {
                break;
            }
            self.take(start, end);
            self.put(range.end.max(start), end);
            self.put(start, range.start.min(end));
        }
        had - self.packets
    }

    /// Takes out all before `end`.
    pub(super) fn remove_before(&mut self, end: PacketIndex) -> u64 {
        let Some(start) = self.first() else {
            return 0;
        };
        self.remove(start..end)
    }

    /// Takes the first packet out.
    pub(super) fn pop_first(&mut self) -> Option<PacketIndex> {
        let (&start, &end) = self.ranges.first_key_value()?;
        self.take(start, end);
        self.put(start.add(1), end);
        Some(start)
    }

    fn put(&mut self, start: PacketIndex, end: PacketIndex) {
        if start < end {
            self.ranges.insert(start, end);
            self.packets += end.since(start);
        }
    }

    fn take(&mut self, start: PacketIndex, end: PacketIndex) {
        self.ranges.remove(&start);
        self.packets -= end.since(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn index(number: u64) -> PacketIndex {
        PacketIndex::from_raw(number)
    }

    fn range(start: u64, end: u64) -> Range<PacketIndex> {
        index(start)..index(end)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u64, u64),
        Remove(u64, u64),
        RemoveBefore(u64),
        Pop,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..60u64, 0..20u64).prop_map(|(start, length)| Step::Insert(start, start + length)),
            (0..60u64, 0..20u64).prop_map(|(start, length)| Step::Remove(start, start + length)),
            (0..60u64).prop_map(Step::RemoveBefore),
            Just(Step::Pop),
        ]
    }

    proptest! {
        /// The set does what a set of single packets does.
        #[test]
        fn ranges_are_a_set(steps in prop::collection::vec(step(), 0..60), from in 0..80u64) {
            let mut ranges = RangeSet::default();
            let mut model = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Insert(start, end) => {
                        let new = (start..end).filter(|&number| model.insert(number)).count();
                        prop_assert_eq!(ranges.insert(range(start, end)), new as u64);
                    }
                    Step::Remove(start, end) => {
                        let gone = (start..end).filter(|number| model.remove(number)).count();
                        prop_assert_eq!(ranges.remove(range(start, end)), gone as u64);
                    }
                    Step::RemoveBefore(end) => {
                        let gone = model.iter().filter(|&&number| number < end).count();
                        model = model.split_off(&end);
                        prop_assert_eq!(ranges.remove_before(index(end)), gone as u64);
                    }
                    Step::Pop => {
                        prop_assert_eq!(ranges.pop_first(), model.pop_first().map(index));
                    }
                }
                let all: Vec<_> = ranges
                    .iter()
                    .flat_map(|range| range.start.raw()..range.end.raw())
                    .collect();
                prop_assert_eq!(&all, &model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(ranges.packets(), model.len() as u64);
                // Ranges that touch are one.
                let list: Vec<_> = ranges.iter().collect();
                prop_assert!(list.windows(2).all(|pair| pair[0].end < pair[1].start));
            }
            let within: Vec<_> = ranges
                .within(range(from, from + 20))
                .flat_map(|range| range.start.raw()..range.end.raw())
                .collect();
            prop_assert_eq!(within, model.range(from..from + 20).copied().collect::<Vec<_>>());
        }
    }
}
