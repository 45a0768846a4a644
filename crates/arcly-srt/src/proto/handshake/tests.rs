//! The handshake's ends against each other, without a network.

use super::caller::Call;
use super::packet::address_field;
use super::respond::Responder;
use super::*;
use crate::proto::crypto::{KeyLength, Passphrase};
use crate::proto::packet::{KeyMaterialKind, Packet};
use crate::proto::sequence::SequenceNumber;
use bytes::Bytes;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery").unwrap()
}

fn call(local_id: u32) -> Call {
    Call {
        options: Options::default(),
        stream_id: Some("publish:live/clip".into()),
        passphrase: None,
        local_id: SocketId(local_id),
        isn: SequenceNumber::new(local_id * 1000),
        peer: LOCALHOST,
        timeout: Duration::from_secs(3),
    }
}

/// The body and stamp of a handshake packet, and whom it is for.
fn open(datagram: &Datagram) -> (Bytes, PacketTime, SocketId) {
    let Packet::Control(packet) = Packet::parse(datagram.to_bytes()).unwrap() else {
        panic!("not a control packet");
    };
    let Control::Handshake(body) = packet.control else {
        panic!("not a handshake");
    };
    (body, packet.time, packet.destination)
}

/// A listener's induction for what the caller sends now.
fn induce(caller: &mut Caller, key_length: Option<KeyLength>, now: Instant) {
    let (body, _, to) = open(&caller.poll(now).unwrap());
    assert_eq!(to, SocketId::LISTENER);
    let mut packet = Handshake::read(body).unwrap();
    assert_eq!((packet.version, packet.stage), (4, Stage::Induction));
    packet.version = 5;
    packet.cookie = 77;
    packet.extension_field = Handshake::MAGIC;
    packet.key_length = key_length;
    let progress = caller.handle(packet.to_bytes(), PacketTime::default(), now);
    assert!(matches!(progress, Progress::Going));
}

/// Runs a call against a responder: what both sides get.
fn connect(
    call: Call,
    options: &Options,
    secret: Option<&Passphrase>,
    advertised: Option<KeyLength>,
) -> Result<(Negotiated, Negotiated), RejectReason> {
    let now = start();
    let mut caller = Caller::new(call, now).unwrap();
    induce(&mut caller, advertised, now);
    let later = now + Duration::from_millis(30);
    let (body, time, to) = open(&caller.poll(later).unwrap());
    assert_eq!(to, SocketId::LISTENER);
    assert_eq!(time.as_micros(), 30_000);
    let request = Handshake::read(body).unwrap();
    assert_eq!(request.cookie, 77);
    let responder = Responder {
        options,
        passphrase: secret,
        local_id: SocketId(0x2000),
        epoch: now,
        peer: LOCALHOST,
    };
    let (answer, ours) = respond(&request, (later, time), responder)?;
    match caller.handle(answer.to_bytes(), PacketTime::default(), later) {
        Progress::Connected(theirs) => {
            assert!(caller.poll(later + REPEAT_EVERY).is_none());
            assert_eq!(caller.deadline(), None);
            Ok((*theirs, ours))
        }
        Progress::Rejected(reason) => Err(reason),
        Progress::Going => panic!("the answer was ignored"),
    }
}

#[test]
fn a_caller_and_a_listener_agree() {
    let mut call = call(0x1000);
    call.options.receive_latency = Duration::from_millis(300);
    call.options.peer_latency = Duration::from_millis(50);
    let options = Options {
        mtu: 1400,
        peer_latency: Duration::from_millis(400),
        ..Options::default()
    };
    let (caller, listener) = connect(call, &options, None, None).unwrap();
    let ms = Duration::from_millis;
    // The longer of what both want, each way.
    assert_eq!(
        (caller.receive_latency, listener.send_latency),
        (ms(400), ms(400))
    );
    assert_eq!(
        (caller.send_latency, listener.receive_latency),
        (ms(120), ms(120))
    );
    assert_eq!(
        (caller.peer_id, listener.peer_id),
        (SocketId(0x2000), SocketId(0x1000))
    );
    assert_eq!(
        (caller.local_id, listener.local_id),
        (SocketId(0x1000), SocketId(0x2000))
    );
    assert_eq!(caller.send_isn, listener.receive_isn);
    assert_eq!(caller.receive_isn, listener.send_isn);
    assert_eq!(
        (caller.max_packet_bytes, listener.max_packet_bytes),
        (1372, 1372)
    );
    assert_eq!(listener.stream_id.as_deref(), Some("publish:live/clip"));
    assert_eq!(listener.peer_version, Version::OURS);
    assert!(caller.peer_flags.has(Flags::live()));
    assert_eq!(listener.peer_time.1.as_micros(), 30_000);
    assert!(caller.crypto.is_none() && listener.crypto.is_none());
}

