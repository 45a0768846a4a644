//! The API's view of WebRTC: who publishes and watches by it, and how the network treats them. `docs/api.md` describes it.

use super::super::AppState;
use super::super::access::credentials;
use super::super::status::{Problem, json, not_found};
use arcly_stream::protocol::whip::{SessionReport, TrackReport};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Serialize;
use std::time::Duration;

/// The most sessions in one answer.
const MAX_SESSIONS: usize = 1_000;

#[derive(Serialize)]
struct Sessions {
    sessions: Vec<Session>,
    /// Sessions that are left out, because there are too many.
    left_out: usize,
}

#[derive(Serialize)]
struct Session {
    id: u64,
    app: String,
    stream: String,
    /// `publish` or `play`.
    mode: &'static str,
    /// `checking`, `handshaking` or `connected`.
    state: &'static str,
    /// Who opened it by HTTP.
    peer: Option<String>,
    age_seconds: f64,
    /// The way that ICE has selected.
    route: Option<Route>,
    encryption: Option<&'static str>,
    rtt_ms: Option<f64>,
    /// How much gets through to a viewer, in bits a second, as far as that has been tried.
    bandwidth: Option<u64>,
    dropped_datagrams: u64,
    tracks: Vec<Track>,
}

#[derive(Serialize)]
struct Route {
    /// `udp` or `tcp`.
    transport: &'static str,
    local_port: u16,
    /// From where the peer's datagrams come.
    remote: String,
}

#[derive(Serialize)]
struct Track {
    id: u16,
    kind: &'static str,
    codec: String,
    /// The simulcast layer, by its `rid`.
    layer: Option<String>,
    /// Bits a second.
    bitrate: u64,
    packets: u64,
    bytes: u64,
    lost_packets: u64,
    /// The share lost lately, as viewers tell it; 0 to 1.
    lost_share: f64,
    jitter_ms: f64,
    retransmitted_packets: u64,
    nacked_packets: u64,
    keyframe_requests: u64,
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl Session {
    fn of(report: &SessionReport) -> Self {
        let measured = &report.measured;
        Self {
            id: report.number,
            app: report.key.app.to_string(),
            stream: report.key.stream.to_string(),
            mode: report.action.name(),
            state: measured.state.name(),
            peer: report.peer.map(|peer| peer.to_string()),
            age_seconds: report.age.as_secs_f64(),
            route: measured.route.map(|route| Route {
                transport: route.carrier.name(),
                local_port: route.local.port(),
                remote: route.remote.to_string(),
            }),
            encryption: measured.encryption.map(|profile| profile.name()),
            rtt_ms: measured.round_trip.map(milliseconds),
            bandwidth: measured.bandwidth,
            dropped_datagrams: measured.dropped,
            tracks: measured.tracks.iter().map(Track::of).collect(),
        }
    }
}

impl Track {
    fn of(report: &TrackReport) -> Self {
        let counters = &report.counters;
        Self {
            id: report.track.0,
            kind: report.kind.name(),
            codec: report.codec.to_lowercase(),
            layer: report.layer.clone(),
            bitrate: report.bitrate,
            packets: counters.packets,
            bytes: counters.bytes,
            lost_packets: counters.lost,
            lost_share: f64::from(counters.fraction_lost) / 256.0,
            jitter_ms: milliseconds(counters.jitter),
            retransmitted_packets: counters.retransmitted,
            nacked_packets: counters.nacked,
            keyframe_requests: counters.keyframe_requests,
        }
    }
}

/// `GET /api/v1/webrtc`: the sessions of streams that whoever asks may play.
pub(in super::super) async fn sessions(
    State(app): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some(server) = &app.webrtc else {
        return Err(not_found().await);
    };
    let credentials = credentials(&uri, &headers);
    let mut seen = Vec::new();
    for report in server.sessions() {
        if app.access.may_see(&report.key, &credentials).await {
            seen.push(report);
        }
    }
    let left_out = seen.len().saturating_sub(MAX_SESSIONS);
    let shown = seen.iter().take(MAX_SESSIONS);
    Ok(json(&Sessions {
        sessions: shown.map(Session::of).collect(),
        left_out,
    }))
}
