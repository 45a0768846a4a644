//! Packets in the order in which they were sent.

use crate::{RtpPacket, SequenceUnwrapper};
use std::collections::BTreeMap;
use std::time::Duration;

/// A step in sequence numbers beyond which the source is taken to have started over, once the packet behind it follows
/// (RFC 3550 A.1, MAX_DROPOUT).
const MAX_DROPOUT: i64 = 3_000;

/// How far back a packet can be and still be late rather than of a source that has started over (RFC 3550 A.1, MAX_MISORDER, is 100 at 50
/// packets a second; video has more).
const MAX_MISORDER: i64 = 1_000;

/// How much a [`ReorderBuffer`] holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "time, packets and bytes are all that there is to bound"
)]
pub struct ReorderLimits {
    /// How long a missing packet is waited for; zero where the transport keeps the order.
    pub wait: Duration,
    /// How many packets are held back at most while one is missing.
    pub packets: usize,
    /// How many bytes of payload these have at most.
    pub bytes: usize,
}

impl Default for ReorderLimits {
    /// 100 ms, 512 packets, 1 MiB.
    fn default() -> Self {
        Self {
            wait: Duration::from_millis(100),
            packets: 512,
            bytes: 1 << 20,
        }
    }
}

/// What a [`ReorderBuffer`] gives out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reordered {
    /// The next packet in sequence order.
    Packet(RtpPacket),
    /// So many packets are missing here, and are not waited for any more.
    Lost(u64),
    /// The source has started over with other sequence numbers.
    Restarted,
}

/// What became of the packets of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReorderCounters {
    /// Packets that were given up. Those that came after that are among them.
    pub lost: u64,
    /// Packets that came after they had been given up, or before the first one.
    pub late: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// How often the source started over.
    pub restarts: u64,
}

/// Puts the packets of one source in order, none twice, and tells what is missing.
///
/// Packets that come in order pass through and cost a comparison. Behind a gap they are held back for as long as
/// [the limits](ReorderLimits) allow. Sans-IO: `now` is the time since any start of the caller's.
///
/// A number far from the expected one is taken for a source that has started over once its successor comes (RFC 3550 A.1);
/// the first such packet is dropped.
#[derive(Debug)]
pub struct ReorderBuffer {
    limits: ReorderLimits,
    unwrapper: SequenceUnwrapper,
    /// The number that comes next.
    next: Option<i64>,
    /// Which of the 128 numbers before `next` have come, the last one in the lowest bit.
    seen: u128,
    held: BTreeMap<i64, (RtpPacket, Duration)>,
    held_bytes: usize,
    /// When the first packet behind the gap came.
    waiting_since: Duration,
    /// The number after that of the last packet that was far off.
    odd: Option<u16>,
    counters: ReorderCounters,
}

impl ReorderBuffer {
    /// A buffer for a source that has sent nothing yet.
    #[must_use]
    pub const fn new(limits: ReorderLimits) -> Self {
        Self {
            limits,
            unwrapper: SequenceUnwrapper::new(),
            next: None,
            seen: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
            waiting_since: Duration::ZERO,
            odd: None,
            counters: ReorderCounters {
                lost: 0,
                late: 0,
                duplicates: 0,
                restarts: 0,
            },
        }
    }

    /// How much is held back.
    #[must_use]
    pub const fn limits(&self) -> ReorderLimits {
        self.limits
    }

    /// What was lost, late or doubled so far.
    #[must_use]
    pub const fn counters(&self) -> ReorderCounters {
        self.counters
    }

    /// How many packets are held back.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// A packet has come: hands to `out` what is in order now.
    pub fn push(&mut self, packet: RtpPacket, now: Duration, mut out: impl FnMut(Reordered)) {
        let number = packet.header.sequence;
        let Some(next) = self.next else {
            self.follow(self.unwrapper.peek(number));
            out(Reordered::Packet(packet));
            return;
        };
        let value = self.unwrapper.peek(number);
        if value == next {
            self.odd = None;
            self.follow(value);
            out(Reordered::Packet(packet));
            if !self.held.is_empty() {
                self.release_ready(&mut out);
            }
            return;
        }
        if value - next > MAX_DROPOUT || next - value > MAX_MISORDER {
            self.take_odd(packet, &mut out);
            return;
        }
        self.odd = None;
        if value < next {
            self.count_behind(next - value);
            return;
        }
        self.hold(value, packet, now);
        while !self.held.is_empty() && self.must_release() {
            self.give_up_gap(&mut out);
        }
    }

