//! Acknowledgements, keepalives, timeouts and the end.

use super::{Setup, World, ms, payload};
use crate::Error;
use crate::proto::connection::{Closed, Limits, MaxBandwidth};
use crate::proto::handshake::Flags;
use arcly_testkit::LinkConfig;
use std::time::Duration;

fn dead() -> LinkConfig {
    LinkConfig {
        loss_per_million: 1_000_000,
        ..LinkConfig::default()
    }
}

#[test]
fn the_round_trip_time_is_measured_by_both() {
    let mut setup = Setup::new(ms(60), 0, ms(240));
    setup.there.jitter = ms(4);
    let mut world = World::new(&setup);
    world.stream(0, 2_000, ms(1));
    for side in &world.sides {
        let rtt = side.connection.statistics(world.instant()).rtt;
        assert!(rtt.abs_diff(ms(62)) < ms(3), "{rtt:?}");
    }
}

#[test]
fn an_idle_connection_stays_and_costs_a_packet_a_second() {
    let mut world = World::new(&Setup::new(ms(20), 0, ms(120)));
    world.run_until(Duration::from_secs(60));
    for side in &world.sides {
        assert!(side.closed.is_none());
        assert!(
            (58..=61).contains(&side.transmitted),
            "{}",
            side.transmitted
        );
    }
}

#[test]
fn a_peer_that_vanishes_is_given_up_after_the_idle_timeout() {
    let mut world = World::new(&Setup::new(ms(20), 0, ms(120)));
    world.stream(0, 100, ms(1));
    world.links[0].reconfigure(dead());
    world.stream(0, 1, Duration::from_secs(20));
    let (at, closed) = world.sides[1].closed.unwrap();
    assert_eq!(closed, Closed::Idle);
    assert!(at.abs_diff(ms(5_110)) < ms(20), "{at:?}");
    // What had come was delivered before.
    assert_eq!(world.sides[1].delivered.len(), 100);
    assert!(world.sides[1].connection.is_closed());
    assert_eq!(
        world.sides[1].connection.next_timeout(world.instant()),
        None
    );
}

#[test]
fn a_shutdown_ends_at_once_and_what_had_come_is_delivered() {
    let mut world = World::new(&Setup::new(ms(20), 0, ms(1_000)));
    world.stream(0, 100, ms(1));
    let closed_at = world.now;
    world.sides[0].connection.close();
    world.run_until(closed_at + ms(11));
    let (at, closed) = world.sides[1].closed.unwrap();
    assert_eq!(closed, Closed::ByPeer);
    assert!(at <= closed_at + ms(10));
    assert_eq!(world.sides[1].numbers(), (0..100).collect::<Vec<_>>());
    assert_eq!(world.sides[0].closed.unwrap().1, Closed::Locally);
    let error = world.sides[0]
        .connection
        .send(payload(0), world.start + world.now)
        .unwrap_err();
    assert!(matches!(error, Error::ApiMisuse { .. }));
}

#[test]
fn finishing_waits_until_the_peer_has_played_all() {
    let mut world = World::new(&Setup::new(ms(40), 100_000, ms(400)));
    world.stream(0, 500, ms(1));
    let finished_at = world.now;
    let now = world.instant();
    world.sides[0].connection.finish(now);
    world.run_until(finished_at + ms(3_000));
    let (at, closed) = world.sides[1].closed.unwrap();
    assert_eq!(closed, Closed::ByPeer);
    let (last, _) = world.sides[1].delivered.last().unwrap();
    assert!(last < &at, "{last:?} {at:?}");
    assert!(at < finished_at + ms(950), "{at:?}");
    assert_eq!(world.sides[1].numbers(), (0..500).collect::<Vec<_>>());
}

#[test]
fn a_stream_is_acknowledged_each_10_ms_and_each_64_packets() {
    let mut world = World::new(&Setup::new(ms(20), 0, ms(120)));
    world.stream(0, 1_000, ms(1));
    let acks = world.sides[1].transmitted;
    assert!((95..=105).contains(&acks), "{acks}");
    // 32 packets a millisecond: five light ones between two full ones.
    let before = world.sides[1].transmitted;
    for number in 0..100 {
        for _ in 0..32 {
            world.submit(0, number);
        }
        let next = world.now + ms(1);
        world.run_until(next);
    }
    let acks = world.sides[1].transmitted - before;
    assert!((45..=65).contains(&acks), "{acks}");
}

#[test]
fn a_sender_without_answers_holds_what_the_limits_say_and_drops_what_is_late() {
    let mut setup = Setup::new(ms(20), 0, ms(120));
    setup.options.limits = Limits {
        send_packets: 500,
        ..Limits::default()
    };
    let mut world = World::new(&setup);
    for link in &mut world.links {
        link.reconfigure(dead());
    }
    let mut refused = 0;
    for number in 0..3_000 {
        let now = world.instant();
        let connection = &mut world.sides[0].connection;
        refused += u32::from(connection.send(payload(number), now).is_err());
        let sent = connection.statistics(now).sent;
        assert!(
            sent.buffered <= 500 && sent.buffered_for <= ms(1_025),
            "{sent:?}"
        );
        let next = world.now + ms(1);
        world.run_until(next);
    }
    assert!(refused > 1_000, "{refused}");
    let sent = world.sides[0].connection.statistics(world.instant()).sent;
    assert!(sent.dropped > 500, "{sent:?}");
}

#[test]
fn without_periodic_reports_a_sender_repeats_by_timeout() {
    let mut setup = Setup::new(ms(20), 20_000, ms(400));
    setup.flags = Flags::TOO_LATE_DROP;
    setup.options.periodic_nak = false;
    let mut world = World::new(&setup);
    world.stream(0, 2_000, ms(1));
    world.run_until(ms(3_000));
    assert_eq!(world.sides[1].lost, 0);
    assert_eq!(world.sides[1].numbers(), (0..2_000).collect::<Vec<_>>());
}

#[test]
fn without_too_late_drop_nothing_is_left_out() {
    let mut setup = Setup::new(ms(100), 50_000, ms(20));
    setup.options.too_late_drop = false;
    setup.flags = Flags::PERIODIC_NAK;
    let mut world = World::new(&setup);
    world.stream(0, 1_000, ms(1));
    world.run_until(ms(5_000));
    assert_eq!(world.sides[1].numbers(), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_full_receiver_holds_the_sender_up_until_it_has_room() {
    let mut setup = Setup::new(ms(20), 0, ms(800));
    setup.options.limits = Limits {
        receive_packets: 64,
        ..Limits::default()
    };
    // A constant stream would run into its own latency; a burst that ends does not.
    setup.options.too_late_drop = true;
    let mut world = World::new(&setup);
    for number in 0..120 {
        world.submit(0, number);
    }
    world.run_until(ms(500));
    let received = world.sides[1]
        .connection
        .statistics(world.instant())
        .received;
    assert!(received.buffered <= 64, "{received:?}");
    world.run_until(ms(5_000));
    let numbers = world.sides[1].numbers();
    assert_eq!(numbers[..64], (0..64).collect::<Vec<_>>());
    // The room was told of, and the rest was sent before it was too late for the sender.
    assert_eq!(numbers.last(), Some(&119));
}

#[test]
fn bandwidth_can_be_changed() {
    let mut world = World::new(&Setup::new(ms(20), 0, ms(120)));
    world.sides[0]
        .connection
        .set_max_bandwidth(MaxBandwidth::Fixed(136_000));
    let sent = world.sides[0].connection.statistics(world.instant()).sent;
    assert_eq!(sent.max_rate, 136_000);
}
