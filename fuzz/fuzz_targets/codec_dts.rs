//! Decoding times of any sequence of presentation times, eight bytes each behind a byte of depth: never decreasing and
//! never past the presentation time, but where the outcome says so.

#![no_main]

use arcly_codec::dts::{DtsDeriver, DtsOutcome, MAX_REORDER_DEPTH};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&depth, times)) = data.split_first() else {
        return;
    };
    let mut deriver = DtsDeriver::new(depth.into(), 3_000);
    let mut last = i64::MIN;
    for time in times.chunks_exact(8) {
        let pts = i64::from_be_bytes(time.try_into().expect("eight bytes"));
        let derived = deriver.push(pts);
        match derived.outcome {
            DtsOutcome::Late { .. } => assert_eq!(derived.dts, last),
            DtsOutcome::Restarted => assert!(derived.dts <= pts),
            _ => assert!(last <= derived.dts && derived.dts <= pts),
        }
        assert!(deriver.depth() <= MAX_REORDER_DEPTH);
        last = derived.dts;
    }
});
