//! H.264 (RFC 6184): both ways, with loss, and from senders that do it their own way.

mod payloads;

use arcly_codec::h264::{
    self, AccessUnitInfo, AvcDecoderConfig, NalFilter, ParameterSets, annex_b, length_prefixed,
};
use arcly_codec::nal::LengthSize;
use arcly_rtp::payload::h264::{H264Depacketizer, H264Packetizer, PacketizationMode};
use arcly_rtp::payload::{AccessUnit, Depacketizer, Packetizer};
use arcly_rtp::{RtpError, RtpPacket};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// x264 and OpenH264; provenance in `arcly-codec/tests/data/README.md`.
const STREAMS: [&[u8]; 5] = [
    include_bytes!("../../arcly-codec/tests/data/high_bframes.h264"),
    include_bytes!("../../arcly-codec/tests/data/four_slices.h264"),
    include_bytes!("../../arcly-codec/tests/data/open_gop.h264"),
    include_bytes!("../../arcly-codec/tests/data/intra_refresh.h264"),
    include_bytes!("../../arcly-codec/tests/data/openh264.h264"),
];

/// The config and the access units of a byte stream.
fn source(stream: &'static [u8]) -> (Bytes, Vec<Unit>) {
    let mut sets = ParameterSets::new();
    let mut units = Vec::new();
    for unit in h264::access_units(Bytes::from_static(stream)) {
        for nal in annex_b::nal_units(&unit) {
            sets.insert(nal).expect("made to be valid");
        }
        let keyframe = AccessUnitInfo::of_annex_b(&unit).is_keyframe();
        let data = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE).expect("made to be valid");
        units.push((units.len() as u32 * 3600, data, keyframe));
    }
    (
        sets.config()
            .expect("made to be valid")
            .to_bytes()
            .expect("made to be valid"),
        units,
    )
}

fn send(config: &Bytes, units: &[Unit], max: usize) -> Vec<RtpPacket> {
    let mut packetizer = H264Packetizer::new(PacketizationMode::NonInterleaved, max);
    packetizer.set_config(config).expect("made to be valid");
    packets(&mut packetizer, units, max)
}

fn plain() -> H264Depacketizer {
    H264Depacketizer::new(None).expect("no config to be damaged")
}

fn sets_of(config: &Bytes) -> Vec<Bytes> {
    let config = AvcDecoderConfig::parse(config).expect("made to be valid");
    config.sps.into_iter().chain(config.pps).collect()
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
            let all = |unit: &AccessUnit| !(unit.keyframe && unit.disposable);
            assert!(received.iter().all(all));
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
                Box::new(H264Depacketizer::new(Some(&config)).expect("made by us"))
                    as Box<dyn Depacketizer>
            };
            assert_loss_is_whole(new, &units, &packets, 3);
        }
    }
}

#[test]
fn packets_of_one_slice_are_of_one_length_but_the_last() {
    let (_, units) = source(STREAMS[0]);
    for max in [50, 80] {
        let mut packetizer = H264Packetizer::new(PacketizationMode::NonInterleaved, max);
        for (_, data, _) in &units {
            let slices = length_prefixed::nal_units(data, LengthSize::Four).count();
            let mut payloads = Vec::new();
            packetizer.packetize(data, false, &mut payloads).unwrap();
            if let ([all @ .., _], 1) = (&payloads[..], slices) {
                assert!(all.iter().all(|payload| payload.len() == max));
            }
        }
    }
}

#[test]
fn fragments_are_slices_of_the_access_unit() {
    let (_, units) = source(STREAMS[0]);
    let data = &units[0].1;
    let mut payloads = Vec::new();
    let mut packetizer = H264Packetizer::new(PacketizationMode::NonInterleaved, 50);
    packetizer.packetize(data, false, &mut payloads).unwrap();
    let inside = data.as_ptr_range();
    let fragments = payloads.iter().filter(|payload| payload.head().len() == 2);
    let mut count = 0;
    for fragment in fragments {
        assert!(inside.contains(&fragment.body.as_ptr()));
        count += 1;
    }
    assert!(count > 2);
}

#[test]
fn mode_0_sends_whole_nal_units_only() {
    let (config, units) = source(STREAMS[0]);
    let mut packetizer = H264Packetizer::new(PacketizationMode::SingleNalUnit, 65_000);
    packetizer.set_config(&config).unwrap();
    let sent = packets(&mut packetizer, &units, 65_000);
    assert!(sent.iter().all(|packet| packet.payload[0] & 0x1f < 24));
    assert_same(&units, &receive(&mut plain(), &sent, &[]));

    let mut packetizer = H264Packetizer::new(PacketizationMode::SingleNalUnit, 50);
    let mut payloads = Vec::new();
    let result = packetizer.packetize(&units[0].1, true, &mut payloads);
    assert!(matches!(result, Err(RtpError::LimitExceeded { .. })));
    assert!(payloads.is_empty());
}

