//! `onMetaData` from what is known of a stream.

use crate::amf0::{Value, Writer};
use arcly_core::{CodecId, MediaKind, StreamMetadata, TrackInfo};
use bytes::{Bytes, BytesMut};

/// The data message that describes a stream (FLV, E.5; Enhanced RTMP v2, "Enhancing onMetaData"), for streams whose publisher
/// sent none: the message name and an ECMA array of `width`, `height`, `framerate`, `videocodecid`, `audiosamplerate`,
/// `audiosamplesize`, `stereo`, `audiochannels` and `audiocodecid`, as far as they are known. It is the payload of a data frame
/// with [`CodecId::Amf0`].
#[must_use]
pub fn on_meta_data(metadata: &StreamMetadata) -> Bytes {
    let mut properties = Vec::with_capacity(12);
    let mut set = |name: &str, value: Value| properties.push((name.to_owned(), value));
    if let Some(video) = metadata.first(MediaKind::Video) {
        describe_video(video, &mut set);
    }
    if let Some(audio) = metadata.first(MediaKind::Audio) {
        describe_audio(audio, &mut set);
    }
    set(
        "encoder",
        concat!("arcly-stream/", env!("CARGO_PKG_VERSION")).into(),
    );
    let mut bytes = BytesMut::with_capacity(320);
    Writer::new(&mut bytes)
        .string("onMetaData")
        .value(&Value::EcmaArray(properties));
    bytes.freeze()
}

fn describe_video(track: &TrackInfo, set: &mut impl FnMut(&str, Value)) {
    if let Some(width) = track.width {
        set("width", Value::Number(width.into()));
    }
    if let Some(height) = track.height {
        set("height", Value::Number(height.into()));
    }
    if let Some(rate) = track.frame_rate {
        set("framerate", Value::Number(rate));
    }
    if let Some(id) = codec_number(track.codec) {
        set("videocodecid", Value::Number(id));
    }
}

fn describe_audio(track: &TrackInfo, set: &mut impl FnMut(&str, Value)) {
    if let Some(rate) = track.sample_rate {
        set("audiosamplerate", Value::Number(rate.into()));
    }
    if let Some(channels) = track.channels {
        set("stereo", Value::Boolean(channels >= 2));
        set("audiochannels", Value::Number(channels.into()));
    }
    set("audiosamplesize", Value::Number(16.0));
    if let Some(id) = codec_number(track.codec) {
        set("audiocodecid", Value::Number(id));
    }
}

/// `videocodecid` and `audiocodecid`: the legacy number where there is one.
fn codec_number(codec: CodecId) -> Option<f64> {
    Some(match codec {
        CodecId::H264 => 7.0,
        CodecId::Aac => 10.0,
        CodecId::Mp3 => 2.0,
        CodecId::Pcma => 7.0,
        CodecId::Pcmu => 8.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf0::{Limits, Reader};

    #[test]
    fn a_stream_of_which_nothing_is_known_has_metadata_too() {
        let bytes = on_meta_data(&StreamMetadata::default());
        let mut reader = Reader::new(&bytes, &Limits::default());
        assert_eq!(reader.read(), Ok(Value::from("onMetaData")));
        let value = reader.read().expect("an array");
        assert!(value.get("encoder").is_some());
        assert!(reader.is_empty());
    }
}
