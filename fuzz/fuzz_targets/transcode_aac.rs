//! AAC to Opus: whatever the config, the access units and their times, there is no panic, packets have a step of 20 ms but where the timeline breaks, and
//! what comes out is bounded by what went in.

#![no_main]

use arcly_core::{CodecId, MediaFrame, Timestamp};
use arcly_transcode_opus::Pipeline;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

// A byte with the length of the config, the config; then for each access unit two bytes with how late it is, in ms less 100, two with its length, and it.
fuzz_target!(|data: &[u8]| {
    let Some((&length, rest)) = data.split_first() else {
        return;
    };
    let (config, mut rest) = rest.split_at(rest.len().min(usize::from(length)));
    let config = MediaFrame::new_audio(0, Bytes::copy_from_slice(config), CodecId::Aac);
    let Ok(mut pipeline) = Pipeline::new(&config.into_config(), 64_000) else {
        return;
    };
    let mut at = 0;
    let mut seconds = 0.0;
    let mut units = 0_u32;
    while let [late0, late1, length0, length1, after @ ..] = rest {
        at += i64::from(u16::from_be_bytes([*late0, *late1])) - 100;
        let length = usize::from(u16::from_be_bytes([*length0, *length1]));
        let (unit, after) = after.split_at(after.len().min(length));
        rest = after;
        units += 1;
        let unit = Bytes::copy_from_slice(unit);
        pipeline.push(&MediaFrame::new_audio(
            Timestamp::from_millis(at),
            unit,
            CodecId::Aac,
        ));
        while let Some(packet) = pipeline.pull() {
            assert!(!packet.payload.is_empty() && packet.payload.len() <= 1_275);
            seconds += 0.02;
        }
    }
    // An access unit has at most 1,024 samples at 7,350 Hz, and half a second of silence before it.
    assert!(seconds <= f64::from(units) * 0.66 + 0.1);
});
