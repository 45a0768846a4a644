//! ADTS: every byte of any input is part of a frame or counted as skipped, and a header that was read is written back
//! the same.

#![no_main]

use arcly_codec::aac::{AdtsHeader, AdtsSplitter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(header) = AdtsHeader::parse(data) {
        let written = header.to_bytes().expect("what was read can be written");
        assert_eq!(AdtsHeader::parse(&written), Ok(header));
        assert!(
            header
                .payload(data)
                .is_none_or(|payload| payload.len() == header.payload_bytes())
        );
    }
    // The first byte says how the rest is cut into pieces.
    let Some((&piece, data)) = data.split_first() else {
        return;
    };
    let mut splitter = AdtsSplitter::new();
    let mut taken = 0;
    for piece in data.chunks(usize::from(piece) + 1) {
        splitter.push(piece);
        taken += drain(&mut splitter);
    }
    splitter.finish();
    taken += drain(&mut splitter);
    assert_eq!(taken + splitter.skipped_bytes(), data.len() as u64);
});

fn drain(splitter: &mut AdtsSplitter) -> u64 {
    let mut taken = 0;
    loop {
        match splitter.next_frame() {
            Ok(Some(frame)) => {
                assert_eq!(frame.payload.len(), frame.header.payload_bytes());
                let _ = frame.config();
                taken += frame.header.frame_bytes as u64;
            }
            Ok(None) => return taken,
            Err(_) => {}
        }
    }
}
