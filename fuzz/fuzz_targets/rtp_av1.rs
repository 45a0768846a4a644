//! AV1 out of packets: temporal units are valid, and key frames can be sent and read the same.

#![no_main]

mod rtp;

use arcly_codec::av1::{Av1Config, to_sample};
use arcly_rtp::payload::PayloadFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let format = PayloadFormat::Av1 { config: None };
    let mut depacketizer = format.depacketizer().expect("a valid format");
    let units = rtp::depacketize(depacketizer.as_mut(), data);
    for (index, unit) in units.iter().enumerate() {
        assert_eq!(to_sample(&unit.data).as_ref(), Ok(&unit.data));
        if let Some(config) = &unit.config {
            Av1Config::parse(config).expect("a valid config");
        }
        assert!(index > 0 || unit.config.is_some());
        let _ = rtp::packetize(&format, unit, 100).expect("a valid temporal unit");
    }
});
