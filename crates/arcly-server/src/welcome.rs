//! What to type, printed at the start.

use crate::config::Config;
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Where the server listens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bound {
    pub(crate) rtmp: Option<SocketAddr>,
    pub(crate) rtmps: Option<SocketAddr>,
    pub(crate) rtsp: Option<SocketAddr>,
    pub(crate) rtsps: Option<SocketAddr>,
    pub(crate) srt: Option<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) https: Option<SocketAddr>,
    pub(crate) webrtc: Option<SocketAddr>,
}

/// The text.
pub(crate) fn text(config: &Config, bound: Bound) -> String {
    let app = config.app.first().map_or("live", String::as_str);
    let query = if config.auth_jwt_secret.is_some() {
        "?token=…"
    } else {
        ""
    };
    let mut text = format!("arcly {}\n\n", env!("CARGO_PKG_VERSION"));
    if let Some(rtmp) = bound.rtmp.map(shown) {
        let _ = writeln!(
            text,
            "  publish  ffmpeg -re -i video.mp4 -c:v libx264 -c:a aac -f flv rtmp://{rtmp}/{app}/cam{query}"
        );
        let _ = writeln!(
            text,
            "           OBS: server rtmp://{rtmp}/{app}, stream key cam{query}"
        );
    }
    if let Some(rtsp) = bound.rtsp.map(shown) {
        let _ = writeln!(
            text,
            "           cameras and encoders: rtsp://{rtsp}/{app}/cam{query}"
        );
    }
    let srt_id = format!("{app}/cam{}", srt_credentials(config));
    if let Some(srt) = bound.srt.map(shown) {
        let _ = writeln!(text, "           srt://{srt}?streamid=publish:{srt_id}");
    }
    let whip = bound.http.filter(|_| bound.webrtc.is_some()).map(shown);
    if let Some(http) = &whip {
        let _ = writeln!(text, "           WHIP: http://{http}/{app}/cam/whip{query}");
    }
    if let Some(http) = bound.http.map(shown) {
        let _ = writeln!(text, "  watch    http://{http}/{query}");
        let _ = writeln!(text, "           http://{http}/{app}/cam/index.m3u8{query}");
        let _ = writeln!(text, "           http://{http}/{app}/cam.flv{query}");
    }
    if let Some(http) = &whip {
        let _ = writeln!(text, "           WHEP: http://{http}/{app}/cam/whep{query}");
    }
    if let Some(rtmp) = bound.rtmp.map(shown) {
        let _ = writeln!(text, "           rtmp://{rtmp}/{app}/cam{query}");
    }
    if let Some(rtsp) = bound.rtsp.map(shown) {
        let _ = writeln!(text, "           rtsp://{rtsp}/{app}/cam{query}");
    }
    if let Some(srt) = bound.srt.map(shown) {
        let _ = writeln!(text, "           srt://{srt}?streamid=read:{srt_id}");
    }
    let secure = [
        ("rtmps", bound.rtmps),
        ("rtsps", bound.rtsps),
        ("https", bound.https),
    ];
    for (scheme, address) in secure {
        if let Some(address) = address.map(shown) {
            let _ = writeln!(text, "  by TLS   {scheme}://{address}/");
        }
    }
    text.push_str("  stop     Ctrl-C\n");
    text
}

/// What a URL of SRT has behind the stream's name.
fn srt_credentials(config: &Config) -> &'static str {
    match (&config.auth_jwt_secret, &config.srt_passphrase) {
        (None, None) => "",
        (Some(_), None) => ":TOKEN",
        (None, Some(_)) => "&passphrase=…",
        (Some(_), Some(_)) => ":TOKEN&passphrase=…",
    }
}

/// An address that can be typed on this machine.
fn shown(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}
