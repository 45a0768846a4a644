//! Peers that say what is not so.

use super::{Setup, World, ms, negotiated, payload, start};
use crate::proto::connection::{
    Closed, Connection, Event, Limits, MaxBandwidth, Options, Statistics,
};
use crate::proto::packet::{
    Ack, AckDetails, Control, ControlPacket, DataPacket, KeyFlag, LossRange, Packet, Position,
    SocketId,
};
use crate::proto::sequence::{MessageNumber, SequenceNumber};
use crate::proto::time::PacketTime;
use bytes::Bytes;
use std::time::{Duration, Instant};

fn setup() -> Setup {
    Setup::new(ms(20), 0, ms(120))
}

/// Side 1 of a pair, which these tests talk to as they like.
struct Victim {
    connection: Connection,
    now: Instant,
    isn: SequenceNumber,
}

impl Victim {
    fn new(options: Options) -> Self {
        let now = start();
        let setup = setup();
        Self {
            connection: Connection::new(negotiated(&setup, 1, now), options, now),
            now: now + ms(10),
            isn: setup.isn,
        }
    }

    fn control(&mut self, control: Control) {
        let packet = Packet::Control(ControlPacket {
            time: PacketTime::from_micros(0),
            destination: SocketId(101),
            control,
        });
        self.connection.handle_packet(packet, self.now);
    }

    fn data(&mut self, offset: u32, time: PacketTime) {
        let packet = Packet::Data(DataPacket {
            sequence: self.isn.plus(offset),
            position: Position::Solo,
            in_order: false,
            key: KeyFlag::Clear,
            retransmitted: false,
            message: MessageNumber::FIRST,
            time,
            destination: SocketId(101),
            payload: payload(offset),
        });
        self.connection.handle_packet(packet, self.now);
    }

    fn send(&mut self, packets: u32) -> usize {
        for number in 0..packets {
            self.connection.send(payload(number), self.now).unwrap();
        }
        self.drain().len()
    }

    /// All that the victim sends within 20 ms.
    fn drain(&mut self) -> Vec<Packet> {
        let mut sent = Vec::new();
        for _ in 0..20 {
            self.connection.handle_timeout(self.now);
            while let Some(datagram) = self.connection.poll_transmit(self.now) {
                sent.push(Packet::parse(datagram.to_bytes()).unwrap());
            }
            self.now += ms(1);
        }
        sent
    }

    fn statistics(&self) -> Statistics {
        self.connection.statistics(self.now)
    }

    fn ack(&mut self, next: SequenceNumber, number: u32) {
        self.control(Control::Ack(Ack {
            number,
            next,
            details: Some(AckDetails {
                rtt: 20_000,
                rtt_variance: 1_000,
                available_packets: 8_192,
                rates: None,
            }),
        }));
    }
}

fn range(first: SequenceNumber, last: SequenceNumber) -> LossRange {
    LossRange::new(first, last).unwrap()
}

#[test]
fn acknowledgements_of_what_was_never_sent_are_ignored() {
    let mut victim = Victim::new(Options::default());
    victim.send(100);
    for offset in [101, 5_000, (1 << 30) - 1] {
        victim.ack(victim.isn.plus(offset), 1);
    }
    let statistics = victim.statistics();
    assert_eq!((statistics.invalid, statistics.sent.in_flight), (3, 100));
    // Of the past.
    victim.ack(victim.isn.plus(50), 1);
    victim.ack(victim.isn.plus(20), 2);
    assert_eq!(victim.statistics().sent.in_flight, 50);
}

#[test]
fn reports_of_what_was_never_sent_are_ignored() {
    let mut victim = Victim::new(Options::default());
    victim.send(100);
    victim.control(Control::Nak(vec![range(
        victim.isn.plus(50),
        victim.isn.plus(100),
    )]));
    victim.control(Control::Nak(vec![LossRange::one(victim.isn.plus(1 << 29))]));
    assert_eq!(victim.statistics().invalid, 2);
    assert_eq!(victim.drain().len(), 0);
}

#[test]
fn what_was_acknowledged_is_refused_in_one_packet() {
    let mut victim = Victim::new(Options::default());
    victim.send(100);
    victim.ack(victim.isn.plus(50), 0);
    let past: Vec<_> = (0..180)
        .map(|step| range(victim.isn.minus(1_000 - step), victim.isn.plus(step % 50)))
        .collect();
    victim.control(Control::Nak(past));
    let sent = victim.drain();
    let [Packet::Control(packet)] = &sent[..] else {
        panic!("{} packets", sent.len());
    };
    let Control::DropRequest { range, .. } = packet.control else {
        panic!("{packet:?}");
    };
    assert_eq!(range.last(), victim.isn.plus(49));
}

