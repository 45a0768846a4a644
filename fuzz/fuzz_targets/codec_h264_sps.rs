//! SPS: no input panics, and what it says stays within the limits.

#![no_main]

use arcly_codec::h264::{MAX_PICTURE_SIDE, Sps};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(sps) = Sps::parse(data) else { return };
    assert!(
        (1..=MAX_PICTURE_SIDE).contains(&sps.width) && (1..=MAX_PICTURE_SIDE).contains(&sps.height)
    );
    assert!(
        sps.frame_rate().is_none_or(|rate| rate.denominator > 0
            && rate.as_f64() > 0.0
            && rate.as_f64() <= 1000.0)
    );
    let _ = (
        sps.codec_string(),
        sps.max_num_reorder_frames(),
        sps.max_dec_frame_buffering(),
        sps.sample_aspect_ratio(),
    );
});
