//! Health, metrics, and what is answered where something is wrong.

use super::AppState;
use crate::metrics::Exposition;
use arcly_stream::health::Health;
use arcly_stream::prelude::StreamError;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// `GET /healthz`: the process lives.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: whether all parts can serve, one a line.
pub(super) async fn ready(State(app): State<AppState>) -> Response {
    let health = app.engine.health();
    let lines: String = health
        .parts()
        .iter()
        .map(|(part, state)| match state {
            Health::Degraded(why) | Health::Failed(why) => {
                format!("{part}: {}, {why}\n", state.name())
            }
            _ => format!("{part}: {}\n", state.name()),
        })
        .collect();
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, lines).into_response()
}

/// `GET /metrics`, for Prometheus and all that read OpenMetrics.
pub(super) async fn metrics(State(app): State<AppState>) -> Response {
    let text = app.exposition.text();
    ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], text).into_response()
}

/// What names nothing.
pub(super) async fn not_found() -> Problem {
    Problem {
        status: StatusCode::NOT_FOUND,
        error: "there is nothing at this path".into(),
    }
}

/// A refusal, as JSON: `{"error": "…"}`.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    pub(super) status: StatusCode,
    pub(super) error: String,
}

/// What an error of the kernel is in HTTP.
pub(super) fn problem(error: &StreamError) -> Problem {
    let status = match error {
        StreamError::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
        StreamError::StreamNotFound(_) | StreamError::AppNotFound(_) => StatusCode::NOT_FOUND,
        StreamError::InvalidKey { .. } => StatusCode::BAD_REQUEST,
        StreamError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Problem {
        status,
        error: error.to_string(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, json(&self)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::UPGRADE_REQUIRED {
            // RFC 6455, 4.4.
            response.headers_mut().insert(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static("13"),
            );
        }
        response
    }
}

/// A value as JSON, which is never kept by caches.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => (
            [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ],
            body,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
