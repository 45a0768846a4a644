//! RTP datagrams: header, extension and payload stand in the datagram, and a plain packet is written as it was read.

#![no_main]

use arcly_core::rtp::RtpPacket;
use arcly_core::rtp::packet::HEADER_BYTES;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(packet) = RtpPacket::parse(Bytes::copy_from_slice(data)) else {
        return;
    };
    let extension = packet
        .extension
        .as_ref()
        .map_or(0, |(_, data)| 4 + data.len());
    assert!(HEADER_BYTES + extension + packet.payload.len() <= data.len());
    let header = packet.header.to_bytes();
    assert_eq!(header[1..], data[1..HEADER_BYTES]);
    let mut written = header.to_vec();
    written.extend_from_slice(&packet.payload);
    let again = RtpPacket::parse(written.into()).expect("written by us");
    assert_eq!(
        (again.header, again.payload),
        (packet.header, packet.payload)
    );
});
