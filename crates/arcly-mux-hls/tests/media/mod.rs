//! Frames as a publisher sends them.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use arcly_core::{CodecId, MediaFrame};
use bytes::Bytes;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// Both configs, and `seconds` of 25 pictures a second with a keyframe each second, and sound.
pub fn frames(seconds: i64) -> Vec<MediaFrame> {
    let video = |millis: i64| {
        let key = millis % 1_000 == 0;
        let payload: &[u8] = if key {
            &[0, 0, 0, 2, 0x65, 0x88]
        } else {
            &[0, 0, 0, 2, 0x41, 0x9a]
        };
        MediaFrame::new_video(
            millis,
            millis,
            Bytes::copy_from_slice(payload),
            CodecId::H264,
            key,
        )
    };
    let audio =
        |millis: i64| MediaFrame::new_audio(millis, Bytes::from_static(&[0x21; 50]), CodecId::Aac);
    let avcc =
        MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config();
    let asc =
        MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config();
    let media = (0..seconds * 25).flat_map(|n| [video(n * 40), audio(n * 40)]);
    [avcc, asc].into_iter().chain(media).collect()
}
