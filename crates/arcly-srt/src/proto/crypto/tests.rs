use super::*;
use crate::proto::packet::{Control, KeyFlag, KeyMaterialKind};
use crate::proto::sequence::SequenceNumber;
use bytes::Bytes;
use proptest::prelude::*;
use std::time::{Duration, Instant};

const RTT: Duration = Duration::from_millis(100);

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery").unwrap()
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

fn pair(length: KeyLength, refresh: KeyRefresh) -> (Session, Session) {
    let (initiator, message) = Session::initiate(passphrase(), length, refresh).unwrap();
    let responder = Session::respond(passphrase(), message.clone(), refresh).unwrap();
    initiator.confirm(&message).unwrap();
    (initiator, responder)
}

/// The message of an answer or announcement.
fn message(control: Option<Control>) -> (KeyMaterialKind, Bytes) {
    let Some(Control::KeyMaterial { kind, message }) = control else {
        panic!("no key material");
    };
    (kind, message)
}

#[test]
fn both_ends_read_each_other_in_each_key_length() {
    for length in [KeyLength::Aes128, KeyLength::Aes192, KeyLength::Aes256] {
        let (mut a, mut b) = pair(length, KeyRefresh::default());
        assert_eq!(b.key_length(), length);
        let clear = Bytes::from(vec![0x47; 1316]);
        let sequence = SequenceNumber::new(0x7fff_fff0);
        let (flag, encrypted) = a.encrypt(sequence, &clear);
        assert_eq!(flag, KeyFlag::Even);
        assert_ne!(encrypted, clear);
        assert_eq!(b.decrypt(flag, sequence, &encrypted).unwrap(), clear);
        let (flag, encrypted) = b.encrypt(sequence.next(), &clear);
        let decrypted = a.decrypt(flag, sequence.next(), &encrypted);
        assert_eq!(decrypted.unwrap(), clear);
    }
}

/// The draft's 6.2.2, by the block cipher alone: the salt's first 14 bytes, the sequence number over the last four of them,
/// and a block counter from 0.
#[test]
fn the_key_stream_is_aes_of_salt_and_sequence_number() {
    use aes::cipher::{BlockCipherEncrypt, KeyInit};
    let key_bytes = [0x2b; 16];
    let salt = std::array::from_fn(|i| i as u8);
    let key = cipher::StreamKey::new(&key_bytes, salt).unwrap();
    let mut payload = [0; 32];
    key.apply(SequenceNumber::new(0x0102_0304), &mut payload);
    let aes = aes::Aes128::new(&key_bytes.into());
    for block in 0u8..2 {
        let mut counter = [
            0,
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10 ^ 1,
            11 ^ 2,
            12 ^ 3,
            13 ^ 4,
            0,
            block,
        ]
        .into();
        aes.encrypt_block(&mut counter);
        let at = usize::from(block) * 16;
        assert_eq!(payload[at..at + 16], counter[..]);
    }
}

#[test]
fn another_passphrase_is_told() {
    let (initiator, message) =
        Session::initiate(passphrase(), KeyLength::Aes192, KeyRefresh::default()).unwrap();
    let other = Passphrase::new("incorrect horse").unwrap();
    let state = Session::respond(other, message, KeyRefresh::default()).unwrap_err();
    assert_eq!(state, KeyState::BadSecret);
    let answer = state.to_message();
    assert_eq!(answer, [4, 0, 0, 0]);
    assert_eq!(initiator.confirm(&answer), Err(KeyState::BadSecret));
    assert_eq!(
        initiator.confirm(&[0, 0, 0, 3]),
        Err(KeyState::NoSecret),
        "a big-endian peer's"
    );
}

#[test]
fn keys_are_renewed_without_a_packet_lost() {
    let refresh = KeyRefresh::new(100, 20);
    let (mut a, mut b) = pair(KeyLength::Aes256, refresh);
    let now = start();
    let clear = Bytes::from_static(b"payload");
    let mut flags = Vec::new();
    let mut announced = 0;
    for packet in 0..1000 {
        let sequence = SequenceNumber::new(packet);
        let (flag, encrypted) = a.encrypt(sequence, &clear);
        assert_eq!(
            b.decrypt(flag, sequence, &encrypted),
            Ok(clear.clone()),
            "packet {packet}"
        );
        flags.push(flag);
        if let Some(control) = a.poll(RTT, now) {
            announced += 1;
            let (kind, request) = message(Some(control));
            assert_eq!(kind, KeyMaterialKind::Request);
            let (kind, answer) = message(b.handle(kind, request.clone(), now));
            assert_eq!((kind, &answer), (KeyMaterialKind::Response, &request));
            assert!(a.handle(kind, answer, now).is_none());
        }
    }
    assert_eq!(announced, 10, "one each hundred packets");
    flags.dedup();
    assert_eq!(flags.len(), 10, "{flags:?}");
}

#[test]
fn an_announcement_is_repeated_until_it_is_answered() {
    let (mut a, mut b) = pair(KeyLength::Aes128, KeyRefresh::new(100, 20));
    let now = start();
    for packet in 0..150 {
        let (flag, _) = a.encrypt(SequenceNumber::new(packet), &Bytes::new());
        assert_eq!(flag, KeyFlag::Even, "no key is used that was not taken");
    }
    assert_eq!(a.deadline(now), Some(now));
    let (kind, first) = message(a.poll(RTT, now));
    assert!(a.poll(RTT, now).is_none());
    let later = now + RTT * 3 / 2;
    assert_eq!(a.deadline(now), Some(later));
    let (_, again) = message(a.poll(RTT, later));
    assert_eq!(first, again);
    let (kind, answer) = message(b.handle(kind, again, later));
    a.handle(kind, answer, later);
    assert_eq!(a.deadline(later), None);
    let (flag, _) = a.encrypt(SequenceNumber::new(150), &Bytes::new());
    assert_eq!(flag, KeyFlag::Odd);
}

