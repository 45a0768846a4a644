//! The API: what is live, as JSON. `docs/api.md` describes it.

use super::AppState;
use super::access::credentials;
use super::status::{Problem, json, problem};
use crate::relay::Record;
use arcly_stream::bus::{StreamHandle, TrackInfo, TrackQos};
use arcly_stream::prelude::*;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// The most streams in one answer.
const MAX_STREAMS: usize = 1_000;

#[derive(Serialize)]
struct Server {
    version: &'static str,
    applications: Vec<String>,
    /// The port that RTMP publishers connect to.
    rtmp_port: Option<u16>,
    /// The port of RTMP over TLS.
    rtmps_port: Option<u16>,
    /// The port of RTSP, and that of RTSP over TLS.
    rtsp_port: Option<u16>,
    rtsps_port: Option<u16>,
    /// The UDP port of SRT.
    srt_port: Option<u16>,
    https_port: Option<u16>,
    /// The port of media by WebRTC, UDP and TCP.
    webrtc_port: Option<u16>,
    /// Whether streams take a token.
    auth: bool,
}

#[derive(Serialize)]
struct Streams {
    /// Unix time in seconds, when this was put together: players know by it how far their clock is off.
    time: f64,
    streams: Vec<Stream>,
    /// Live streams that are left out, because there are too many.
    left_out: usize,
}

#[derive(Serialize)]
struct Stream {
    app: String,
    stream: String,
    /// Stays the same for as long as viewers need not start anew.
    session: u64,
    publisher: Publisher,
    /// Whether its publisher has gone, and the stream waits for it to come back.
    interrupted: bool,
    /// Unix time in seconds.
    started: u64,
    uptime_seconds: f64,
    idle_seconds: f64,
    viewers: usize,
    /// Subscriptions, renditions and recorders among them.
    readers: usize,
    /// Bits a second.
    bitrate: u64,
    frames: u64,
    bytes: u64,
    tracks: Vec<Track>,
    /// Where it plays, by protocol.
    play: Play,
}

#[derive(Serialize)]
struct Publisher {
    protocol: String,
    peer: Option<String>,
}

#[derive(Serialize)]
struct Play {
    /// Paths, for HTTP and HTTPS.
    hls: String,
    flv: String,
    /// The path of the URL, for RTMP and RTMPS, and for RTSP and RTSPS.
    rtmp: String,
    rtsp: String,
    /// Where viewers by WebRTC send their offer; none where that is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    whep: Option<String>,
}

#[derive(Serialize)]
struct Track {
    id: u16,
    kind: &'static str,
    codec: String,
    codec_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    /// Frames a second, measured.
    frame_rate: f64,
    bitrate: u64,
    frames: u64,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyframe_interval_seconds: Option<f64>,
    discontinuities: u64,
}

impl Track {
    fn of(info: &TrackInfo, qos: &TrackQos) -> Self {
        let is_video = info.kind == MediaKind::Video;
        Self {
            id: info.id.0,
            kind: info.kind.name(),
            codec: info.codec.to_string(),
            codec_string: info.codec_string.clone(),
            width: info.width,
            height: info.height,
            channels: info.channels,
            sample_rate: info.sample_rate,
            frame_rate: qos.frame_rate,
            bitrate: qos.bitrate,
            frames: qos.frames,
            bytes: qos.bytes,
            keyframe_interval_seconds: is_video.then(|| qos.keyframe_interval.as_secs_f64()),
            discontinuities: qos.discontinuities,
        }
    }
}

impl Stream {
    fn of(handle: &StreamHandle, has_webrtc: bool) -> Self {
        let (key, origin, qos) = (handle.key(), handle.origin(), handle.qos());
        let find = |info: &TrackInfo| {
            qos.tracks
                .iter()
                .find(|track| track.track == info.id)
                .cloned()
        };
        Self {
            app: key.app.to_string(),
            stream: key.stream.to_string(),
            session: handle.session().get(),
            publisher: Publisher {
                protocol: origin.protocol.clone(),
                peer: origin.peer.map(|peer| peer.to_string()),
            },
            interrupted: handle.is_interrupted(),
            started: origin
                .started
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
            uptime_seconds: qos.uptime.as_secs_f64(),
            idle_seconds: qos.idle.as_secs_f64(),
            viewers: handle.viewer_count(),
            readers: handle.subscriber_count(),
            bitrate: qos.bitrate,
            frames: qos.frames,
            bytes: qos.bytes,
            tracks: handle
                .metadata()
                .tracks
                .iter()
                .filter_map(|info| Some(Track::of(info, &find(info)?)))
                .collect(),
            play: Play::of(key, has_webrtc),
        }
    }
}

