//! Annex B: the conversion to lengths keeps exactly the NAL units that reading finds, whether or not it may write in
//! place.

#![no_main]

use arcly_codec::h264::{LengthSize, MAX_NAL_UNITS, NalFilter, annex_b, length_prefixed};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&flags, data)) = data.split_first() else {
        return;
    };
    let filter = NalFilter {
        parameter_sets: flags & 1 != 0,
        delimiters: flags & 2 != 0,
        filler: flags & 4 != 0,
        ..NalFilter::NONE
    };
    let stream = Bytes::copy_from_slice(data);
    let shared = annex_b::to_length_prefixed(stream.clone(), filter);
    assert_eq!(stream, data);
    assert_eq!(annex_b::to_length_prefixed(stream, filter), shared);
    let Ok(sample) = shared else {
        assert!(annex_b::nal_units(data).nth(MAX_NAL_UNITS).is_some());
        return;
    };
    let read: Vec<_> = length_prefixed::nal_units(&sample, LengthSize::Four)
        .map(|nal| nal.expect("consistent"))
        .collect();
    if filter == NalFilter::NONE {
        assert!(annex_b::nal_units(data).eq(read.iter().copied()));
        let back =
            annex_b::from_length_prefixed(sample.clone(), LengthSize::Four).expect("consistent");
        assert!(annex_b::nal_units(&back).eq(read));
    }
});
