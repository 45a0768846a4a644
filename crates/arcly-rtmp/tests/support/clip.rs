//! FLV files of real encoders, as frames for the bus.

use arcly_core::MediaFrame;
use arcly_rtmp::amf0;
use arcly_rtmp::flv::{Item, TagKind, TagReader};
use bytes::Bytes;

/// The frames of an FLV file, in its order.
pub(crate) fn frames(file: Vec<u8>) -> Vec<MediaFrame> {
    let mut rest = Bytes::from(file);
    let _header = rest.split_to(13);
    let mut reader = TagReader::new(amf0::Limits::default());
    let mut frames = Vec::new();
    while rest.len() > 15 {
        let header = rest.split_to(11);
        let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        let time = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
        let body = rest.split_to(length);
        let _size = rest.split_to(4);
        let kind = match header[0] {
            8 => TagKind::Audio,
            9 => TagKind::Video,
            _ => TagKind::Script,
        };
        reader.read(kind, time, &body).expect("a valid tag");
        while let Some(item) = reader.poll() {
            if let Item::Frame(frame) = item {
                frames.push(frame);
            }
        }
    }
    frames
}
