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
/// [the limits](ReorderLimits) allow. So are the first ones: which of them was sent first shows only when no earlier one has come for that long, or by
/// [`expect`](Self::expect). Sans-IO: `now` is the time since any start of the caller's.
///
/// A number far from the expected one is taken for a source that has started over once its successor comes (RFC 3550 A.1);
/// the first such packet is dropped.
#[derive(Debug)]
pub struct ReorderBuffer {
    limits: ReorderLimits,
    unwrapper: SequenceUnwrapper,
    /// The number that comes next; `None` until it is settled which packet was the first one.
    next: Option<i64>,
    /// The number that the first packet is said to have.
    first: Option<u16>,
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
            first: None,
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

    /// The source has said which number its first packet has (`seq` of RTSP's `RTP-Info`): once that comes, no earlier one is waited for. Where another
    /// one comes first, it means nothing: many cameras say what does not hold.
    pub const fn expect(&mut self, first: u16) {
        self.first = Some(first);
    }

    /// A packet has come: hands to `out` what is in order now.
    pub fn push(&mut self, packet: RtpPacket, now: Duration, mut out: impl FnMut(Reordered)) {
        let number = packet.header.sequence;
        let (packet, next) = match self.next {
            Some(next) => (packet, next),
            None => match self.push_first(packet, now, &mut out) {
                Some(settled) => settled,
                None => return,
            },
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

    /// A packet has come before it is settled which one was the first. It is given back, with the number that comes next, where it tells nothing of that.
    fn push_first(
        &mut self,
        packet: RtpPacket,
        now: Duration,
        out: &mut impl FnMut(Reordered),
    ) -> Option<(RtpPacket, i64)> {
        let number = packet.header.sequence;
        let value = self.unwrapper.peek(number);
        if self.held.is_empty() {
            self.unwrapper.unwrap(number);
        }
        let others = self.held.range(..value).next_back();
        let others = others.or_else(|| self.held.range(value..).next());
        if others.is_some_and(|(other, _)| (other - value).abs() > MAX_MISORDER) {
            // One of them is damaged or of another source: which one shows behind whichever comes first.
            self.settle(out);
            return self.next.map(|next| (packet, next));
        }
        self.hold(value, packet, now);
        if self.first == Some(number) || self.must_release() {
            self.settle(out);
        }
        None
    }

    /// The first packet of those that are held back was the first one.
    fn settle(&mut self, out: &mut impl FnMut(Reordered)) {
        if let Some((&first, _)) = self.held.first_key_value() {
            self.next = Some(first);
            self.release_ready(out);
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
        let Some((&first, _)) = self.held.first_key_value() else {
            return;
        };
        let Some(next) = self.next else {
            self.settle(out);
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
mod tests;
