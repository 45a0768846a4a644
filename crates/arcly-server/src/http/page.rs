//! The page and its player: a handful of files, within the executable.

use super::status::not_found;
use axum::extract::Path;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};

/// Nothing but our own files; `blob:` and `data:` are for media that a script has put together.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Asked for anew each time, so that a new version of the server is seen at once.
const CACHING: &str = "no-cache";

/// A module of the player.
macro_rules! player {
    ($name:literal) => {
        (
            concat!("player/", $name),
            JAVASCRIPT,
            include_str!(concat!("../../page/player/", $name)),
        )
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What is below `/assets/`.
const ASSETS: &[(&str, &str, &str)] = &[
    ("page.css", CSS, include_str!("../../page/page.css")),
    ("page.js", JAVASCRIPT, include_str!("../../page/page.js")),
    ("icon.svg", ICON_TYPE, ICON),
    player!("choice.js"),
    player!("live_edge.js"),
    player!("mp4.js"),
    player!("player.js"),
    player!("playlist.js"),
    player!("requests.js"),
    player!("timeline.js"),
    player!("track.js"),
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
