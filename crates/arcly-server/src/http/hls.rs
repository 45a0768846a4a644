//! HLS over HTTP.

use super::AppState;
use super::access::credentials;
use super::listener::Peer;
use super::status::{Problem, problem};
use arcly_stream::mux::hls::{HlsRequest, HlsResponse};
use arcly_stream::prelude::*;
use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// `GET /<app>/<stream>/…`.
pub(super) async fn serve(
    State(app): State<AppState>,
    Path((name, stream, resource)): Path<(String, String, String)>,
    Extension(Peer(peer)): Extension<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = StreamKey::new(name, stream);
    let program = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Who has a session was authorised, and is known by the token that it was opened with.
    let ticket = app.origin.session(&key, &resource);
    let credentials = match &ticket {
        Some(token) => Credentials::token(token.to_string()),
        None => credentials(&uri, &headers),
    };
    let token = credentials.token.clone();
    app.viewers
        .admit(&key, peer, program, credentials)
        .await
        .map_err(|error| problem(&error))?;
    // Minted once a viewer: from here on no URL has the token itself.
    let session = token
        .filter(|_| {
            ticket.is_none() && resource.ends_with("index.m3u8") && app.access.is_restricted()
        })
        .and_then(|token| app.origin.open_session(&key, token));
    let header = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let mut request = HlsRequest::get(&resource).with_query(uri.query());
    if method == Method::HEAD {
        request = request.head();
    }
    request.session = session.as_deref();
    request.range = header(header::RANGE);
    request.if_range = header(header::IF_RANGE);
    request.if_none_match = header(header::IF_NONE_MATCH);
    request.accept_encoding = header(header::ACCEPT_ENCODING);
    // Packaging begins a moment after its stream does, and a player that comes in between would give up on a 404.
    request.is_live = app.engine.get_stream(&key).is_ok();
    Ok(respond(app.origin.handle(&key, request).await))
}

fn respond(response: HlsResponse) -> Response {
    let mut http = Response::new(Body::empty());
    *http.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers() {
        if let Ok(value) = HeaderValue::from_str(&value) {
            http.headers_mut().insert(name, value);
        }
    }
    *http.body_mut() = Body::new(Pieces {
        pieces: response.body.into_iter(),
    });
    http
}

/// A body in pieces that other responses share.
struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.pieces.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.pieces
                .as_slice()
                .iter()
                .map(|piece| piece.len() as u64)
                .sum(),
        )
    }
}

/// `OPTIONS`: a browser asks before it sends an `Authorization` header to another origin.
pub(super) async fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Range"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Players on any page may play; what they may play is decided by tokens, which no browser adds by itself.
pub(super) async fn allow_any_origin(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}
