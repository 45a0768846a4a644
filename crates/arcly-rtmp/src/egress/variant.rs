//! What tells the renditions of a stream apart, and how many of them there can be.

use super::Accepts;
use arcly_core::StreamMetadata;
use std::time::Duration;

/// How many renditions of one stream are made exactly as their players ask.
///
/// Which codecs a player takes is its own to say, so a hostile one could have a stream serialised in thousands of ways. Players that
/// take all codecs with a FourCC, and those that take none, are always served exactly as they ask: five variants in all, and
/// nearly all players. For the others, once this many renditions are live, only what matters for the tracks that the stream has counts:
/// players that differ in other codecs share one, and do not get a track in such a codec that comes later.
pub const EXACT_VARIANTS: usize = 4;

/// How many renditions of one stream there are at most, beside the five that always can be. Each costs a copy of what the stream's log keeps,
/// and of each frame.
///
/// A player past that gets the live rendition with the most tracks that it takes, or the legacy one.
pub const MAX_VARIANTS: usize = 16;

/// What tells renditions apart: viewers with equal ones share a serialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FlvVariant {
    /// What the viewers take.
    pub accepts: Accepts,
    /// The chunk size of the RTMP view, in bytes, at least 1.
    pub chunk_size: u32,
    /// How long sound waits for the next picture at most; 0: not at all.
    pub flush_window: Duration,
}

impl FlvVariant {
    /// For viewers that take `accepts`, with the chunk size and the flush window of the default
    /// [`Config`](crate::Config).
    #[must_use]
    pub fn new(accepts: Accepts) -> Self {
        let config = crate::Config::default();
        Self {
            accepts,
            chunk_size: config.chunk_size,
            flush_window: config.audio_flush_window,
        }
    }

    /// The variant that serves a viewer that asks for this one, where those in `live` are served already: itself as long as there are few,
    /// and never one with something that the viewer does not take. See [`EXACT_VARIANTS`] and [`MAX_VARIANTS`].
    #[must_use]
    pub fn settled(self, live: &[Self], stream: &StreamMetadata) -> Self {
        let exact = self.accepts.is_whole() || live.contains(&self) || live.len() < EXACT_VARIANTS;
        if exact {
            return self;
        }
        let with = |accepts| Self { accepts, ..self };
        let reduced = with(self.accepts.reduced_to(stream));
        if reduced.accepts.is_whole() || live.contains(&reduced) || live.len() < MAX_VARIANTS {
            return reduced;
        }
        live.iter()
            .copied()
            .filter(|live| *live == with(live.accepts) && live.accepts.is_within(self.accepts))
            .max_by_key(|live| live.accepts.taken_of(stream))
            .unwrap_or(with(Accepts::LEGACY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::{CodecId, MediaFrame, MediaKind, StreamHandle, StreamKey, StreamLimits};
    use bytes::Bytes;

    fn stream(codecs: &[CodecId]) -> StreamMetadata {
        let key = StreamKey::new("live", "cam");
        let handle = StreamHandle::standalone(key, StreamLimits::default());
        for &codec in codecs {
            let frame = match codec.kind() {
                MediaKind::Video => MediaFrame::new_video(0, 0, Bytes::new(), codec, true),
                _ => MediaFrame::new_audio(0, Bytes::new(), codec),
            };
            handle.publish_frame(frame).expect("live");
        }
        handle.metadata()
    }

    /// Settles the variants of all players that there can be, one after another; those that are live then.
    fn settle_all(stream: &StreamMetadata) -> Vec<FlvVariant> {
        let mut live = Vec::new();
        for accepts in Accepts::every() {
            let variant = FlvVariant::new(accepts).settled(&live, stream);
            assert!(
                variant.accepts.is_within(accepts),
                "{accepts:?} gets {variant:?}"
            );
            if !live.contains(&variant) {
                live.push(variant);
            }
        }
        live
    }

    #[test]
    fn all_players_together_have_a_bounded_number_of_renditions_of_which_none_is_too_much_for_them()
    {
        use CodecId::{Aac, Av1, H264, H265, Opus};
        for codecs in [&[][..], &[H264, Aac], &[H265, Opus], &[Av1]] {
            let live = settle_all(&stream(codecs));
            assert!(live.len() <= MAX_VARIANTS + 5, "{codecs:?}: {}", live.len());
        }
        let ordinary = settle_all(&stream(&[H264, Aac])).len();
        assert!(ordinary <= EXACT_VARIANTS + 6, "{ordinary}");
    }

    #[test]
    fn what_makes_no_difference_is_shared_and_what_does_is_not() {
        let stream = stream(&[CodecId::H265, CodecId::Aac]);
        let crowd: Vec<_> = Accepts::every()
            .filter(|accepts| !accepts.is_whole())
            .take(EXACT_VARIANTS)
            .map(FlvVariant::new)
            .collect();
        let settled = |codecs: &[CodecId], live: &[FlvVariant]| {
            FlvVariant::new(Accepts::only(codecs)).settled(live, &stream)
        };
        let exact = settled(&[CodecId::H265, CodecId::Av1], &crowd[1..]);
        assert!(exact.accepts.takes(CodecId::Av1), "there are few");
        let first = settled(&[CodecId::H265, CodecId::Av1], &crowd);
        let second = settled(&[CodecId::H265, CodecId::Opus], &crowd);
        assert_eq!(first, second);
        assert!(first.accepts.takes(CodecId::H265));
        let other = settled(&[CodecId::Av1], &crowd);
        assert_eq!(other.accepts, Accepts::LEGACY);
    }

    #[test]
    fn past_the_bound_a_player_gets_the_most_that_there_is_for_it() {
        let stream = stream(&[CodecId::H265, CodecId::Opus]);
        let some = FlvVariant::new(Accepts::only(&[CodecId::H265]));
        let mut live = vec![some; MAX_VARIANTS];
        let asks = FlvVariant::new(Accepts::only(&[CodecId::H265, CodecId::Opus]));
        assert_eq!(asks.settled(&live, &stream), some);
        let other = FlvVariant::new(Accepts::only(&[CodecId::Opus]));
        let legacy = FlvVariant::new(Accepts::LEGACY);
        assert_eq!(other.settled(&live, &stream), legacy);
        // A host that serves with other chunk sizes does not mix them.
        live[0].chunk_size += 1;
        let all = FlvVariant::new(Accepts::all_codecs());
        assert_eq!(all.settled(&live, &stream), all, "always exact");
        let foreign = live[0];
        live.fill(foreign);
        assert_eq!(asks.settled(&live, &stream), legacy);
    }
}
