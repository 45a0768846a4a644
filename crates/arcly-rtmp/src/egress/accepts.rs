//! What a player can take, from what it says when it connects.

use crate::flv::{TagForm, four_cc, may_be_only};
use crate::proto::capabilities::Capabilities;
use arcly_core::{CodecId, MediaKind, StreamMetadata};

/// The codecs and forms of tags that a receiver takes (Enhanced RTMP v2, "Enhancing NetConnection connect").
///
/// Every receiver is taken to have H.264, AAC, MP3 and G.711, one track of each kind. The default is that and nothing more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Accepts {
    /// One bit for each codec that only Enhanced RTMP carries, see [`four_cc::enhanced`].
    codecs: u16,
    form: TagForm,
}

const ALL_CODECS: u16 = (1 << four_cc::ENHANCED) - 1;

impl Accepts {
    /// What every player takes.
    pub const LEGACY: Self = Self {
        codecs: 0,
        form: TagForm::LEGACY,
    };

    /// What a player has said. `multitrack` and nanosecond offsets without a codec are none.
    #[must_use]
    pub fn of(peer: &Capabilities) -> Self {
        let taken = |(bit, codec): (usize, CodecId)| u16::from(peer.accepts(codec)) << bit;
        Self {
            codecs: four_cc::enhanced().enumerate().map(taken).sum(),
            form: peer.tag_form(),
        }
    }

    /// All codecs, one track of each kind: for receivers of whom nothing is known, as those of FLV over HTTP.
    #[must_use]
    pub fn all_codecs() -> Self {
        let mut form = TagForm::LEGACY;
        form.enhanced = true;
        Self {
            codecs: ALL_CODECS,
            form,
        }
    }

    /// Whether it takes frames in that codec; true for all that Enhanced RTMP has no say in.
    #[must_use]
    pub fn takes(self, codec: CodecId) -> bool {
        let enhanced = four_cc::enhanced().position(|other| other == codec);
        enhanced.is_none_or(|bit| self.codecs & 1 << bit != 0)
    }

    /// The form of its tags.
    #[must_use]
    pub fn form(self) -> TagForm {
        self.form
    }

    /// Whether it is what most players are: one that takes all codecs, or none, that only Enhanced RTMP carries. There are five such.
    pub(super) fn is_whole(self) -> bool {
        self == Self::LEGACY || (self.codecs == ALL_CODECS && !self.form.set_data_frame)
    }

    /// The same as far as it matters for the tracks of `stream`. All that it says of pictures, or of sounds, where there is no track of
    /// that kind yet.
    pub(super) fn reduced_to(self, stream: &StreamMetadata) -> Self {
        let of_kind =
            |kind: MediaKind| stream.tracks.iter().filter(move |track| track.kind == kind);
        let matters = |codec: CodecId| {
            let mut tracks = of_kind(codec.kind()).peekable();
            tracks.peek().is_none() || tracks.any(|track| track.codec == codec)
        };
        let bits = four_cc::enhanced().enumerate();
        let mask: u16 = bits
            .map(|(bit, codec)| u16::from(matters(codec)) << bit)
            .sum();
        let mut reduced = Self {
            codecs: self.codecs & mask,
            ..self
        };
        let kinds = [MediaKind::Video, MediaKind::Audio];
        let has_several = kinds.into_iter().any(|kind| of_kind(kind).count() > 1);
        let form = &mut reduced.form;
        form.multitrack &= has_several || stream.tracks.is_empty();
        form.enhanced &= reduced.codecs != 0 || form.multitrack || form.nano_offset;
        reduced
    }

    /// Whether `other` takes all that it takes.
    pub(super) fn is_within(self, other: Self) -> bool {
        let (form, around) = (self.form, other.form);
        self.codecs & !other.codecs == 0
            && form.enhanced <= around.enhanced
            && form.multitrack <= around.multitrack
            && form.nano_offset <= around.nano_offset
            && form.set_data_frame == around.set_data_frame
    }

    /// How many tracks of `stream` it takes.
    pub(super) fn taken_of(self, stream: &StreamMetadata) -> usize {
        let tracks = stream.tracks.iter();
        tracks.filter(|track| self.takes(track.codec)).count()
    }

