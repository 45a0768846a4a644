//! Connecting over a way that loses datagrams.

use super::tests::{FULL, Pair, connected};
use super::*;
use arcly_testkit::{Link, LinkConfig};

/// How long two peers take until both are connected.
fn time_to_connect(config: LinkConfig, seed: u64) -> Option<Duration> {
    let mut pair = Pair::new(FULL);
    let start = pair.now;
    let mut links = [Link::new(config, seed), Link::new(config, seed + 1_000_000)];
    let to_answerer = pair.route_to_answerer();
    let to_offerer = Route {
        local: to_answerer.remote,
        remote: to_answerer.local,
        ..to_answerer
    };
    for _ in 0..20_000 {
        let elapsed = pair.now - start;
        let [there, back] = &mut links;
        for (peer, link) in [
            (&mut pair.offerer, &mut *there),
            (&mut pair.answerer, &mut *back),
        ] {
            while let Some(Transmit { data, .. }) = peer.transport.poll_transmit() {
                link.send(elapsed, data.freeze());
            }
            while let Some(event) = peer.transport.poll_event() {
                peer.events.push(event);
            }
        }
        if [&pair.offerer, &pair.answerer]
            .iter()
            .all(|peer| peer.events.contains(&connected()))
        {
            return Some(elapsed);
        }
        while let Some(datagram) = there.receive(elapsed) {
            pair.answerer
                .transport
                .handle_datagram(pair.now, to_answerer, datagram[..].into());
        }
        while let Some(datagram) = back.receive(elapsed) {
            pair.offerer
                .transport
                .handle_datagram(pair.now, to_offerer, datagram[..].into());
        }
        for peer in [&mut pair.offerer, &mut pair.answerer] {
            if peer
                .transport
                .poll_timeout()
                .is_some_and(|at| at <= pair.now)
            {
                peer.transport.handle_timeout(pair.now);
            }
        }
        pair.now += Duration::from_millis(1);
    }
    None
}

#[test]
fn a_lossy_way_is_no_obstacle() {
    let config = LinkConfig {
        delay: Duration::from_millis(25),
        loss_per_million: 50_000,
        ..LinkConfig::default()
    };
    // The engine's own clock for what is lost is a second; a browser's is 50 ms.
    let failed = (0..100).filter(|&seed| time_to_connect(config, seed).is_none());
    assert_eq!(failed.count(), 0, "of 100");
}
