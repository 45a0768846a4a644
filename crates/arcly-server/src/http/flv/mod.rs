//! HTTP-FLV: a stream as an FLV file without an end, in a response's body or by WebSocket.

mod batch;
mod body;
mod viewer;
mod websocket;

pub(super) use batch::Batch;
pub(super) use body::FlvBody;

use super::AppState;
use super::access::credentials;
use super::listener::{Connection, Peer};
use super::status::{Problem, problem};
use arcly_stream::prelude::*;
use arcly_stream::protocol::rtmp::egress::{Accepts, Misses};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use serde::Deserialize;
use viewer::Viewer;
use websocket::Handshake;

/// What follows the stream's name.
const SUFFIX: &str = ".flv";

/// `GET /<app>/<stream>.flv`, plain or with an upgrade to WebSocket.
pub(super) async fn serve(
    State(app): State<AppState>,
    Path((name, file)): Path<(String, String)>,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(connection): Extension<Connection>,
    mut request: Request,
) -> Result<Response, Problem> {
    let Some(stream) = file.strip_suffix(SUFFIX) else {
        return Err(super::status::not_found().await);
    };
    let handshake = Handshake::of(&mut request)?;
    let accepts = accepts(request.uri())?;
    let key = StreamKey::new(name, stream);
    let request_to_play = PlayRequest::new(key.clone())
        .credentials(credentials(request.uri(), request.headers()))
        .peer(peer)
        .protocol(if handshake.is_some() {
            "ws-flv"
        } else {
            "http-flv"
        })
        .wait(app.play_wait);
    if request.method() == Method::HEAD {
        // Looking is not playing: nobody is counted, and nothing is waited for.
        let allowed = app.engine.authorize_play(&request_to_play).await;
        allowed.map_err(|error| problem(&error))?;
        let handle = app
            .engine
            .get_stream(&key)
            .map_err(|error| problem(&error))?;
        playable(&handle, accepts)?;
        return Ok(response());
    }
    let session = app
        .engine
        .open_play(request_to_play)
        .await
        .map_err(|error| problem(&error))?;
    playable(session.handle(), accepts)?;
    let viewer = Viewer::new(
        session,
        accepts,
        &app.pace,
        connection.congestion(),
        connection.shutdown(),
    );
    let Some(handshake) = handshake else {
        let mut response = response();
        FlvBody::new(viewer).attach(&mut response);
        return Ok(response);
    };
    Ok(handshake.accept(&connection, viewer))
}

/// The head of a response, which is good for once and for nobody else.
fn response() -> Response {
    let mut response = Response::new(Body::empty());
    for (name, value) in [
        (header::CONTENT_TYPE, "video/x-flv"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that collects the body before it passes it on would do so for ever (nginx).
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What the player takes, as its URL says: everything, or with `enhanced=0` only what FLV had from the start.
fn accepts(uri: &Uri) -> Result<Accepts, Problem> {
    #[derive(Deserialize)]
    struct Choice {
        #[serde(default)]
        enhanced: Option<String>,
    }
    let choice = Query::<Choice>::try_from_uri(uri).map(|query| query.0.enhanced);
    match choice.ok().flatten().as_deref() {
        None | Some("1") => Ok(Accepts::all_codecs()),
        Some("0") => Ok(Accepts::LEGACY),
        Some(_) => Err(Problem {
            status: StatusCode::BAD_REQUEST,
            error: "enhanced is 0 or 1".into(),
        }),
    }
}

/// Whether there is anything for the player in a stream.
fn playable(stream: &StreamHandle, accepts: Accepts) -> Result<(), Problem> {
    let Misses::Everything(codecs) = accepts.misses(&stream.metadata()) else {
        return Ok(());
    };
    let codecs: Vec<_> = codecs.iter().map(ToString::to_string).collect();
    let hint = match accepts {
        Accepts::LEGACY => " without enhanced=0 there may be more",
        _ => "",
    };
    Err(Problem {
        status: StatusCode::NOT_ACCEPTABLE,
        error: format!(
            "stream {} is in {}, which FLV cannot carry here;{hint}",
            stream.key(),
            codecs.join(", ")
        )
        .trim_end_matches(';')
        .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_player_takes_stands_in_the_url() {
        let of = |uri: &'static str| accepts(&Uri::from_static(uri)).map_err(|p| p.status);
        assert_eq!(of("/live/cam.flv?token=x"), Ok(Accepts::all_codecs()));
        assert_eq!(of("/live/cam.flv?enhanced=1"), Ok(Accepts::all_codecs()));
        assert_eq!(of("/live/cam.flv?a=b&enhanced=0"), Ok(Accepts::LEGACY));
        assert_eq!(
            of("/live/cam.flv?enhanced=no"),
            Err(StatusCode::BAD_REQUEST)
        );
    }
}
