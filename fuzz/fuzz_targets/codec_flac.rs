//! FLAC: a config that was read is written back the same in each of its shapes; a frame header lies within its data and is in bounds.

#![no_main]

use arcly_codec::flac::{FrameHeader, MAX_FRAME_HEADER_BYTES, StreamInfo};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for info in [StreamInfo::parse(data), StreamInfo::from_dfla(data)]
        .into_iter()
        .flatten()
    {
        let bare = info.to_bytes().expect("what was read can be written");
        assert_eq!(StreamInfo::parse(&bare), Ok(info));
        let block = info.to_block().expect("what was read can be written");
        assert_eq!(StreamInfo::parse(&block), Ok(info));
        let marked = info
            .to_marked_block()
            .expect("what was read can be written");
        assert_eq!(StreamInfo::parse(&marked), Ok(info));
        let dfla = info.to_dfla().expect("what was read can be written");
        assert_eq!(StreamInfo::from_dfla(&dfla), Ok(info));
    }
    if let Ok(header) = FrameHeader::parse(data) {
        assert!(header.samples() > 0 && (1..=8).contains(&header.channels));
        assert!(header.header_bytes <= data.len().min(MAX_FRAME_HEADER_BYTES));
        assert_ne!(header.sample_rate, Some(0));
    }
});
