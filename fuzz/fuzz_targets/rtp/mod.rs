//! Packets out of the fuzzer's bytes: each a length of 32 bits, little-endian, and an RTP packet. Those of the hostile inputs have this form too.

#![allow(dead_code, reason = "each target uses its part")]

use arcly_rtp::payload::{AccessUnit, Depacketizer, PayloadFormat};
use arcly_rtp::{RtpHeader, RtpPacket};
use bytes::{Buf, Bytes};

/// What a depacketizer makes of the packets. Where sequence numbers leave one out, it is told so.
pub fn depacketize(depacketizer: &mut dyn Depacketizer, data: &[u8]) -> Vec<AccessUnit> {
    let mut rest = Bytes::copy_from_slice(data);
    let mut units = Vec::new();
    let mut expected = None;
    while rest.remaining() > 4 {
        let length = rest.get_u32_le() as usize;
        let Ok(packet) = RtpPacket::parse(rest.split_to(length.min(rest.len()))) else {
            continue;
        };
        if expected.is_some_and(|expected| expected != packet.header.sequence) {
            depacketizer.lost();
        }
        expected = Some(packet.header.sequence.wrapping_add(1));
        let _ = depacketizer.push(&packet, &mut units);
    }
    depacketizer.flush(&mut units);
    // Headers that are written anew aside, nothing comes out that did not come in.
    let bytes: usize = units.iter().map(|unit| unit.data.len()).sum();
    assert!(bytes <= 70 * data.len() + 1024 * units.len());
    for unit in &units {
        assert!(!unit.data.is_empty());
        assert!(!(unit.keyframe && unit.disposable));
    }
    units
}

/// The packets of an access unit, each within the length that was asked for.
pub fn packetize(format: &PayloadFormat, unit: &AccessUnit, max: usize) -> Option<Vec<RtpPacket>> {
    let mut packetizer = format.packetizer(max).expect("a valid format");
    let mut payloads = Vec::new();
    if packetizer
        .packetize(&unit.data, unit.keyframe, &mut payloads)
        .is_err()
    {
        assert!(payloads.is_empty());
        return None;
    }
    let mut packets = Vec::new();
    for (index, payload) in payloads.iter().enumerate() {
        assert!(payload.len() <= max);
        let header = RtpHeader {
            payload_type: 96,
            marker: payload.marker,
            sequence: index as u16,
            timestamp: unit.timestamp.wrapping_add(payload.timestamp_offset),
            ssrc: 1,
        };
        let bytes = [payload.head(), &payload.body].concat();
        packets.push(RtpPacket::new(header, bytes.into()));
    }
    Some(packets)
}

/// What was read can be sent, and reads the same.
pub fn round_trip(format: &PayloadFormat, unit: &AccessUnit, max: usize) {
    let Some(packets) = packetize(format, unit, max) else {
        return;
    };
    let mut depacketizer = format.depacketizer().expect("a valid format");
    let mut again = Vec::new();
    for packet in &packets {
        depacketizer.push(packet, &mut again).expect("sent by us");
    }
    depacketizer.flush(&mut again);
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].timestamp, &again[0].data),
        (unit.timestamp, &unit.data)
    );
}
