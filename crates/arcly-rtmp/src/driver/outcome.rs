//! Why a connection ended, in words for the log, and in codes for the peer.

use crate::Error;
use crate::proto::session::PlayEnd;
use crate::proto::status::StatusCode;
use arcly_core::{EndReason, StreamError, StreamKey};
use std::io;
use std::time::Duration;

/// Why a connection ended other than by its peer's will. Logged by the accept loop.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Session(#[from] Error),
    #[error("publishing {key} is refused: {source}")]
    PublishRefused { key: StreamKey, source: StreamError },
    #[error("playing {key} is refused: {source}")]
    PlayRefused { key: StreamKey, source: StreamError },
    #[error("playing {key} was ended: {end:?}")]
    PlayEnded { key: StreamKey, end: PlayEnd },
    #[error("connecting is refused: {0}")]
    ConnectRefused(StreamError),
    #[error("publishing was ended: {0}")]
    Ended(EndReason),
    #[error("the peer closed the connection within the handshake")]
    ClosedInHandshake,
    #[error("{action}: {source}")]
    Io {
        action: &'static str,
        source: io::Error,
    },
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] arcly_core::net::tls::TlsError),
    #[error("the peer takes nothing for {0:?}")]
    WriteTimeout(Duration),
}

/// What a peer that may not publish is told.
pub(super) fn refusal(error: &StreamError) -> StatusCode {
    match error {
        StreamError::StreamAlreadyPublishing { .. }
        | StreamError::InvalidKey { .. }
        | StreamError::AppNotFound(_) => StatusCode::PUBLISH_BAD_NAME,
        _ => StatusCode::PUBLISH_DENIED,
    }
}

/// What a peer that may not play is told, and whether the connection is closed on it. Who may guess again has to connect
/// again, at the price of that.
pub(super) fn play_refusal(error: &StreamError) -> (StatusCode, bool) {
    match error {
        StreamError::StreamNotFound(_)
        | StreamError::AppNotFound(_)
        | StreamError::InvalidKey { .. } => (StatusCode::PLAY_STREAM_NOT_FOUND, false),
        StreamError::Unauthorized { .. } => (StatusCode::PLAY_UNAUTHORIZED, true),
        _ => (StatusCode::PLAY_FAILED, true),
    }
}

/// What a publisher is told whose session the host ended.
pub(super) fn end(reason: EndReason) -> StatusCode {
    match reason {
        EndReason::Idle => StatusCode::PUBLISH_IDLE,
        EndReason::Replaced => StatusCode::PUBLISH_BAD_NAME,
        _ => StatusCode::CONNECT_CLOSED,
    }
}
