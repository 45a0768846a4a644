//! Access unit boundaries: the units are consecutive slices of the stream, and no NAL unit is lost between them.

#![no_main]

use arcly_codec::h264::{AccessUnitInfo, access_units, annex_b};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let stream = Bytes::copy_from_slice(data);
    let mut nals = 0;
    let mut units = access_units(stream.clone());
    for unit in units.by_ref() {
        let _ = AccessUnitInfo::of_annex_b(&unit).is_keyframe();
        nals += annex_b::nal_units(&unit).count();
    }
    assert_eq!(nals, annex_b::nal_units(&stream).count());
    let _ = units
        .parameter_sets()
        .config()
        .map(|config| config.to_bytes());
});
