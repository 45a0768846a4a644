//! Opus: a config that was read is written back the same in each of its shapes; a packet lasts 2.5 to 120 ms; the access units of MPEG-TS lie
//! within their payload.

#![no_main]

use arcly_codec::opus::ts::{ControlHeader, access_units};
use arcly_codec::opus::{MAX_PACKET_SAMPLES, OpusHead, PacketInfo};
use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let heads = [
        OpusHead::parse(data),
        OpusHead::from_dops(data),
        OpusHead::from_ts_descriptor(data),
    ];
    for head in heads.into_iter().flatten() {
        let written = head.to_bytes().expect("what was read can be written");
        assert_eq!(OpusHead::parse(&written).as_ref(), Ok(&head));
        let written = head.to_dops().expect("what was read can be written");
        assert_eq!(OpusHead::from_dops(&written).as_ref(), Ok(&head));
        if let Ok(written) = head.to_ts_descriptor() {
            let read = OpusHead::from_ts_descriptor(&written).expect("written by us");
            assert_eq!((read.channels, read.mapping), (head.channels, head.mapping));
        } else {
            assert!(head.streams() > head.channels);
        }
    }
    if let Ok(packet) = PacketInfo::parse(data) {
        assert!((120..=MAX_PACKET_SAMPLES).contains(&packet.samples()));
    }
    let payload = Bytes::copy_from_slice(data);
    let mut taken = 0;
    for (header, packet) in access_units(&payload).flatten() {
        assert_eq!(packet.len(), header.packet_bytes);
        let mut written = BytesMut::new();
        header
            .write(&mut written)
            .expect("what was read can be written");
        assert_eq!(ControlHeader::parse(&written), Ok((header, written.len())));
        taken += written.len() + packet.len();
    }
    assert!(taken <= data.len());
});
