//! AC-3 and E-AC-3: every byte of any input is part of a frame or counted as skipped; what is told of an access unit is in bounds; the boxes are
//! written back the same.

#![no_main]

use arcly_codec::ac3::{
    Ac3Splitter, AccessUnit, Dac3, Dec3, MAX_ACCESS_UNIT_FRAMES, MAX_SYNC_FRAME_BYTES, SyncFrame,
    access_units,
};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(config) = Dac3::parse(data) {
        let written = config.to_bytes().expect("what was read can be written");
        assert_eq!(Dac3::parse(&written), Ok(config));
    }
    if let Ok(config) = Dec3::parse(data) {
        let written = config.to_bytes().expect("what was read can be written");
        let _ = config.channels();
        assert_eq!(Dec3::parse(&written), Ok(config));
    }
    let payload = Bytes::copy_from_slice(data);
    let mut taken = 0;
    for (unit, bytes) in access_units(&payload).flatten() {
        check(&unit);
        taken += bytes.len();
    }
    assert!(taken <= data.len());
    if let Ok(unit) = AccessUnit::parse(data) {
        check(&unit);
    }

    // The first byte says how the rest is cut into pieces.
    let Some((&piece, data)) = data.split_first() else {
        return;
    };
    let mut splitter = Ac3Splitter::new();
    let mut taken = 0;
    for piece in data.chunks(usize::from(piece) + 1) {
        splitter.push(piece);
        taken += drain(&mut splitter);
    }
    splitter.finish();
    taken += drain(&mut splitter);
    assert_eq!(taken + splitter.skipped_bytes(), data.len() as u64);
});

fn check(unit: &AccessUnit) {
    assert!((1..=MAX_ACCESS_UNIT_FRAMES).contains(&unit.frames.len()));
    assert!(unit.samples() >= 256 && unit.sample_rate() >= 8_000 && unit.channels() >= 1);
    if let Ok(config) = Dec3::from_access_unit(unit) {
        let written = config.to_bytes().expect("what was built can be written");
        assert_eq!(Dec3::parse(&written), Ok(config));
    }
    if let Some(SyncFrame::Ac3(header)) = unit.core() {
        let config = Dac3::from_header(header);
        assert_eq!(config.sample_rate(), header.sample_rate());
        assert_eq!(config.channels(), header.channels());
    }
}

fn drain(splitter: &mut Ac3Splitter) -> u64 {
    let mut taken = 0;
    while let Some(frame) = splitter.next_frame() {
        assert_eq!(frame.data.len(), frame.header.frame_bytes());
        taken += frame.data.len() as u64;
    }
    assert!(splitter.buffered_bytes() <= MAX_SYNC_FRAME_BYTES + 72);
    taken
}
