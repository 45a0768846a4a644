//! Any frames, cut anywhere, as CMAF segments: never a panic; each frame that was taken is one sample of boxes that `mp4-atom` reads; parts add up to
//! their segment.

#![no_main]

mod fmp4;

use arcly_core::MediaKind;
use arcly_core::mux::SegmentMuxer;
use arcly_mux_fmp4::{CmafConfig, CmafSegmentMuxer};
use fmp4::{Step, check, next};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((limits, mut rest)) = data.split_first() else {
        return;
    };
    let mut config = CmafConfig::default();
    config.limits.chunk_samples = 1 + usize::from(limits & 15);
    config.limits.tracks = 1 + usize::from(limits >> 4 & 3);
    let mut muxer = CmafSegmentMuxer::new(config);
    let (mut clock, mut taken, mut parts) = (0, 0, Vec::new());
    let end_segment = |muxer: &mut CmafSegmentMuxer, taken: &mut usize, parts: &mut Vec<_>| {
        let segment = muxer.end_segment(None);
        assert_eq!(segment.is_some(), *taken > 0);
        if let Some(segment) = segment {
            assert!(segment.bytes.starts_with(parts), "parts come first");
            let init = segment.init.expect("CMAF has init segments");
            assert_eq!(
                check(&[init.to_vec(), segment.bytes.concat()].concat()),
                *taken
            );
        }
        *taken = 0;
        parts.clear();
    };
    while let Some(step) = next(&mut rest, &mut clock) {
        match step {
            Step::Write(frame) => {
                let is_media = !frame.is_config() && frame.kind != MediaKind::Data;
                taken += usize::from(muxer.write(&frame).is_ok() && is_media);
            }
            Step::EndPart => {
                parts.extend(muxer.end_part(None).into_iter().flat_map(|part| part.bytes))
            }
            Step::EndSegment => end_segment(&mut muxer, &mut taken, &mut parts),
        }
    }
    end_segment(&mut muxer, &mut taken, &mut parts);
});