#[test]
fn an_announcement_that_is_never_answered_ends() {
    let (mut a, _) = pair(KeyLength::Aes128, KeyRefresh::new(100, 20));
    for packet in 0..90 {
        a.encrypt(SequenceNumber::new(packet), &Bytes::new());
    }
    let mut now = start();
    let mut sent = 0;
    while let Some(at) = a.deadline(now) {
        now = at;
        assert!(a.poll(RTT, now).is_some());
        sent += 1;
    }
    assert_eq!(sent, 10);
}

#[test]
fn what_has_no_key_is_not_decrypted() {
    let (_, b) = pair(KeyLength::Aes128, KeyRefresh::default());
    for flag in [KeyFlag::Clear, KeyFlag::Odd, KeyFlag::Both] {
        let result = b.decrypt(flag, SequenceNumber::new(0), &Bytes::from_static(b"x"));
        assert_eq!(result, Err(Undecryptable(flag)));
    }
}

/// Found by fuzzing: packets in the peer's name that bear the key announced next made us forget the one in use.
#[test]
fn a_stranger_cannot_make_us_forget_a_key() {
    let (mut a, mut b) = pair(KeyLength::Aes128, KeyRefresh::new(100, 20));
    let now = start();
    for packet in 0..90 {
        a.encrypt(SequenceNumber::new(packet), &Bytes::new());
    }
    let (kind, announcement) = message(a.poll(RTT, now));
    assert!(b.handle(kind, announcement, now).is_some());
    for packet in 0..1000 {
        let junk = Bytes::from_static(b"junk");
        let _ = b.decrypt(KeyFlag::Odd, SequenceNumber::new(packet), &junk);
    }
    let (sequence, clear) = (SequenceNumber::new(90), Bytes::from_static(b"clear"));
    let (flag, encrypted) = a.encrypt(sequence, &clear);
    assert_eq!(
        (flag, b.decrypt(flag, sequence, &encrypted)),
        (KeyFlag::Even, Ok(clear))
    );
}

/// Material with another salt makes us derive a key, so it is looked at once a second at most.
#[test]
fn a_flood_of_key_material_is_not_worked_on() {
    let (_, mut b) = pair(KeyLength::Aes128, KeyRefresh::default());
    let now = start();
    let other = || {
        let (_, message) =
            Session::initiate(passphrase(), KeyLength::Aes128, KeyRefresh::default()).unwrap();
        message
    };
    let ask = KeyMaterialKind::Request;
    assert!(b.handle(ask, other(), now).is_some());
    assert!(b.handle(ask, other(), now).is_none());
    let later = now + Duration::from_secs(1);
    assert!(b.handle(ask, other(), later).is_some());
}

#[test]
fn key_material_that_lies_about_its_lengths_is_refused() {
    let (_, message) =
        Session::initiate(passphrase(), KeyLength::Aes128, KeyRefresh::default()).unwrap();
    assert_eq!(message.len(), 16 + 16 + 16 + 8);
    let with = |at: usize, value: u8| {
        let mut changed = message.to_vec();
        changed[at] = value;
        Session::respond(passphrase(), changed.into(), KeyRefresh::default()).unwrap_err()
    };
    for (at, value) in [
        (0, 0x22),
        (1, 0),
        (3, 0),
        (3, 3),
        (14, 3),
        (15, 6),
        (15, 5),
        (15, 0),
    ] {
        assert_eq!(with(at, value), KeyState::BadSecret, "byte {at}: {value}");
    }
    for (at, value) in [(4, 1), (8, 4), (8, 0), (9, 1), (10, 1)] {
        assert_eq!(
            with(at, value),
            KeyState::BadCryptoMode,
            "byte {at}: {value}"
        );
    }
    assert_eq!(with(40, message[40] ^ 1), KeyState::BadSecret);
}

#[test]
fn secrets_are_not_shown() {
    let (session, _) =
        Session::initiate(passphrase(), KeyLength::Aes128, KeyRefresh::default()).unwrap();
    let shown = format!("{session:?}");
    assert!(!shown.contains("correct"), "{shown}");
    assert!(Passphrase::new("too short").is_err());
    assert!(Passphrase::new([b'x'; 80]).is_err());
}

proptest! {
    #[test]
    fn key_material_is_read_as_it_was_written(
        keys in prop::sample::select(&[WrappedKeys::Even, WrappedKeys::Odd, WrappedKeys::Both]),
        length in prop::sample::select(&[KeyLength::Aes128, KeyLength::Aes192, KeyLength::Aes256]),
        salt: [u8; 16],
        filling: u8,
    ) {
        let count = if keys == WrappedKeys::Both { 2 } else { 1 };
        let wrapped = vec![filling; count * length.bytes() + 8].into();
        let material = KeyMaterial { keys, length, salt, wrapped };
        prop_assert_eq!(KeyMaterial::read(material.to_bytes()).unwrap(), material);
    }

    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = KeyMaterial::read(bytes.into());
    }
}
