//! WHIP and WHEP: `POST /<app>/<stream>/whip` and `…/whep`, and the sessions below.

mod self_test;
mod sessions;

pub(super) use self_test::self_test;
pub(super) use sessions::sessions;

use super::access::credentials;
use super::listener::Peer;
use super::status::not_found;
use super::{AppState, hls};
use arcly_stream::prelude::*;
use arcly_stream::protocol::whip::sdp::MAX_SDP_BYTES;
use arcly_stream::protocol::whip::{WhipMethod, WhipRequest, WhipResource, WhipResponse};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use hyper::body::Body as _;
use std::future::poll_fn;
use std::pin::Pin;

/// `POST`, `PATCH`, `PUT` and `DELETE /<app>/<stream>/…`.
pub(super) async fn serve(
    State(app): State<AppState>,
    Path((name, stream, resource)): Path<(String, String, String)>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let method = match head.method {
        Method::POST => WhipMethod::Post,
        Method::PATCH => WhipMethod::Patch,
        Method::DELETE => WhipMethod::Delete,
        _ => WhipMethod::Other,
    };
    let resource = whip_resource(StreamKey::new(name, stream), &resource);
    let (Some(server), Some(resource)) = (&app.webrtc, resource) else {
        return not_found().await.into_response();
    };
    let text = |name| {
        let value: Option<&HeaderValue> = head.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let mut whip = WhipRequest::new(method, resource);
    whip.content_type = text(header::CONTENT_TYPE);
    whip.if_match = text(header::IF_MATCH);
    whip.credentials = credentials(&head.uri, &head.headers);
    whip.peer = Some(peer);
    whip.endpoint = head.uri.path().trim_end_matches('/').to_owned();
    whip.body = match read(body).await {
        Ok(body) => body,
        // There is hardly anybody left to read the answer.
        Err(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    respond(server.handle(whip).await)
}

/// A body, or as much of it as shows that it is too long, which is answered by who knows how long it may be. How long that takes is bounded for all requests.
async fn read(mut body: Body) -> std::result::Result<Bytes, axum::Error> {
    let mut read = BytesMut::new();
    while read.len() <= MAX_SDP_BYTES {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let Some(frame) = frame.await.transpose()? else {
            break;
        };
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(data);
        }
    }
    Ok(read.freeze())
}

/// `GET /<app>/<stream>/…`, which are HLS's but for the endpoints, where they are refused.
pub(super) async fn get_or_hls(
    State(app): State<AppState>,
    Path((name, stream, resource)): Path<(String, String, String)>,
    peer: Extension<Peer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let whip = whip_resource(StreamKey::new(name.clone(), stream.clone()), &resource);
    if let (Some(server), Some(whip)) = (&app.webrtc, whip) {
        let request = WhipRequest::new(WhipMethod::Other, whip);
        return respond(server.handle(request).await);
    }
    let path = Path((name, stream, resource));
    hls::serve(State(app), path, peer, method, uri, headers)
        .await
        .into_response()
}

/// `OPTIONS /<app>/<stream>/…`, which HLS has below the same path.
pub(super) async fn preflight(
    State(app): State<AppState>,
    Path((name, stream, resource)): Path<(String, String, String)>,
) -> Response {
    match (
        &app.webrtc,
        whip_resource(StreamKey::new(name, stream), &resource),
    ) {
        (Some(server), Some(resource)) => {
            let request = WhipRequest::new(WhipMethod::Options, resource);
            respond(server.handle(request).await)
        }
        _ => hls::preflight().await.into_response(),
    }
}

/// What a path below a stream's stands for; `None` where it is not of WebRTC.
fn whip_resource(key: StreamKey, resource: &str) -> Option<WhipResource> {
    match resource.trim_end_matches('/').split_once('/') {
        None if resource == "whip" => Some(WhipResource::Publish(key)),
        None if resource == "whep" => Some(WhipResource::Play(key)),
        Some(("whip" | "whep", session)) if !session.is_empty() => {
            Some(WhipResource::Session(session.to_owned()))
        }
        _ => None,
    }
}

fn respond(response: WhipResponse) -> Response {
    let mut http = Response::new(Body::from(response.body));
    *http.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            http.headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
    http
}