#[test]
fn a_flood_of_reports_has_each_packet_sent_again_once_a_round_trip() {
    // Nothing holds a retransmission up but the reports' own rules.
    let mut victim = Victim::new(Options {
        max_bandwidth: MaxBandwidth::Fixed(u64::MAX),
        ..Options::default()
    });
    let mut now = victim.now;
    victim.send(2_000);
    victim.ack(victim.isn, 1);
    victim.drain();
    let all = range(victim.isn, victim.isn.plus(1_999));
    let mut sent = 0;
    // Each report asks for all, 180 times over; 1 000 reports in 10 ms.
    for _ in 0..1_000 {
        victim.now = now;
        victim.control(Control::Nak(vec![all; 180]));
        sent += std::iter::from_fn(|| victim.connection.poll_transmit(now)).count();
        now += Duration::from_micros(10);
    }
    assert!(sent <= 2_000, "{sent}");
    let lost = victim.statistics().sent.lost;
    assert!(lost <= 2 * 2 * 2_000, "{lost}");
}

#[test]
fn a_flood_of_answers_changes_nothing() {
    let mut victim = Victim::new(Options::default());
    victim.data(0, PacketTime::from_micros(0));
    let before = victim.statistics();
    for number in (0..10_000).chain([u32::MAX, 1 << 31]) {
        victim.control(Control::AckAck { number });
    }
    assert_eq!(victim.statistics().rtt, before.rtt);
    assert_eq!(victim.statistics().received.drift_micros, 0);
}

