//! Emulation prevention: what is inserted is removed again, and no start code remains.

#![no_main]

use arcly_codec::h264::emulation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = emulation::remove(data);
    // An RBSP ends with its stop bit, or behind it with cabac_zero_words of two bytes each.
    if data.iter().rev().take_while(|&&byte| byte == 0).count() % 2 != 0 {
        return;
    }
    let nal = emulation::insert(data);
    assert!(!nal.windows(3).any(|window| matches!(window, [0, 0, 0..=2])));
    assert_ne!(nal.last(), Some(&0));
    assert_eq!(emulation::remove(&nal), data);
});
