//! AV1: both ways, with loss, and in the shapes that senders choose.

mod payloads;

use arcly_codec::av1::{
    self, Av1Config, ObuHeader, ObuType, TemporalUnitInfo, obus, write_leb128, write_obu,
};
use arcly_rtp::payload::av1::{Av1Depacketizer, Av1Packetizer};
use arcly_rtp::payload::{Depacketizer, Packetizer};
use bytes::{Bytes, BytesMut};
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// libaom, SVT-AV1 and rav1e; provenance in `arcly-codec/tests/data/README.md`.
const STREAMS: [&[u8]; 4] = [
    include_bytes!("../../arcly-codec/tests/data/aom.obu"),
    include_bytes!("../../arcly-codec/tests/data/svt.obu"),
    include_bytes!("../../arcly-codec/tests/data/rav1e.obu"),
    include_bytes!("../../arcly-codec/tests/data/aom_hdr.obu"),
];

fn source(stream: &'static [u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    for unit in av1::temporal_units(Bytes::from_static(stream)) {
        let data = av1::to_sample(&unit.expect("a valid stream")).expect("a valid unit");
        let info = TemporalUnitInfo::of(&data, None).expect("a valid unit");
        let timestamp = (u32::MAX - 5000).wrapping_add(units.len() as u32 * 3600);
        units.push((timestamp, data, info.is_random_access()));
    }
    units
}

fn plain() -> Av1Depacketizer {
    Av1Depacketizer::new(None).expect("no config to be damaged")
}

#[test]
fn streams_of_encoders_come_out_as_they_went_in() {
    for stream in STREAMS {
        let units = source(stream);
        let config = Av1Config::from_temporal_unit(&units[0].1).unwrap().unwrap();
        for max in [50, 100, 333, 1400] {
            let sent = packets(&mut Av1Packetizer::new(max), &units, max);
            let received = receive(&mut plain(), &sent, &[]);
            assert_same(&units, &received);
            assert_eq!(received[0].config, Some(config.to_bytes().unwrap()));
            assert!(received[1..].iter().all(|unit| unit.config.is_none()));
            assert_loss_is_whole(|| Box::new(plain()), &units, &sent, 2);
            // No OBU has a size, none is a delimiter, and packets are filled.
            for unit in &units {
                let of_unit = sent
                    .iter()
                    .filter(|packet| packet.header.timestamp == unit.0);
                let of_unit: Vec<_> = of_unit.collect();
                let (_, all) = of_unit.split_last().expect("a packet at least");
                assert!(all.iter().all(|packet| packet.payload.len() == max));
            }
        }
    }
}

#[test]
fn a_key_frame_without_sequence_header_gets_that_of_the_config() {
    let units = source(STREAMS[0]);
    let config = Av1Config::from_temporal_unit(&units[0].1).unwrap().unwrap();
    let mut bare = BytesMut::new();
    for obu in obus(&units[0].1) {
        let obu = obu.unwrap();
        if obu.header.obu_type != ObuType::SequenceHeader {
            bare.extend_from_slice(obu.bytes);
        }
    }
    let bare = vec![(units[0].0, bare.freeze(), true)];
    let mut packetizer = Av1Packetizer::new(200);
    packetizer.set_config(&config.to_bytes().unwrap()).unwrap();
    let sent = packets(&mut packetizer, &bare, 200);
    assert_eq!(sent[0].payload[0] & 0x08, 0x08, "N");
    assert_same(&units[..1], &receive(&mut plain(), &sent, &[]));
}

#[test]
fn sizes_delimiters_and_lengths_of_any_kind_are_read() {
    let units = source(STREAMS[0]);
    let mut sent = Vec::new();
    for (timestamp, data, key) in &units {
        // W 0: all elements with lengths, the first one a delimiter, each OBU with its size.
        let mut payload = BytesMut::from(&[if *key { 0x08 } else { 0 }][..]);
        write_leb128(2, &mut payload);
        payload.extend_from_slice(&[0x12, 0]);
        for obu in obus(data) {
            let obu = obu.unwrap();
            write_leb128(obu.bytes.len() as u32, &mut payload);
            payload.extend_from_slice(obu.bytes);
        }
        sent.push(packet(&payload, *timestamp, true));
    }
    assert_same(&units, &receive(&mut plain(), &sent, &[]));
    assert_loss_is_whole(|| Box::new(plain()), &units, &sent, 2);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for payload in [
        // Z and N; an element that is truncated; two elements said, one there.
        &[0x98, 0x0a][..],
        &[0x00, 9, 0x0a],
        &[0x20, 3, 0x0a, 0, 0],
    ] {
        let mut depacketizer = plain();
        let mut units = Vec::new();
        // Behind a packet that a temporal unit ends with.
        _ = depacketizer.push(&packet(&[0x18, 0x12], 0, true), &mut units);
        let result = depacketizer.push(&packet(payload, 1, true), &mut units);
        assert!(result.is_err(), "{payload:?}");
    }
}

#[test]
fn a_sequence_header_alone_is_not_forgotten() {
    let units = source(STREAMS[0]);
    let config = Av1Config::from_temporal_unit(&units[0].1).unwrap().unwrap();
    let (mut header, mut frame) = (BytesMut::from(&[0x18][..]), BytesMut::from(&[0x10][..]));
    for obu in obus(&units[0].1) {
        let obu = obu.unwrap();
        match obu.header.obu_type {
            ObuType::SequenceHeader => header.extend_from_slice(obu.bytes),
            _ => frame.extend_from_slice(obu.bytes),
        }
    }
    let sent = [packet(&header, 0, true), packet(&frame, 1, true)];
    let received = receive(&mut plain(), &sent, &[]);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].config, Some(config.to_bytes().unwrap()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sent_comes_out(
        units in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 1..2000), 1..8), 1..5),
        max in 50_usize..1400,
    ) {
        let key = source(STREAMS[0]).remove(0);
        let mut sent = vec![key];
        for obus in units {
            let mut data = BytesMut::new();
            // A frame that is no key frame, and tile groups of anything.
            write_obu(ObuHeader::new(ObuType::Frame), &[0x30; 40], &mut data);
            for obu in obus {
                let mut header = ObuHeader::new(ObuType::TileGroup);
                header.layer = (obu[0] > 127).then_some((1, 2));
                write_obu(header, &obu, &mut data);
            }
            sent.push((sent.len() as u32 * 3600, data.freeze(), false));
        }
        let packets = packets(&mut Av1Packetizer::new(max), &sent, max);
        assert_same(&sent, &receive(&mut plain(), &packets, &[]));
        assert_loss_is_whole(|| Box::new(plain()), &sent, &packets, 2);
    }

    #[test]
    fn whatever_comes_does_no_harm(payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0_u32..3, any::<bool>()), 0..40)) {
        let mut units = Vec::new();
        let mut depacketizer = plain();
        for (payload, timestamp, marker) in payloads {
            _ = depacketizer.push(&packet(&payload, timestamp, marker), &mut units);
        }
    }
}
