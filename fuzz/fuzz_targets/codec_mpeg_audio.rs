//! MPEG audio: every byte of any input is part of a frame or counted as skipped, and a header that was read is written back the same.

#![no_main]

use arcly_codec::mpeg_audio::{MAX_FRAME_BYTES, MpegAudioHeader, MpegAudioSplitter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(header) = MpegAudioHeader::parse(data) {
        let written = header.to_bytes().expect("what was read can be written");
        assert_eq!(MpegAudioHeader::parse(&written), Ok(header));
    }

    // The first byte says how the rest is cut into pieces.
    let Some((&piece, data)) = data.split_first() else {
        return;
    };
    let mut splitter = MpegAudioSplitter::new();
    let mut taken = 0;
    for piece in data.chunks(usize::from(piece) + 1) {
        splitter.push(piece);
        taken += drain(&mut splitter);
    }
    splitter.finish();
    taken += drain(&mut splitter);
    assert_eq!(taken + splitter.skipped_bytes(), data.len() as u64);
});

fn drain(splitter: &mut MpegAudioSplitter) -> u64 {
    let mut taken = 0;
    while let Some(frame) = splitter.next_frame() {
        assert_eq!(frame.data.len(), frame.header.frame_bytes());
        assert!(frame.data.len() <= MAX_FRAME_BYTES && frame.header.samples() > 0);
        taken += frame.data.len() as u64;
    }
    assert!(splitter.buffered_bytes() <= MAX_FRAME_BYTES + 4);
    taken
}
