//! H.264 out of packets: access units are valid, and what can be joined at can be sent and reads the same.

#![no_main]

mod rtp;

use arcly_codec::h264::{AccessUnitInfo, AvcDecoderConfig};
use arcly_codec::nal::LengthSize;
use arcly_rtp::payload::PayloadFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut format = PayloadFormat::H264 {
        packetization_mode: 1,
        config: None,
    };
    let mut depacketizer = format.depacketizer().expect("a valid format");
    let units = rtp::depacketize(depacketizer.as_mut(), data);
    for (index, unit) in units.iter().enumerate() {
        let info = AccessUnitInfo::of_length_prefixed(&unit.data, LengthSize::Four);
        let info = info.expect("lengths that add up");
        assert!(info.slices > 0 && !info.parameter_sets);
        assert_eq!(info.is_keyframe(), unit.keyframe);
        if let Some(config) = &unit.config {
            AvcDecoderConfig::parse(config).expect("a valid config");
            format = PayloadFormat::H264 {
                packetization_mode: 1,
                config: Some(config.clone()),
            };
        }
        assert!(index > 0 || unit.config.is_some());
        let _ = rtp::packetize(&format, unit, 100).expect("a valid access unit");
    }
});
