//! VP8 and VP9 out of packets: what was read can be sent and reads the same.

#![no_main]

mod rtp;

use arcly_rtp::payload::PayloadFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for format in [PayloadFormat::Vp8, PayloadFormat::Vp9 { profile: 0 }] {
        let mut depacketizer = format.depacketizer().expect("a valid format");
        for unit in rtp::depacketize(depacketizer.as_mut(), data) {
            rtp::round_trip(&format, &unit, 60);
        }
    }
});
