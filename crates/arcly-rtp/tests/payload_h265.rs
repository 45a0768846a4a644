//! H.265 (RFC 7798): both ways, with loss, with decoding order numbers and PACI.

mod payloads;

use arcly_codec::h265::{
    self, AccessUnitInfo, HevcDecoderConfig, NalFilter, ParameterSets, annex_b, length_prefixed,
};
use arcly_codec::nal::LengthSize;
use arcly_rtp::payload::h265::{H265Depacketizer, H265Packetizer};
use arcly_rtp::payload::{Depacketizer, Packetizer};
use arcly_rtp::{Result, RtpError, RtpPacket};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// x265 and Kvazaar; provenance in `arcly-codec/tests/data/README.md`.
const STREAMS: [&[u8]; 5] = [
    include_bytes!("../../arcly-codec/tests/data/bframes.h265"),
    include_bytes!("../../arcly-codec/tests/data/slices.h265"),
    include_bytes!("../../arcly-codec/tests/data/open_gop.h265"),
    include_bytes!("../../arcly-codec/tests/data/temporal_layers.h265"),
    include_bytes!("../../arcly-codec/tests/data/kvazaar.h265"),
];

/// The config and the access units of a byte stream.
fn source(stream: &'static [u8]) -> (Bytes, Vec<Unit>) {
    let mut sets = ParameterSets::new();
    let mut units = Vec::new();
    for unit in h265::access_units(Bytes::from_static(stream)) {
        for nal in annex_b::nal_units(&unit) {
            sets.insert(nal).expect("a valid parameter set");
        }
        let keyframe = AccessUnitInfo::of_annex_b(&unit).is_random_access();
        let data = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE).expect("a valid stream");
        units.push((units.len() as u32 * 3600, data, keyframe));
    }
    let config = sets.config().expect("all parameter sets came");
    (config.to_bytes().expect("a valid config"), units)
}

fn send(config: &Bytes, units: &[Unit], max: usize) -> Vec<RtpPacket> {
    let mut packetizer = H265Packetizer::new(max);
    packetizer.set_config(config).expect("a valid config");
    packets(&mut packetizer, units, max)
}

fn plain() -> H265Depacketizer {
    H265Depacketizer::new(false, None).expect("no config to be damaged")
}

fn nals_of(data: &Bytes) -> Vec<Bytes> {
    length_prefixed::nal_units(data, LengthSize::Four)
        .map(|nal| data.slice_ref(nal.expect("made to be valid")))
        .collect()
}

#[test]
fn streams_of_encoders_come_out_as_they_went_in() {
    for stream in STREAMS {
        let (config, units) = source(stream);
        for max in [50, 100, 333, 1400] {
            let packets = send(&config, &units, max);
            let received = receive(&mut plain(), &packets, &[]);
            assert_same(&units, &received);
            assert_eq!(received[0].config, Some(config.clone()));
            assert!(received[1..].iter().all(|unit| unit.config.is_none()));
        }
    }
}

#[test]
fn any_packet_can_be_missing() {
    for stream in STREAMS {
        let (config, units) = source(stream);
        for max in [50, 200, 1400] {
            let packets = send(&config, &units, max);
            let new = || {
                let depacketizer = H265Depacketizer::new(false, Some(&config));
                Box::new(depacketizer.expect("made by us")) as Box<dyn Depacketizer>
            };
            assert_loss_is_whole(new, &units, &packets, 3);
        }
    }
}

#[test]
fn packets_of_one_slice_are_of_one_length_but_the_last() {
    let (_, units) = source(STREAMS[0]);
    let mut payloads = Vec::new();
    let mut packetizer = H265Packetizer::new(50);
    let slice = units[0].1.clone();
    packetizer.packetize(&slice, false, &mut payloads).unwrap();
    let nals = nals_of(&slice);
    let fragments = nals.last().unwrap().len().div_ceil(50);
    let tail = &payloads[payloads.len() - fragments..payloads.len() - 1];
    assert!(tail.len() > 1 && tail.iter().all(|payload| payload.len() == 50));
    let inside = slice.as_ptr_range();
    assert!(
        tail.iter()
            .all(|payload| inside.contains(&payload.body.as_ptr()))
    );
}

