//! Numbers and times that wrap while a stream goes on.

use super::{Setup, World, ms};
use crate::proto::sequence::SequenceNumber;

fn assert_whole(setup: &Setup, packets: u32) {
    let mut world = World::new(setup);
    let submitted = world.stream(0, packets, ms(1));
    let end = world.now + ms(500);
    world.run_until(end);
    let to = &world.sides[1];
    assert_eq!(to.numbers(), (0..packets).collect::<Vec<_>>());
    assert_eq!(to.lost, 0);
    for ((at, _), submitted) in to.delivered.iter().zip(&submitted) {
        let took = *at - *submitted;
        assert!(
            took.abs_diff(setup.latency + setup.there.delay) <= ms(10),
            "{took:?}"
        );
    }
}

#[test]
fn sequence_numbers_wrap() {
    for before in 0..4 {
        let mut setup = Setup::new(ms(20), 30_000, ms(120));
        setup.isn = SequenceNumber::MAX.minus(before * 300);
        assert_whole(&setup, 2_000);
    }
}

#[test]
fn timestamps_wrap() {
    for (here, there) in [(500_000, 5), (5, 500_000), (40_000, 30_000)] {
        let mut setup = Setup::new(ms(20), 30_000, ms(120));
        setup.clocks = [u32::MAX - here, u32::MAX - there];
        assert_whole(&setup, 2_000);
    }
}

#[test]
fn times_are_told_without_the_wrap() {
    let mut setup = Setup::new(ms(20), 0, ms(120));
    setup.clocks = [u32::MAX - 50_000, 0];
    let mut world = World::new(&setup);
    world.stream(0, 100, ms(1));
    world.run_until(ms(500));
    let times: Vec<_> = world.sides[1]
        .delivered
        .iter()
        .map(|(_, data)| data.submitted)
        .collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == ms(1)));
    assert_eq!(times.len(), 100);
}
