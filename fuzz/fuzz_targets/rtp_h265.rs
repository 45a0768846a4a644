//! H.265 out of packets, with decoding order numbers and without: access units are valid, and can be sent.

#![no_main]

mod rtp;

use arcly_codec::h265::{AccessUnitInfo, HevcDecoderConfig};
use arcly_codec::nal::LengthSize;
use arcly_rtp::payload::PayloadFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for donl in [false, true] {
        let format = PayloadFormat::H265 { donl, config: None };
        let mut depacketizer = format.depacketizer().expect("a valid format");
        let units = rtp::depacketize(depacketizer.as_mut(), data);
        for (index, unit) in units.iter().enumerate() {
            let info = AccessUnitInfo::of_length_prefixed(&unit.data, LengthSize::Four);
            let info = info.expect("lengths that add up");
            assert!(info.slices > 0 && !info.parameter_sets);
            assert_eq!(info.is_random_access(), unit.keyframe);
            if let Some(config) = &unit.config {
                HevcDecoderConfig::parse(config).expect("a valid config");
            }
            assert!(index > 0 || unit.config.is_some());
            let _ = rtp::packetize(&format, unit, 100).expect("a valid access unit");
        }
    }
});
