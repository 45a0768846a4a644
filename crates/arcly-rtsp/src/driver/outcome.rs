//! Why a connection ended, in words for the log.

use super::player::PlayEnd;
use crate::Error;
use arcly_core::{EndReason, StreamKey};
use std::io;
use std::time::Duration;

/// Why a connection ended other than by its peer's will. Logged by the accept loop.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Session(#[from] Error),
    #[error("{method} of {key} is refused: {reason}")]
    Refused {
        method: String,
        key: StreamKey,
        reason: String,
    },
    #[error("playing {key} was ended: {end:?}")]
    PlayEnded { key: StreamKey, end: PlayEnd },
    #[error("publishing was ended: {0}")]
    Ended(EndReason),
    #[error("{action}: {source}")]
    Io {
        action: &'static str,
        source: io::Error,
    },
    #[error("there is no randomness: {0}")]
    Random(getrandom::Error),
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] arcly_core::net::tls::TlsError),
    #[error("the peer takes nothing for {0:?}")]
    WriteTimeout(Duration),
}