    /// When [`expire`](Self::expire) has something to give out; `None` where nothing is held back.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        (!self.held.is_empty()).then(|| self.waiting_since.saturating_add(self.limits.wait))
    }

    /// Gives up what has been waited for long enough by `now`.
    pub fn expire(&mut self, now: Duration, mut out: impl FnMut(Reordered)) {
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.give_up_gap(&mut out);
        }
    }

    /// Gives out all that is held back.
    pub fn flush(&mut self, mut out: impl FnMut(Reordered)) {
        while !self.held.is_empty() {
            self.give_up_gap(&mut out);
        }
    }

    /// The packet numbered `value` is the last one that was given out.
    fn follow(&mut self, value: i64) {
        self.unwrapper.unwrap(value as u16);
        let by = self.next.map_or(1, |next| value - next + 1);
        self.seen = match u32::try_from(by) {
            Ok(by) => self.seen.checked_shl(by).unwrap_or(0) | 1,
            Err(_) => 1,
        };
        self.next = Some(value + 1);
    }

    /// A packet has come that is `by` before the next one.
    fn count_behind(&mut self, by: i64) {
        let bit = u32::try_from(by - 1).unwrap_or(u32::MAX);
        let seen = self.seen.checked_shr(bit).unwrap_or(0) & 1 != 0;
        if seen {
            self.counters.duplicates += 1;
        } else {
            self.counters.late += 1;
            if bit < u128::BITS {
                self.seen |= 1 << bit;
            }
        }
    }

    fn hold(&mut self, value: i64, packet: RtpPacket, now: Duration) {
        if self.held.is_empty() {
            self.waiting_since = now;
        }
        let bytes = packet.payload.len();
        match self.held.entry(value) {
            std::collections::btree_map::Entry::Occupied(_) => self.counters.duplicates += 1,
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert((packet, now));
                self.held_bytes += bytes;
            }
        }
    }

    fn must_release(&self) -> bool {
        self.limits.wait.is_zero()
            || self.held.len() > self.limits.packets
            || self.held_bytes > self.limits.bytes
    }

    /// Gives out what follows the last packet without gap. What is left stands behind another gap, which is waited for since the first packet
    /// behind it came.
    fn release_ready(&mut self, out: &mut impl FnMut(Reordered)) {
        while let Some(entry) = self.held.first_entry() {
            let value = *entry.key();
            if Some(value) != self.next {
                break;
            }
            let (packet, _) = entry.remove();
            self.held_bytes -= packet.payload.len();
            self.follow(value);
            out(Reordered::Packet(packet));
        }
        let arrivals = self.held.values().map(|(_, arrived)| *arrived);
        self.waiting_since = arrivals.min().unwrap_or_default();
    }

    /// Gives up the packets before the first one that is held back.
    fn give_up_gap(&mut self, out: &mut impl FnMut(Reordered)) {
        let (Some(next), Some((&first, _))) = (self.next, self.held.first_key_value()) else {
            return;
        };
        let lost = first.saturating_sub(next).unsigned_abs();
        if lost > 0 {
            self.counters.lost += lost;
            self.seen =
                u32::try_from(lost).map_or(0, |lost| self.seen.checked_shl(lost).unwrap_or(0));
            self.next = Some(first);
            out(Reordered::Lost(lost));
        }
        self.release_ready(out);
    }

    /// A packet has come that is far from what is expected.
    fn take_odd(&mut self, packet: RtpPacket, out: &mut impl FnMut(Reordered)) {
        let number = packet.header.sequence;
        if self.odd != Some(number) {
            self.odd = Some(number.wrapping_add(1));
            return;
        }
        self.flush(&mut *out);
        self.counters.restarts += 1;
        let (limits, counters) = (self.limits, self.counters);
        *self = Self::new(limits);
        self.counters = counters;
        self.follow(number.into());
        out(Reordered::Restarted);
        out(Reordered::Packet(packet));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RtpHeader;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn packet(sequence: u16) -> RtpPacket {
        let header = RtpHeader {
            payload_type: 96,
            marker: false,
            sequence,
            timestamp: 0,
            ssrc: 1,
        };
        RtpPacket::new(header, Bytes::from_static(b"payload"))
    }

    #[derive(Debug, PartialEq)]
    enum Out {
        Seq(u16),
        Lost(u64),
        Restarted,
    }

    struct Run {
        buffer: ReorderBuffer,
        out: Vec<Out>,
    }

    impl Run {
        fn new(wait: u64, packets: usize) -> Self {
            let limits = ReorderLimits {
                wait: Duration::from_millis(wait),
                packets,
                bytes: 1 << 20,
            };
            Self {
                buffer: ReorderBuffer::new(limits),
                out: Vec::new(),
            }
        }

        fn push(&mut self, at: u64, sequences: &[u16]) {
            let now = Duration::from_millis(at);
            for &sequence in sequences {
                let out = &mut self.out;
                self.buffer
                    .push(packet(sequence), now, |released| out.push(of(released)));
            }
        }

        fn expire(&mut self, at: u64) {
            let out = &mut self.out;
            self.buffer
                .expire(Duration::from_millis(at), |released| out.push(of(released)));
        }

        fn take(&mut self) -> Vec<Out> {
            std::mem::take(&mut self.out)
        }
    }

    fn of(released: Reordered) -> Out {
        match released {
            Reordered::Packet(packet) => Seq(packet.header.sequence),
            Reordered::Lost(count) => Lost(count),
            Reordered::Restarted => Restarted,
        }
    }

    use Out::{Lost, Restarted, Seq};

    #[test]
    fn packets_are_put_in_order_over_the_wrap() {
        let mut run = Run::new(100, 10);
        run.push(0, &[65_534, 0, 65_535, 2, 1]);
        assert_eq!(run.take(), [65_534, 65_535, 0, 1, 2].map(Seq));
        assert_eq!(run.buffer.deadline(), None);
        assert_eq!(run.buffer.counters(), ReorderCounters::default());
    }

    #[test]
    fn what_is_missing_is_given_up_in_time() {
        let mut run = Run::new(100, 10);
        run.push(0, &[1, 3]);
        run.push(50, &[6]);
        assert_eq!(run.buffer.deadline(), Some(Duration::from_millis(100)));
        run.expire(99);
        assert_eq!(run.take(), [Seq(1)]);
        run.expire(100);
        assert_eq!(run.take(), [Lost(1), Seq(3)]);
        // The second gap showed later.
        assert_eq!(run.buffer.deadline(), Some(Duration::from_millis(150)));
        run.push(120, &[2, 4, 5]);
        assert_eq!(run.take(), [4, 5, 6].map(Seq));
        let counters = run.buffer.counters();
        assert_eq!(
            (counters.lost, counters.late, counters.duplicates),
            (1, 1, 0)
        );
        run.push(130, &[2, 4]);
        assert_eq!(run.buffer.counters().duplicates, 2, "each had come once");
    }

    #[test]
    fn without_a_wait_nothing_is_held_back() {
        let mut run = Run::new(0, 10);
        run.push(0, &[1, 2, 5, 4, 6]);
        assert_eq!(run.take(), [Seq(1), Seq(2), Lost(2), Seq(5), Seq(6)]);
        assert_eq!(run.buffer.counters().late, 1);
    }

    #[test]
    fn no_more_packets_are_held_than_the_limit() {
        let mut run = Run::new(1_000_000, 4);
        run.push(0, &[1, 3, 5, 7, 9]);
        assert_eq!(run.buffer.len(), 4);
        run.push(0, &[11]);
        assert_eq!(run.take(), [Seq(1), Lost(1), Seq(3)]);
        run.push(0, &[3, 5]);
        assert_eq!((run.buffer.len(), run.buffer.counters().duplicates), (4, 2));
    }

    #[test]
    fn a_source_that_starts_over_is_followed() {
        let mut run = Run::new(100, 10);
        run.push(0, &[1_000, 1_002, 40_000]);
        assert_eq!(run.take(), [Seq(1_000)], "one alone can be damaged");
        run.push(0, &[40_001, 40_002]);
        assert_eq!(
            run.take(),
            [Lost(1), Seq(1_002), Restarted, Seq(40_001), Seq(40_002)]
        );
        run.push(0, &[7, 40_003, 8, 9]);
        assert_eq!(run.take(), [Seq(40_003), Restarted, Seq(9)]);
    }

    proptest! {
        /// Whatever happens to packets on their way, each comes out once at most, in order, and what is missing is told.
        #[test]
        fn order_is_kept_and_gaps_are_counted(
            first in any::<u16>(),
            fates in prop::collection::vec((0_u8..10, 0_u64..60), 1..400),
            wait in prop_oneof![Just(0_u64), 1_u64..200], packets in 1_usize..64,
        ) {
            let mut arrivals: Vec<(u64, u16)> = Vec::new();
            for (index, &(fate, delay)) in fates.iter().enumerate() {
                let (sent, sequence) = (index as u64 * 5, first.wrapping_add(index as u16));
                // The first one comes first, so that all others are behind it.
                let delay = if index == 0 { 0 } else { delay };
                if fate != 0 || index == 0 {
                    arrivals.push((sent + delay, sequence));
                }
                if fate == 1 {
                    arrivals.push((sent + 2 * delay, sequence));
                }
            }
            arrivals.sort_by_key(|&(at, _)| at);
            let mut run = Run::new(wait, packets);
            for &(at, sequence) in &arrivals {
                run.expire(at);
                run.push(at, &[sequence]);
                prop_assert!(run.buffer.len() <= packets);
            }
            run.expire(u64::from(u32::MAX));
            prop_assert!(run.buffer.is_empty());
            let mut expected = first;
            let mut released = 0;
            for out in run.take() {
                match out {
                    Seq(sequence) => {
                        prop_assert_eq!(sequence, expected);
                        expected = expected.wrapping_add(1);
                        released += 1;
                    }
                    Lost(count) => expected = expected.wrapping_add(count as u16),
                    Restarted => prop_assert!(false, "there was none"),
                }
            }
            let counters = run.buffer.counters();
            let all = released + counters.late + counters.duplicates;
            prop_assert_eq!(all, arrivals.len() as u64);
        }
    }
}
