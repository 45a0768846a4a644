//! VVC byte streams: access units are consecutive slices of the stream, no NAL unit is lost between them, and what the
//! parameter sets make can be written and reads the same.

#![no_main]

use arcly_codec::vvc::{
    AccessUnitInfo, MAX_PICTURE_SIDE, ParameterSets, VvcDecoderConfig, access_units, annex_b,
};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let stream = Bytes::copy_from_slice(data);
    let mut nals = 0;
    let mut sets = ParameterSets::new();
    for unit in access_units(stream.clone()) {
        let class = AccessUnitInfo::of_annex_b(&unit).class();
        assert!(!(class.random_access && class.disposable));
        for nal in annex_b::nal_units(&unit) {
            nals += 1;
            let _ = sets.insert(nal);
        }
    }
    assert_eq!(nals, annex_b::nal_units(&stream).count());
    if let Some(sps) = sets.first_sps() {
        assert!((1..=MAX_PICTURE_SIDE).contains(&sps.width));
        assert!((1..=MAX_PICTURE_SIDE).contains(&sps.height));
        assert!(sps.max_num_reorder_pics < 16 && sps.max_dec_pic_buffering <= 16);
    }
    if let Some(config) = sets.config() {
        let written = config.to_bytes().expect("what was read can be written");
        assert_eq!(VvcDecoderConfig::parse(&written), Ok(config));
    }
});
