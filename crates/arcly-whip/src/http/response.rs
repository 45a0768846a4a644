//! What is answered.

use super::{SDP, SDP_FRAGMENT, WhipResource};
use bytes::Bytes;

/// A response, complete: all headers but those that the HTTP server sees to itself (`Date`, `Content-Length`).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhipResponse {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl WhipResponse {
    /// A response without a body. Pages of any origin may read it (CORS): who may publish and play is up to tokens, not to origins.
    pub(crate) fn new(status: u16) -> Self {
        let headers = vec![
            ("access-control-allow-origin", "*".to_owned()),
            (
                "access-control-expose-headers",
                "Location, ETag, Link, Accept-Patch, Retry-After, Arcly-Notice".to_owned(),
            ),
        ];
        Self {
            status,
            headers,
            body: Bytes::new(),
        }
    }

    /// With a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a body of this type.
    pub(crate) fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.with("content-type", content_type)
    }

    /// What may be asked of an endpoint or of a session, for browsers that ask before they do (CORS).
    pub(crate) fn options(resource: &WhipResource) -> Self {
        let methods = resource.methods();
        let response = Self::new(204)
            .with("allow", methods)
            .with("access-control-allow-methods", methods)
            .with(
                "access-control-allow-headers",
                "Authorization, Content-Type, If-Match",
            )
            .with("access-control-max-age", "86400");
        match resource {
            WhipResource::Session(_) => response.with("accept-patch", SDP_FRAGMENT),
            _ => response.with("accept-post", SDP),
        }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}
