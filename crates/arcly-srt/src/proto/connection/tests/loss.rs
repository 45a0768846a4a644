//! What survives a network that loses, bursts and reorders.

use super::{Setup, World, ms};
use crate::proto::connection::MaxBandwidth;
use arcly_testkit::LinkConfig;
use std::time::Duration;

/// 4 000 packets, one a millisecond (10.5 Mbit/s), from side `from`.
const PACKETS: u32 = 4_000;

fn run(setup: &Setup, from: usize) -> (World, Vec<Duration>) {
    let mut world = World::new(setup);
    let submitted = world.stream(from, PACKETS, ms(1));
    let end = world.now + setup.latency + 4 * setup.there.delay + ms(500);
    world.run_until(end);
    (world, submitted)
}

/// Nothing lost, nothing doubled, in order, each at its time: the latency after it would have come over a path as quick as the
/// handshake's.
fn assert_whole(
    world: &World,
    from: usize,
    submitted: &[Duration],
    path: Duration,
    latency: Duration,
) {
    let to = &world.sides[1 - from];
    assert_eq!(
        to.lost,
        0,
        "{:?}",
        to.connection.statistics(world.instant())
    );
    assert_eq!(to.numbers(), (0..PACKETS).collect::<Vec<_>>());
    for ((at, _), submitted) in to.delivered.iter().zip(submitted) {
        let took = *at - *submitted;
        let error = took.abs_diff(path + latency);
        assert!(error <= ms(10), "delivered after {took:?}");
    }
}

#[test]
fn at_four_times_the_round_trip_nothing_is_lost_in_either_direction() {
    for rtt in [20, 100] {
        for loss in [0, 10_000, 50_000] {
            for (seed, from) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
                let latency = ms(4 * rtt);
                let mut setup = Setup::new(ms(rtt), loss, latency);
                setup.seed = seed;
                let (world, submitted) = run(&setup, from);
                assert_whole(&world, from, &submitted, ms(rtt) / 2, latency);
                let counts = world.links[from].counters();
                if loss > 0 {
                    let sent = world.sides[from]
                        .connection
                        .statistics(world.instant())
                        .sent;
                    // What was lost is sent again, and hardly more than that.
                    assert!(sent.retransmitted > 0);
                    assert!(
                        sent.retransmitted < 2 * counts.lost,
                        "{} retransmissions for {} losses",
                        sent.retransmitted,
                        counts.lost
                    );
                }
            }
        }
    }
}

#[test]
fn a_tenth_lost_needs_a_few_round_trips_more() {
    for rtt in [20, 100] {
        let latency = ms(8 * rtt);
        let setup = Setup::new(ms(rtt), 100_000, latency);
        let (world, submitted) = run(&setup, 0);
        assert_whole(&world, 0, &submitted, ms(rtt) / 2, latency);
    }
}

#[test]
fn bursts_are_recovered() {
    for rtt in [20, 100] {
        let latency = ms(4 * rtt);
        let mut setup = Setup::new(ms(rtt), 2_000, latency);
        setup.there.burst = 25;
        let (world, submitted) = run(&setup, 0);
        assert!(world.links[0].counters().lost > 50);
        assert_whole(&world, 0, &submitted, ms(rtt) / 2, latency);
    }
}

#[test]
fn reordering_and_duplicates_change_nothing() {
    let latency = ms(120);
    let mut setup = Setup::new(ms(20), 10_000, latency);
    for link in [&mut setup.there, &mut setup.back] {
        *link = LinkConfig {
            reorder_per_million: 50_000,
            reorder_by: ms(7),
            duplicates_per_million: 50_000,
            jitter: ms(3),
            ..*link
        };
    }
    let (world, submitted) = run(&setup, 0);
    assert_whole(&world, 0, &submitted, ms(10), latency);
    let received = world.sides[1]
        .connection
        .statistics(world.instant())
        .received;
    assert_eq!(received.packets, u64::from(PACKETS));
    assert!(received.duplicates + received.belated > 100, "{received:?}");
}

