//! What is answered.

use super::request::HlsMethod;
use bytes::Bytes;

/// A response, to be written out as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HlsResponse {
    /// The status code: 200 or 404.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`.
    pub cache_control: &'static str,
    /// `Content-Length`; also where `body` is empty because of HEAD.
    pub content_length: u64,
    /// The body in pieces, shared with all other responses of the same segment.
    pub body: Vec<Bytes>,
}

/// A playlist has to be asked for anew each time: it changes with each segment, and one copy may
/// carry a viewer's token.
const REVALIDATE: &str = "no-cache";

/// A segment never changes, and its number is never given again. Players do not come back for it
/// after an hour.
const IMMUTABLE: &str = "public, max-age=3600, immutable";

impl HlsResponse {
    pub(super) fn playlist(text: Bytes) -> Self {
        Self::ok(crate::playlist::MIME_TYPE, REVALIDATE, vec![text])
    }

    pub(super) fn segment(mime_type: &'static str, bytes: Vec<Bytes>) -> Self {
        Self::ok(mime_type, IMMUTABLE, bytes)
    }

    /// 404, which must not be remembered: a segment still to come has the same URL.
    pub(super) fn not_found() -> Self {
        let body = vec![Bytes::from_static(b"not found\n")];
        Self {
            status: 404,
            ..Self::ok("text/plain; charset=utf-8", REVALIDATE, body)
        }
    }

    fn ok(content_type: &'static str, cache_control: &'static str, body: Vec<Bytes>) -> Self {
        let content_length = body.iter().map(|piece| piece.len() as u64).sum();
        Self {
            status: 200,
            content_type,
            cache_control,
            content_length,
            body,
        }
    }

    /// The response to a request with `method`.
    pub(super) fn to(mut self, method: HlsMethod) -> Self {
        if method == HlsMethod::Head {
            self.body.clear();
        }
        self
    }

    /// The headers, as names and values.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [
            ("content-type", self.content_type.to_owned()),
            ("cache-control", self.cache_control.to_owned()),
            ("content-length", self.content_length.to_string()),
        ]
    }
}
