//! How a connection ended, in words for the log and codes for the peer.

use crate::proto::connection::Closed;
use crate::proto::handshake::RejectReason;
use arcly_core::mux::MuxError;
use arcly_core::{EndReason, StreamError};
use std::io;

/// Why a connection ended other than by its peer's will.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("the peer was silent for too long")]
    Idle,
    #[error("the peer left out more of its stream than can be waited for")]
    SequenceGap,
    #[error("what comes cannot be played: {0}")]
    Demux(#[from] MuxError),
    #[error("the stream was ended: {0}")]
    Ended(EndReason),
    #[error("the host ended it")]
    EndedByHost,
    #[error("it fell behind further than is allowed")]
    Evicted,
    #[error("sending: {0}")]
    Io(#[from] io::Error),
}

/// How a connection that its own end has closed is told.
pub(crate) const fn closed(closed: Closed) -> Result<(), ConnectionError> {
    match closed {
        Closed::Idle => Err(ConnectionError::Idle),
        Closed::SequenceGap => Err(ConnectionError::SequenceGap),
        _ => Ok(()),
    }
}

/// What a caller is refused with whom the engine refuses.
pub(super) fn refusal(error: &StreamError) -> RejectReason {
    match error {
        StreamError::StreamNotFound(_) | StreamError::AppNotFound(_) => RejectReason::NOT_FOUND,
        StreamError::InvalidKey { .. } => RejectReason::BAD_REQUEST,
        StreamError::Unauthorized { .. } => RejectReason::UNAUTHORIZED,
        StreamError::StreamAlreadyPublishing { .. } => RejectReason::CONFLICT,
        StreamError::PublisherLimitReached { .. } => RejectReason::OVERLOAD,
        StreamError::ShuttingDown => RejectReason::CLOSE,
        _ => RejectReason::SERVER_ERROR,
    }
}
