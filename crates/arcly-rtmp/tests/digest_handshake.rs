//! The handshake with digests that Flash Player 9 brought, whose two forms differ in where the digest stands. RTMP 1.0 does not
//! have it; clients verify what a server says against the keys that came with the player.

mod support;

use arcly_rtmp::Config;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use support::{Harness, setup};

const PACKET: usize = 1_536;
const DIGEST: usize = 32;
const PLAYER_KEY: &[u8] = b"Genuine Adobe Flash Player 001";
const SERVER_KEY: &[u8] = b"Genuine Adobe Flash Media Server 001";
/// What both keys are followed by where a digest is signed.
const KEY_TAIL: [u8; 32] = [
    0xF0, 0xEE, 0xC2, 0x4A, 0x80, 0x68, 0xBE, 0xE8, 0x2E, 0x00, 0xD0, 0xD1, 0x02, 0x9E, 0x7E, 0x57,
    0x6E, 0xEC, 0x5D, 0x2D, 0x29, 0x80, 0x6F, 0xAB, 0x93, 0xB8, 0xE6, 0x36, 0xCF, 0xEB, 0x31, 0xAE,
];

fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Where the digest of a packet stands whose offset is told by the four bytes from `told_at` on.
fn place(packet: &[u8], told_at: usize) -> usize {
    let sum: usize = packet[told_at..told_at + 4]
        .iter()
        .map(|&b| usize::from(b))
        .sum();
    sum % 728 + told_at + 4
}

/// The digest of everything but the digest.
fn digest_of(packet: &[u8], at: usize, key: &[u8]) -> [u8; DIGEST] {
    sign(key, &[&packet[..at], &packet[at + DIGEST..]])
}

fn noise(seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..PACKET).map(|_| next()).collect()
}

/// C1 of a player of version 9.0.124.2, and its digest.
fn c1(told_at: usize, seed: u32) -> (Vec<u8>, [u8; DIGEST]) {
    let mut packet = noise(seed);
    packet[..8].copy_from_slice(&[0, 0, 0, 0, 9, 0, 124, 2]);
    let at = place(&packet, told_at);
    let digest = digest_of(&packet, at, PLAYER_KEY);
    packet[at..at + DIGEST].copy_from_slice(&digest);
    (packet, digest)
}

/// The digest in S1, wherever it stands.
fn server_digest(s1: &[u8]) -> Option<[u8; DIGEST]> {
    [8, 772].into_iter().find_map(|told_at| {
        let at = place(s1, told_at);
        let digest = digest_of(s1, at, SERVER_KEY);
        (s1[at..at + DIGEST] == digest).then_some(digest)
    })
}

/// S2 ends in a signature of the rest, with a key made of the client's digest.
fn answers(s2: &[u8], digest: &[u8]) -> bool {
    let key = sign(&[SERVER_KEY, &KEY_TAIL].concat(), &[digest]);
    let (body, signature) = s2.split_at(PACKET - DIGEST);
    sign(&key, &[body]) == signature
}

#[test]
fn a_digest_in_either_place_is_found_and_answered() {
    for told_at in [8, 772] {
        for seed in 0..20 {
            let (packet, digest) = c1(told_at, seed);
            let mut harness = Harness::new(Config::default());
            harness.receive(&[&[3], &packet[..]].concat());
            let said: Vec<u8> = harness.writes.concat();
            assert_eq!((said.len(), said[0]), (1 + 2 * PACKET, 3));
            let (s1, s2) = said[1..].split_at(PACKET);
            let ours = server_digest(s1).expect("S1 has a digest as well");
            assert!(answers(s2, &digest), "told at {told_at}, seed {seed}");

            // C2 answers S1 in the same way.
            let mut c2 = noise(seed + 1_000);
            let key = sign(&[PLAYER_KEY, &KEY_TAIL].concat(), &[&ours]);
            let signature = sign(&key, &[&c2[..PACKET - DIGEST]]);
            c2[PACKET - DIGEST..].copy_from_slice(&signature);
            harness.receive(&c2);
            harness.send(&setup());
            assert_eq!(harness.error, None);
            let codes = harness.codes();
            let start = "NetStream.Publish.Start";
            assert!(codes.iter().any(|(_, code)| code == start), "{codes:?}");
        }
    }
}

/// A version that asks for digests, without one: what a proxy makes of a handshake that it has touched. Such a client gets the plain
/// handshake, whose S2 repeats C1.
#[test]
fn a_digest_that_does_not_fit_makes_it_a_plain_handshake() {
    let (mut packet, _) = c1(8, 7);
    packet[1_535] ^= 1;
    let mut harness = Harness::new(Config::default());
    harness.receive(&[&[3], &packet[..]].concat());
    let said: Vec<u8> = harness.writes.concat();
    assert_eq!(said.len(), 1 + 2 * PACKET);
    let s2 = &said[1 + PACKET..];
    assert_eq!(
        s2[8..],
        packet[8..],
        "the random bytes come back (RTMP 1.0, 5.2.4)"
    );
    harness.receive(&said[1..1 + PACKET]);
    harness.send(&setup());
    assert_eq!(harness.error, None);
}
