//! What the receiver acknowledges, and when (draft-sharabayko-srt-01, 4.8.1).

use super::index::PacketIndex;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often what arrived is acknowledged in full.
pub(super) const ACK_INTERVAL: Duration = Duration::from_millis(10);

/// After so many packets a light acknowledgement goes out before the next full one.
const LIGHT_EVERY: u32 = 64;

/// How many acknowledgements wait for their ACKACK at most: those of ten seconds.
const MAX_OUTSTANDING: usize = 1_024;

/// The acknowledgements of a receiver. Memory: 32 bytes for each that was not answered, 32 KiB at most.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    /// The last that was sent, with its time.
    last: Option<(PacketIndex, Instant)>,
    /// Up to where the peer is known to know.
    known: PacketIndex,
    /// The numbers of those in `outstanding` follow each other; the last is this.
    number: u32,
    outstanding: VecDeque<(PacketIndex, Instant)>,
    packets_since_full: u32,
    lights_since_full: u32,
    /// Whether the last one said that there was no room.
    said_full: bool,
}

impl Acknowledgements {
    pub(super) const fn new(first: PacketIndex) -> Self {
        Self {
            last: None,
            known: first,
            number: 0,
            outstanding: VecDeque::new(),
            packets_since_full: 0,
            lights_since_full: 0,
            said_full: false,
        }
    }

    /// A data packet came. Whether a light acknowledgement is due.
    pub(super) const fn packet_came(&mut self) -> bool {
        self.packets_since_full = self.packets_since_full.saturating_add(1);
        if self.packets_since_full < LIGHT_EVERY * (self.lights_since_full + 1) {
            return false;
        }
        self.lights_since_full += 1;
        true
    }

    /// Whether a full acknowledgement of all before `next` is to be sent: it says something new, or what was said got no answer for `patience`.
    pub(super) fn wants_full(
        &self,
        next: PacketIndex,
        has_room: bool,
        now: Instant,
        patience: Duration,
    ) -> bool {
        if self.said_full && has_room {
            return true;
        }
        if next <= self.known {
            return false;
        }
        match self.last {
            Some((last, at)) if last >= next => now.saturating_duration_since(at) >= patience,
            _ => true,
        }
    }

    /// Whether an acknowledgement is still to be made or answered.
    pub(super) fn pending(&self, next: PacketIndex, has_room: bool) -> bool {
        next > self.known || (self.said_full && has_room)
    }

    /// A full acknowledgement goes out now; its number.
    pub(super) fn sent_full(&mut self, next: PacketIndex, has_room: bool, now: Instant) -> u32 {
        self.last = Some((next, now));
        self.said_full = !has_room;
        self.packets_since_full = 0;
        self.lights_since_full = 0;
        if self.outstanding.len() >= MAX_OUTSTANDING {
            self.outstanding.pop_front();
        }
        self.outstanding.push_back((next, now));
        // 0 stands for a light one.
        self.number = self.number.wrapping_add(1);
        if self.number == 0 {
            self.number = 1;
            self.outstanding.clear();
            self.outstanding.push_back((next, now));
        }
        self.number
    }

    /// The peer answered the full acknowledgement `number`: how long that took. `None` where it did so before, or none such was sent.
    pub(super) fn answered(&mut self, number: u32, now: Instant) -> Option<Duration> {
        let newer = usize::try_from(self.number.checked_sub(number)?).ok()?;
        let position = self.outstanding.len().checked_sub(newer + 1)?;
        let (next, at) = *self.outstanding.get(position)?;
        // Those before it will not be answered any more, or late by reordering, which says nothing about the path.
        self.outstanding.drain(..=position);
        self.known = self.known.max(next);
        Some(now.saturating_duration_since(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::sequence::SequenceNumber;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn setup() -> (Acknowledgements, PacketIndex, Instant) {
        let first = PacketIndex::initial(SequenceNumber::new(3));
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        (Acknowledgements::new(first), first, start)
    }

    #[test]
    fn an_acknowledgement_is_repeated_until_it_is_answered() {
        let (mut acks, first, start) = setup();
        assert!(!acks.wants_full(first, true, start, PATIENCE));
        let next = first.add(5);
        assert!(acks.wants_full(next, true, start, PATIENCE));
        assert_eq!(acks.sent_full(next, true, start), 1);
        assert!(!acks.wants_full(next, true, start + ms(49), PATIENCE));
        assert!(acks.wants_full(next, true, start + ms(50), PATIENCE));
        assert_eq!(acks.sent_full(next, true, start + ms(50)), 2);
        assert!(acks.pending(next, true));
        assert_eq!(acks.answered(2, start + ms(70)), Some(ms(20)));
        assert!(!acks.pending(next, true));
        assert!(!acks.wants_full(next, true, start + ms(500), PATIENCE));
        // A repeated answer, one that came late, and one to nothing.
        for number in [2, 1, 3, 0, u32::MAX] {
            assert_eq!(acks.answered(number, start + ms(80)), None);
        }
    }

    #[test]
    fn room_is_told_when_there_was_none() {
        let (mut acks, first, start) = setup();
        acks.sent_full(first.add(1), false, start);
        acks.answered(1, start + ms(1));
        assert!(!acks.wants_full(first.add(1), false, start + ms(2), PATIENCE));
        assert!(acks.wants_full(first.add(1), true, start + ms(2), PATIENCE));
        acks.sent_full(first.add(1), true, start + ms(2));
        assert!(!acks.wants_full(first.add(1), true, start + ms(3), PATIENCE));
    }

    #[test]
    fn each_64_packets_are_acknowledged_lightly() {
        let (mut acks, first, start) = setup();
        let lights = |acks: &mut Acknowledgements, packets: u32| {
            (0..packets).filter(|_| acks.packet_came()).count()
        };
        assert_eq!(lights(&mut acks, 200), 3);
        acks.sent_full(first.add(1), true, start);
        assert_eq!(lights(&mut acks, 63), 0);
        assert_eq!(lights(&mut acks, 1), 1);
    }

    #[test]
    fn what_is_not_answered_is_forgotten() {
        let (mut acks, first, start) = setup();
        for number in 1..5_000u64 {
            acks.sent_full(first.add(number), true, start);
        }
        assert_eq!(acks.outstanding.len(), MAX_OUTSTANDING);
        assert_eq!(acks.answered(1, start), None);
        assert_eq!(acks.answered(4_999, start + ms(3)), Some(ms(3)));
        assert!(acks.outstanding.is_empty());
    }
}
