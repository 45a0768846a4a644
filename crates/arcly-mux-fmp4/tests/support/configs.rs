//! Codec configs for frames that are made by hand.

use arcly_core::{CodecId, MediaFrame};
use bytes::Bytes;

/// High, level 1: the record in the examples of `arcly-codec`.
pub fn avc() -> MediaFrame {
    let record = Bytes::from_static(
        b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
          \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00",
    );
    MediaFrame::new_video(0, 0, record, CodecId::H264, false).into_config()
}

/// AAC LC, 48 kHz, stereo.
pub fn aac() -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config()
}
