//! Encrypted streams, whose keys are renewed under way.

use super::{PAYLOAD, Setup, World, ms};
use crate::proto::connection::Connection;
use crate::proto::crypto::{KeyLength, KeyRefresh, Passphrase, Session};

fn world(setup: &Setup, refresh: KeyRefresh) -> World {
    let passphrase = || Passphrase::new("correct horse battery").unwrap();
    let (initiator, message) = Session::initiate(passphrase(), KeyLength::Aes256, refresh).unwrap();
    let responder = Session::respond(passphrase(), message, refresh).unwrap();
    let mut world = World::new(setup);
    for (side, session) in [initiator, responder].into_iter().enumerate() {
        let mut negotiated = super::negotiated(setup, side, world.start);
        negotiated.crypto = Some(session);
        world.sides[side].connection =
            Connection::new(negotiated, setup.options.clone(), world.start);
    }
    world
}

#[test]
fn keys_are_renewed_in_both_directions_while_packets_are_lost() {
    let setup = Setup::new(ms(20), 50_000, ms(120));
    let mut world = world(&setup, KeyRefresh::new(600, 200));
    for number in 0..4_000 {
        world.submit(0, number);
        world.submit(1, number);
        let next = world.now + ms(1);
        world.run_until(next);
    }
    let end = world.now + ms(500);
    world.run_until(end);
    for side in &world.sides {
        let statistics = side.connection.statistics(world.instant());
        assert_eq!(side.lost, 0, "{statistics:?}");
        assert_eq!(statistics.received.undecrypted, 0);
        assert_eq!(side.numbers(), (0..4_000).collect::<Vec<_>>());
        assert!(
            side.delivered
                .iter()
                .all(|(_, data)| data.payload.len() == PAYLOAD)
        );
    }
}
