//! Which packets are missing and worth asking for (RFC 4585 6.2.1).

use std::collections::BTreeMap;
use std::time::Duration;

/// How many packets are missed at most; beyond, the oldest are given up. A keyframe is then cheaper than what is missing.
const MAX_MISSING: usize = 256;

/// How far the sequence may jump and still count as loss; beyond, the source has started over.
const MAX_GAP: i64 = 1_000;

/// How often one packet is asked for.
const MAX_REQUESTS: u8 = 8;

/// How long a packet is waited for before it is first asked for: what was merely overtaken comes meanwhile.
const PATIENCE: Duration = Duration::from_millis(10);

/// How long until it is asked for again, at least; longer where the way is.
const MIN_INTERVAL: Duration = Duration::from_millis(30);

#[derive(Debug)]
struct Missing {
    requests: u8,
    next: Duration,
}

/// Watches the sequence numbers of one source.
#[derive(Debug)]
pub(crate) struct NackGenerator {
    /// The highest that has come, with its wraps.
    highest: Option<i64>,
    missing: BTreeMap<i64, Missing>,
    interval: Duration,
}

impl NackGenerator {
    /// Asks again each `round_trip`, where that is longer than 30 ms.
    pub(crate) fn new(round_trip: Duration) -> Self {
        Self {
            highest: None,
            missing: BTreeMap::new(),
            interval: round_trip.max(MIN_INTERVAL),
        }
    }

    /// A packet has come, by itself or by retransmission.
    pub(crate) fn on_packet(&mut self, sequence: u16, now: Duration) {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence.into());
            return;
        };
        // The nearest number with these 16 bits.
        let ahead = i64::from(sequence.wrapping_sub(highest as u16) as i16);
        let number = highest + ahead;
        if ahead <= 0 {
            if ahead < -MAX_GAP {
                self.start_over(sequence);
            } else {
                self.missing.remove(&number);
            }
            return;
        }
        if ahead > MAX_GAP {
            self.start_over(sequence);
            return;
        }
        for lost in highest + 1..number {
            let next = now + PATIENCE;
            self.missing.insert(lost, Missing { requests: 0, next });
        }
        self.highest = Some(number);
        while self.missing.len() > MAX_MISSING {
            self.missing.pop_first();
        }
    }

    /// Appends the sequence numbers that are to be asked for now, in order.
    pub(crate) fn requests(&mut self, now: Duration, sequences: &mut Vec<u16>) {
        let interval = self.interval;
        self.missing.retain(|number, missing| {
            if missing.next > now {
                return true;
            }
            if missing.requests == MAX_REQUESTS {
                return false;
            }
            missing.requests += 1;
            missing.next = now + interval;
            sequences.push(*number as u16);
            true
        });
    }

    /// When [`requests`](Self::requests) has something next.
    pub(crate) fn next_request(&self) -> Option<Duration> {
        self.missing.values().map(|missing| missing.next).min()
    }

    fn start_over(&mut self, sequence: u16) {
        self.highest = Some(sequence.into());
        self.missing.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn requests(nack: &mut NackGenerator, now: u64) -> Vec<u16> {
        let mut sequences = Vec::new();
        nack.requests(ms(now), &mut sequences);
        sequences
    }

    #[test]
    fn what_is_missing_is_asked_for_until_it_comes() {
        let mut nack = NackGenerator::new(ms(50));
        for sequence in [65_533, 65_534, 2] {
            nack.on_packet(sequence, ms(0));
        }
        assert_eq!(
            requests(&mut nack, 5),
            [0_u16; 0],
            "it may have been overtaken"
        );
        assert_eq!(nack.next_request(), Some(PATIENCE));
        assert_eq!(requests(&mut nack, 10), [65_535, 0, 1]);
        nack.on_packet(0, ms(20));
        assert_eq!(requests(&mut nack, 59), [0_u16; 0]);
        assert_eq!(requests(&mut nack, 60), [65_535, 1]);
        nack.on_packet(65_535, ms(61));
        nack.on_packet(1, ms(61));
        assert_eq!(nack.next_request(), None);
    }

    #[test]
    fn nothing_is_asked_for_forever() {
        let mut nack = NackGenerator::new(ms(0));
        nack.on_packet(1, ms(0));
        nack.on_packet(3, ms(0));
        let asked = (0..100).filter(|step| !requests(&mut nack, step * 100).is_empty());
        assert_eq!(asked.count(), usize::from(MAX_REQUESTS));
        assert_eq!(nack.next_request(), None);
    }

    #[test]
    fn a_jump_is_no_loss_and_what_is_missing_is_bounded() {
        let mut nack = NackGenerator::new(ms(0));
        nack.on_packet(1, ms(0));
        nack.on_packet(30_000, ms(0));
        assert_eq!(nack.next_request(), None);
        nack.on_packet(30_900, ms(0));
        assert_eq!(requests(&mut nack, 100).len(), MAX_MISSING);
        assert_eq!(
            nack.missing.keys().next(),
            Some(&(30_900 - MAX_MISSING as i64))
        );
    }
}
