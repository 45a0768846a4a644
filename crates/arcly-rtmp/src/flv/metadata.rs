//! `onMetaData` from what is known of a stream.

use super::four_cc;
use super::track::track_number;
use crate::amf0::{Value, Writer};
use arcly_core::{CodecId, MediaKind, StreamMetadata, TrackInfo};
use bytes::{Bytes, BytesMut};

/// The data message that describes a stream (FLV, E.5; Enhanced RTMP v2, "Enhancing onMetaData"), for streams whose publisher
/// sent none: the message name and an ECMA array of `width`, `height`, `framerate`, `videocodecid`, `audiosamplerate`,
/// `audiosamplesize`, `stereo`, `audiochannels` and `audiocodecid`, as far as they are known, of the first track of each kind.
/// Further tracks stand in `videoTrackIdInfoMap` and `audioTrackIdInfoMap`, by the numbers that
/// [`TagWriter`](super::TagWriter) gives them where they came by Enhanced RTMP. It is the payload of a data frame with
/// [`CodecId::Amf0`].
#[must_use]
pub fn on_meta_data(metadata: &StreamMetadata) -> Bytes {
    let mut properties = Properties::with_capacity(12);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let mut tracks = metadata.tracks.iter().filter(|track| track.kind == kind);
        if let Some(first) = tracks.next() {
            properties.extend(describe(first));
        }
        let further: Properties = tracks
            .filter_map(|track| {
                let number = track_number(kind, track.id).filter(|&number| number != 0)?;
                Some((number.to_string(), Value::Object(describe(track))))
            })
            .collect();
        if !further.is_empty() {
            let name = match kind {
                MediaKind::Video => "videoTrackIdInfoMap",
                _ => "audioTrackIdInfoMap",
            };
            properties.push((name.to_owned(), Value::Object(further)));
        }
    }
    let encoder = concat!("arcly-stream/", env!("CARGO_PKG_VERSION"));
    properties.push(("encoder".to_owned(), encoder.into()));
    let mut bytes = BytesMut::with_capacity(320);
    Writer::new(&mut bytes)
        .string("onMetaData")
        .value(&Value::EcmaArray(properties));
    bytes.freeze()
}

type Properties = Vec<(String, Value)>;

fn describe(track: &TrackInfo) -> Properties {
    let number = |number: u32| Value::Number(number.into());
    let properties = match track.kind {
        MediaKind::Video => vec![
            ("width", track.width.map(number)),
            ("height", track.height.map(number)),
            ("framerate", track.frame_rate.map(Value::Number)),
            ("videocodecid", codec_number(track.codec)),
        ],
        _ => vec![
            ("audiosamplerate", track.sample_rate.map(number)),
            ("audiosamplesize", Some(Value::Number(16.0))),
            (
                "stereo",
                track.channels.map(|channels| Value::Boolean(channels >= 2)),
            ),
            (
                "audiochannels",
                track.channels.map(|channels| number(channels.into())),
            ),
            ("audiocodecid", codec_number(track.codec)),
        ],
    };
    let known = |(name, value): (&str, Option<Value>)| Some((name.to_owned(), value?));
    properties.into_iter().filter_map(known).collect()
}

/// `videocodecid` and `audiocodecid`: the legacy number where there is one, else the FourCC as a number.
fn codec_number(codec: CodecId) -> Option<Value> {
    let number = match four_cc::number(codec) {
        Some(number) => number.into(),
        None => u32::from_be_bytes(four_cc::of(codec)?),
    };
    Some(Value::Number(number.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf0::{Limits, Reader};
    use arcly_core::{AppSpec, Engine, IngestContext, MediaFrame, StreamKey, TrackId};

    fn read(bytes: &[u8]) -> Value {
        let mut reader = Reader::new(bytes, &Limits::default());
        assert_eq!(reader.read(), Ok(Value::from("onMetaData")));
        let value = reader.read().expect("an array");
        assert!(reader.is_empty());
        value
    }

    #[test]
    fn a_stream_of_which_nothing_is_known_has_metadata_too() {
        let value = read(&on_meta_data(&StreamMetadata::default()));
        assert!(value.get("encoder").is_some());
        assert_eq!(value.properties().map(<[_]>::len), Some(1));
    }

    #[tokio::test]
    async fn tracks_are_described_by_codec_and_number() {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let session = IngestContext::new(engine)
            .open_publish(StreamKey::new("live", "cam"))
            .await
            .expect("free");
        let frames = [
            MediaFrame::new_video(0, 0, Bytes::from_static(b"x"), CodecId::Av1, true),
            MediaFrame::new_audio(0, Bytes::from_static(&[0x12, 0x10]), CodecId::Aac).into_config(),
            MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Opus)
                .on_track(TrackId(0x203)),
        ];
        for frame in frames {
            session.publish_frame(frame).expect("published");
        }
        let value = read(&on_meta_data(&session.handle().metadata()));
        let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_number);
        // The specification's own example: "av01" is 1635135537.
        assert_eq!(number(&value, "videocodecid"), Some(1_635_135_537.0));
        assert_eq!(number(&value, "audiocodecid"), Some(10.0));
        assert_eq!(number(&value, "audiosamplerate"), Some(44_100.0));
        assert_eq!(value.get("stereo"), Some(&Value::Boolean(true)));
        let further = value
            .get("audioTrackIdInfoMap")
            .and_then(|map| map.get("3"));
        let further = further.expect("the other audio track");
        // "Opus" is 1332770163.
        assert_eq!(number(further, "audiocodecid"), Some(1_332_770_163.0));
        assert!(value.get("videoTrackIdInfoMap").is_none());
    }
}
