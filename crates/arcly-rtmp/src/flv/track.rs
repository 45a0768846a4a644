//! The tracks of a publication.

use super::codec_state::{self, CodecState};
use crate::Fault;
use arcly_core::{CodecId, MediaKind, TrackId};
use bytes::Bytes;

/// Where the bus has the tracks of a kind that are not its first, by their numbers in Enhanced RTMP: what no convention of the
/// bus uses, and the same for each publication.
const VIDEO_TRACKS: u16 = 0x100;
const AUDIO_TRACKS: u16 = 0x200;

/// The track of the bus for a track's number in Enhanced RTMP.
pub(super) fn track_id(kind: MediaKind, number: u8) -> TrackId {
    match (kind, number) {
        (MediaKind::Video, 0) => TrackId::VIDEO,
        (MediaKind::Video, _) => TrackId(VIDEO_TRACKS + u16::from(number)),
        (MediaKind::Audio, 0) => TrackId::AUDIO,
        (MediaKind::Audio, _) => TrackId(AUDIO_TRACKS + u16::from(number)),
        (MediaKind::Data, _) => TrackId::DATA,
    }
}

/// The number that [`track_id`] would have made this track of; `None` for tracks that came from elsewhere.
pub(super) fn track_number(kind: MediaKind, id: TrackId) -> Option<u8> {
    let number = match kind {
        _ if id == track_id(kind, 0) => 0,
        MediaKind::Video => id.0.checked_sub(VIDEO_TRACKS)?,
        MediaKind::Audio => id.0.checked_sub(AUDIO_TRACKS)?,
        MediaKind::Data => return None,
    };
    let number = u8::try_from(number).ok()?;
    (track_id(kind, number) == id).then_some(number)
}

/// Whether a track can be the only one of its kind in a form without numbers: it is not numbered as a further one.
pub(crate) fn may_be_only(kind: MediaKind, id: TrackId) -> bool {
    track_number(kind, id).is_none_or(|number| number == 0)
}

/// One track.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) kind: MediaKind,
    /// Its number among those of its kind, in Enhanced RTMP.
    pub(super) number: u8,
    pub(super) id: TrackId,
    codec: CodecId,
    state: Box<dyn CodecState>,
}

impl Track {
    pub(super) fn new(kind: MediaKind, number: u8, codec: CodecId) -> Result<Self, Fault> {
        Ok(Self {
            kind,
            number,
            id: track_id(kind, number),
            codec,
            state: codec_state::new(codec)?,
        })
    }

    /// The state of a codec, which forgets another codec's that the track had before.
    pub(super) fn codec(&mut self, codec: CodecId) -> Result<&mut dyn CodecState, Fault> {
        if self.codec != codec {
            self.state = codec_state::new(codec)?;
            self.codec = codec;
        }
        Ok(&mut *self.state)
    }

    /// Its codec.
    pub(super) fn codec_id(&self) -> CodecId {
        self.codec
    }

    /// The codec and its config, where the next frame is the first to need it.
    pub(super) fn take_config(&mut self) -> Option<(CodecId, Bytes)> {
        let config = self.state.take_config()?;
        Some((self.codec, config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_belong_together() {
        let mut seen = std::collections::HashSet::new();
        for kind in [MediaKind::Video, MediaKind::Audio] {
            for number in 0..=u8::MAX {
                let id = track_id(kind, number);
                assert!(seen.insert(id) && id != TrackId::DATA);
                assert_eq!(track_number(kind, id), Some(number));
            }
        }
        assert_eq!(track_number(MediaKind::Video, TrackId::AUDIO), None);
        assert_eq!(track_number(MediaKind::Audio, TrackId(0x100)), None);
        assert_eq!(track_number(MediaKind::Audio, TrackId(0x200)), None);
        assert_eq!(track_number(MediaKind::Audio, TrackId(0x300)), None);
    }
}
