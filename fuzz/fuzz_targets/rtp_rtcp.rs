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
            // A rate past 64 bits is taken for the highest, and one of more than 18 bits is rounded down.
            RtcpPacket::MaxBitrate(told) => match &again[..] {
                [Ok(RtcpPacket::MaxBitrate(again))] => {
                    assert_eq!((again.sender, &again.ssrcs), (told.sender, &told.ssrcs));
                    assert!(again.bits_per_second <= told.bits_per_second);
                }
                other => panic!("{other:?}"),
            },
            packet => assert_eq!(again, [Ok(packet)]),
        }
    }
});