#[test]
fn a_flood_of_acknowledgements_is_answered_once_a_look() {
    let mut victim = Victim::new(Options::default());
    victim.send(10);
    for number in 1..10_000 {
        victim.ack(victim.isn.plus(5), number);
    }
    let answers = victim.drain();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[test]
fn packets_far_ahead_cost_nothing_and_end_the_connection_in_the_end() {
    let mut victim = Victim::new(Options::default());
    victim.data(0, PacketTime::from_micros(0));
    for step in 0..1_000 {
        victim.data(8_193 + step * 1_000_000, PacketTime::from_micros(0));
    }
    let received = victim.statistics().received;
    assert_eq!(
        (received.refused, received.buffered, received.missing),
        (1_000, 1, 0)
    );
    assert!(!victim.drain().iter().any(|packet| matches!(
        packet,
        Packet::Control(ControlPacket {
            control: Control::Nak(_),
            ..
        })
    )));

    // One that is in its place again, and the connection is as good as before.
    victim.data(1, PacketTime::from_micros(0));
    victim.now += ms(5_100);
    victim.data(10_000, PacketTime::from_micros(0));
    victim.connection.handle_timeout(victim.now);
    let mut closed = None;
    for _ in 0..60 {
        victim.now += ms(100);
        victim.data(20_000, PacketTime::from_micros(0));
        victim.connection.handle_timeout(victim.now);
        while let Some(event) = victim.connection.poll_event(victim.now) {
            if let Event::Closed(reason) = event {
                closed = Some(reason);
            }
        }
    }
    assert_eq!(closed, Some(Closed::SequenceGap));
}

#[test]
fn the_end_of_the_window_makes_one_range_of_losses() {
    let mut victim = Victim::new(Options::default());
    victim.data(8_191, PacketTime::from_micros(0));
    let sent = victim.drain();
    let Some(Packet::Control(packet)) = sent.first() else {
        panic!("{} packets", sent.len());
    };
    assert_eq!(
        packet.control,
        Control::Nak(vec![range(victim.isn, victim.isn.plus(8_190))])
    );
}

#[test]
fn every_second_packet_missing_is_reported_in_packets_of_one_mtu() {
    let mut victim = Victim::new(Options::default());
    for step in 0..4_000 {
        victim.data(step * 2 + 1, PacketTime::from_micros(0));
    }
    victim.connection.handle_timeout(victim.now);
    let mut bytes = Vec::new();
    for _ in 0..10 {
        victim.now += ms(100);
        victim.connection.handle_timeout(victim.now);
        while let Some(datagram) = victim.connection.poll_transmit(victim.now) {
            bytes.push(datagram.len());
        }
    }
    assert!(bytes.iter().all(|&bytes| bytes <= 1_472), "{bytes:?}");
    assert!(bytes.len() < 40, "{}", bytes.len());
}

#[test]
fn a_publisher_that_sends_without_end_is_held_to_the_limits() {
    let mut victim = Victim::new(Options {
        limits: Limits {
            receive_bytes: 1_316 * 100,
            ..Limits::default()
        },
        ..Options::default()
    });
    // A minute ahead: held no longer than the latency after they came.
    for offset in 0..8_192 {
        victim.data(offset, PacketTime::from_micros(60_000_000));
    }
    let received = victim.statistics().received;
    assert_eq!((received.buffered, received.refused), (100, 8_092));
    victim.now += ms(200);
    let delivered = std::iter::from_fn(|| victim.connection.poll_event(victim.now)).count();
    assert_eq!(delivered, 100);
}

#[test]
fn requests_to_drop_everything_stop_the_asking_and_nothing_else() {
    let mut victim = Victim::new(Options::default());
    victim.data(0, PacketTime::from_micros(10_000));
    victim.data(10, PacketTime::from_micros(10_000));
    for step in 0..1_000u32 {
        let first = victim.isn.minus(step * 1_000);
        victim.control(Control::DropRequest {
            message: MessageNumber::NONE,
            range: range(first, first.plus((1 << 30) - 1)),
        });
    }
    victim.now += ms(100);
    assert!(!victim.drain().iter().any(|packet| matches!(
        packet,
        Packet::Control(ControlPacket {
            control: Control::Nak(_),
            ..
        })
    )));
    // What is there is delivered, and what comes after that too.
    victim.data(11, PacketTime::from_micros(10_000));
    victim.now += ms(200);
    let events: Vec<_> = std::iter::from_fn(|| victim.connection.poll_event(victim.now)).collect();
    assert!(
        matches!(
            events[..],
            [
                Event::Data(_),
                Event::Lost { packets: 9 },
                Event::Data(_),
                Event::Data(_)
            ]
        ),
        "{events:?}"
    );
}

#[test]
fn encrypted_packets_on_a_clear_connection_are_counted_and_not_asked_for_again() {
    let mut victim = Victim::new(Options::default());
    let mut packet = DataPacket {
        sequence: victim.isn,
        position: Position::Solo,
        in_order: false,
        key: KeyFlag::Even,
        retransmitted: false,
        message: MessageNumber::FIRST,
        time: PacketTime::from_micros(0),
        destination: SocketId(101),
        payload: payload(0),
    };
    for key in [KeyFlag::Even, KeyFlag::Odd, KeyFlag::Both] {
        packet.key = key;
        victim
            .connection
            .handle_packet(Packet::Data(packet.clone()), victim.now);
        packet.sequence = packet.sequence.next();
    }
    assert_eq!(victim.statistics().received.undecrypted, 3);
    assert_eq!(victim.connection.poll_event(victim.now + ms(500)), None);
}

#[test]
fn packets_for_another_and_nonsense_are_counted() {
    let mut victim = Victim::new(Options::default());
    let packet = Packet::Control(ControlPacket {
        time: PacketTime::from_micros(0),
        destination: SocketId(7),
        control: Control::Shutdown,
    });
    victim.connection.handle_packet(packet, victim.now);
    for length in 0..20 {
        victim
            .connection
            .handle_datagram(Bytes::from(vec![0xff; length]), victim.now);
    }
    assert!(victim.statistics().invalid >= 17);
    assert!(!victim.connection.is_closed());
}

#[test]
fn an_attacker_beside_a_stream_does_not_disturb_it() {
    let mut world = World::new(&setup());
    let mut expected = 0;
    for step in 0..1_000u32 {
        world.submit(0, step);
        expected += 1;
        let isn = setup().isn;
        let now = world.instant();
        // To the sender: reports about the future; to the receiver: packets of it.
        let nonsense = [
            (
                0,
                Control::Nak(vec![range(isn.plus(step + 10), isn.plus(step + 5_000))]),
            ),
            (0, Control::Nak(vec![range(isn, isn.plus(1 << 29))])),
            (1, Control::AckAck { number: step }),
        ];
        for (side, control) in nonsense {
            let packet = Packet::Control(ControlPacket {
                time: PacketTime::from_micros(step),
                destination: SocketId(100 + side as u32),
                control,
            });
            world.sides[side].connection.handle_packet(packet, now);
        }
        let next = world.now + ms(1);
        world.run_until(next);
    }
    let end = world.now + ms(500);
    world.run_until(end);
    assert_eq!(world.sides[1].numbers(), (0..expected).collect::<Vec<_>>());
}
