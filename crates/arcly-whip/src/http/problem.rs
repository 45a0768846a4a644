//! Refusals, as problem details (RFC 9457).

use super::{WhipResource, WhipResponse};
use crate::sdp::SdpError;
use crate::transport::TransportError;
use arcly_core::StreamError;
use std::fmt::Write as _;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: u16,
    title: &'static str,
    detail: String,
    /// In seconds.
    retry_after: Option<u32>,
    /// The methods that may be used instead.
    allow: Option<&'static str>,
}

impl Problem {
    pub(crate) fn new(status: u16, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
            retry_after: None,
            allow: None,
        }
    }

    /// Something that passes.
    pub(crate) fn busy(detail: impl Into<String>) -> Self {
        Self {
            retry_after: Some(5),
            ..Self::new(503, "Busy", detail)
        }
    }

    pub(crate) fn no_such_session() -> Self {
        Self::new(404, "No such session", "it has ended, or never was")
    }

    pub(crate) fn wrong_type(expected: &str) -> Self {
        Self::new(
            415,
            "Wrong type of content",
            format!("the body is to be {expected}"),
        )
    }

    /// RFC 9110 15.5.6 wants those that are allowed told.
    pub(crate) fn method_not_allowed(resource: &WhipResource) -> Self {
        let detail = match resource {
            WhipResource::Session(_) => "sessions are changed by PATCH and ended by DELETE",
            _ => "sessions are opened by POST",
        };
        Self {
            allow: Some(resource.methods()),
            ..Self::new(405, "Method not allowed", detail)
        }
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn into_response(self) -> WhipResponse {
        let Self {
            status,
            title,
            detail,
            retry_after,
            allow,
        } = self;
        let mut body = String::from("{\"type\":\"about:blank\",\"title\":");
        write_json_string(&mut body, title);
        let _ = write!(body, ",\"status\":{status},\"detail\":");
        write_json_string(&mut body, &detail);
        body.push('}');
        let mut response = WhipResponse::new(status).with_body("application/problem+json", body);
        if status == 401 {
            response = response.with("www-authenticate", "Bearer");
        }
        if let Some(methods) = allow {
            response = response.with("allow", methods);
        }
        if let Some(seconds) = retry_after {
            response = response.with("retry-after", seconds.to_string());
        }
        response
    }
}

/// RFC 8259 7.
fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if (control as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

impl From<SdpError> for Problem {
    fn from(error: SdpError) -> Self {
        match &error {
            SdpError::Unacceptable(_) => {
                Self::new(422, "Nothing acceptable is offered", error.to_string())
            }
            _ => Self::new(400, "The description cannot be used", error.to_string()),
        }
    }
}

impl From<TransportError> for Problem {
    fn from(error: TransportError) -> Self {
        match &error {
            TransportError::Refused { .. } => {
                Self::new(400, "The description cannot be used", error.to_string())
            }
            _ => Self::new(500, "The WebRTC engine failed", error.to_string()),
        }
    }
}

impl From<StreamError> for Problem {
    fn from(error: StreamError) -> Self {
        let detail = error.to_string();
        match error {
            StreamError::Unauthorized { .. } => Self::new(401, "Not authorised", detail),
            StreamError::StreamAlreadyPublishing { .. } => {
                Self::new(409, "Published already", detail)
            }
            StreamError::StreamNotFound(_) | StreamError::AppNotFound(_) => {
                Self::new(404, "Not found", detail)
            }
            StreamError::InvalidKey { .. } => Self::new(400, "The name cannot be used", detail),
            StreamError::PublisherLimitReached { .. }
            | StreamError::LimitExceeded { .. }
            | StreamError::ShuttingDown => Self::busy(detail),
            _ => Self::new(500, "Internal error", detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_json_whatever_is_in_it() {
        let response = Problem::new(400, "Bad", "a \"quote\", a \\ and a \n").into_response();
        assert_eq!(
            response.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(
            response.body,
            r#"{"type":"about:blank","title":"Bad","status":400,"detail":"a \"quote\", a \\ and a \u000a"}"#
        );
    }

    #[test]
    fn refusals_of_the_kernel_have_their_codes() {
        let status = |error: StreamError| Problem::from(error).into_response().status;
        let reason = String::new();
        assert_eq!(status(StreamError::Unauthorized { reason }), 401);
        let key = arcly_core::StreamKey::new("live", "x");
        assert_eq!(status(StreamError::StreamNotFound(key.clone())), 404);
        assert_eq!(status(StreamError::StreamAlreadyPublishing { key }), 409);
        let full = Problem::from(StreamError::PublisherLimitReached { limit: 1 }).into_response();
        assert_eq!((full.status, full.header("retry-after")), (503, Some("5")));
    }
}
