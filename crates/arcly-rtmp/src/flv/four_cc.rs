//! The codecs that FLV has a place for: by a number of its own (FLV, E.4.2.1 and E.4.3.1), by a FourCC of Enhanced RTMP (v2,
//! "ExVideoTagHeader" and "ExAudioTagHeader"), or by both.

use arcly_core::{CodecId, MediaKind};

/// A codec's name in four bytes.
pub(crate) type FourCc = [u8; 4];

/// How a codec is carried.
#[derive(Debug)]
struct Carried {
    codec: CodecId,
    /// CodecID or SoundFormat. Every peer takes what has one.
    number: Option<u8>,
    four_cc: Option<FourCc>,
}

const fn by_both(codec: CodecId, number: u8, four_cc: FourCc) -> Carried {
    Carried {
        codec,
        number: Some(number),
        four_cc: Some(four_cc),
    }
}

const fn by_number(codec: CodecId, number: u8) -> Carried {
    Carried {
        codec,
        number: Some(number),
        four_cc: None,
    }
}

const fn by_four_cc(codec: CodecId, four_cc: FourCc) -> Carried {
    Carried {
        codec,
        number: None,
        four_cc: Some(four_cc),
    }
}

/// All that are carried, and all FourCCs that are defined. What is read beside it, from peers that write it otherwise, stands where it
/// is read ([`video`](super::video) and [`audio`](super::audio)).
const TABLE: [Carried; 14] = [
    by_both(CodecId::H264, 7, *b"avc1"),
    by_four_cc(CodecId::H265, *b"hvc1"),
    by_four_cc(CodecId::Vvc, *b"vvc1"),
    by_four_cc(CodecId::Av1, *b"av01"),
    by_four_cc(CodecId::Vp8, *b"vp08"),
    by_four_cc(CodecId::Vp9, *b"vp09"),
    by_both(CodecId::Aac, 10, *b"mp4a"),
    by_four_cc(CodecId::Opus, *b"Opus"),
    by_both(CodecId::Mp3, 2, *b".mp3"),
    by_four_cc(CodecId::Ac3, *b"ac-3"),
    by_four_cc(CodecId::Eac3, *b"ec-3"),
    by_four_cc(CodecId::Flac, *b"fLaC"),
    by_number(CodecId::Pcma, 7),
    by_number(CodecId::Pcmu, 8),
];

/// How many codecs are carried by their FourCC alone.
pub(crate) const ENHANCED: usize = {
    let mut rest: &[Carried] = &TABLE;
    let mut count = 0;
    while let [first, tail @ ..] = rest {
        if first.number.is_none() {
            count += 1;
        }
        rest = tail;
    }
    count
};

/// The codecs that are carried by their FourCC alone.
pub(crate) fn enhanced() -> impl Iterator<Item = CodecId> {
    let rows = TABLE.iter().filter(|row| row.number.is_none());
    rows.map(|row| row.codec)
}

/// The codec that goes by this name.
pub(crate) fn codec(four_cc: FourCc) -> Option<CodecId> {
    let row = TABLE.iter().find(|row| row.four_cc == Some(four_cc));
    row.map(|row| row.codec)
}

/// The codec that goes by this name, as text.
pub(crate) fn codec_named(name: &str) -> Option<CodecId> {
    codec(name.as_bytes().try_into().ok()?)
}

/// The name of a codec.
pub(crate) fn of(codec: CodecId) -> Option<FourCc> {
    row(codec)?.four_cc
}

/// The CodecID or SoundFormat of a codec: where it has one, every peer takes it.
pub(crate) fn number(codec: CodecId) -> Option<u8> {
    row(codec)?.number
}

/// Whether there is a place for the codec.
pub(crate) fn is_carried(codec: CodecId) -> bool {
    row(codec).is_some()
}

/// The names of a kind, as text.
pub(crate) fn names(kind: MediaKind) -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(move |row| row.codec.kind() == kind)
        .filter_map(|row| std::str::from_utf8(row.four_cc.as_ref()?).ok())
}

fn row(codec: CodecId) -> Option<&'static Carried> {
    TABLE.iter().find(|row| row.codec == codec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codecs_belong_together() {
        for row in &TABLE {
            assert_eq!(of(row.codec), row.four_cc);
            assert_eq!(number(row.codec), row.number);
            if let Some(four_cc) = row.four_cc {
                assert_eq!(codec(four_cc), Some(row.codec));
            }
        }
        assert_eq!(codec(*b"hev1"), None);
        assert_eq!(of(CodecId::Pcmu), None);
        assert_eq!(names(MediaKind::Video).count(), 6);
        assert_eq!(names(MediaKind::Audio).count(), 6);
        assert_eq!(enhanced().count(), ENHANCED);
        assert!(is_carried(CodecId::Pcma) && !is_carried(CodecId::G722));
    }
}
