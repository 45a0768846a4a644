//! The crate's error.

use std::fmt;

/// The result of reading or writing a bitstream structure.
pub type Result<T, E = CodecError> = std::result::Result<T, E>;

/// Why a bitstream structure was refused. The variants say who is to blame.
///
/// `what` names the structure and `at` the place in it, so that the bytes can be found in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The input breaks its specification: its sender is at fault.
    #[error("malformed {what} at {at}: {reason}")]
    Malformed {
        /// The structure, as in `avcC`.
        what: &'static str,
        /// Where in it.
        at: Location,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The input is valid as far as it was read, but uses a feature that this crate leaves out.
    #[error("unsupported {what}: {value}")]
    Unsupported {
        /// The feature.
        what: &'static str,
        /// The value that asks for it.
        value: u32,
    },
    /// The input exceeds a documented limit of this crate.
    #[error("{what} exceeds the limit of {max}")]
    LimitExceeded {
        /// What is limited.
        what: &'static str,
        /// The limit, in the unit that `what` names.
        max: usize,
    },
    /// The caller asked to write a structure that its format cannot express.
    #[error("{what} cannot be written: {reason}")]
    Unwritable {
        /// The structure.
        what: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

/// A place in a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// The byte at this offset from the structure's start.
    Byte(usize),
    /// The syntax element of this name, in the spelling of the specification.
    Element(&'static str),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(offset) => write!(f, "byte {offset}"),
            Self::Element(name) => f.write_str(name),
        }
    }
}

impl CodecError {
    pub(crate) const fn malformed(what: &'static str, at: Location, reason: &'static str) -> Self {
        Self::Malformed { what, at, reason }
    }

    pub(crate) const fn truncated(what: &'static str, at: Location) -> Self {
        Self::Malformed {
            what,
            at,
            reason: "truncated",
        }
    }
}
