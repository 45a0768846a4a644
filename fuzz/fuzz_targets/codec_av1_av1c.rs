//! av1C: what can be read can be written, and reads the same.

#![no_main]

use arcly_codec::av1::Av1Config;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(config) = Av1Config::parse(&Bytes::copy_from_slice(data)) else {
        return;
    };
    let written = config.to_bytes().expect("what was read can be written");
    assert_eq!(Av1Config::parse(&written).as_ref(), Ok(&config));
    let _ = (
        config.codec_string(),
        config.frame_rate(),
        config.classify(data),
    );
});
