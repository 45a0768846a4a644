//! HTTP: the page, HLS, HTTP-FLV, the API, health and metrics.

mod access;
mod api;
mod flv;
mod hls;
mod listener;
mod page;
mod response_body;
mod srt;
mod status;
mod viewers;
mod webrtc;
mod write_timeout;

pub(crate) use access::Access;
pub(crate) use api::path_segment;
pub(crate) use listener::HttpServer;
pub(crate) use viewers::Viewers;

use crate::config::{Limits, Rtmp};
use crate::metrics::{Exposition, Metrics};
use crate::relay::Relays;
use crate::welcome::Bound;
use arcly_stream::mux::hls::HlsOrigin;
use arcly_stream::prelude::{Engine, WhipServer};
use arcly_stream::protocol::srt::Connections;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;

/// What the handlers work with.
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) origin: HlsOrigin,
    pub(crate) viewers: Viewers,
    pub(crate) access: Access,
    pub(crate) metrics: Metrics,
    pub(crate) exposition: Exposition,
    pub(crate) relays: Arc<Relays>,
    pub(crate) srt: Connections,
    pub(crate) limits: Limits,
    /// When HTTP-FLV players are written to.
    pub(crate) pace: Rtmp,
    /// How long players may wait for a stream.
    pub(crate) play_wait: Duration,
    /// How long HLS has requests wait at most, for what is to come.
    pub(crate) hls_wait: Duration,
    pub(crate) webrtc: Option<WhipServer>,
    pub(crate) bound: Bound,
}

type AppState = Arc<App>;

/// All routes.
fn router(app: AppState) -> Router {
    let media = Router::new()
        .route("/{app}/{file}", get(flv::serve).options(hls::preflight))
        .route(
            "/{app}/{stream}/{*resource}",
            get(webrtc::get_or_hls)
                .post(webrtc::serve)
                .put(webrtc::serve)
                .patch(webrtc::serve)
                .delete(webrtc::serve)
                .options(webrtc::preflight),
        )
        .layer(from_fn(hls::allow_any_origin));
    Router::new()
        .route("/", get(page::html))
        .route("/assets/{*path}", get(page::asset))
        .route("/favicon.ico", get(page::icon))
        .route("/api/v1/server", get(api::server))
        .route("/api/v1/streams", get(api::streams))
        .route("/api/v1/streams/{app}/{stream}", get(api::stream))
        .route("/api/v1/relays", get(api::relays))
        .route("/api/v1/srt", get(srt::connections))
        .route("/api/v1/webrtc", get(webrtc::sessions))
        .route("/api/v1/webrtc/self-test", get(webrtc::self_test))
        .route("/healthz", get(status::alive))
        .route("/readyz", get(status::ready))
        .route("/metrics", get(status::metrics))
        .merge(media)
        .fallback(status::not_found)
        .layer(from_fn_with_state(Arc::clone(&app), every_response))
        .with_state(app)
}

/// What holds for every response: it is counted, its type is not guessed at, and nobody learns from it where a viewer came from.
async fn every_response(
    axum::extract::State(app): axum::extract::State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    app.metrics.response(response.status().as_u16());
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // A token may stand in the URL.
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
