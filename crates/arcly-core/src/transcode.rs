//! Sound in another codec, for outputs that do not take a stream's own: a seam, which hosts fill with a crate of their choice.
//!
//! An output that was given an [`AudioTranscoder`] asks it whether a track [can be transcoded](AudioTranscoder::accepts), and starts one
//! [transcoding](AudioTranscode) a stream, for as long as there are viewers who need it.

use crate::{CodecId, MediaFrame};
use std::fmt;

/// Transcodes the sound of streams, each by an [`AudioTranscode`] of its own.
pub trait AudioTranscoder: fmt::Debug + Send + Sync + 'static {
    /// What comes out is coded in.
    fn output(&self) -> CodecId;

    /// Whether a track with this codec config (a frame with [`CONFIG`](crate::FrameFlags::CONFIG)) can be transcoded now.
    ///
    /// # Errors
    /// The reason why not, in words for who publishes it.
    fn accepts(&self, config: &MediaFrame) -> Result<(), TranscodeRefused>;

    /// Starts with this codec config.
    ///
    /// # Errors
    /// As [`accepts`](Self::accepts).
    fn start(&self, config: &MediaFrame) -> Result<Box<dyn AudioTranscode>, TranscodeRefused>;
}

/// One track that is being transcoded. Neither call blocks: the work is done elsewhere, and what cannot be kept up with is left out.
pub trait AudioTranscode: Send {
    /// Takes a frame of the track, in the order of decoding.
    fn push(&mut self, frame: &MediaFrame);

    /// A frame that is done: of the same track, with the time at which its sound is to be heard as its timestamp.
    fn pull(&mut self) -> Option<MediaFrame>;
}

/// Why a track is not transcoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranscodeRefused {
    /// The transcoder does not have this codec or profile.
    #[error("{0}")]
    Unsupported(String),
    /// As many tracks are being transcoded as the host allows.
    #[error("{max} tracks are being transcoded, which is the limit")]
    LimitExceeded {
        /// The limit.
        max: usize,
    },
    /// The host cannot start one, as without threads.
    #[error("the transcoder cannot be started: {0}")]
    Failed(String),
}
