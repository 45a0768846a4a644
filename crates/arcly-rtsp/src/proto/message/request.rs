//! Requests.

use super::headers::{name, single_line};
use super::{Headers, Method};
use bytes::Bytes;

/// A request (RFC 2326, section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of what: an absolute URL or `*`, as it came.
    pub uri: String,
    /// Whether the request says RTSP/1.0; others are answered with
    /// [`VERSION_NOT_SUPPORTED`](super::StatusCode::VERSION_NOT_SUPPORTED).
    pub is_version_1_0: bool,
    /// The headers. `Content-Length` is written by itself.
    pub headers: Headers,
    /// The body; empty where there is none.
    pub body: Bytes,
}

impl Request {
    /// A request without headers.
    #[must_use]
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self {
            method,
            uri: single_line(uri),
            is_version_1_0: true,
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// Puts a header behind the others.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body and its type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.headers.set(name::CONTENT_TYPE, content_type);
        self.body = body.into();
        self
    }

    /// The number that the response repeats (12.17); `None` where it is missing or no number.
    #[must_use]
    pub fn cseq(&self) -> Option<u32> {
        self.headers.get(name::CSEQ)?.trim().parse().ok()
    }

    /// Appends the request as it goes over the wire.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let line = format!("{} {} RTSP/1.0\r\n", self.method, self.uri);
        out.extend_from_slice(line.as_bytes());
        self.headers.write_to(out);
        super::head::end(out, &self.headers, &self.body);
    }

    /// The request as it goes over the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.len());
        self.write_to(&mut out);
        out
    }
}
