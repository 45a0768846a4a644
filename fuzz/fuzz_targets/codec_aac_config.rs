//! AudioSpecificConfig: what can be read can be written, and reads the same.

#![no_main]

use arcly_codec::aac::{AdtsHeader, AudioSpecificConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(config) = AudioSpecificConfig::parse(data) else {
        return;
    };
    let written = config.to_bytes().expect("what was read can be written");
    assert_eq!(AudioSpecificConfig::parse(&written).as_ref(), Ok(&config));
    assert!(config.output_sample_rate() > 0 && config.samples_per_frame() > 0);
    let _ = (
        config.codec_string(),
        config.output_channels(),
        AdtsHeader::for_payload(&config, data.len()),
    );
});
