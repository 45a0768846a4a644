//! Responses.

use super::headers::{name, single_line};
use super::{Headers, Request, StatusCode};
use bytes::Bytes;

/// A response (RFC 2326, section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// How the request went.
    pub status: StatusCode,
    /// The words that came with it.
    pub reason: String,
    /// The headers. `Content-Length` is written by itself.
    pub headers: Headers,
    /// The body; empty where there is none.
    pub body: Bytes,
}

impl Response {
    /// A response without headers, with the reason of RFC 2326.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: status.reason().to_owned(),
            headers: Headers::new(),
            body: Bytes::new(),
        }
    }

    /// The response to `request`: with its `CSeq`, where it has a usable one.
    #[must_use]
    pub fn to(request: &Request, status: StatusCode) -> Self {
        let response = Self::new(status);
        match request.cseq() {
            Some(cseq) => response.header(name::CSEQ, cseq.to_string()),
            None => response,
        }
    }

    /// Says in words why, in place of the reason of RFC 2326.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = single_line(reason);
        self
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

    /// Which request it answers (12.17); `None` where that is missing or no number.
    #[must_use]
    pub fn cseq(&self) -> Option<u32> {
        self.headers.get(name::CSEQ)?.trim().parse().ok()
    }

    /// Appends the response as it goes over the wire.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let line = format!("RTSP/1.0 {} {}\r\n", self.status.code(), self.reason);
        out.extend_from_slice(line.as_bytes());
        self.headers.write_to(out);
        super::head::end(out, &self.headers, &self.body);
    }

    /// The response as it goes over the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.len());
        self.write_to(&mut out);
        out
    }
}