#[test]
fn keys_are_agreed_on_in_the_length_that_the_listener_advertises() {
    for length in [KeyLength::Aes128, KeyLength::Aes192, KeyLength::Aes256] {
        let mut call = call(1);
        call.passphrase = Some(passphrase());
        let options = Options::default();
        let (mut caller, mut listener) =
            connect(call, &options, Some(&passphrase()), Some(length)).unwrap();
        let (caller, listener) = (caller.crypto.as_mut(), listener.crypto.as_mut());
        let (caller, listener) = (caller.unwrap(), listener.unwrap());
        assert_eq!(listener.key_length(), length);
        let (clear, sequence) = (Bytes::from_static(b"clear"), SequenceNumber::new(5));
        let (flag, encrypted) = caller.encrypt(sequence, &clear);
        assert_eq!(listener.decrypt(flag, sequence, &encrypted), Ok(clear));
    }
}

#[test]
fn secrets_must_go_together() {
    let encrypted = |secret: Option<&str>| {
        let mut call = call(1);
        call.passphrase = secret.map(|secret| Passphrase::new(secret).unwrap());
        call
    };
    let options = Options::default();
    let cases = [
        (None, Some(passphrase()), RejectReason::UNSECURE),
        (Some("correct horse battery"), None, RejectReason::UNSECURE),
        (
            Some("something else"),
            Some(passphrase()),
            RejectReason::BAD_SECRET,
        ),
    ];
    for (theirs, ours, reason) in cases {
        let result = connect(encrypted(theirs), &options, ours.as_ref(), None);
        assert_eq!(result.unwrap_err(), reason);
    }
}

/// A request that a responder would accept.
fn request() -> Handshake {
    let (request, _) = caller::conclusion(&call(1), KeyLength::Aes128, 77).unwrap();
    request
}

#[test]
fn what_is_not_supported_is_refused_with_its_code() {
    assert_eq!(rejection(&request()), None);
    let changed = |change: fn(&mut Handshake)| {
        let mut request = request();
        change(&mut request);
        // As it is on the wire.
        rejection(&Handshake::read(request.to_bytes()).unwrap())
    };
    fn capabilities(request: &mut Handshake) -> &mut Capabilities {
        match &mut request.extensions.srt {
            Some(SrtExtension::Request(capabilities)) => capabilities,
            _ => panic!("no capabilities"),
        }
    }
    type Case = (fn(&mut Handshake), RejectReason);
    let cases: [Case; 11] = [
        (
            |it| it.extensions.filter = Some("fec,cols:10".into()),
            RejectReason::FILTER,
        ),
        (
            |it| it.extensions.group = Some(vec![0; 8].into()),
            RejectReason::GROUP,
        ),
        (
            |it| it.extensions.congestion = Some("file".into()),
            RejectReason::CONGESTION,
        ),
        (|it| it.version = 4, RejectReason::VERSION),
        (|it| it.version = 6, RejectReason::VERSION),
        (|it| it.extensions.srt = None, RejectReason::ROGUE),
        (
            |it| capabilities(it).version = Version(0x01_02_00),
            RejectReason::ROGUE,
        ),
        (
            |it| capabilities(it).flags = Flags::live().with(Flags::STREAM),
            RejectReason::MESSAGE_API,
        ),
        (|it| it.mtu = 100, RejectReason::ROGUE),
        (|it| it.flow_window = 0, RejectReason::ROGUE),
        (|it| it.socket = SocketId(0), RejectReason::ROGUE),
    ];
    for (index, (change, reason)) in cases.into_iter().enumerate() {
        assert_eq!(changed(change), Some(reason), "case {index}");
    }
    assert_eq!(
        changed(|it| it.extensions.congestion = Some("live".into())),
        None
    );
}

