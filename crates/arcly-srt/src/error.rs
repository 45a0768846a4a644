//! What went wrong, by who is at fault.

use std::time::Duration;

/// The result of a call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a packet was refused or a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol.
    #[error("the peer misbehaved: {what}")]
    PeerMisbehaved {
        /// What it did.
        what: &'static str,
    },
    /// The peer asks for something valid that is not implemented.
    #[error("not supported: {what}")]
    Unsupported {
        /// What it asked for.
        what: &'static str,
    },
    /// The peer exceeded one of our limits.
    #[error("{what} exceeds the limit of {max}")]
    LimitExceeded {
        /// What is limited.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The peer did not do in time what it had to.
    #[error("{what} took longer than {limit:?}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The system does not give what is needed.
    #[error("the system has no {what}")]
    Unavailable {
        /// What is missing.
        what: &'static str,
    },
    /// The caller used this crate in a way its documentation excludes.
    #[error("misuse: {what}")]
    ApiMisuse {
        /// What was wrong.
        what: &'static str,
    },
}

impl Error {
    pub(crate) const fn misbehaved(what: &'static str) -> Self {
        Self::PeerMisbehaved { what }
    }
}
