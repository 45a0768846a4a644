//! The rate at which data leaves.

use super::{Setup, World, ms};
use crate::proto::connection::MaxBandwidth;
use crate::proto::packet::Packet;
use std::time::Duration;

/// When the datagrams of a burst of `packets` leave.
fn departures(bandwidth: MaxBandwidth, packets: u32) -> Vec<Duration> {
    let mut setup = Setup::new(ms(0), 0, ms(1_000));
    setup.options.max_bandwidth = bandwidth;
    let mut world = World::new(&setup);
    for number in 0..packets {
        world.submit(0, number);
    }
    let mut times = Vec::new();
    while times.len() < packets as usize {
        let now = world.instant();
        let connection = &mut world.sides[0].connection;
        connection.handle_timeout(now);
        while let Some(datagram) = connection.poll_transmit(now) {
            let packet = Packet::parse(datagram.to_bytes()).unwrap();
            if matches!(packet, Packet::Data(_)) {
                times.push(world.now);
            }
        }
        let next = connection.next_timeout(now).unwrap();
        world.now = next.saturating_duration_since(world.start);
    }
    times
}

#[test]
fn a_burst_leaves_at_the_rate_that_is_allowed() {
    // 1 360 bytes each, at 1.36 MB/s: a packet a millisecond.
    let times = departures(MaxBandwidth::Fixed(1_360_000), 500);
    let took = *times.last().unwrap();
    // The second packets of 31 pairs follow at once.
    assert!(took.abs_diff(ms(468)) < ms(5), "{took:?}");
    let pairs = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((31..=33).contains(&pairs), "{pairs}");
}

#[test]
fn without_a_limit_a_burst_leaves_at_a_gigabit() {
    let times = departures(MaxBandwidth::UNLIMITED, 1_000);
    let took = *times.last().unwrap();
    assert!(
        took.abs_diff(Duration::from_micros(10_200)) < ms(1),
        "{took:?}"
    );
}

#[test]
fn lost_packets_go_before_new_ones_and_within_the_rate() {
    let mut setup = Setup::new(ms(20), 0, ms(400));
    setup.there.loss_per_million = 100_000;
    setup.options.max_bandwidth = MaxBandwidth::Fixed(1_360_000 * 5 / 4);
    let mut world = World::new(&setup);
    world.stream(0, 3_000, ms(1));
    let sent = world.links[0].counters().sent;
    // 1 250 data packets a second, and the answers to acknowledgements.
    assert!(sent < 3_000 * 5 / 4 + 350, "{sent}");
    world.run_until(ms(4_000));
    assert_eq!(world.sides[1].lost, 0);
    assert_eq!(world.sides[1].numbers().len(), 3_000);
}
