//! What a player can take, from what it says when it connects.

use crate::flv::TagForm;
use crate::proto::target::Connect;
use arcly_core::{CodecId, MediaKind, StreamMetadata, TrackId};

/// The codecs and forms of tags that a receiver takes (Enhanced RTMP v2, "Enhancing NetConnection connect").
///
/// Every receiver is taken to have H.264, AAC, MP3 and G.711, one track of each kind. The default is that and nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accepts {
    /// One bit for each of [`ENHANCED`].
    codecs: u16,
    multitrack: bool,
    nano_offset: bool,
}

/// The codecs that only Enhanced RTMP carries, by FourCC.
const ENHANCED: [(&str, CodecId); 9] = [
    ("hvc1", CodecId::H265),
    ("av01", CodecId::Av1),
    ("vp09", CodecId::Vp9),
    ("vp08", CodecId::Vp8),
    ("vvc1", CodecId::Vvc),
    ("Opus", CodecId::Opus),
    ("ac-3", CodecId::Ac3),
    ("ec-3", CodecId::Eac3),
    ("fLaC", CodecId::Flac),
];

/// `FourCcInfoMask.CanDecode` and `CanForward`: either way the receiver wants it.
const CAN_TAKE: u32 = 0x01 | 0x04;
/// `CapsExMask.Multitrack`.
const MULTITRACK: u32 = 0x02;
/// `CapsExMask.ModEx` and `CapsExMask.TimestampNanoOffset`, both of which the offset needs.
const NANO_OFFSET: u32 = 0x04 | 0x08;

impl Accepts {
    /// What every player takes.
    pub const LEGACY: Self = Self {
        codecs: 0,
        multitrack: false,
        nano_offset: false,
    };

    /// All codecs, one track of each kind: for receivers of whom nothing is known, as those of FLV over HTTP.
    pub const ALL_CODECS: Self = Self {
        codecs: (1 << ENHANCED.len()) - 1,
        ..Self::LEGACY
    };

    /// What a player has said.
    #[must_use]
    pub fn of(connect: &Connect) -> Self {
        let infos = connect.video_four_cc_info.iter();
        let infos = infos.chain(&connect.audio_four_cc_info);
        let able = infos.filter(|(_, mask)| mask & CAN_TAKE != 0);
        let listed = connect.four_cc_list.iter();
        let codecs = listed
            .chain(able.map(|(four_cc, _)| four_cc))
            .fold(0, |codecs, four_cc| codecs | bits(four_cc));
        Self {
            codecs,
            multitrack: codecs != 0 && connect.caps_ex & MULTITRACK != 0,
            nano_offset: codecs != 0 && connect.caps_ex & NANO_OFFSET == NANO_OFFSET,
        }
    }

    /// Whether it takes frames in that codec; true for all that Enhanced RTMP has no say in.
    #[must_use]
    pub fn takes(self, codec: CodecId) -> bool {
        let enhanced = ENHANCED.iter().position(|(_, other)| *other == codec);
        enhanced.is_none_or(|bit| self.codecs & 1 << bit != 0)
    }

    /// The form of its tags.
    #[must_use]
    pub fn form(self) -> TagForm {
        TagForm {
            enhanced: self.codecs != 0,
            multitrack: self.multitrack,
            nano_offset: self.nano_offset,
            ..TagForm::LEGACY
        }
    }

    /// The pictures and sounds of a stream that it does not take; all of them where there is nothing for it. Empty where
    /// the tracks are not known yet.
    #[must_use]
    pub fn misses(self, stream: &StreamMetadata) -> Misses {
        let media = stream.tracks.iter();
        let media = media.filter(|track| track.kind != MediaKind::Data);
        let (mut taken, mut missed) = (0, Vec::new());
        for track in media {
            let first = match track.kind {
                MediaKind::Video => TrackId::VIDEO,
                MediaKind::Audio | MediaKind::Data => TrackId::AUDIO,
            };
            if !is_carried(track.codec) || !self.takes(track.codec) {
                missed.push(track.codec);
            } else if self.multitrack || track.id == first {
                taken += 1;
            }
        }
        match (taken, missed.is_empty()) {
            (_, true) => Misses::Nothing,
            (0, _) => Misses::Everything(missed),
            _ => Misses::Some(missed),
        }
    }
}

/// What a player misses of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misses {
    /// No codec.
    Nothing,
    /// The tracks in these codecs.
    Some(Vec<CodecId>),
    /// All tracks, which are in these codecs.
    Everything(Vec<CodecId>),
}

/// Whether FLV has a place for the codec, enhanced or not.
fn is_carried(codec: CodecId) -> bool {
    ENHANCED.iter().any(|(_, enhanced)| *enhanced == codec)
        || matches!(
            codec,
            CodecId::H264 | CodecId::Aac | CodecId::Mp3 | CodecId::Pcma | CodecId::Pcmu
        )
}

fn bits(four_cc: &str) -> u16 {
    if four_cc == "*" {
        return Accepts::ALL_CODECS.codecs;
    }
    let bit = ENHANCED.iter().position(|(name, _)| *name == four_cc);
    bit.map_or(0, |bit| 1 << bit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::amf0::Value;

    fn accepts(properties: Vec<(String, Value)>) -> Accepts {
        let connect = Connect::parse(&Value::Object(properties), &Limits::default());
        Accepts::of(&connect.expect("within limits"))
    }

    #[test]
    fn lists_and_maps_count_alike() {
        assert_eq!(accepts(Vec::new()), Accepts::LEGACY);
        let list = Value::StrictArray(vec!["hvc1".into(), "zzzz".into(), "Opus".into()]);
        let listed = accepts(vec![("fourCcList".to_owned(), list)]);
        let map = |name: &str, mask: f64| Value::Object(vec![(name.to_owned(), mask.into())]);
        let mapped = accepts(vec![
            ("videoFourCcInfoMap".to_owned(), map("hvc1", 1.0)),
            ("audioFourCcInfoMap".to_owned(), map("Opus", 5.0)),
        ]);
        assert_eq!(listed, mapped);
        assert!(listed.takes(CodecId::H265) && listed.takes(CodecId::Opus));
        assert!(listed.takes(CodecId::H264) && !listed.takes(CodecId::Av1));
        assert!(listed.form().enhanced && !listed.form().multitrack);
        // What can only be encoded is nothing to play.
        let encoder = accepts(vec![("videoFourCcInfoMap".to_owned(), map("*", 2.0))]);
        assert_eq!(encoder, Accepts::LEGACY);
    }

    #[test]
    fn all_codecs_and_further_abilities() {
        let star = Value::StrictArray(vec!["*".into()]);
        let all = accepts(vec![
            ("fourCcList".to_owned(), star),
            ("capsEx".to_owned(), 14.0.into()),
        ]);
        assert!(all.form().multitrack && all.form().nano_offset);
        assert_eq!(all.codecs, Accepts::ALL_CODECS.codecs);
        // Abilities without codecs are none.
        assert_eq!(accepts(vec![("capsEx".to_owned(), 14.0.into())]), Accepts::LEGACY);
    }
}
