//! Session descriptions: what is read can be written, reads as many sections with the same formats, and is written the same again.

#![no_main]

use arcly_core::rtp::sdp::SessionDescription;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(session) = SessionDescription::parse(data) else {
        return;
    };
    let written = session.to_string();
    let Ok(again) = SessionDescription::parse(written.as_bytes()) else {
        // Text that was no UTF-8 gets longer, past the limit.
        assert!(written.len() > data.len());
        return;
    };
    assert_eq!(again.media.len(), session.media.len());
    assert_eq!(again.to_string(), written);
});
