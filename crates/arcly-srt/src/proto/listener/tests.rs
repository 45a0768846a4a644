//! A listener against many callers, without a network.

use super::*;
use crate::proto::crypto::Passphrase;
use crate::proto::handshake::Progress;
use crate::proto::handshake::caller::{Call, Caller};
use crate::proto::sequence::SequenceNumber;
use proptest::prelude::*;

const OPEN: Option<&Passphrase> = None;

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

fn listener(limits: ListenerLimits, now: Instant) -> Listener<u32> {
    Listener::new(Options::default(), limits, now).unwrap()
}

fn from(host: u8, port: u16) -> Path {
    Path {
        peer: ([192, 0, 2, host], port).into(),
        local: Some([192, 0, 2, 200].into()),
    }
}

fn caller(id: u32, now: Instant) -> Caller {
    let call = Call {
        options: Options::default(),
        stream_id: Some("read:live/clip".into()),
        passphrase: None,
        local_id: SocketId(id),
        isn: SequenceNumber::new(id),
        peer: IpAddr::from([127, 0, 0, 1]),
        timeout: Duration::from_secs(3),
    };
    Caller::new(call, now).unwrap()
}

/// Hands what the listener sends to the caller.
fn answer(listener: &mut Listener<u32>, caller: &mut Caller, now: Instant) -> Progress {
    let (_, datagram) = listener.poll_transmit().expect("an answer");
    let Ok(Packet::Control(packet)) = Packet::parse(datagram.to_bytes()) else {
        panic!("not a control packet");
    };
    let Control::Handshake(body) = packet.control else {
        panic!("not a handshake");
    };
    caller.handle(body, packet.time, now)
}

/// A caller up to the point where it has sent its conclusion, which comes back.
fn conclude(listener: &mut Listener<u32>, at: Path, id: u32, now: Instant) -> (Caller, Bytes) {
    let mut caller = caller(id, now);
    let induction = caller.poll(now).unwrap().to_bytes();
    assert!(listener.handle(at, induction, now).is_none());
    assert!(matches!(
        answer(listener, &mut caller, now),
        Progress::Going
    ));
    assert_eq!(listener.pending(), listener.pending.len());
    let conclusion = caller.poll(now).unwrap().to_bytes();
    listener.handle(at, conclusion.clone(), now);
    (caller, conclusion)
}

fn admit(listener: &mut Listener<u32>, route: u32, now: Instant) -> Option<Negotiated> {
    let request = listener.poll_request().expect("a request");
    let admission = request.check(&Options::default(), OPEN, now).unwrap();
    listener.accept(admission, route, now)
}

/// A datagram for a connection.
fn data(to: SocketId) -> Bytes {
    let mut datagram = vec![0; 16];
    datagram[12..].copy_from_slice(&to.0.to_be_bytes());
    datagram.into()
}

#[test]
fn callers_of_one_address_are_told_apart_by_their_sockets() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    let at = from(1, 5000);
    let ids: Vec<_> = (1..=10)
        .map(|id| {
            let (mut caller, _) = conclude(&mut listener, at, id, now);
            let negotiated = admit(&mut listener, id, now).unwrap();
            let Progress::Connected(theirs) = answer(&mut listener, &mut caller, now) else {
                panic!("not connected");
            };
            assert_eq!(theirs.peer_id, negotiated.local_id);
            negotiated.local_id
        })
        .collect();
    assert_eq!((listener.connections(), listener.pending()), (10, 0));
    for (id, expected) in ids.iter().zip(1..) {
        let (route, _) = listener.handle(at, data(*id), now).expect("a route");
        assert_eq!(*route, expected);
        assert!(
            listener.handle(from(1, 5001), data(*id), now).is_none(),
            "from another address it is for nobody"
        );
        listener.remove(*id);
        assert!(listener.handle(at, data(*id), now).is_none());
    }
    assert!(listener.by_peer.is_empty() && listener.origins.is_empty());
}

#[test]
fn nothing_is_remembered_without_a_cookie() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    for port in 1..2000 {
        let induction = caller(1, now).poll(now).unwrap().to_bytes();
        let length = induction.len();
        listener.handle(from(1, port), induction, now);
        let (_, answer) = listener.poll_transmit().unwrap();
        assert_eq!(answer.len(), length, "no amplification");
    }
    // The cookie of another address or socket is of no use.
    let (_, conclusion) = conclude(&mut listener, from(1, 5000), 1, now);
    listener.poll_request().unwrap();
    listener.handle(from(2, 5000), conclusion.clone(), now);
    listener.handle(from(1, 5001), conclusion.clone(), now);
    let mut other = conclusion.to_vec();
    other[16 + 24 + 3] ^= 1;
    listener.handle(from(1, 5000), other.into(), now);
    assert_eq!(listener.pending(), 1);
    assert!(listener.poll_request().is_none() && listener.poll_transmit().is_none());
    // Nor is its own when it is old.
    let later = now + Duration::from_secs(200);
    listener.handle(from(1, 5000), conclusion, later);
    assert!(listener.poll_request().is_none());
    assert_eq!(
        listener.pending(),
        0,
        "whoever was not decided on is forgotten"
    );
}

