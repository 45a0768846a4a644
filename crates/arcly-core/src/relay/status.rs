//! How a client stands.

use std::fmt;
use std::time::{Duration, SystemTime};

/// What a pull or push is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayStatus {
    /// It does not run: not yet, or no longer.
    Stopped,
    /// A push waits for its stream to be published.
    Waiting,
    /// It connects, or has connected and no media has gone over yet.
    Connecting {
        /// Failures in a row before.
        failures: u32,
    },
    /// Media goes over.
    Live {
        /// Since when.
        since: SystemTime,
    },
    /// It failed.
    Failed {
        /// Why, without secrets.
        reason: String,
        /// After what pause it is tried again; `None`: never.
        retry_in: Option<Duration>,
    },
}

impl fmt::Display for RelayStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Waiting => f.write_str("waiting for the stream"),
            Self::Connecting { failures: 0 } => f.write_str("connecting"),
            Self::Connecting { failures } => write!(f, "connecting after {failures} failures"),
            Self::Live { .. } => f.write_str("live"),
            Self::Failed {
                reason,
                retry_in: Some(pause),
            } => write!(f, "{reason}; again in {pause:.1?}"),
            Self::Failed {
                reason,
                retry_in: None,
            } => write!(f, "{reason}; given up"),
        }
    }
}
