//! VP8 and VP9 frames, VP9 superframes, vpcC.

#![no_main]

use arcly_codec::vpc::{VpCodec, VpConfig};
use arcly_codec::{vp8, vp9};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for class in [vp8::classify(data), vp9::classify(data)]
        .into_iter()
        .flatten()
    {
        assert!(!(class.random_access && class.disposable));
    }
    assert!(vp9::frames(data).count() <= vp9::MAX_FRAMES);
    assert!(vp9::frames(data).map(<[u8]>::len).sum::<usize>() <= data.len());
    let made = [vp8::config(data, None), vp9::config(data, None)];
    let read = VpConfig::parse(VpCodec::Vp9, data);
    for config in made.into_iter().flatten().flatten().chain(read) {
        let written = config.to_bytes();
        assert_eq!(VpConfig::parse(config.codec, &written), Ok(config));
        let _ = config.codec_string();
    }
});
