//! Motion JPEG out of packets: pictures are whole, and can be sent and read the same where their data ends with them. The bytes are also sent as a
//! picture.

#![no_main]

mod rtp;

use arcly_rtp::payload::{AccessUnit, PayloadFormat};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let format = PayloadFormat::Mjpeg;
    let mut depacketizer = format.depacketizer().expect("a valid format");
    for unit in rtp::depacketize(depacketizer.as_mut(), data) {
        assert!(unit.data.starts_with(&[0xff, 0xd8]) && unit.data.ends_with(&[0xff, 0xd9]));
        let _ = rtp::packetize(&format, &unit, 320);
    }
    let picture = AccessUnit::new(0, Bytes::copy_from_slice(data));
    let Some(packets) = rtp::packetize(&format, &picture, 320) else {
        return;
    };
    let mut depacketizer = format.depacketizer().expect("a valid format");
    let mut units = Vec::new();
    for packet in &packets {
        depacketizer.push(packet, &mut units).expect("sent by us");
    }
    // Written anew, a picture stays what it is.
    for unit in units {
        rtp::round_trip(&format, &unit, 320);
    }
});
