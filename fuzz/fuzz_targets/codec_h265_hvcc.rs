//! hvcC: what can be read can be written, and reads the same.

#![no_main]

use arcly_codec::h265::{HevcDecoderConfig, ParameterSets};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(config) = HevcDecoderConfig::parse(&Bytes::copy_from_slice(data)) else {
        return;
    };
    let written = config.to_bytes().expect("what was read can be written");
    assert_eq!(HevcDecoderConfig::parse(&written).as_ref(), Ok(&config));
    let _ = (
        config.codec_string(),
        config.frame_rate(),
        config.classify(data),
    );
    let _ = ParameterSets::from_config(&config).map(|sets| sets.config());
});
