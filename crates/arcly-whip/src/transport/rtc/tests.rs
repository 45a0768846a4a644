//! Two transports on an emulated network, in emulated time.

#![expect(
    clippy::disallowed_methods,
    reason = "the engine counts from an instant, which only a clock gives"
)]

use super::*;
use crate::transport::SrtpProfile;
use bytes::Bytes;
use std::net::SocketAddr;

const OFFERER: &str = "192.0.2.1:5000";
const ANSWERER: &str = "192.0.2.2:8189";

pub(super) struct Peer {
    pub(super) transport: RtcTransport,
    pub(super) events: Vec<TransportEvent>,
}

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) offerer: Peer,
    pub(super) answerer: Peer,
    carrier: Carrier,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    carrier: Carrier,
    lite: bool,
    right_fingerprint: bool,
}

pub(super) const FULL: Setup = Setup {
    carrier: Carrier::Udp,
    lite: false,
    right_fingerprint: true,
};

impl Pair {
    pub(super) fn new(setup: Setup) -> Self {
        let now = Instant::now();
        let identities = [(); 2].map(|()| Identity::generate().unwrap());
        let credentials = [(); 2].map(|()| IceCredentials::generate());
        let peer = |us: usize, address: &str| {
            let them = 1 - us;
            let expected = if setup.right_fingerprint {
                identities[them].fingerprint()
            } else {
                identities[us].fingerprint()
            };
            let config = RtcTransportConfig {
                identity: identities[us].clone(),
                local: vec![(setup.carrier, address.parse().unwrap())],
                lite: us == 1 && setup.lite,
                controlling: us == 0,
                local_credentials: credentials[us].clone(),
                remote_credentials: credentials[them].clone(),
                remote_fingerprint: expected,
                peer_is_passive: us == 0,
            };
            Peer {
                transport: RtcTransport::new(now, config).unwrap(),
                events: Vec::new(),
            }
        };
        let mut pair = Self {
            now,
            offerer: peer(0, OFFERER),
            answerer: peer(1, ANSWERER),
            carrier: setup.carrier,
        };
        let candidate = match setup.carrier {
            Carrier::Udp => "candidate:1 1 udp 2130706431 192.0.2.2 8189 typ host",
            Carrier::Tcp => "candidate:1 1 tcp 1671430143 192.0.2.2 8189 typ host tcptype passive",
        };
        pair.offerer
            .transport
            .add_remote_candidate(candidate)
            .unwrap();
        pair
    }

    /// Passes on what both send.
    fn exchange(&mut self) {
        for _ in 0..100 {
            let Self {
                now,
                offerer,
                answerer,
                ..
            } = self;
            let idle = !pass(*now, offerer, answerer) & !pass(*now, answerer, offerer);
            if idle {
                return;
            }
        }
        panic!("they never fall silent");
    }

    /// Lets time pass.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.exchange();
        loop {
            let timeouts = [
                self.offerer.transport.poll_timeout(),
                self.answerer.transport.poll_timeout(),
            ];
            let Some(next) = timeouts.into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            // Some deadlines are of the past, and are to be served now.
            self.now = next.max(self.now + Duration::from_millis(1));
            self.offerer.transport.handle_timeout(self.now);
            self.answerer.transport.handle_timeout(self.now);
            self.exchange();
        }
        self.now = self.now.max(end);
    }

    pub(super) fn route_to_answerer(&self) -> Route {
        Route {
            carrier: self.carrier,
            local: ANSWERER.parse().unwrap(),
            remote: OFFERER.parse().unwrap(),
        }
    }
}

fn pass(now: Instant, from: &mut Peer, to: &mut Peer) -> bool {
    let mut passed = false;
    while let Some(Transmit { route, data }) = from.transport.poll_transmit() {
        let back = Route {
            carrier: route.carrier,
            local: route.remote,
            remote: route.local,
        };
        to.transport.handle_datagram(now, back, data);
        passed = true;
    }
    while let Some(event) = from.transport.poll_event() {
        from.events.push(event);
    }
    passed
}

fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2]);
    packet.extend_from_slice(payload);
    packet
}

pub(super) fn connected() -> TransportEvent {
    TransportEvent::Connected {
        profile: SrtpProfile::AeadAes128Gcm,
    }
}

#[test]
fn media_passes_once_connected() {
    for setup in [
        FULL,
        Setup { lite: true, ..FULL },
        Setup {
            carrier: Carrier::Tcp,
            ..FULL
        },
    ] {
        let mut pair = Pair::new(setup);
        let mut early = BytesMut::new();
        let refused = pair
            .offerer
            .transport
            .protect_rtp(&rtp(1, b"early"), &mut early);
        assert_eq!(refused, Err(TransportError::NotConnected));

        pair.run(Duration::from_secs(2));
        assert_eq!(pair.offerer.events, [connected()], "{setup:?}");
        assert_eq!(pair.answerer.events, [connected()]);
        assert_eq!(
            pair.answerer.transport.route(),
            Some(pair.route_to_answerer())
        );

        let packet = rtp(7, b"media");
        let mut protected = BytesMut::new();
        pair.offerer
            .transport
            .protect_rtp(&packet, &mut protected)
            .unwrap();
        assert!(!protected.windows(5).any(|window| window == b"media"));
        let route = pair.route_to_answerer();
        let answerer = &mut pair.answerer.transport;
        answerer.handle_datagram(pair.now, route, protected.clone());
        assert_eq!(
            answerer.poll_event(),
            Some(TransportEvent::Rtp(packet.into()))
        );

        // A replay, a forgery, and somebody else.
        let dropped = answerer.dropped();
        answerer.handle_datagram(pair.now, route, protected.clone());
        answerer.handle_datagram(
            pair.now,
            route,
            rtp(8, b"forged media, not encrypted")[..].into(),
        );
        let elsewhere = Route {
            remote: "203.0.113.9:9".parse().unwrap(),
            ..route
        };
        answerer.handle_datagram(pair.now, elsewhere, protected);
        assert_eq!(answerer.poll_event(), None);
        assert_eq!(answerer.dropped() - dropped, 3);
    }
}

#[test]
fn reports_pass_back() {
    let mut pair = Pair::new(FULL);
    pair.run(Duration::from_secs(2));
    let report = Bytes::from_static(b"\x81\xce\0\x02\0\0\0\x01\0\0\0\x02");
    let mut protected = BytesMut::new();
    pair.answerer
        .transport
        .protect_rtcp(&report, &mut protected)
        .unwrap();
    let route = Route {
        carrier: Carrier::Udp,
        local: OFFERER.parse().unwrap(),
        remote: ANSWERER.parse().unwrap(),
    };
    pair.offerer
        .transport
        .handle_datagram(pair.now, route, protected);
    assert_eq!(
        pair.offerer.transport.poll_event(),
        Some(TransportEvent::Rtcp(report))
    );
}

#[test]
fn a_certificate_that_was_not_signalled_gets_no_media() {
    let mut pair = Pair::new(Setup {
        right_fingerprint: false,
        ..FULL
    });
    pair.run(Duration::from_secs(30));
    assert!(!pair.answerer.events.contains(&connected()));
    assert_eq!(
        pair.answerer.events.last(),
        Some(&TransportEvent::Closed(CloseReason::DtlsFailed))
    );
}

#[test]
fn a_goodbye_closes_at_once() {
    let mut pair = Pair::new(FULL);
    pair.run(Duration::from_secs(2));
    pair.offerer.transport.close(pair.now);
    pair.exchange();
    assert_eq!(
        pair.answerer
            .transport
            .poll_event()
            .as_ref()
            .or(pair.answerer.events.last()),
        Some(&TransportEvent::Closed(CloseReason::PeerClosed))
    );
}