#[test]
fn a_caller_repeats_itself_and_gives_up() {
    let now = start();
    let mut caller = Caller::new(call(1), now).unwrap();
    let mut at = now;
    let mut sent = 0;
    loop {
        if caller.has_timed_out(at) {
            break;
        }
        sent += usize::from(caller.poll(at).is_some());
        assert!(caller.poll(at).is_none());
        at = caller.deadline().unwrap();
    }
    assert_eq!((at - now, sent), (Duration::from_secs(3), 12));
    assert!(caller.poll(at).is_none());
}

#[test]
fn a_caller_is_told_why_it_is_refused() {
    let now = start();
    let mut caller = Caller::new(call(1), now).unwrap();
    induce(&mut caller, None, now);
    let (body, ..) = open(&caller.poll(now).unwrap());
    let refusal = Handshake::read(body)
        .unwrap()
        .rejected(RejectReason::NOT_FOUND);
    let bytes = refusal.to_bytes();
    assert_eq!(bytes[20..24], 2404u32.to_be_bytes());
    match caller.handle(bytes, PacketTime::default(), now) {
        Progress::Rejected(reason) => assert_eq!(reason, RejectReason::NOT_FOUND),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_hsv4_listener_is_refused() {
    let now = start();
    let mut caller = Caller::new(call(1), now).unwrap();
    let (body, ..) = open(&caller.poll(now).unwrap());
    match caller.handle(body, PacketTime::default(), now) {
        Progress::Rejected(reason) => assert_eq!(reason, RejectReason::VERSION),
        other => panic!("{other:?}"),
    }
}

/// Runs two sides of a rendezvous over a link that loses what `lost` says, by the number of the datagram.
fn meet(
    mut sides: [Rendezvous; 2],
    lost: fn(usize) -> bool,
) -> [Result<Box<Negotiated>, RejectReason>; 2] {
    let mut now = start();
    let mut results = [None, None];
    let mut count = 0;
    for _ in 0..60 {
        for from in 0..2 {
            while let Some(sent) = sides[from].poll(now) {
                count += 1;
                if lost(count) {
                    continue;
                }
                let (body, time, _) = open(&sent);
                match sides[1 - from].handle(body, time, now) {
                    Progress::Going => {}
                    Progress::Connected(negotiated) => {
                        assert!(results[1 - from].replace(Ok(negotiated)).is_none());
                    }
                    Progress::Rejected(reason) => results[1 - from] = Some(Err(reason)),
                }
            }
        }
        if results.iter().all(Option::is_some) && sides.iter().all(|it| it.deadline().is_none()) {
            break;
        }
        now += Duration::from_millis(50);
    }
    results.map(|result| result.expect("connected or refused"))
}

fn side(id: u32, cookie: u32, secret: Option<Passphrase>) -> Rendezvous {
    let mut call = call(id);
    call.passphrase = secret;
    Rendezvous::new(call, cookie, start()).unwrap()
}

#[test]
fn two_callers_meet_whatever_is_lost() {
    // Half of all datagrams, in other orders, so that no order of sending meets the same losses for ever.
    fn scattered(number: usize, seed: usize) -> bool {
        (number + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0
    }
    let losses: [fn(usize) -> bool; 6] = [
        |_| false,
        |n| n == 1,
        |n| n < 5,
        |n| scattered(n, 0),
        |n| scattered(n, 100),
        |n| scattered(n, 200),
    ];
    for (index, lost) in losses.into_iter().enumerate() {
        for cookies in [(5, 9), (9, 5)] {
            let secret = Some(passphrase());
            let sides = [
                side(1, cookies.0, secret.clone()),
                side(2, cookies.1, secret),
            ];
            let [a, b] = meet(sides, lost);
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!(a.peer_id, SocketId(2), "losses {index}");
            assert_eq!((a.send_isn, a.receive_isn), (b.receive_isn, b.send_isn));
            assert_ne!(a.send_isn, a.receive_isn);
            assert!(a.crypto.is_some() && b.crypto.is_some());
        }
    }
}

#[test]
fn two_callers_with_other_secrets_part() {
    let other = Passphrase::new("something else").unwrap();
    let sides = [side(1, 5, Some(passphrase())), side(2, 9, Some(other))];
    for result in meet(sides, |_| false) {
        assert_eq!(result.unwrap_err(), RejectReason::BAD_SECRET);
    }
    let [a, _] = meet([side(1, 5, None), side(2, 5, None)], |_| false);
    assert_eq!(a.unwrap_err(), RejectReason::RENDEZVOUS_COOKIE);
}

#[test]
fn a_cookie_is_good_for_its_caller_for_a_minute() {
    let now = start();
    let cookies = Cookies::with_secret([7; 32], now);
    let from = "192.0.2.1:5000".parse().unwrap();
    let cookie = cookies.make(from, 1, now);
    assert!(cookies.check(cookie, from, 1, now));
    assert!(cookies.check(cookie, from, 1, now + Duration::from_secs(100)));
    assert!(!cookies.check(cookie, from, 1, now + Duration::from_secs(121)));
    assert!(!cookies.check(cookie, from, 2, now));
    assert!(!cookies.check(cookie, "192.0.2.1:5001".parse().unwrap(), 1, now));
    assert!(!cookies.check(cookie, "192.0.2.2:5000".parse().unwrap(), 1, now));
    assert!(!Cookies::with_secret([8; 32], now).check(cookie, from, 1, now));
}

/// The induction of libsrt 1.5 as a caller, byte for byte as the draft's figure 5 has it.
#[test]
fn texts_and_addresses_are_in_libsrts_order() {
    assert_eq!(address_field(LOCALHOST)[..4], [1, 0, 0, 127]);
    let mut request = request();
    request.extensions.stream_id = Some("abcdef".into());
    let bytes = request.to_bytes();
    let at = bytes.len() - 12;
    assert_eq!(bytes[at..], *b"\0\x05\0\x02dcba\0\0fe");
}

fn extensions() -> impl Strategy<Value = Extensions> {
    let capabilities = any::<(u32, u32, u16, u16)>().prop_map(|it| Capabilities {
        version: Version(it.0),
        flags: Flags(it.1),
        receive_latency_ms: it.2,
        send_latency_ms: it.3,
    });
    let srt = (any::<bool>(), capabilities).prop_map(|(asks, capabilities)| {
        if asks {
            SrtExtension::Request(capabilities)
        } else {
            SrtExtension::Response(capabilities)
        }
    });
    let words =
        || prop::collection::vec(any::<[u8; 4]>(), 1..20).prop_map(|it| Bytes::from(it.concat()));
    let keys = (any::<bool>(), words()).prop_map(|(asks, message)| KeyExtension {
        kind: if asks {
            KeyMaterialKind::Request
        } else {
            KeyMaterialKind::Response
        },
        message,
    });
    let text = || prop::option::of("[a-zé0-9:/=#!,]{1,60}");
    let texts = (text(), text(), text());
    let option = (
        prop::option::of(srt),
        prop::option::of(keys),
        prop::option::of(words()),
    );
    (option, texts).prop_map(|((srt, keys, group), texts)| Extensions {
        srt,
        keys,
        stream_id: texts.0,
        congestion: texts.1,
        filter: texts.2,
        group,
    })
}

proptest! {
    #[test]
    fn a_handshake_is_read_as_it_was_written(
        extensions in extensions(),
        numbers: (u32, u32, u32, u32, u32),
        key_length in prop::option::of(prop::sample::select(&[
            KeyLength::Aes128, KeyLength::Aes192, KeyLength::Aes256,
        ])),
        peer_address: [u8; 16],
    ) {
        let handshake = Handshake {
            version: 5,
            key_length,
            extension_field: extensions.field(),
            isn: SequenceNumber::new(numbers.0),
            mtu: numbers.1,
            flow_window: numbers.2,
            stage: Stage::Conclusion,
            socket: SocketId(numbers.3),
            cookie: numbers.4,
            peer_address,
            extensions,
        };
        prop_assert_eq!(Handshake::read(handshake.to_bytes()).unwrap(), handshake);
    }

    #[test]
    fn no_bytes_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), conclusion: bool) {
        if conclusion && bytes.len() > 24 {
            bytes[..4].copy_from_slice(&[0, 0, 0, 5]);
            bytes[20..24].fill(0xff);
        }
        let _ = Handshake::read(bytes.into());
    }
}
