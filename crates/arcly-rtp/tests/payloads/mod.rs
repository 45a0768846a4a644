//! Sends access units through a packetizer and a depacketizer, with and without loss.

#![allow(dead_code, reason = "each test uses its part")]

use arcly_rtp::payload::{AccessUnit, Depacketizer, Packetizer};
use arcly_rtp::{RtpHeader, RtpPacket};
use bytes::Bytes;

/// What is sent: a timestamp, the data, and whether it is a keyframe.
pub(crate) type Unit = (u32, Bytes, bool);

/// The packets of these access units. Sequence numbers begin before their wrap.
pub(crate) fn packets(
    packetizer: &mut dyn Packetizer,
    units: &[Unit],
    max: usize,
) -> Vec<RtpPacket> {
    let mut packets: Vec<RtpPacket> = Vec::new();
    for (timestamp, data, keyframe) in units {
        let mut payloads = Vec::new();
        packetizer
            .packetize(data, *keyframe, &mut payloads)
            .expect("the unit is of the codec");
        for payload in payloads {
            assert!(payload.len() <= max, "{} bytes of {max}", payload.len());
            let mut bytes = payload.head().to_vec();
            bytes.extend_from_slice(&payload.body);
            let header = RtpHeader {
                payload_type: 96,
                marker: payload.marker,
                sequence: (packets.len() as u16).wrapping_add(0xfff0),
                timestamp: timestamp.wrapping_add(payload.timestamp_offset),
                ssrc: 1,
            };
            packets.push(RtpPacket::new(header, bytes.into()));
        }
    }
    packets
}

/// What comes out of these packets without those at `missing`.
pub(crate) fn receive(
    depacketizer: &mut dyn Depacketizer,
    packets: &[RtpPacket],
    missing: &[usize],
) -> Vec<AccessUnit> {
    let mut units = Vec::new();
    let mut gap = false;
    for (index, packet) in packets.iter().enumerate() {
        if missing.contains(&index) {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) {
            depacketizer.lost();
        }
        let result = depacketizer.push(packet, &mut units);
        assert!(result.is_ok() || !missing.is_empty(), "{result:?}");
    }
    if gap {
        depacketizer.lost();
    }
    depacketizer.flush(&mut units);
    units
}

/// All that was sent comes out, as it was.
pub(crate) fn assert_same(sent: &[Unit], received: &[AccessUnit]) {
    let received: Vec<Unit> = received
        .iter()
        .map(|unit| (unit.timestamp, unit.data.clone(), unit.keyframe))
        .collect();
    assert_eq!(sent.len(), received.len());
    for (sent, received) in sent.iter().zip(&received) {
        assert_eq!(sent, received);
    }
}

/// Whatever single packet is missing, what comes out was sent, in this order; and no more than `most` access units are missing, but where
/// it is of the first two, which the config and the worth of markers stand and fall with.
pub(crate) fn assert_loss_is_whole(
    mut new: impl FnMut() -> Box<dyn Depacketizer>,
    sent: &[Unit],
    packets: &[RtpPacket],
    most: usize,
) {
    for missing in 0..packets.len() {
        let received = receive(new().as_mut(), packets, &[missing]);
        let mut rest = sent.iter();
        for unit in &received {
            let found =
                rest.any(|(timestamp, data, _)| (*timestamp, data) == (unit.timestamp, &unit.data));
            let at = unit.timestamp;
            assert!(
                found,
                "without packet {missing}: the unit at {at} was never sent"
            );
        }
        let in_first = sent
            .iter()
            .take(2)
            .any(|unit| unit.0 == packets[missing].header.timestamp);
        assert!(
            in_first || received.len() + most >= sent.len(),
            "without packet {missing}: {} of {} access units",
            received.len(),
            sent.len()
        );
    }
}

/// Length-prefixed, as access units of NAL units are.
pub(crate) fn length_prefixed<T: AsRef<[u8]>>(nals: &[T]) -> Bytes {
    let mut unit = Vec::new();
    for nal in nals {
        unit.extend_from_slice(&(nal.as_ref().len() as u32).to_be_bytes());
        unit.extend_from_slice(nal.as_ref());
    }
    unit.into()
}

/// A packet of this payload.
pub(crate) fn packet(payload: &[u8], timestamp: u32, marker: bool) -> RtpPacket {
    let header = RtpHeader {
        payload_type: 96,
        marker,
        sequence: 0,
        timestamp,
        ssrc: 1,
    };
    RtpPacket::new(header, Bytes::copy_from_slice(payload))
}
