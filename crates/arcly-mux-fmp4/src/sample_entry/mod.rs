//! How a track is described: its sample entry in `stsd` (ISO/IEC 14496-12 8.5.2), its timescale, and what else the headers say.
//!
//! The bus carries the codecs' own config records, so most of them go into their boxes as they are.

mod audio;
mod video;

use crate::boxes::BoxWriter;
use crate::malformed;
use arcly_core::codec::CodecError;
use arcly_core::codec::vpc::{VpCodec, VpConfig};
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
    /// What a frame's header has to be for this description to hold, of codecs without configs.
    signature: Option<u64>,
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
        matches!(
            codec,
            CodecId::H264
                | CodecId::H265
                | CodecId::Vvc
                | CodecId::Av1
                | CodecId::Aac
                | CodecId::Opus
                | CodecId::Flac
        ) || Self::is_in_frames(codec)
    }

    /// Whether tracks of this codec may have no config on the bus, and are described by their frames.
    pub(crate) const fn is_in_frames(codec: CodecId) -> bool {
        matches!(
            codec,
            CodecId::Vp8 | CodecId::Vp9 | CodecId::Mp3 | CodecId::Ac3 | CodecId::Eac3
        )
    }

    /// Reads a `vpcC` record, which describes a track together with a key frame.
    pub(crate) fn vp_record(frame: &MediaFrame) -> Option<Result<VpConfig, MuxError>> {
        let codec = vp_codec(frame.codec)?;
        Some(VpConfig::parse(codec, &frame.payload).map_err(refused("vpcC")))
    }

    /// Reads a codec config.
    pub(crate) fn from_config(frame: &MediaFrame) -> Result<Self, MuxError> {
        match (frame.codec, frame.kind) {
            (CodecId::H264, MediaKind::Video) => video::h264(&frame.payload),
            (CodecId::H265, MediaKind::Video) => video::h265(&frame.payload),
            (CodecId::Vvc, MediaKind::Video) => video::vvc(&frame.payload),
            (CodecId::Av1, MediaKind::Video) => video::av1(&frame.payload),
            (CodecId::Aac, MediaKind::Audio) => audio::aac(&frame.payload),
            (CodecId::Opus, MediaKind::Audio) => audio::opus(&frame.payload),
            (CodecId::Flac, MediaKind::Audio) => audio::flac(&frame.payload),
            (codec, _) => Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec,
            }),
        }
    }

    /// Reads the description that a frame of such a codec carries; `record` is what [`vp_record`](Self::vp_record) has read.
    pub(crate) fn from_frame(
        frame: &MediaFrame,
        record: Option<VpConfig>,
    ) -> Result<Self, MuxError> {
        if let (Some(codec), MediaKind::Video) = (vp_codec(frame.codec), frame.kind) {
            let missing = MuxError::MissingConfig { codec: frame.codec };
            return video::vp(codec, &frame.payload, record)?.ok_or(missing);
        }
        let mut description = match (frame.codec, frame.kind) {
            (CodecId::Mp3, MediaKind::Audio) => audio::mp3(&frame.payload),
            (CodecId::Ac3, MediaKind::Audio) => audio::ac3(&frame.payload),
            (CodecId::Eac3, MediaKind::Audio) => audio::eac3(&frame.payload),
            (codec, _) => Err(MuxError::MissingConfig { codec }),
        }?;
        description.signature = audio::signature(frame.codec, &frame.payload);
        Ok(description)
    }

    /// Whether a frame of a codec without configs still is what this describes. A frame whose header cannot be read changes nothing.
    pub(crate) fn describes(&self, frame: &MediaFrame) -> bool {
        if frame.is_video() {
            // Key frames are few enough to be read each time.
            return frame.codec == self.codec && !frame.is_keyframe();
        }
        let signature = audio::signature(frame.codec, &frame.payload);
        frame.codec == self.codec && (signature.is_none() || signature == self.signature)
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
            signature: None,
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
            signature: None,
        }
    }
}

fn vp_codec(codec: CodecId) -> Option<VpCodec> {
    match codec {
        CodecId::Vp8 => Some(VpCodec::Vp8),
        CodecId::Vp9 => Some(VpCodec::Vp9),
        _ => None,
    }
}

/// The refusal of a config or frame that the codec's parser refused.
fn refused(what: &'static str) -> impl FnOnce(CodecError) -> MuxError {
    move |error| malformed(what, error)
}
