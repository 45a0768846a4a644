//! What is answered.

use super::byte_range::{ByteRange, slice};
use super::request::{HlsMethod, HlsRequest};
use crate::playlist::{MIME_TYPE, Rendered};
use bytes::Bytes;
use std::borrow::Cow;

/// A response, to be written out as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HlsResponse {
    /// The status code: 200, 206, 304, 400, 404, 416 or 503.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Cache-Control`.
    pub cache_control: Cow<'static, str>,
    /// `Content-Length`; also where `body` is empty because of HEAD.
    pub content_length: u64,
    /// `ETag`, where the body can be asked for conditionally.
    pub etag: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<&'static str>,
    /// `Content-Range`, with 206 and 416.
    pub content_range: Option<String>,
    /// The body in pieces, shared with all other responses of the same resource.
    pub body: Vec<Bytes>,
}

/// A playlist has to be asked for anew each time: it changes with each segment, and one copy may
/// carry a viewer's token.
const REVALIDATE: &str = "no-cache";

/// A segment never changes, and its number is never given again. Players do not come back for it
/// after an hour.
const IMMUTABLE: &str = "public, max-age=3600, immutable";

/// Shorter playlists gain nothing from compression.
const MIN_GZIP: usize = 256;

impl HlsResponse {
    /// A playlist, with `query` on each of its URLs. `fixed_for` tells how many seconds the response is good for, where it is one that its URL
    /// alone determines.
    pub(crate) fn playlist(
        playlist: &Rendered,
        query: Option<&str>,
        fixed_for: Option<u64>,
        request: &HlsRequest<'_>,
    ) -> Self {
        let cache_control = match fixed_for {
            Some(seconds) => format!("max-age={seconds}").into(),
            None => REVALIDATE.into(),
        };
        let is_compressed =
            query.is_none() && request.accepts_gzip() && playlist.text().len() >= MIN_GZIP;
        let (body, suffix) = match (query, is_compressed) {
            // The ETag is the text's; another query is another URL.
            (Some(query), _) => (playlist.with_query(query), ""),
            (None, true) => (playlist.gzip(), "-gz"),
            (None, false) => (playlist.text(), ""),
        };
        let mut response = Self::ok(MIME_TYPE, cache_control, vec![body]);
        response.etag = Some(format!("\"{:016x}{suffix}\"", playlist.hash()));
        response.content_encoding = is_compressed.then_some("gzip");
        response.to(request)
    }

    /// A segment, part or init segment: `etag` never stands for other bytes under this URL.
    pub(crate) fn media(
        mime_type: &'static str,
        bytes: &[Bytes],
        etag: String,
        request: &HlsRequest<'_>,
    ) -> Self {
        let length = bytes.iter().map(|piece| piece.len() as u64).sum();
        let is_current = request.if_range.is_none_or(|known| known.trim() == etag);
        let range = request.range.filter(|_| is_current);
        let range = ByteRange::read(range, length);
        let mut response = match &range {
            ByteRange::Whole => Self::ok(mime_type, IMMUTABLE.into(), bytes.to_vec()),
            ByteRange::Part(range) => {
                let body = slice(bytes, range);
                let mut response = Self::ok(mime_type, IMMUTABLE.into(), body);
                let last = range.end - 1;
                response.status = 206;
                response.content_range = Some(format!("bytes {}-{last}/{length}", range.start));
                response
            }
            ByteRange::Unsatisfiable => {
                let mut response = Self::refusal(416, b"range not satisfiable\n");
                response.content_range = Some(format!("bytes */{length}"));
                return response.to(request);
            }
        };
        response.etag = Some(etag);
        response.to(request)
    }

    /// 404, which must not be remembered: a segment still to come has the same URL.
    pub(crate) fn not_found(request: &HlsRequest<'_>) -> Self {
        Self::refusal(404, b"not found\n").to(request)
    }

    /// 400: Delivery Directives that make no sense, or ask for what is far ahead.
    pub(crate) fn bad_request(request: &HlsRequest<'_>) -> Self {
        Self::refusal(400, b"bad delivery directives\n").to(request)
    }

    /// 503: what was waited for did not come, or too many wait already.
    pub(crate) fn unavailable(request: &HlsRequest<'_>) -> Self {
        Self::refusal(503, b"not there yet\n").to(request)
    }

    fn refusal(status: u16, text: &'static [u8]) -> Self {
        let body = vec![Bytes::from_static(text)];
        Self {
            status,
            ..Self::ok("text/plain; charset=utf-8", REVALIDATE.into(), body)
        }
    }

    fn ok(content_type: &'static str, cache_control: Cow<'static, str>, body: Vec<Bytes>) -> Self {
        let content_length = body.iter().map(|piece| piece.len() as u64).sum();
        Self {
            status: 200,
            content_type,
            cache_control,
            content_length,
            etag: None,
            content_encoding: None,
            content_range: None,
            body,
        }
    }

    /// The response to this request.
    fn to(mut self, request: &HlsRequest<'_>) -> Self {
        if self.etag.as_ref().is_some_and(|etag| request.has(etag)) {
            self.status = 304;
            self.content_range = None;
            self.content_length = 0;
            self.body.clear();
        }
        if request.method == HlsMethod::Head {
            self.body.clear();
        }
        self
    }

    /// The headers, as names and values.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let mut headers = Vec::with_capacity(8);
        headers.push(("cache-control", Cow::Borrowed(&*self.cache_control)));
        if self.status != 304 {
            headers.push(("content-type", self.content_type.into()));
            headers.push(("content-length", self.content_length.to_string().into()));
        }
        if let Some(etag) = &self.etag {
            headers.push(("etag", etag.into()));
        }
        if self.content_type == MIME_TYPE {
            headers.push(("vary", "accept-encoding".into()));
        } else if matches!(self.status, 200 | 206) {
            headers.push(("accept-ranges", "bytes".into()));
        }
        if let Some(encoding) = self.content_encoding.filter(|_| self.status != 304) {
            headers.push(("content-encoding", encoding.into()));
        }
        if let Some(range) = &self.content_range {
            headers.push(("content-range", range.into()));
        }
        headers
    }
}
