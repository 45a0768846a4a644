//! What is told of a connection is what the network did to it.

use super::{PAYLOAD, Setup, World, ms};
use crate::proto::packet::HEADER_BYTES;
use std::time::Duration;

const PACKETS: u32 = 10_000;

#[test]
fn both_ends_tell_what_the_network_did() {
    let latency = ms(160);
    let mut setup = Setup::new(ms(40), 0, latency);
    setup.there.loss_per_million = 50_000;
    let mut world = World::new(&setup);
    world.stream(0, PACKETS, ms(1));
    let under_way = world
        .sides
        .each_ref()
        .map(|side| side.connection.statistics(world.instant()));
    world.run_until(world.now + Duration::from_secs(1));
    let [sender, receiver] = world
        .sides
        .each_ref()
        .map(|side| side.connection.statistics(world.instant()));
    let (sent, received) = (sender.sent, receiver.received);
    let (packets, bytes) = (u64::from(PACKETS), u64::from(PACKETS) * PAYLOAD as u64);

    // All that was sent came, once.
    assert_eq!((sent.packets, sent.bytes), (packets, bytes));
    assert_eq!((received.packets, received.bytes), (packets, bytes));
    assert_eq!(
        (received.dropped, sent.dropped, world.sides[1].lost),
        (0, 0, 0)
    );
    // Each packet that went missing was found to be, and came later. One in twenty is lost; the last ones show only by a timeout.
    let missing = received.missing;
    assert!((450..=550).contains(&missing), "{missing}");
    assert_eq!((received.recovered, received.awaited), (missing, 0));
    // What the network took were data packets, ACKACKs and keep-alives; what it let through came here.
    let transmissions = sent.packets + sent.retransmitted;
    let arrived = received.packets + received.duplicates + received.belated;
    let taken = world.links[0].counters().lost;
    assert!(
        transmissions - arrived <= taken,
        "{transmissions} sent, {arrived} came, {taken} lost"
    );
    // ACKACKs are a tenth of what is sent, so a tenth of what is lost.
    assert!(
        (transmissions - arrived) * 10 >= taken * 8,
        "{transmissions} sent, {arrived} came, {taken} lost"
    );
    // Some are sent again before it can be known that they have to be, see `pause`.
    let again = sent.retransmitted;
    assert!(
        again >= missing && again < missing * 2,
        "{again} for {missing}"
    );
    assert_eq!(
        sent.retransmitted_bytes,
        sent.retransmitted * PAYLOAD as u64
    );
    assert!(sent.lost >= missing, "{}", sent.lost);
    assert_eq!((sender.invalid, receiver.invalid), (0, 0));

    // While it was under way: the round trip, the rate, and what waited.
    let rate = 1_000 * (PAYLOAD + HEADER_BYTES) as u64;
    let near = |value: u64, expected: u64, percent: u64| {
        value.abs_diff(expected) * 100 <= expected * percent
    };
    for side in under_way {
        assert!(side.rtt.abs_diff(ms(40)) < ms(4), "{:?}", side.rtt);
    }
    let [sender, receiver] = under_way;
    let told = sender.sent.rate.unwrap();
    assert!(near(told, rate, 5), "{told} of {rate}");
    let told = receiver.received.bytes_per_second;
    assert!(near(told.into(), rate, 15), "{told} of {rate}");
    let told = receiver.received.packets_per_second;
    assert!(near(told.into(), 1_000, 15), "{told}");
    // Packets wait for the latency, less the time that they were on their way longer than the first.
    assert_eq!(receiver.received.latency, latency);
    assert!(
        near(receiver.received.buffered, 160, 10),
        "{}",
        receiver.received.buffered
    );
    assert!(
        receiver.received.buffered_for.abs_diff(latency) < ms(20),
        "{:?}",
        receiver.received.buffered_for
    );
    // A round trip and an interval of acknowledgements are not acknowledged.
    assert!(
        (30..=250).contains(&sender.sent.in_flight),
        "{}",
        sender.sent.in_flight
    );
    assert_eq!((sent.buffered, sent.in_flight), (0, 0));
}

#[test]
fn what_does_not_come_in_time_is_told() {
    // There is no time for a second try.
    let mut setup = Setup::new(ms(100), 0, ms(60));
    setup.there.loss_per_million = 50_000;
    let mut world = World::new(&setup);
    world.stream(0, PACKETS, ms(1));
    world.run_until(world.now + Duration::from_secs(2));
    let received = world.sides[1]
        .connection
        .statistics(world.instant())
        .received;
    assert_eq!(received.dropped, world.sides[1].lost);
    assert_eq!(received.packets + received.dropped, u64::from(PACKETS));
    assert!((450..=550).contains(&received.dropped), "{received:?}");
    assert!(
        received.belated >= received.dropped * 9 / 10,
        "{received:?}"
    );
}