impl Play {
    fn of(key: &StreamKey, has_webrtc: bool) -> Self {
        let path = format!("/{}/{}", path_segment(&key.app), path_segment(&key.stream));
        Self {
            hls: format!("{path}/index.m3u8"),
            flv: format!("{path}.flv"),
            whep: has_webrtc.then(|| format!("{path}/whep")),
            rtsp: path.clone(),
            rtmp: path,
        }
    }
}

/// A name in a URL's path, percent-encoded (RFC 3986 3.3).
pub(crate) fn path_segment(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@=+,".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// `GET /api/v1/server`.
pub(super) async fn server(State(app): State<AppState>) -> Response {
    let mut applications: Vec<_> = app
        .engine
        .list_apps()
        .iter()
        .map(ToString::to_string)
        .collect();
    applications.sort();
    json(&Server {
        version: env!("CARGO_PKG_VERSION"),
        applications,
        rtmp_port: app.bound.rtmp.map(|address| address.port()),
        rtmps_port: app.bound.rtmps.map(|address| address.port()),
        rtsp_port: app.bound.rtsp.map(|address| address.port()),
        rtsps_port: app.bound.rtsps.map(|address| address.port()),
        srt_port: app.bound.srt.map(|address| address.port()),
        webrtc_port: app.bound.webrtc.map(|address| address.port()),
        https_port: app.bound.https.map(|address| address.port()),
        auth: app.access.is_restricted(),
    })
}

/// `GET /api/v1/streams`: those that whoever asks may play.
pub(super) async fn streams(State(app): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let credentials = credentials(&uri, &headers);
    let mut seen = Vec::new();
    for stream in app.engine.streams() {
        if app.access.may_see(stream.key(), &credentials).await {
            seen.push(stream);
        }
    }
    let left_out = seen.len().saturating_sub(MAX_STREAMS);
    let streams = seen
        .iter()
        .take(MAX_STREAMS)
        .map(|stream| Stream::of(stream, app.webrtc.is_some()))
        .collect();
    #[expect(
        clippy::disallowed_methods,
        reason = "the server's own clock is what is told"
    )]
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    json(&Streams {
        time,
        streams,
        left_out,
    })
}

/// `GET /api/v1/streams/<app>/<stream>`.
pub(super) async fn stream(
    State(app): State<AppState>,
    Path((name, stream)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = StreamKey::new(name, stream);
    key.validate().map_err(|error| problem(&error))?;
    if !app.access.may_see(&key, &credentials(&uri, &headers)).await {
        let reason = "a token that allows to play this stream is required".into();
        return Err(problem(&StreamError::Unauthorized { reason }));
    }
    let handle = app
        .engine
        .get_stream(&key)
        .map_err(|error| problem(&error))?;
    Ok(json(&Stream::of(&handle, app.webrtc.is_some())))
}

#[derive(Serialize)]
struct Relays {
    relays: Vec<Relay>,
}

#[derive(Serialize)]
struct Relay {
    /// `pull` or `push`.
    way: &'static str,
    app: String,
    stream: String,
    /// Without what may be a secret.
    url: String,
    state: &'static str,
    /// Since when it is in this state; Unix time in seconds.
    since: u64,
    /// Why it failed last, until media goes over again.
    error: Option<String>,
    /// When it is tried again; Unix time in seconds.
    next_try: Option<u64>,
    failures: u64,
    /// Bytes since the start, in the relay's direction.
    bytes: u64,
}

impl Relay {
    fn of(record: &Record) -> Self {
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        };
        Self {
            way: record.way.name(),
            app: record.key.app.to_string(),
            stream: record.key.stream.to_string(),
            url: record.url.clone(),
            state: record.state().name(),
            since: seconds(record.since()),
            error: record.error(),
            next_try: record.next_try().map(seconds),
            failures: record.failures(),
            bytes: record.bytes(),
        }
    }
}

/// `GET /api/v1/relays`: those of streams that whoever asks may play.
pub(super) async fn relays(State(app): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let credentials = credentials(&uri, &headers);
    let mut relays = Vec::new();
    for record in app.relays.records() {
        if app.access.may_see(&record.key, &credentials).await {
            relays.push(Relay::of(&record));
        }
    }
    json(&Relays { relays })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_urls() {
        assert_eq!(path_segment("cam-1_a.b~@"), "cam-1_a.b~@");
        assert_eq!(path_segment("Caméra 1"), "Cam%C3%A9ra%201");
    }
}