#[test]
fn a_repeated_conclusion_gets_the_same_answer_and_makes_nothing() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    let at = from(1, 5000);
    let (_, conclusion) = conclude(&mut listener, at, 1, now);
    listener.handle(at, conclusion.clone(), now);
    admit(&mut listener, 0, now).unwrap();
    let (_, first) = listener.poll_transmit().unwrap();
    assert!(listener.poll_request().is_none());
    for _ in 0..100 {
        listener.handle(at, conclusion.clone(), now);
        assert_eq!(listener.poll_transmit().unwrap(), (at, first.clone()));
    }
    assert_eq!((listener.connections(), listener.pending()), (1, 0));
}

#[test]
fn a_refusal_is_repeated_for_a_second_without_a_new_decision() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    let at = from(1, 5000);
    let (mut caller, conclusion) = conclude(&mut listener, at, 1, now);
    let request = listener.poll_request().unwrap();
    listener.reject(
        request.peer,
        request.path.local,
        RejectReason::UNAUTHORIZED,
        now,
    );
    match answer(&mut listener, &mut caller, now) {
        Progress::Rejected(reason) => assert_eq!(reason, RejectReason::UNAUTHORIZED),
        other => panic!("{other:?}"),
    }
    listener.handle(at, conclusion.clone(), now);
    assert!(listener.poll_transmit().is_some() && listener.poll_request().is_none());
    let later = now + Duration::from_secs(1);
    listener.handle(at, conclusion, later);
    assert!(listener.poll_request().is_some());
}

#[test]
fn a_flood_from_one_address_leaves_room_for_others() {
    let now = start();
    let limits = ListenerLimits {
        pending: 10,
        pending_per_ip: 4,
        connections: 1000,
        connections_per_ip: 6,
        ..ListenerLimits::default()
    };
    let mut listener = listener(limits, now);
    let refused = |listener: &mut Listener<u32>, host, id, reason| {
        let (mut caller, _) = conclude(listener, from(host, 5000), id, now);
        match answer(listener, &mut caller, now) {
            Progress::Rejected(got) => assert_eq!(got, reason),
            other => panic!("{other:?}"),
        }
    };
    for id in 1..=4 {
        conclude(&mut listener, from(1, 5000), id, now);
    }
    refused(&mut listener, 1, 5, RejectReason::BACKLOG);
    for id in 1..=6 {
        conclude(&mut listener, from(10 + id as u8, 5000), id, now);
    }
    refused(&mut listener, 9, 1, RejectReason::BACKLOG);
    assert_eq!(listener.pending(), 10);
    while listener.pending() > 0 {
        admit(&mut listener, 0, now).unwrap();
    }
    while listener.poll_transmit().is_some() {}
    for id in 5..=6 {
        conclude(&mut listener, from(1, 5000), id, now);
        admit(&mut listener, 0, now).unwrap();
        listener.poll_transmit().unwrap();
    }
    refused(&mut listener, 1, 7, RejectReason::RESOURCE);
}

#[test]
fn a_decision_that_comes_too_late_is_none() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    conclude(&mut listener, from(1, 5000), 1, now);
    let later = now + Duration::from_secs(10);
    conclude(&mut listener, from(2, 5000), 1, later);
    assert!(admit(&mut listener, 0, later).is_none());
    assert!(admit(&mut listener, 0, later).is_some());
}

#[test]
fn a_malformed_stream_id_is_answered_with_a_code() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    let at = from(1, 5000);
    let (_, conclusion) = conclude(&mut listener, at, 1, now);
    let mut broken = conclusion.to_vec();
    let length = broken.len();
    broken[length - 1] = 0xff;
    listener.pending.clear();
    listener.handle(at, broken.into(), now);
    let (_, answer) = listener.poll_transmit().unwrap();
    assert_eq!(answer.body[20..24], 1004u32.to_be_bytes());
    assert_eq!(listener.pending(), 0);
}

proptest! {
    #[test]
    fn no_datagram_panics_or_is_remembered(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        handshake: bool,
    ) {
        let now = start();
        let mut listener = listener(ListenerLimits::default(), now);
        if handshake && bytes.len() > 16 {
            bytes[..4].copy_from_slice(&[0x80, 0, 0, 0]);
            bytes[12..16].fill(0);
        }
        let _ = listener.handle(from(1, 1), bytes.into(), now);
        prop_assert_eq!(listener.pending(), 0);
    }
}

#[test]
fn what_is_longer_than_the_mtu_is_for_nobody() {
    let now = start();
    let mut listener = listener(ListenerLimits::default(), now);
    conclude(&mut listener, from(1, 1), 7, now);
    let id = admit(&mut listener, 1, now).unwrap().local_id;
    let of = |length: usize| {
        let mut datagram = data(id).to_vec();
        datagram.resize(length, 0);
        Bytes::from(datagram)
    };
    assert!(listener.handle(from(1, 1), of(1_472), now).is_some());
    assert!(listener.handle(from(1, 1), of(1_473), now).is_none());
}
