//! Any frames as a file: never a panic; each frame that was taken is one sample of boxes that `mp4-atom` reads, with the final header too, which is as
//! long as the one it replaces.

#![no_main]

mod fmp4;

use arcly_core::MediaKind;
use arcly_core::mux::Muxer;
use arcly_mux_fmp4::{Fmp4Config, Fmp4Muxer};
use fmp4::{Step, check, next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((limits, mut rest)) = data.split_first() else {
        return;
    };
    let mut config = Fmp4Config::default();
    config.limits.chunk_samples = 1 + usize::from(limits & 15);
    config.limits.index_entries = usize::from(limits & 7);
    config.limits.held_frames = usize::from(limits >> 5);
    config.reserve_for_index = usize::from(*limits);
    let mut muxer = Fmp4Muxer::new(config);
    let (mut clock, mut taken, mut out) = (0, 0, Vec::new());
    while let Some(step) = next(&mut rest, &mut clock) {
        if let Step::Write(frame) = step {
            let is_media = !frame.is_config() && frame.kind != MediaKind::Data;
            taken += usize::from(muxer.write(&frame, &mut out).is_ok() && is_media);
        }
    }
    muxer
        .finish(&mut out)
        .expect("the end can always be written");
    let file = out.concat();
    assert_eq!(check(&file), taken);
    if let Some(header) = muxer.final_header() {
        let whole = [&header[..], &file[header.len()..]].concat();
        assert_eq!(check(&whole), taken);
    }
});