#[test]
fn a_peer_that_vanishes_is_given_up_in_seconds() {
    let mut pair = Pair::new(FULL);
    pair.run(Duration::from_secs(2));
    let vanished = pair.now;
    let answerer = &mut pair.answerer.transport;
    let closed = loop {
        let next = answerer.poll_timeout().expect("it is still waiting");
        pair.now = next.max(pair.now + Duration::from_millis(1));
        answerer.handle_timeout(pair.now);
        while answerer.poll_transmit().is_some() {}
        if let Some(event) = answerer.poll_event() {
            break event;
        }
    };
    assert_eq!(closed, TransportEvent::Closed(CloseReason::IceFailed));
    let took = pair.now - vanished;
    assert!(took <= Duration::from_secs(10), "{took:?}");
    assert_eq!(answerer.poll_timeout(), None, "nothing is left to do");
}

#[test]
fn a_peer_that_never_comes_is_given_up() {
    let mut pair = Pair::new(FULL);
    let start = pair.now;
    let answerer = &mut pair.answerer.transport;
    while let Some(next) = answerer.poll_timeout() {
        pair.now = next.max(pair.now + Duration::from_millis(1));
        answerer.handle_timeout(pair.now);
        while answerer.poll_transmit().is_some() {}
        assert!(pair.now - start <= ICE_DEADLINE + Duration::from_secs(1));
    }
    assert_eq!(
        answerer.poll_event(),
        Some(TransportEvent::Closed(CloseReason::IceFailed))
    );
}

#[test]
fn ice_restarts_while_media_goes_on() {
    let mut pair = Pair::new(FULL);
    pair.run(Duration::from_secs(2));
    // The offerer comes back from another address, with new credentials on both sides.
    let before = pair.answerer.transport.local_credentials();
    let offered = IceCredentials::generate();
    pair.answerer
        .transport
        .restart_ice(pair.now, &offered)
        .unwrap();
    assert_ne!(pair.answerer.transport.local_credentials(), before);
    assert_eq!(
        pair.answerer.transport.route(),
        Some(pair.route_to_answerer())
    );
}

#[test]
fn candidates_are_bounded_and_names_tolerated() {
    let mut pair = Pair::new(FULL);
    let answerer = &mut pair.answerer.transport;
    let mdns = "candidate:1 1 udp 1 0b6a2f3e-1111-4222-8333-944455556666.local 9 typ host";
    answerer.add_remote_candidate(mdns).unwrap();
    assert!(answerer.add_remote_candidate("candidate:nonsense").is_err());
    let candidate = |port: usize| format!("candidate:1 1 udp 1 192.0.2.9 {port} typ host");
    for port in 1..=MAX_REMOTE_ADDRESSES {
        answerer.add_remote_candidate(&candidate(port)).unwrap();
    }
    assert!(answerer.add_remote_candidate(&candidate(999)).is_err());
    answerer.add_remote_candidate(&candidate(1)).unwrap();
}

#[test]
fn credentials_of_a_wrong_length_are_refused() {
    let mut pair = Pair::new(FULL);
    let mut short = IceCredentials::generate();
    short.pwd.truncate(21);
    assert!(
        pair.answerer
            .transport
            .restart_ice(pair.now, &short)
            .is_err()
    );
    let mut long = IceCredentials::generate();
    long.ufrag = "u".repeat(257);
    assert!(
        pair.answerer
            .transport
            .restart_ice(pair.now, &long)
            .is_err()
    );
}

#[test]
fn noise_from_a_connected_address_harms_nothing() {
    let mut pair = Pair::new(FULL);
    pair.run(Duration::from_secs(2));
    let route = pair.route_to_answerer();
    for first in 0..=255_u8 {
        for length in [1, 2, 4, 12, 13, 20, 40, 200] {
            let noise: Vec<u8> = (0..length).map(|i| first.wrapping_add(i)).collect();
            pair.answerer
                .transport
                .handle_datagram(pair.now, route, noise[..].into());
        }
    }
    assert!(
        !pair
            .answerer
            .events
            .iter()
            .any(|event| matches!(event, TransportEvent::Closed(_)))
    );
    assert_eq!(pair.answerer.transport.poll_event(), None);
    let mut protected = BytesMut::new();
    pair.answerer
        .transport
        .protect_rtp(&rtp(9, b"still"), &mut protected)
        .unwrap();
    let address: SocketAddr = ANSWERER.parse().unwrap();
    assert_eq!(
        pair.answerer.transport.route().map(|route| route.local),
        Some(address)
    );
}

