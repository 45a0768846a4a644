//! avcC: what can be read can be written, and reads the same.

#![no_main]

use arcly_codec::h264::{AvcDecoderConfig, ParameterSets};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(config) = AvcDecoderConfig::parse(&Bytes::copy_from_slice(data)) else {
        return;
    };
    let written = config.to_bytes().expect("what was read can be written");
    assert_eq!(AvcDecoderConfig::parse(&written).as_ref(), Ok(&config));
    let _ = (config.codec_string(), config.first_sps());
    if let Ok(sets) = ParameterSets::from_config(&config) {
        let _ = sets.config();
    }
});
