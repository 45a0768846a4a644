//! What is told of frames that cannot be packaged.

use arcly_core::mux::MuxError;
use arcly_core::{MediaFrame, MediaKind, StreamKey, TrackId};
use tracing::Level;

/// Reports the first refusal of each track, not each frame's.
#[derive(Default)]
pub(super) struct Refusals {
    reported: Vec<TrackId>,
}

impl Refusals {
    pub(super) fn report(&mut self, key: &StreamKey, frame: &MediaFrame, error: &MuxError) {
        let track = frame.track;
        match self.level(frame, error) {
            Some(Level::WARN) => {
                tracing::warn!(stream = %key, %track, %error, "HLS leaves frames out");
            }
            Some(_) => tracing::debug!(stream = %key, %track, %error, "HLS leaves frames out"),
            None => {}
        }
    }

    /// How loudly to tell of a refusal, where it is one to tell of.
    fn level(&mut self, frame: &MediaFrame, error: &MuxError) -> Option<Level> {
        /// Track numbers are the publisher's; this many are remembered.
        const MAX_REPORTED: usize = 32;
        if self.reported.len() >= MAX_REPORTED || self.reported.contains(&frame.track) {
            return None;
        }
        self.reported.push(frame.track);
        // Every RTMP publisher sends AMF metadata, and viewers of HLS miss nothing without it.
        let is_expected =
            frame.kind == MediaKind::Data && matches!(error, MuxError::UnsupportedCodec { .. });
        Some(if is_expected {
            Level::DEBUG
        } else {
            Level::WARN
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::CodecId;
    use bytes::Bytes;

    #[test]
    fn only_video_and_sound_that_are_left_out_are_warned_of() {
        let unsupported = |frame: &MediaFrame| MuxError::UnsupportedCodec {
            container: "mpegts",
            codec: frame.codec,
        };
        let metadata = MediaFrame::new_data(0, Bytes::from_static(b"x"), CodecId::Amf0);
        let sound = MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Flac);
        let mut refusals = Refusals::default();
        for (frame, level) in [(&metadata, Level::DEBUG), (&sound, Level::WARN)] {
            let error = unsupported(frame);
            assert_eq!(refusals.level(frame, &error), Some(level));
            assert_eq!(refusals.level(frame, &error), None, "once a track");
        }
        let malformed = MuxError::Malformed {
            what: "ID3",
            reason: "cut short".into(),
        };
        assert_eq!(
            Refusals::default().level(&metadata, &malformed),
            Some(Level::WARN),
            "the container carries it, so it is missed"
        );
    }
}