/// The units of a stream as a sender with decoding order numbers packs them: parameter sets aggregated, the rest in fragments of 100 bytes or
/// alone.
fn numbered(config: &Bytes, units: &[Unit], step: u16) -> Vec<RtpPacket> {
    let mut packets = Vec::new();
    let mut number = 0xfff0_u16;
    let config = HevcDecoderConfig::parse(config).expect("a valid config");
    for (timestamp, data, keyframe) in units {
        if *keyframe {
            let mut payload = vec![48 << 1, 1];
            for (index, nal) in config.nal_units().enumerate() {
                if index == 0 {
                    payload.extend(number.to_be_bytes());
                } else {
                    number = number.wrapping_add(3);
                    payload.push(2);
                }
                payload.extend((nal.len() as u16).to_be_bytes());
                payload.extend_from_slice(nal);
            }
            packets.push(packet(&payload, *timestamp, false));
        }
        let nals = nals_of(data);
        for (index, nal) in nals.iter().enumerate() {
            number = number.wrapping_add(step);
            let last = index + 1 == nals.len();
            if nal.len() <= 100 {
                let mut payload = nal[..2].to_vec();
                payload.extend(number.to_be_bytes());
                payload.extend_from_slice(&nal[2..]);
                packets.push(packet(&payload, *timestamp, last));
                continue;
            }
            let count = nal[2..].chunks(100).count();
            for (place, chunk) in nal[2..].chunks(100).enumerate() {
                let flags = u8::from(place == 0) << 7 | u8::from(place + 1 == count) << 6;
                let mut payload = vec![nal[0] & 0x81 | 49 << 1, nal[1], flags | nal[0] >> 1];
                if place == 0 {
                    payload.extend(number.to_be_bytes());
                }
                payload.extend_from_slice(chunk);
                packets.push(packet(&payload, *timestamp, last && place + 1 == count));
            }
        }
    }
    packets
}

#[test]
fn decoding_order_numbers_are_taken_off() {
    for stream in STREAMS {
        let (config, units) = source(stream);
        let mut depacketizer = H265Depacketizer::new(true, None).unwrap();
        let received = receive(&mut depacketizer, &numbered(&config, &units, 5), &[]);
        assert_same(&units, &received);
        assert_eq!(received[0].config, Some(config));
    }
}

#[test]
fn another_order_than_that_of_decoding_is_refused() {
    let (config, units) = source(STREAMS[0]);
    let mut depacketizer = H265Depacketizer::new(true, None).unwrap();
    let results: Result<Vec<()>> = numbered(&config, &units, 0xffff)
        .iter()
        .map(|packet| depacketizer.push(packet, &mut Vec::new()))
        .collect();
    assert!(matches!(results, Err(RtpError::Unsupported { .. })));
}

#[test]
fn what_paci_packets_hold_is_read() {
    let (config, units) = source(STREAMS[0]);
    let mut packets = send(&config, &units, 200);
    for packet in &mut packets {
        let [first, second, rest @ ..] = &packet.payload[..] else {
            unreachable!("payloads have headers")
        };
        let inner = u16::from(first >> 1 & 0x3f);
        let fields = inner << 9 | 3 << 4;
        let mut payload = vec![first & 0x81 | 50 << 1, *second];
        payload.extend(fields.to_be_bytes());
        payload.extend([0xaa; 3]);
        payload.extend_from_slice(rest);
        packet.payload = payload.into();
    }
    assert_same(&units, &receive(&mut plain(), &packets, &[]));
}

#[test]
fn cameras_that_set_no_marker() {
    for stream in STREAMS {
        let (config, units) = source(stream);
        let mut packets = send(&config, &units, 100);
        for packet in &mut packets {
            packet.header.marker = false;
        }
        assert_same(&units, &receive(&mut plain(), &packets, &[]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sent_comes_out(
        units in prop::collection::vec((any::<bool>(), prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..4)), 1..6),
        max in 50_usize..1400,
    ) {
        let (config, _) = source(STREAMS[0]);
        let mut sent = Vec::new();
        let first = (true, vec![vec![1; 40]]);
        for (keyframe, slices) in std::iter::once(first).chain(units) {
            let nals: Vec<Vec<u8>> = slices.iter().enumerate().map(|(index, body)| {
                let mut nal = vec![if keyframe { 0x26 } else { 0x02 }, 1, if index == 0 { 0xaf } else { 0x40 }];
                nal.extend_from_slice(body);
                // No NAL unit ends with a zero.
                nal.push(0x80);
                nal
            }).collect();
            let timestamp = (u32::MAX - 3600).wrapping_add(sent.len() as u32 * 3600);
            sent.push((timestamp, payloads::length_prefixed(&nals), keyframe));
        }
        let packets = send(&config, &sent, max);
        assert_same(&sent, &receive(&mut plain(), &packets, &[]));
        let new = || {
            let depacketizer = H265Depacketizer::new(false, Some(&config));
            Box::new(depacketizer.expect("made by us")) as Box<dyn Depacketizer>
        };
        assert_loss_is_whole(new, &sent, &packets, sent.len());
    }

    #[test]
    fn whatever_comes_does_no_harm(
        payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0_u32..3, any::<bool>()), 0..40),
        donl: bool,
    ) {
        let mut depacketizer = H265Depacketizer::new(donl, None).expect("no config to be damaged");
        let mut units = Vec::new();
        for (payload, timestamp, marker) in payloads {
            _ = depacketizer.push(&packet(&payload, timestamp, marker), &mut units);
        }
        depacketizer.flush(&mut units);
    }
}
