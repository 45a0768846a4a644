//! What went wrong, by who is at fault, and where in the peer's byte stream.

use std::fmt;
use std::time::Duration;

/// The result of a session call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a connection ended. Fatal to the connection, and only to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol.
    #[error("the peer misbehaved: {what} (at {at})")]
    PeerMisbehaved {
        /// What it did.
        what: &'static str,
        /// Where.
        at: Location,
    },
    /// The peer asks for something valid that is not implemented.
    #[error("not supported: {what} (at {at})")]
    Unsupported {
        /// What it asked for.
        what: &'static str,
        /// Where.
        at: Location,
    },
    /// The peer exceeded one of our [`Limits`](crate::Limits).
    #[error("{what} exceeds the limit of {max} (at {at})")]
    LimitExceeded {
        /// What is limited: the field of [`Limits`](crate::Limits).
        what: &'static str,
        /// The limit.
        max: u64,
        /// Where.
        at: Location,
    },
    /// The peer did not do in time what it had to.
    #[error("{what} took longer than {limit:?}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        limit: Duration,
    },
    /// The caller used the session in a way its documentation excludes.
    #[error("misuse of the session: {what}")]
    ApiMisuse {
        /// What was wrong.
        what: &'static str,
    },
}

/// Where in what the peer sent: enough to find the place in a capture of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Location {
    /// Bytes that the peer had sent before the message or interleaved frame.
    pub offset: u64,
}

impl Location {
    /// The place after `offset` bytes.
    #[must_use]
    pub const fn byte(offset: u64) -> Self {
        Self { offset }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.offset)
    }
}

/// What is wrong with a piece of input, for the parsers that do not know where in the connection it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The input breaks its format.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The input is valid, and not supported.
    #[error("not supported: {0}")]
    Unsupported(&'static str),
    /// The input exceeds a limit.
    #[error("{what} exceeds the limit of {max}")]
    LimitExceeded {
        /// What is limited: the field of [`Limits`](crate::Limits).
        what: &'static str,
        /// The limit.
        max: u64,
    },
}

impl Fault {
    /// The error of a connection, with the place.
    #[must_use]
    pub const fn at(self, at: Location) -> Error {
        match self {
            Self::Malformed(what) => Error::PeerMisbehaved { what, at },
            Self::Unsupported(what) => Error::Unsupported { what, at },
            Self::LimitExceeded { what, max } => Error::LimitExceeded { what, max, at },
        }
    }
}