    /// The pictures and sounds of a stream that it does not take; all of them where there is nothing for it. Empty where
    /// the tracks are not known yet.
    #[must_use]
    pub fn misses(self, stream: &StreamMetadata) -> Misses {
        let media = stream.tracks.iter();
        let media = media.filter(|track| track.kind != MediaKind::Data);
        let (mut taken, mut missed) = (Vec::new(), Vec::new());
        for track in media {
            if !four_cc::is_carried(track.codec) || !self.takes(track.codec) {
                missed.push(track.codec);
            } else if self.form.multitrack
                || may_be_only(track.kind, track.id) && !taken.contains(&track.kind)
            {
                taken.push(track.kind);
            }
        }
        match (taken.is_empty(), missed.is_empty()) {
            (_, true) => Misses::Nothing,
            (true, _) => Misses::Everything(missed),
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

#[cfg(test)]
impl Accepts {
    /// What a player takes that names these codecs.
    pub(super) fn only(codecs: &[CodecId]) -> Self {
        let mut only = Self::all_codecs();
        let bits = four_cc::enhanced().enumerate();
        only.codecs = bits
            .map(|(bit, codec)| u16::from(codecs.contains(&codec)) << bit)
            .sum();
        only
    }

    /// What all players together can say, those that take all last.
    pub(super) fn every() -> impl Iterator<Item = Self> {
        let forms = (0..8_u8).map(|bits| {
            let mut form = TagForm::LEGACY;
            form.enhanced = bits & 1 != 0;
            form.multitrack = form.enhanced && bits & 2 != 0;
            form.nano_offset = form.enhanced && bits & 4 != 0;
            form
        });
        forms.flat_map(|form| {
            let codecs = if form.enhanced { 0..=ALL_CODECS } else { 0..=0 };
            codecs.map(move |codecs| Self { codecs, form })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::amf0::Value;
    use crate::proto::target::Connect;
    use arcly_core::MediaFrame;
    use bytes::Bytes;

    fn accepts(four_ccs: &[&str], caps_ex: f64) -> Accepts {
        let list = four_ccs.iter().map(|&name| name.into()).collect();
        let object = Value::Object(vec![
            ("fourCcList".to_owned(), Value::StrictArray(list)),
            ("capsEx".to_owned(), caps_ex.into()),
        ]);
        let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
        Accepts::of(&Capabilities::of(&connect))
    }

    #[test]
    fn codecs_and_forms_as_the_player_says() {
        assert_eq!(accepts(&[], 14.0), Accepts::LEGACY);
        let some = accepts(&["hvc1", "zzzz", "Opus"], 0.0);
        assert!(some.takes(CodecId::H265) && some.takes(CodecId::Opus));
        assert!(some.takes(CodecId::H264) && !some.takes(CodecId::Av1));
        assert!(some.form().enhanced && !some.form().multitrack);
        assert_eq!(accepts(&["*"], 0.0), Accepts::all_codecs());
        assert!(accepts(&["*"], 14.0).form().multitrack);
    }

    /// What is known of a stream with a track in each codec, and how many its first one is from the usual number.
    fn tracks(codecs: &[CodecId], shift: u16) -> StreamMetadata {
        let key = arcly_core::StreamKey::new("live", "cam");
        let limits = arcly_core::StreamLimits::default();
        let handle = arcly_core::StreamHandle::standalone(key, limits);
        for &codec in codecs {
            let mut frame = match codec.kind() {
                MediaKind::Video => MediaFrame::new_video(0, 0, Bytes::new(), codec, true),
                MediaKind::Audio => MediaFrame::new_audio(0, Bytes::new(), codec),
                MediaKind::Data => MediaFrame::new_data(0, Bytes::new(), codec),
            };
            frame.track.0 += shift;
            handle.publish_frame(frame).expect("live");
        }
        handle.metadata()
    }

    /// The ids of tracks from other protocols are their own: the writer carries the first of each kind. One with a number of
    /// Enhanced RTMP is a further one.
    #[test]
    fn the_first_track_of_a_kind_is_taken_whatever_its_id() {
        let missed = |shift| Accepts::LEGACY.misses(&tracks(&[CodecId::H265, CodecId::Aac], shift));
        assert_eq!(missed(7), Misses::Some(vec![CodecId::H265]));
        let further = Misses::Everything(vec![CodecId::H265]);
        let number_of_audio_1 = 0x201 - arcly_core::TrackId::AUDIO.0;
        assert_eq!(missed(number_of_audio_1), further);
    }

    #[test]
    fn what_is_missed_is_told_by_codec() {
        let legacy = |codecs: &[CodecId]| Accepts::LEGACY.misses(&tracks(codecs, 0));
        use CodecId::{Aac, Amf0, G722, H264, H265, Opus};
        assert_eq!(legacy(&[]), Misses::Nothing);
        assert_eq!(legacy(&[Amf0]), Misses::Nothing);
        assert_eq!(legacy(&[H264, Aac, Amf0]), Misses::Nothing);
        assert_eq!(legacy(&[H265, Aac]), Misses::Some(vec![H265]));
        assert_eq!(legacy(&[H265, Opus]), Misses::Everything(vec![H265, Opus]));
        assert_eq!(
            Accepts::all_codecs().misses(&tracks(&[H265, G722], 0)),
            Misses::Some(vec![G722])
        );
    }
}
