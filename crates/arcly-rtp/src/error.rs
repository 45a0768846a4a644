//! The crate's error.

/// The result of reading or writing a structure of RTP.
pub type Result<T, E = RtpError> = std::result::Result<T, E>;

/// Why a packet, a payload or an access unit was refused. The variants say who is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The input breaks its specification: its sender is at fault.
    #[error("malformed {what}: {reason}")]
    Malformed {
        /// What was being read, as in `RTP header`.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The input is valid as far as it was read, but uses what this crate leaves out.
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
    /// What the payload carries is not the bitstream that its format says.
    #[error(transparent)]
    Codec(#[from] arcly_codec::CodecError),
}

impl RtpError {
    pub(crate) const fn malformed(what: &'static str, reason: &'static str) -> Self {
        Self::Malformed { what, reason }
    }
}
