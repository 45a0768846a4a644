//! VP8 (RFC 7741) and VP9 (RFC 9628): both ways, with loss, and spatial layers.

mod payloads;

use arcly_codec::{vp8, vp9};
use arcly_rtp::payload::vp8::{Vp8Depacketizer, Vp8Packetizer};
use arcly_rtp::payload::vp9::{Vp9Depacketizer, Vp9Packetizer};
use arcly_rtp::payload::{Depacketizer, Packetizer};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// libvpx; provenance in `arcly-codec/tests/data/README.md`.
const VP8: [&[u8]; 2] = [
    include_bytes!("../../arcly-codec/tests/data/vp8.ivf"),
    include_bytes!("../../arcly-codec/tests/data/vp8_layers.ivf"),
];
const VP9: [&[u8]; 3] = [
    include_bytes!("../../arcly-codec/tests/data/vp9.ivf"),
    include_bytes!("../../arcly-codec/tests/data/vp9_layers.ivf"),
    include_bytes!("../../arcly-codec/tests/data/vp9_profile3.ivf"),
];

/// The frames of an IVF file.
fn frames(file: &'static [u8], is_key: fn(&[u8]) -> bool) -> Vec<Unit> {
    let mut rest = &file[32..];
    let mut units = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<12>() {
        let [a, b, c, d, ..] = *header;
        let (frame, behind) = behind.split_at(u32::from_le_bytes([a, b, c, d]) as usize);
        rest = behind;
        let timestamp = u32::MAX.wrapping_add(units.len() as u32 * 3600);
        units.push((timestamp, Bytes::from_static(frame), is_key(frame)));
    }
    units
}

fn is_vp8_key(frame: &[u8]) -> bool {
    vp8::classify(frame).expect("a valid frame").random_access
}

fn is_vp9_key(frame: &[u8]) -> bool {
    vp9::classify(frame).expect("a valid frame").random_access
}

fn check(
    units: &[Unit],
    mut pay: impl FnMut(usize) -> Box<dyn Packetizer>,
    mut depay: impl FnMut() -> Box<dyn Depacketizer>,
) {
    for max in [50, 100, 333, 1400] {
        let sent = packets(pay(max).as_mut(), units, max);
        let received = receive(depay().as_mut(), &sent, &[]);
        assert_same(units, &received);
        assert!(received[0].config.is_some());
        assert!(received[1..].iter().all(|unit| unit.config.is_none()));
        assert_loss_is_whole(&mut depay, units, &sent, 1);

        // Frames also end where the timestamp changes; that the last one is whole nothing tells then.
        let mut unmarked = sent.clone();
        unmarked
            .iter_mut()
            .for_each(|packet| packet.header.marker = false);
        let received = receive(depay().as_mut(), &unmarked, &[]);
        assert_same(&units[..units.len() - 1], &received);
        for unit in units {
            let of_unit: Vec<_> = sent
                .iter()
                .filter(|p| p.header.timestamp == unit.0)
                .collect();
            let (_, all) = of_unit.split_last().expect("a packet at least");
            assert!(all.iter().all(|packet| packet.payload.len() == max));
        }
    }
}

#[test]
fn vp8_comes_out_as_it_went_in() {
    for file in VP8 {
        check(
            &frames(file, is_vp8_key),
            |max| Box::new(Vp8Packetizer::new(max)),
            || Box::new(Vp8Depacketizer::new()),
        );
    }
}

#[test]
fn vp9_comes_out_as_it_went_in() {
    for file in VP9 {
        check(
            &frames(file, is_vp9_key),
            |max| Box::new(Vp9Packetizer::new(max)),
            || Box::new(Vp9Depacketizer::new()),
        );
    }
}

#[test]
fn vp8_frames_say_whether_they_are_referred_to() {
    let units = frames(VP8[1], is_vp8_key);
    let sent = packets(&mut Vp8Packetizer::new(1400), &units, 1400);
    let received = receive(&mut Vp8Depacketizer::new(), &sent, &[]);
    let disposable: Vec<bool> = received.iter().map(|unit| unit.disposable).collect();
    let expected: Vec<bool> = units
        .iter()
        .map(|unit| vp8::classify(&unit.1).unwrap().disposable)
        .collect();
    assert_eq!(disposable, expected);

    // N.
    let (key, inter) = (&units[0].1, &units[1].1);
    let sent = [
        packet(&[&[0x10], &key[..]].concat(), 0, true),
        packet(&[&[0x30], &inter[..]].concat(), 1, true),
    ];
    let received = receive(&mut Vp8Depacketizer::new(), &sent, &[]);
    assert!(received[1].disposable);
}

#[test]
fn spatial_layers_become_a_superframe() {
    let units = frames(VP9[0], is_vp9_key);
    let (key, inter) = (&units[0].1, &units[1].1);
    // I, L, flexible, B and E; picture 1 with 7 bits; layers 0 and 1.
    let layer = |sid: u8, frame: &[u8]| [&[0xbc, 0x01, sid << 1], frame].concat();
    let mut depacketizer = Vp9Depacketizer::new();
    let sent = [
        packet(&layer(0, key), 0, false),
        packet(&layer(1, inter), 0, true),
        packet(&layer(0, inter), 3000, true),
    ];
    let received = receive(&mut depacketizer, &sent, &[]);
    assert_eq!(received.len(), 2);
    let frames: Vec<&[u8]> = vp9::frames(&received[0].data).collect();
    assert_eq!(frames, [&key[..], &inter[..]]);
    assert!(received[0].keyframe && received[0].config.is_some());
    assert_eq!(received[1].data, inter);

    // Without the layer below, the upper one is nothing.
    let received = receive(&mut Vp9Depacketizer::new(), &sent, &[0]);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].timestamp, 3000);
    let received = receive(&mut Vp9Depacketizer::new(), &sent, &[1]);
    assert!(received.iter().all(|unit| unit.timestamp == 3000));
}

proptest! {
    #[test]
    fn whatever_comes_does_no_harm(payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0_u32..3, any::<bool>()), 0..40)) {
        let mut units = Vec::new();
        let mut vp8 = Vp8Depacketizer::new();
        let mut vp9 = Vp9Depacketizer::new();
        for (payload, timestamp, marker) in payloads {
            let packet = packet(&payload, timestamp, marker);
            _ = vp8.push(&packet, &mut units);
            _ = vp9.push(&packet, &mut units);
        }
        prop_assert!(units.iter().all(|unit| !unit.data.is_empty()));
    }
}
