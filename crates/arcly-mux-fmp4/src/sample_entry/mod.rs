//! How a track is described: its sample entry in `stsd` (ISO/IEC 14496-12 8.5.2), its timescale, and what else the headers say.
//!
//! The bus carries the codecs' own config records, so most of them go into their boxes as they are.

mod audio;
mod video;

use crate::boxes::BoxWriter;
use crate::malformed;
use arcly_core::codec::CodecError;
use arcly_core::mux::MuxError;
use arcly_core::{CodecId, MediaFrame, MediaKind};
use bytes::Bytes;

pub(crate) use audio::FrameLength;
pub(crate) use video::Picture;

/// What the headers say about a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    pub(crate) codec: CodecId,
    /// The sample entry, a whole box.
    pub(crate) entry: Bytes,
    /// Ticks a second of the track's timeline.
    pub(crate) timescale: u32,
    pub(crate) media: Media,
}

/// What differs by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Media {
    Video(Picture),
    Audio(FrameLength),
}

impl Description {
    /// Whether tracks of this codec can be carried.
    pub(crate) const fn carries(codec: CodecId) -> bool {
        matches!(codec, CodecId::H264 | CodecId::Aac)
    }

    /// Reads a codec config.
    pub(crate) fn from_config(frame: &MediaFrame) -> Result<Self, MuxError> {
        match (frame.codec, frame.kind) {
            (CodecId::H264, MediaKind::Video) => video::h264(&frame.payload),
            (CodecId::Aac, MediaKind::Audio) => audio::aac(&frame.payload),
            (codec, _) => Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec,
            }),
        }
    }

    /// How long the frame with this payload lasts in ticks, where the codec fixes it.
    pub(crate) fn frame_duration(&self, payload: &[u8]) -> Option<u32> {
        match &self.media {
            Media::Video(_) => None,
            Media::Audio(length) => length.of(payload),
        }
    }

    fn video(
        codec: CodecId,
        picture: Picture,
        kind: [u8; 4],
        config: impl FnOnce(&mut BoxWriter),
    ) -> Self {
        let mut out = BoxWriter::with_capacity(256);
        picture.write_entry(&kind, &mut out, config);
        Self {
            codec,
            entry: out.finish(),
            timescale: picture.timescale(),
            media: Media::Video(picture),
        }
    }

    fn audio(
        codec: CodecId,
        sound: audio::Sound,
        kind: [u8; 4],
        config: impl FnOnce(&mut BoxWriter),
    ) -> Self {
        let mut out = BoxWriter::with_capacity(128);
        sound.write_entry(&kind, &mut out, config);
        Self {
            codec,
            entry: out.finish(),
            timescale: sound.sample_rate,
            media: Media::Audio(sound.frame_length),
        }
    }
}

/// The refusal of a config or frame that the codec's parser refused.
fn refused(what: &'static str) -> impl FnOnce(CodecError) -> MuxError {
    move |error| malformed(what, error)
}