#[test]
fn both_directions_at_once() {
    let latency = ms(80);
    let mut world = World::new(&Setup::new(ms(20), 50_000, latency));
    for number in 0..PACKETS {
        world.submit(0, number);
        world.submit(1, number);
        let next = world.now + ms(1);
        world.run_until(next);
    }
    let end = world.now + ms(500);
    world.run_until(end);
    for side in &world.sides {
        assert_eq!(side.lost, 0);
        assert_eq!(side.numbers(), (0..PACKETS).collect::<Vec<_>>());
    }
}

#[test]
fn the_last_packets_are_recovered_too() {
    // Everything sent within 10 ms is lost, and nothing comes behind.
    let mut world = World::new(&Setup::new(ms(20), 0, ms(500)));
    let clean = LinkConfig {
        delay: ms(10),
        ..LinkConfig::default()
    };
    world.stream(0, 50, ms(1));
    world.links[0].reconfigure(LinkConfig {
        loss_per_million: 1_000_000,
        ..clean
    });
    for number in 50..60 {
        world.submit(0, number);
        let next = world.now + ms(1);
        world.run_until(next);
    }
    world.links[0].reconfigure(clean);
    world.run_until(ms(2_000));
    assert_eq!(world.sides[1].numbers(), (0..60).collect::<Vec<_>>());
    assert_eq!(world.sides[1].lost, 0);
}

#[test]
fn what_cannot_be_recovered_is_left_out_and_the_rest_is_in_time() {
    // Each retransmission takes a round trip; the latency has room for none.
    let latency = ms(50);
    let setup = Setup::new(ms(100), 50_000, latency);
    let (world, submitted) = run(&setup, 0);
    let to = &world.sides[1];
    let statistics = to.connection.statistics(world.instant()).received;
    assert_eq!(to.lost + to.delivered.len() as u64, u64::from(PACKETS));
    assert_eq!(statistics.dropped, to.lost);
    assert!((150..250).contains(&to.lost), "{}", to.lost);
    for (at, data) in &to.delivered {
        let took = *at - submitted[super::number(data) as usize];
        assert!(took.abs_diff(ms(100)) <= ms(10), "{took:?}");
    }
}

#[test]
fn an_outage_ends_with_the_stream_going_on() {
    let latency = ms(200);
    let setup = Setup::new(ms(40), 0, latency);
    let mut world = World::new(&setup);
    world.stream(0, 1_000, ms(1));
    let dead = LinkConfig {
        loss_per_million: 1_000_000,
        ..setup.there
    };
    for link in &mut world.links {
        link.reconfigure(dead);
    }
    world.stream(0, 3_000, ms(1));
    for link in &mut world.links {
        link.reconfigure(setup.there);
    }
    let submitted = world.stream(0, 2_000, ms(1));
    let end = world.now + ms(2_000);
    world.run_until(end);
    let to = &world.sides[1];
    assert!(to.closed.is_none());
    let tail: Vec<_> = to.numbers().into_iter().rev().take(1_500).collect();
    assert!(
        tail.len() == 1_500 && tail[0] == 1_999,
        "{:?}",
        to.delivered.len()
    );
    // Back to the latency it had.
    let (at, _) = to.delivered.last().unwrap();
    let took = *at - *submitted.last().unwrap();
    assert!(took.abs_diff(ms(220)) <= ms(10), "{took:?}");
}

#[test]
fn a_bottleneck_with_overhead_carries_stream_and_retransmissions() {
    let latency = ms(200);
    let mut setup = Setup::new(ms(40), 20_000, latency);
    setup.there.rate = Some(16_000_000);
    setup.there.queue = ms(50);
    setup.options.max_bandwidth = MaxBandwidth::Estimated {
        min_rate: 0,
        overhead: 25,
    };
    let (world, _) = run(&setup, 0);
    assert_eq!(world.sides[1].lost, 0);
    assert_eq!(world.sides[1].numbers(), (0..PACKETS).collect::<Vec<_>>());
}