#[test]
fn cameras_that_set_no_marker_or_one_on_each_slice() {
    for stream in STREAMS {
        let (config, units) = source(stream);
        let mut none = send(&config, &units, 100);
        for packet in &mut none {
            packet.header.marker = false;
        }
        let received = receive(&mut plain(), &none, &[]);
        assert_same(&units, &received);

        // As cameras do: each NAL unit in a packet with the marker.
        let mut each = Vec::new();
        for (timestamp, data, keyframe) in &units {
            let sets = if *keyframe {
                sets_of(&config)
            } else {
                Vec::new()
            };
            let nals = length_prefixed::nal_units(data, LengthSize::Four);
            let nals = nals.map(|nal| data.slice_ref(nal.unwrap()));
            for nal in sets.into_iter().chain(nals) {
                each.push(packet(&nal, *timestamp, true));
            }
        }
        let mut received = receive(&mut plain(), &each, &[]);
        if received.len() + 1 == units.len() {
            // Nothing tells that the last one is whole, but where markers were proven.
            received.push(AccessUnit::new(0, Bytes::new()));
            assert_same(&units[..units.len() - 1], &received[..units.len() - 1]);
        } else {
            assert_same(&units, &received);
        }
    }
}

#[test]
fn cameras_that_send_byte_streams() {
    let (config, units) = source(STREAMS[0]);
    let sets = sets_of(&config);
    let start_code = [0, 0, 0, 1];
    // Parameter sets and a slice in one "NAL unit", with and without a start code before the first.
    for before in [&start_code[..], &[]] {
        let mut packets = Vec::new();
        for (timestamp, data, keyframe) in &units {
            let nals = length_prefixed::nal_units(data, LengthSize::Four);
            let mut nals: Vec<Bytes> = nals.map(|nal| data.slice_ref(nal.unwrap())).collect();
            if *keyframe {
                nals.splice(..0, sets.clone());
                let joined = [before, &nals.join(&start_code[..])].concat();
                packets.push(packet(&joined, *timestamp, true));
            } else {
                let last = nals.len() - 1;
                for (index, nal) in nals.iter().enumerate() {
                    packets.push(packet(nal, *timestamp, index == last));
                }
            }
        }
        let received = receive(&mut plain(), &packets, &[]);
        assert_same(&units, &received);
        assert_eq!(received[0].config, Some(config.clone()));
    }
}

#[test]
fn interleaved_mode_is_refused() {
    for unit_type in [25, 26, 27, 29] {
        let packet = packet(&[0x60 | unit_type, 0, 0, 0, 1, 0x65], 0, true);
        let result = plain().push(&packet, &mut Vec::new());
        assert!(matches!(result, Err(RtpError::Unsupported { .. })));
    }
}

#[test]
fn a_changed_config_comes_with_its_keyframe() {
    let (first_config, first) = source(STREAMS[0]);
    let (second_config, second) = source(STREAMS[1]);
    let mut sent = send(&first_config, &first, 1400);
    let mut again = send(&second_config, &second, 1400);
    for packet in &mut again {
        packet.header.timestamp += 1_000_000;
    }
    let boundary = first.len();
    sent.extend(again);
    let received = receive(&mut plain(), &sent, &[]);
    assert_eq!(received.len(), first.len() + second.len());
    let configs: Vec<usize> = (0..received.len())
        .filter(|&index| received[index].config.is_some())
        .collect();
    assert_eq!(configs, [0, boundary]);
}

/// A NAL unit of this header with a body that needs no emulation prevention; P slices, the first of their picture where `first`.
fn nal(header: u8, first: bool, body: &[u8]) -> Vec<u8> {
    let mut nal = vec![header, if first { 0x9a } else { 0x48 }];
    nal.extend(body.iter().map(|&byte| byte | 1));
    nal
}

prop_compose! {
    /// One to four slices.
    fn slices()(
        keyframe: bool,
        slices in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..4),
    ) -> (Vec<Vec<u8>>, bool) {
        let header = if keyframe { 0x65 } else { 0x41 };
        let slice = |(index, body): (usize, &Vec<u8>)| nal(header, index == 0, body);
        (slices.iter().enumerate().map(slice).collect(), keyframe)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sent_comes_out(
        units in prop::collection::vec(slices(), 1..6),
        sei: bool,
        max in 50_usize..1400,
    ) {
        let (config, _) = source(STREAMS[0]);
        let mut sent = Vec::new();
        let first = (vec![nal(0x65, true, &[1; 40])], true);
        for (mut nals, keyframe) in std::iter::once(first).chain(units) {
            if sei {
                nals.insert(0, nal(0x06, true, &[5, 5]));
            }
            let timestamp = (u32::MAX - 3600).wrapping_add(sent.len() as u32 * 3600);
            sent.push((timestamp, payloads::length_prefixed(&nals), keyframe));
        }
        let packets = send(&config, &sent, max);
        assert_same(&sent, &receive(&mut plain(), &packets, &[]));
        let new = || Box::new(H264Depacketizer::new(Some(&config)).expect("made by us")) as Box<dyn Depacketizer>;
        // Access units before the first keyframe that came whole are none.
        assert_loss_is_whole(new, &sent, &packets, sent.len());
    }

    #[test]
    fn whatever_comes_does_no_harm(payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..60), 0_u32..3, any::<bool>()), 0..40)) {
        let mut depacketizer = plain();
        let mut units = Vec::new();
        for (payload, timestamp, marker) in payloads {
            _ = depacketizer.push(&packet(&payload, timestamp, marker), &mut units);
        }
        depacketizer.flush(&mut units);
    }
}