/// Browsers name the dear one first (RFC 5764 4.1.2: the server chooses).
#[test]
fn the_cheapest_cipher_that_a_client_knows_is_chosen_whatever_it_names_first() {
    let [gcm_128, gcm_256, cm] = SrtpProfile::offered().try_into().unwrap();
    for (named, expected) in [
        (vec![cm, gcm_256, gcm_128], SrtpProfile::AeadAes128Gcm),
        (vec![cm, gcm_256], SrtpProfile::AeadAes256Gcm),
        (vec![cm], SrtpProfile::Aes128CmHmacSha1),
    ] {
        let mut pair = Pair::new(FULL);
        let offerer = &mut pair.offerer.transport;
        let theirs = pair.answerer.transport.identity.fingerprint();
        let config = handshake_config(&offerer.identity, theirs, &named, true);
        offerer.client_config = Some(config.unwrap());
        pair.run(Duration::from_secs(2));
        let connected = TransportEvent::Connected { profile: expected };
        assert_eq!(pair.offerer.events, std::slice::from_ref(&connected));
        assert_eq!(pair.answerer.events, [connected]);
    }
}

/// Whether a STUN message is of this type.
fn is_of(message: &[u8], message_type: [u8; 2]) -> bool {
    message.starts_with(&message_type) && message.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42])
}

#[test]
fn a_nomination_of_a_pair_that_is_not_checked_yet_is_answered_once_it_is() {
    let mut pair = Pair::new(FULL);
    let to_answerer = pair.route_to_answerer();
    let to_offerer = Route {
        carrier: Carrier::Udp,
        local: OFFERER.parse().unwrap(),
        remote: ANSWERER.parse().unwrap(),
    };
    // What the offerer answers is held back, so that the answerer's own check does not succeed.
    let mut held = None;
    let nomination = (0..200).find_map(|_| {
        let mut nominates = None;
        while let Some(Transmit { data, .. }) = pair.offerer.transport.poll_transmit() {
            let use_candidate = [0, 0x25, 0, 0];
            if is_of(&data, [1, 1]) {
                held = Some(data);
            } else if data.windows(4).any(|window| window == use_candidate) {
                nominates = Some(data);
            } else {
                let answerer = &mut pair.answerer.transport;
                answerer.handle_datagram(pair.now, to_answerer, data);
            }
        }
        while let Some(Transmit { data, .. }) = pair.answerer.transport.poll_transmit() {
            let offerer = &mut pair.offerer.transport;
            offerer.handle_datagram(pair.now, to_offerer, data);
        }
        pair.now += Duration::from_millis(10);
        pair.offerer.transport.handle_timeout(pair.now);
        nominates
    });
    let nomination = nomination.expect("the offerer nominates within two seconds");
    let answerer = &mut pair.answerer.transport;
    answerer.handle_datagram(pair.now, to_answerer, nomination.clone());
    let answers = |transport: &mut RtcTransport| {
        std::iter::from_fn(|| transport.poll_transmit())
            .filter(|sent| is_of(&sent.data, [1, 1]) && sent.data[8..20] == nomination[8..20])
            .count()
    };
    assert_eq!(answers(answerer), 0, "the engine's agent does not");
    let held = held.expect("the answerer's check was answered");
    answerer.handle_datagram(pair.now, to_answerer, held);
    assert_eq!(answers(answerer), 1);
    assert_eq!(answerer.route(), Some(to_answerer), "and selected");
}
