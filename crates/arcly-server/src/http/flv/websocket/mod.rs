//! FLV by WebSocket (RFC 6455): each batch is one binary message.
//!
//! The frames are written here, as every library wants a message in one piece, and ours are shared pieces. Any page may connect, as any
//! may fetch: what may be played is decided by tokens, which no browser adds by itself.

mod client_frames;
mod session;

use super::viewer::Viewer;
use crate::http::listener::Connection;
use crate::http::status::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use tungstenite::handshake::derive_accept_key;

/// What a client asked for that wants a WebSocket (RFC 6455, 4.2.1).
pub(super) struct Handshake {
    accept: HeaderValue,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// The handshake in a request, if it is one.
    pub(super) fn of(request: &mut Request) -> Result<Option<Self>, Problem> {
        let headers = request.headers();
        if !names(headers, header::UPGRADE, "websocket") {
            return Ok(None);
        }
        let refused = |status, error: &str| Problem {
            status,
            error: error.to_owned(),
        };
        if !names(headers, header::CONNECTION, "upgrade") || request.method() != Method::GET {
            let error = "a WebSocket is opened by GET with \"Connection: Upgrade\"";
            return Err(refused(StatusCode::BAD_REQUEST, error));
        }
        if headers
            .get(header::SEC_WEBSOCKET_VERSION)
            .map(HeaderValue::as_bytes)
            != Some(b"13")
        {
            let error = "version 13 of WebSocket is spoken here";
            return Err(refused(StatusCode::UPGRADE_REQUIRED, error));
        }
        // 16 bytes in base64.
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let accept = key
            .filter(|key| key.len() == 24)
            .map(|key| derive_accept_key(key.as_bytes()))
            .and_then(|accept| HeaderValue::try_from(accept).ok());
        let Some(accept) = accept else {
            let error = "Sec-WebSocket-Key is missing or wrong";
            return Err(refused(StatusCode::BAD_REQUEST, error));
        };
        let upgrade = hyper::upgrade::on(request);
        Ok(Some(Self { accept, upgrade }))
    }

    /// Says yes; the connection then serves the viewer.
    pub(super) fn accept(self, connection: &Connection, viewer: Viewer) -> Response {
        connection.take_over(self.upgrade, move |stream, read| {
            session::run(stream, read, viewer)
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }
}

/// Whether a header lists a word.
fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name);
    let mut words = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|named| named.trim().eq_ignore_ascii_case(word))
}
