//! Length prefixes of any size: normalising keeps exactly the NAL units that reading finds.

#![no_main]

use arcly_codec::h264::{AccessUnitInfo, LengthSize, NalFilter, annex_b, length_prefixed};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let size = LengthSize::from_minus_one(first);
    let read: Result<Vec<_>, _> = length_prefixed::nal_units(data, size).collect();
    let unit = Bytes::copy_from_slice(data);
    let _ = length_prefixed::normalize(&unit, size, NalFilter::SAMPLE);
    let info = AccessUnitInfo::of_length_prefixed(data, size);
    match (
        read,
        length_prefixed::normalize(&unit, size, NalFilter::NONE),
    ) {
        (Ok(read), Ok(normal)) => {
            let again = length_prefixed::nal_units(&normal, LengthSize::Four)
                .map(|nal| nal.expect("consistent"));
            assert!(again.eq(read.iter().copied()));
            assert_eq!(length_prefixed::join(read.iter().copied()), Ok(normal));
            assert_eq!(info, Ok(AccessUnitInfo::of_nal_units(read)));
            let shared = annex_b::from_length_prefixed(unit.clone(), size);
            assert_eq!(unit, data);
            assert_eq!(annex_b::from_length_prefixed(unit, size), shared);
        }
        // Past MAX_NAL_UNITS only the conversion gives up.
        (read, normal) => assert!(normal.is_err() && (read.is_ok() || info.is_err())),
    }
});
