//! Why a request is refused, in a code and in words.

use crate::proto::message::StatusCode;
use arcly_core::StreamError;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The code.
    pub status: StatusCode,
    /// Why, in words that the peer is shown.
    pub reason: String,
    /// Whether the credentials will not do: the peer is challenged.
    pub challenges: bool,
}

impl Refusal {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            challenges: false,
        }
    }

    /// Of credentials.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self {
            challenges: true,
            ..Self::of(StatusCode::UNAUTHORIZED)
        }
    }

    /// With the reason that the RFC gives.
    pub(super) fn of(status: StatusCode) -> Self {
        Self::new(status, status.reason())
    }
}

impl From<&StreamError> for Refusal {
    fn from(error: &StreamError) -> Self {
        let status = match error {
            StreamError::Unauthorized { .. } => return Self::unauthorized(),
            StreamError::StreamNotFound(_) | StreamError::AppNotFound(_) => StatusCode::NOT_FOUND,
            StreamError::InvalidKey { .. } => StatusCode::BAD_REQUEST,
            StreamError::StreamAlreadyPublishing { .. } => StatusCode::FORBIDDEN,
            StreamError::PublisherLimitReached { .. } | StreamError::LimitExceeded { .. } => {
                StatusCode::NOT_ENOUGH_BANDWIDTH
            }
            StreamError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}
