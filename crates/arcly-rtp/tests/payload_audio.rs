//! AAC (RFC 3640), Opus (RFC 7587), G.711, G.722 and L16 (RFC 3551): both ways, with loss, and from senders that do it their own way.

mod payloads;

use arcly_codec::aac::{AdtsHeader, AudioSpecificConfig};
use arcly_codec::opus::OpusHead;
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use arcly_rtp::payload::aac::{AacDepacketizer, AacPacketizer, AuHeaderLayout, MAX_HBR_BYTES};
use arcly_rtp::payload::opus::{OpusDepacketizer, OpusPacketizer};
use arcly_rtp::payload::pcm::{PcmDepacketizer, PcmPacketizer};
use arcly_rtp::payload::{AccessUnit, Depacketizer, Packetizer};
use arcly_rtp::{Result, RtpError};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// AAC LC, 44.1 kHz, stereo.
const CONFIG: [u8; 2] = [0x12, 0x10];

fn aac(layout: AuHeaderLayout) -> AacDepacketizer {
    AacDepacketizer::new(layout, Bytes::from_static(&CONFIG), 44_100).expect("made to be valid")
}

fn push(depacketizer: &mut dyn Depacketizer, payload: &[u8]) -> Result<Vec<AccessUnit>> {
    let mut units = Vec::new();
    depacketizer.push(&packet(payload, 1000, true), &mut units)?;
    Ok(units)
}

fn seen(units: &[AccessUnit]) -> Vec<(u32, &[u8])> {
    units
        .iter()
        .map(|unit| (unit.timestamp, &unit.data[..]))
        .collect()
}

fn audio(frames: Vec<Vec<u8>>, duration: u32) -> Vec<Unit> {
    let start = u32::MAX - duration;
    let unit = |(index, frame)| {
        let timestamp = start.wrapping_add(index as u32 * duration);
        (timestamp, Bytes::from(frame), true)
    };
    frames.into_iter().enumerate().map(unit).collect()
}

#[test]
fn several_access_units_share_a_packet() {
    // Two headers of 16 bits: 3 bytes with index 0, 2 bytes with index delta 0.
    let payload = [0, 32, 0, 3 << 3, 0, 2 << 3, 1, 2, 3, 4, 5];
    let units = push(&mut aac(AuHeaderLayout::HBR), &payload).unwrap();
    assert_eq!(seen(&units), [(1000, &[1, 2, 3][..]), (2024, &[4, 5])]);
    assert_eq!(units[0].config.as_deref(), Some(&CONFIG[..]));
    assert_eq!(units[1].config, None);

    // RFC 3640 3.3.5: headers of 8 bits.
    let payload = [0, 16, 3 << 2, 2 << 2, 1, 2, 3, 4, 5];
    let units = push(&mut aac(AuHeaderLayout::LBR), &payload).unwrap();
    assert_eq!(seen(&units), [(1000, &[1, 2, 3][..]), (2024, &[4, 5])]);
}

#[test]
fn headers_of_any_layout() {
    // CTS and DTS deltas of 16 bits, a random access flag, 4 bits of stream state, an auxiliary section of 8 bits.
    let layout = AuHeaderLayout {
        cts_delta_length: 16,
        dts_delta_length: 16,
        random_access_indication: true,
        stream_state_indication: 4,
        auxiliary_data_size_length: 8,
        constant_duration: 960,
        ..AuHeaderLayout::HBR
    };
    // 13 + 3, flag, flag + 16, 1 + 4 = 39 bits; then 13 + 3, 1 + 16, flag, 5 = 39 bits.
    let mut bits = String::new();
    bits += "0000000000010000";
    bits += "0";
    bits += "10000000000000111";
    bits += "10000";
    bits += "0000000000001000";
    bits += "10000000000000001";
    bits += "0";
    bits += "00000";
    assert_eq!(bits.len(), 78);
    let mut payload = vec![0, 78];
    bits += "00";
    for byte in 0..10 {
        payload.push(u8::from_str_radix(&bits[byte * 8..][..8], 2).unwrap());
    }
    payload.extend([8, 0xee]);
    payload.extend([1, 2, 3]);
    let units = push(&mut aac(layout), &payload).unwrap();
    assert_eq!(seen(&units), [(1000, &[1, 2][..]), (1960, &[3])]);

    let constant = AuHeaderLayout {
        constant_size: 2,
        ..AuHeaderLayout::default()
    };
    let units = push(&mut aac(constant), &[1, 2, 3, 4]).unwrap();
    assert_eq!(seen(&units), [(1000, &[1, 2][..]), (2024, &[3, 4])]);
}

