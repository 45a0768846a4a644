//! The page: three files and an icon, within the executable.

use axum::http::{HeaderName, header};
use axum::response::IntoResponse;

/// Nothing but our own files; `blob:` and `data:` are for media that a script has put together.
const POLICY: &str = "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Asked for anew each time, so that a new version of the server is seen at once.
const CACHING: &str = "no-cache";

fn file(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, CACHING),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, text)
}

/// `GET /`.
pub(super) async fn html() -> impl IntoResponse {
    file(
        "text/html; charset=utf-8",
        include_str!("../../page/index.html"),
    )
}

/// `GET /assets/page.css`.
pub(super) async fn css() -> impl IntoResponse {
    file(
        "text/css; charset=utf-8",
        include_str!("../../page/page.css"),
    )
}

/// `GET /assets/page.js`.
pub(super) async fn js() -> impl IntoResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../../page/page.js"),
    )
}

/// `GET /assets/icon.svg`.
pub(super) async fn icon() -> impl IntoResponse {
    file("image/svg+xml", include_str!("../../page/icon.svg"))
}
