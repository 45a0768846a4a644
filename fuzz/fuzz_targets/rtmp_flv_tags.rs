//! FLV tags in sequence: never a panic, never a track that goes back, and H.264 that has 4-byte lengths and a config first.
//! Each tag is: kind, 4 bytes of timestamp, length, body.

#![no_main]

use arcly_core::codec::h264::{AvcDecoderConfig, LengthSize, length_prefixed};
use arcly_core::{CodecId, MediaKind};
use arcly_rtmp::amf0::Limits;
use arcly_rtmp::flv::{Item, TagKind, TagReader};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;

fuzz_target!(|data: &[u8]| {
    let mut tags = TagReader::new(Limits::default());
    let mut last = HashMap::new();
    let mut has_config = false;
    let mut rest = data;
    while let [kind, t0, t1, t2, t3, length, tail @ ..] = rest {
        let (body, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let kind = [TagKind::Audio, TagKind::Video, TagKind::Script][usize::from(kind % 3)];
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        let result = tags.read(kind, timestamp, &Bytes::copy_from_slice(body));
        while let Some(item) = tags.poll() {
            let Item::Frame(frame) = item else { continue };
            let before = last.insert(frame.track, frame.dts);
            assert!(before.is_none_or(|before| before <= frame.dts));
            if frame.codec != CodecId::H264 {
                continue;
            }
            assert_eq!(frame.kind, MediaKind::Video);
            if frame.is_config() {
                let config =
                    AvcDecoderConfig::parse(&frame.payload).expect("what was written can be read");
                assert_eq!(config.length_size, LengthSize::Four);
                has_config = true;
            } else {
                assert!(has_config && !frame.payload.is_empty());
                assert!(
                    length_prefixed::nal_units(&frame.payload, LengthSize::Four)
                        .all(|nal| nal.is_ok())
                );
            }
        }
        if result.is_err() {
            return;
        }
    }
});