#[test]
fn interleaving_is_refused() {
    let payload = [0, 32, 0, 3 << 3, 0, 2 << 3 | 1, 1, 2, 3, 4, 5];
    let result = push(&mut aac(AuHeaderLayout::HBR), &payload);
    assert!(matches!(result, Err(RtpError::Unsupported { .. })));
}

#[test]
fn a_header_of_adts_is_taken_off() {
    let config = AudioSpecificConfig::parse(&CONFIG).unwrap();
    let header = AdtsHeader::for_payload(&config, 3)
        .unwrap()
        .to_bytes()
        .unwrap();
    let mut payload = vec![0, 16, 0, (header.as_slice().len() as u8 + 3) << 3];
    payload.extend_from_slice(header.as_slice());
    payload.extend([1, 2, 3]);
    let units = push(&mut aac(AuHeaderLayout::HBR), &payload).unwrap();
    assert_eq!(seen(&units), [(1000, &[1, 2, 3][..])]);
}

#[test]
fn timestamps_count_the_clock_of_the_session_description() {
    let config = Bytes::from_static(&CONFIG);
    let mut at_90_khz = AacDepacketizer::new(AuHeaderLayout::HBR, config, 90_000).unwrap();
    let payload = [0, 32, 0, 1 << 3, 0, 1 << 3, 1, 2];
    let units = push(&mut at_90_khz, &payload).unwrap();
    assert_eq!(units[1].timestamp - units[0].timestamp, 2089);
}

#[test]
fn aac_that_makes_no_sense_is_refused() {
    for payload in [
        &[0][..],
        &[0, 16, 0],
        &[0, 32, 0, 3 << 3, 0, 9 << 3, 1, 2, 3, 4],
        &[0xff, 0xff, 0, 0],
    ] {
        let result = push(&mut aac(AuHeaderLayout::HBR), payload);
        assert!(
            matches!(result, Err(RtpError::Malformed { .. })),
            "{payload:?}"
        );
    }
    let many = [&[4, 16][..], &[0; 130]].concat();
    let result = push(&mut aac(AuHeaderLayout::HBR), &many);
    assert!(matches!(result, Err(RtpError::LimitExceeded { .. })));
    let broken = AuHeaderLayout {
        size_length: 33,
        ..AuHeaderLayout::HBR
    };
    assert!(AacDepacketizer::new(broken, Bytes::from_static(&CONFIG), 1).is_err());
    let mut payloads = Vec::new();
    let long = Bytes::from(vec![0; MAX_HBR_BYTES + 1]);
    let result = AacPacketizer::new(1400).packetize(&long, true, &mut payloads);
    assert!(matches!(result, Err(RtpError::LimitExceeded { .. })));
}

#[test]
fn opus_packets_pass_as_they_are() {
    let units = audio(vec![vec![0xfc, 1, 2], vec![0xfc, 3]], 960);
    let sent = packets(&mut OpusPacketizer::new(1400), &units, 1400);
    assert!(sent.iter().all(|packet| !packet.header.marker));
    let received = receive(&mut OpusDepacketizer::new(2).unwrap(), &sent, &[]);
    assert_same(&units, &received);
    let head = received[0].config.clone().unwrap();
    assert_eq!(OpusHead::parse(&head).unwrap().channels, 2);
    assert_eq!(received[1].config, None);

    let mut depacketizer = OpusDepacketizer::new(2).unwrap();
    assert_eq!(push(&mut depacketizer, &[]).unwrap(), []);
    // Frame count 0.
    assert!(push(&mut depacketizer, &[0xff, 0]).is_err());
    let long = Bytes::from(vec![0xfc; 1401]);
    let result = OpusPacketizer::new(1400).packetize(&long, true, &mut Vec::new());
    assert!(matches!(result, Err(RtpError::LimitExceeded { .. })));
}

