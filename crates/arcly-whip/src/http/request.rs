//! What is asked for.

use arcly_core::{Credentials, StreamKey};
use bytes::Bytes;
use std::net::SocketAddr;

/// The methods of WHIP and WHEP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhipMethod {
    /// Opens a session with an offer.
    Post,
    /// More candidates, or a restart of ICE.
    Patch,
    /// Ends a session.
    Delete,
    /// What may be asked.
    Options,
    /// Any other: it is refused with 405, as RFC 9725 4 wants of GET, HEAD and PUT.
    Other,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhipResource {
    /// Where publishers open sessions: `/<app>/<stream>/whip`.
    Publish(StreamKey),
    /// Where viewers open sessions: `/<app>/<stream>/whep`.
    Play(StreamKey),
    /// A session, by what follows the endpoint in the `Location` that opened it.
    Session(String),
}

impl WhipResource {
    /// The methods that it has, as headers list them.
    pub(crate) const fn methods(&self) -> &'static str {
        match self {
            Self::Publish(_) | Self::Play(_) => "OPTIONS, POST",
            Self::Session(_) => "OPTIONS, PATCH, DELETE",
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WhipRequest {
    /// Its method.
    pub method: WhipMethod,
    /// What it is about.
    pub resource: WhipResource,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// What the peer showed: `Authorization: Bearer …`, or `?token=…`.
    pub credentials: Credentials,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
    /// The path of the endpoint as the peer wrote it, without query and slash at its end: sessions are told as `<endpoint>/<session>`.
    pub endpoint: String,
    /// The body; the host need not take more than [`MAX_SDP_BYTES`](crate::sdp::MAX_SDP_BYTES), and a byte more so that it is seen to be
    /// too long.
    pub body: Bytes,
}

impl WhipRequest {
    /// A request from nobody in particular, without headers and body.
    #[must_use]
    pub const fn new(method: WhipMethod, resource: WhipResource) -> Self {
        Self {
            method,
            resource,
            content_type: None,
            if_match: None,
            credentials: Credentials::anonymous(),
            peer: None,
            endpoint: String::new(),
            body: Bytes::new(),
        }
    }

    /// Whether the body is of this type, parameters aside.
    pub(crate) fn is_of_type(&self, expected: &str) -> bool {
        let content_type = self.content_type.as_deref().unwrap_or_default();
        let name = content_type.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(expected)
    }
}
