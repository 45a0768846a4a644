//! What the tag reader makes of tags, written by the tag writer and read again: the same media on the same tracks, in the same order. Each tag is: kind, 4 bytes of timestamp, length, body.

#![no_main]

use arcly_core::{CodecId, MediaFrame, MediaKind};
use arcly_rtmp::amf0::{Limits, Value};
use arcly_rtmp::flv::{Item, TagForm, TagKind, TagReader, TagWriter};
use arcly_rtmp::proto::capabilities::Capabilities;
use arcly_rtmp::proto::target::Connect;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let frames = read(data);
    let mut writer = TagWriter::new(full_form());
    let mut reader = TagReader::new(Limits::default());
    let mut again = Vec::new();
    for frame in &frames {
        let mut tags = Vec::new();
        let written = writer.write(frame, &mut |tag| tags.push(tag));
        assert!(written.is_ok() || !is_carried(frame), "{frame:?}");
        for tag in tags {
            reader
                .read(tag.kind, tag.timestamp, &tag.to_body())
                .expect("what was written can be read");
        }
        again.extend(items(&mut reader));
    }
    // Data moves about: metadata waits for the first media. G.711 on further tracks has no form.
    let media = |frames: &[MediaFrame]| -> Vec<_> {
        let media = frames.iter().filter(|frame| is_carried(frame));
        media
            .filter(|frame| !frame.is_config())
            .map(|frame| {
                (
                    frame.track,
                    frame.codec,
                    frame.is_keyframe(),
                    frame.is_disposable(),
                    frame.payload.clone(),
                )
            })
            .collect()
    };
    assert_eq!(media(&again), media(&frames));
});

/// Media that has a form on any track.
fn is_carried(frame: &MediaFrame) -> bool {
    frame.kind != MediaKind::Data && !matches!(frame.codec, CodecId::Pcma | CodecId::Pcmu)
}

fn full_form() -> TagForm {
    let object = Value::Object(Capabilities::own_properties(true));
    let connect = Connect::parse(&object, &arcly_rtmp::Limits::default()).expect("within limits");
    Capabilities::of(&connect).tag_form()
}

fn read(data: &[u8]) -> Vec<MediaFrame> {
    let mut tags = TagReader::new(Limits::default());
    let mut frames = Vec::new();
    let mut rest = data;
    while let [kind, t0, t1, t2, t3, length, tail @ ..] = rest {
        let (body, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let kind = [TagKind::Audio, TagKind::Video, TagKind::Script][usize::from(kind % 3)];
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        let result = tags.read(kind, timestamp, &Bytes::copy_from_slice(body));
        frames.extend(items(&mut tags));
        if result.is_err() {
            break;
        }
    }
    frames
}

fn items(reader: &mut TagReader) -> Vec<MediaFrame> {
    let items = std::iter::from_fn(|| reader.poll());
    items
        .filter_map(|item| match item {
            Item::Frame(frame) => Some(frame),
            _ => None,
        })
        .collect()
}
