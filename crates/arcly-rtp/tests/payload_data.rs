//! KLV (RFC 6597) and MPEG-TS (RFC 2250): both ways and with loss.

mod payloads;

use arcly_rtp::RtpError;
use arcly_rtp::payload::klv::{KlvDepacketizer, KlvPacketizer};
use arcly_rtp::payload::mpeg_ts::{MpegTsDepacketizer, MpegTsPacketizer, TS_PACKET_BYTES};
use arcly_rtp::payload::{Depacketizer, Packetizer};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

#[test]
fn what_is_no_transport_packet_is_refused() {
    let mut packet_of = vec![0x47; TS_PACKET_BYTES];
    packet_of.push(0x47);
    for payload in [&packet_of[..], &packet_of[..187], &[0; TS_PACKET_BYTES]] {
        let mut units = Vec::new();
        let result = MpegTsDepacketizer::new().push(&packet(payload, 0, false), &mut units);
        assert!(matches!(result, Err(RtpError::Malformed { .. })));
        let data = Bytes::copy_from_slice(payload);
        let result = MpegTsPacketizer::new(1400).packetize(&data, true, &mut Vec::new());
        assert!(matches!(result, Err(RtpError::Malformed { .. })));
    }
}

#[test]
fn seven_transport_packets_fit() {
    let data = Bytes::from(vec![0x47; 20 * TS_PACKET_BYTES]);
    let sent = packets(
        &mut MpegTsPacketizer::new(1400),
        &[(3, data.clone(), true)],
        1400,
    );
    let lengths: Vec<usize> = sent
        .iter()
        .map(|packet| packet.payload.len() / 188)
        .collect();
    assert_eq!(lengths, [7, 7, 6]);
    let received = receive(&mut MpegTsDepacketizer::new(), &sent, &[]);
    let joined: Vec<u8> = received
        .iter()
        .flat_map(|unit| unit.data.to_vec())
        .collect();
    assert_eq!(joined, data);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn klv_comes_out_as_it_went_in(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..8),
        max in 50_usize..1400,
    ) {
        let units: Vec<Unit> = values.iter().enumerate().map(|(index, value)| {
            let data = [&[0x06, 0x0e, 0x2b, 0x34], &value[..]].concat();
            (index as u32 * 3000, data.into(), true)
        }).collect();
        let sent = packets(&mut KlvPacketizer::new(max), &units, max);
        assert_same(&units, &receive(&mut KlvDepacketizer::new(), &sent, &[]));
        assert_loss_is_whole(|| Box::new(KlvDepacketizer::new()), &units, &sent, 1);
    }
}