#[test]
fn samples_are_not_cut() {
    let stereo = PcmFormat::new(PcmCodec::L16, 48_000, 2).unwrap();
    let units = push(&mut PcmDepacketizer::new(stereo), &[1, 2, 3, 4, 5]).unwrap();
    assert_eq!(seen(&units), [(1000, &[1, 2, 3, 4][..])]);
    assert!(push(&mut PcmDepacketizer::new(stereo), &[1, 2, 3]).is_err());
}

#[test]
fn g722_counts_two_samples_as_one() {
    let format = PcmFormat::default_of(PcmCodec::G722);
    let mut payloads = Vec::new();
    let data = Bytes::from(vec![0; 250]);
    let mut packetizer = PcmPacketizer::new(format, 100).unwrap();
    packetizer.packetize(&data, true, &mut payloads).unwrap();
    let offsets: Vec<u32> = payloads
        .iter()
        .map(|payload| payload.timestamp_offset)
        .collect();
    assert_eq!(offsets, [0, 100, 200]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn aac_comes_out_as_it_went_in(
        frames in prop::collection::vec(prop::collection::vec(0..0xf0_u8, 1..3000), 1..8),
        max in 50_usize..1400,
    ) {
        let units = audio(frames, 1024);
        let sent = packets(&mut AacPacketizer::new(max), &units, max);
        assert_same(&units, &receive(&mut aac(AuHeaderLayout::HBR), &sent, &[]));
        assert_loss_is_whole(|| Box::new(aac(AuHeaderLayout::HBR)), &units, &sent, 1);
    }

    #[test]
    fn pcm_comes_out_as_it_went_in(
        samples in prop::collection::vec(any::<u8>(), 1..2000),
        codec in prop::sample::select(vec![PcmCodec::Pcmu, PcmCodec::Pcma, PcmCodec::G722, PcmCodec::L16]),
        channels in 1_u8..3,
        max in 50_usize..1400,
    ) {
        let format = PcmFormat::new(codec, 16_000, channels).unwrap();
        let whole = format.bytes(format.samples(samples.len())) as usize;
        let data = Bytes::copy_from_slice(&samples[..whole]);
        let sent = packets(&mut PcmPacketizer::new(format, max).unwrap(), &[(77, data.clone(), true)], max);
        let received = receive(&mut PcmDepacketizer::new(format), &sent, &[]);
        let mut samples_before = 0;
        let mut joined = Vec::new();
        for unit in received {
            let ticks = samples_before * u64::from(format.rtp_clock_rate()) / 16_000;
            prop_assert_eq!(u64::from(unit.timestamp), 77 + ticks);
            samples_before += format.samples(unit.data.len());
            joined.extend_from_slice(&unit.data);
        }
        prop_assert_eq!(joined, data);
    }

    #[test]
    fn whatever_comes_does_no_harm(
        payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), 0_u32..3, any::<bool>()), 0..20),
        layout in prop::sample::select(vec![AuHeaderLayout::HBR, AuHeaderLayout::LBR, AuHeaderLayout { constant_size: 5, auxiliary_data_size_length: 9, random_access_indication: true, ..AuHeaderLayout::default() }]),
    ) {
        let mut depacketizer = aac(layout);
        let mut units = Vec::new();
        for (payload, timestamp, marker) in payloads {
            _ = depacketizer.push(&packet(&payload, timestamp, marker), &mut units);
        }
        prop_assert!(units.iter().all(|unit| !unit.data.is_empty()));
    }
}
