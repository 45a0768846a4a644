//! RTCP datagrams: what is read can be written, and reads the same.

#![no_main]

use arcly_core::rtp::rtcp::{self, RtcpPacket};
use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for packet in rtcp::read(data).filter_map(Result::ok) {
        let mut written = BytesMut::new();
        packet.write(&mut written);
        let again: Vec<_> = rtcp::read(&written).collect();
        match packet {
            RtcpPacket::Other { .. } => assert!(again.is_empty()),
            // Longer ones than are ever written; and text that was no UTF-8 and got longer.
            RtcpPacket::Nack(nack) if nack.lost.len() > 256 => {}
            RtcpPacket::FullIntra(request) if request.requests.len() > 256 => {}
            RtcpPacket::SourceDescription(_) | RtcpPacket::Bye(_) => assert_eq!(again.len(), 1),
            // A rate that has no shortest form is written in another.
            packet => assert_eq!(again, [Ok(packet)]),
        }
    }
});
