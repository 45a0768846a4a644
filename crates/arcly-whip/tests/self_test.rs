//! Whether the server notices what leads to it, and what does not.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_whip::transport::Carrier;
use arcly_whip::{Scope, Unreached};
use std::net::{IpAddr, Ipv4Addr};
use support::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_lead_here_are_reached_by_udp_and_tcp() {
    let server = Server::start().await;
    let found = server.whip.self_test().await.expect("it is served");
    assert_eq!(found.udp, server.media_address());
    assert!(!found.is_ice_lite);
    let carriers: Vec<_> = found
        .candidates
        .iter()
        .map(|tested| tested.carrier)
        .collect();
    assert_eq!(carriers, [Carrier::Udp, Carrier::Tcp]);
    for tested in &found.candidates {
        let reached = tested.outcome.as_ref().expect("reached");
        assert!(reached.seen_as.ip().is_loopback());
        assert_eq!(tested.scope, Scope::Loopback);
        assert_eq!(tested.address.port(), server.media_address().port());
        assert!(tested.candidate.contains(" typ host"), "{tested:?}");
    }
    // It is told again, and not done again, for a while.
    assert_eq!(server.whip.self_test().await, Some(found));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_elsewhere_is_told_with_the_reason() {
    // Nothing is behind this part of loopback but this host, whose port is bound elsewhere.
    let nowhere = IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9));
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let server = Server::start_with(|config| config.public_addresses = vec![nowhere, here]).await;
    let found = server.whip.self_test().await.expect("it is served");
    assert!(found.is_ice_lite);
    let outcome = |carrier, ip: IpAddr| {
        let mut candidates = found.candidates.iter();
        let tested =
            candidates.find(|tested| (tested.carrier, tested.address.ip()) == (carrier, ip));
        tested.expect("tested").outcome.clone()
    };
    assert_eq!(outcome(Carrier::Udp, nowhere), Err(Unreached::NothingCame));
    assert_eq!(outcome(Carrier::Tcp, nowhere), Err(Unreached::Refused));
    assert!(outcome(Carrier::Udp, here).is_ok() && outcome(Carrier::Tcp, here).is_ok());
    let whip = server.whip.clone();
    server.stop().await;
    assert_eq!(whip.self_test().await, None, "it is not served any more");
}
