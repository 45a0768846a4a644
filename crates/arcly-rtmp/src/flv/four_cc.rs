//! The FourCCs of Enhanced RTMP (v2, "ExVideoTagHeader" and "ExAudioTagHeader").

use arcly_core::{CodecId, MediaKind};

/// A codec's name in four bytes.
pub(crate) type FourCc = [u8; 4];

/// All that are defined.
const TABLE: [(FourCc, CodecId); 12] = [
    (*b"avc1", CodecId::H264),
    (*b"hvc1", CodecId::H265),
    (*b"vvc1", CodecId::Vvc),
    (*b"av01", CodecId::Av1),
    (*b"vp08", CodecId::Vp8),
    (*b"vp09", CodecId::Vp9),
    (*b"mp4a", CodecId::Aac),
    (*b"Opus", CodecId::Opus),
    (*b".mp3", CodecId::Mp3),
    (*b"ac-3", CodecId::Ac3),
    (*b"ec-3", CodecId::Eac3),
    (*b"fLaC", CodecId::Flac),
];

/// The codec that goes by this name.
pub(crate) fn codec(four_cc: FourCc) -> Option<CodecId> {
    TABLE
        .iter()
        .find(|(name, _)| *name == four_cc)
        .map(|&(_, codec)| codec)
}

/// The codec that goes by this name, as text.
pub(crate) fn codec_named(name: &str) -> Option<CodecId> {
    codec(name.as_bytes().try_into().ok()?)
}

/// The name of a codec.
pub(crate) fn of(codec: CodecId) -> Option<FourCc> {
    TABLE
        .iter()
        .find(|&&(_, named)| named == codec)
        .map(|&(name, _)| name)
}

/// The names of a kind, as text.
pub(crate) fn names(kind: MediaKind) -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(move |(_, codec)| codec.kind() == kind)
        .filter_map(|(name, _)| std::str::from_utf8(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codecs_belong_together() {
        for (name, codec_id) in TABLE {
            assert_eq!((codec(name), of(codec_id)), (Some(codec_id), Some(name)));
        }
        assert_eq!(codec(*b"hev1"), None);
        assert_eq!(of(CodecId::Pcmu), None);
        assert_eq!(names(MediaKind::Video).count(), 6);
        assert_eq!(names(MediaKind::Audio).count(), 6);
    }
}
