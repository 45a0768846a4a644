//! The page and its player: a handful of files, within the executable.

use super::status::not_found;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

/// Nothing but our own files; `blob:` and `data:` are for media that a script has put together.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Asked for anew each time, so that a new version of the server is seen at once.
const CACHING: &str = "no-cache";

/// A module of the page's scripts.
macro_rules! script {
    ($name:literal) => {
        (
            $name,
            JAVASCRIPT,
            include_str!(concat!("../../page/", $name)),
        )
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What is below `/assets/`.
const ASSETS: &[(&str, &str, &str)] = &[
    ("page.css", CSS, include_str!("../../page/page.css")),
    script!("page.js"),
    ("icon.svg", ICON_TYPE, ICON),
    script!("any_player.js"),
    script!("camera.js"),
    script!("commands.js"),
    script!("words.js"),
    script!("webrtc/player.js"),
    script!("webrtc/publisher.js"),
    script!("webrtc/session.js"),
    script!("webrtc/statistics.js"),
    script!("player/choice.js"),
    script!("player/live_edge.js"),
    script!("player/mp4.js"),
    script!("player/player.js"),
    script!("player/playlist.js"),
    script!("player/requests.js"),
    script!("player/timeline.js"),
    script!("player/track.js"),
];
const ICON_TYPE: &str = "image/svg+xml";
const ICON: &str = include_str!("../../page/icon.svg");

fn file(content_type: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, CACHING),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, text).into_response()
}

/// `GET /`.
pub(super) async fn html() -> Response {
    file(HTML, include_str!("../../page/index.html"))
}

/// `GET /assets/<path>`.
pub(super) async fn asset(Path(path): Path<String>) -> Response {
    match ASSETS.iter().find(|(name, ..)| *name == path) {
        Some((_, content_type, text)) => file(content_type, text),
        None => not_found().await.into_response(),
    }
}

/// `GET /favicon.ico`.
pub(super) async fn icon() -> Response {
    file(ICON_TYPE, ICON)
}
