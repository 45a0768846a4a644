//! SEI: finding the recovery point.

#![no_main]

use arcly_codec::h264::RecoveryPoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = RecoveryPoint::find(data);
});
