//! What comes out of a reorder buffer.

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

    /// With a source whose first packet has this number.
    fn from(first: u16, wait: u64, packets: usize) -> Self {
        let mut run = Self::new(wait, packets);
        run.buffer.expect(first);
        run
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
    let mut run = Run::from(65_534, 100, 10);
    run.push(0, &[65_534, 0, 65_535, 2, 1]);
    assert_eq!(run.take(), [65_534, 65_535, 0, 1, 2].map(Seq));
    assert_eq!(run.buffer.deadline(), None);
    assert_eq!(run.buffer.counters(), ReorderCounters::default());
}

#[test]
fn what_is_missing_is_given_up_in_time() {
    let mut run = Run::from(1, 100, 10);
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
    let mut run = Run::from(1, 1_000_000, 4);
    run.push(0, &[1, 3, 5, 7, 9]);
    assert_eq!(run.buffer.len(), 4);
    run.push(0, &[11]);
    assert_eq!(run.take(), [Seq(1), Lost(1), Seq(3)]);
    run.push(0, &[3, 5]);
    assert_eq!((run.buffer.len(), run.buffer.counters().duplicates), (4, 2));
}

#[test]
fn a_source_that_starts_over_is_followed() {
    let mut run = Run::from(1_000, 100, 10);
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

#[test]
fn the_first_packets_are_put_in_order_too() {
    let mut run = Run::new(100, 10);
    run.push(0, &[1, 65_535]);
    run.push(50, &[3, 0, 1]);
    assert_eq!(run.take(), []);
    assert_eq!(run.buffer.deadline(), Some(Duration::from_millis(100)));
    run.expire(100);
    assert_eq!(run.take(), [65_535, 0, 1].map(Seq));
    assert_eq!(run.buffer.deadline(), Some(Duration::from_millis(150)));
    run.push(110, &[65_534, 2]);
    assert_eq!(run.take(), [Seq(2), Seq(3)]);
    let counters = run.buffer.counters();
    assert_eq!(
        (counters.lost, counters.late, counters.duplicates),
        (0, 1, 1)
    );
}

#[test]
fn a_first_packet_that_was_told_is_not_waited_behind_and_others_are_not_lost_for_it() {
    let mut run = Run::from(7, 100, 10);
    run.push(0, &[8]);
    assert_eq!(run.take(), []);
    run.push(1, &[7, 9]);
    assert_eq!(run.take(), [7, 8, 9].map(Seq));
    let mut run = Run::from(7, 100, 10);
    run.push(0, &[500, 501]);
    run.expire(100);
    assert_eq!(run.take(), [Seq(500), Seq(501)]);
}

#[test]
fn a_first_packet_that_is_far_from_the_next_ones_is_not_waited_behind() {
    let mut run = Run::new(100, 10);
    run.push(0, &[1_000, 40_000, 40_001, 40_002]);
    assert_eq!(
        run.take(),
        [Seq(1_000), Restarted, Seq(40_001), Seq(40_002)]
    );
}

proptest! {
    /// Whatever happens to packets on their way, each comes out once at most, in order, and what is missing is told.
    #[test]
    fn order_is_kept_and_gaps_are_counted(
        first in any::<u16>(),
        fates in prop::collection::vec((0_u8..10, 0_u64..60), 1..400),
        wait in prop_oneof![Just(0_u64), 1_u64..200], packets in 1_usize..64,
    ) {
        let waits = wait >= 60 && packets >= 40;
        let mut arrivals: Vec<(u64, u16)> = Vec::new();
        for (index, &(fate, delay)) in fates.iter().enumerate() {
            let (sent, sequence) = (index as u64 * 5, first.wrapping_add(index as u16));
            // The first one comes first, so that all others are behind it, but where it is waited for.
            let delay = if index == 0 && !waits { 0 } else { delay };
            if fate != 0 || index == 0 {
                arrivals.push((sent + delay, sequence));
            }
            if fate == 1 {
                arrivals.push((sent + 2 * delay, sequence));
            }
        }
        arrivals.sort_by_key(|&(at, _)| at);
        let mut run = Run::new(wait, packets);
        if !waits {
            run.buffer.expect(first);
        }
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
