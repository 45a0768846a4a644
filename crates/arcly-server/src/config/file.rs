//! The TOML file.

use super::{
    ConfigError, Group, Hls, Limits, Listen, Location, OnTakeover, Pause, RecordFormat, Relay,
    Rtmp, Secret, Span, Srt,
};
use serde::Deserialize;
use std::path::PathBuf;

/// What a file may set: each flag under its name with underscores, and what has no flag: RTMP's pace, SRT's latency, HLS, groups, relays and the limits.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) rtmp_listen: Option<Listen>,
    pub(super) rtmps_listen: Option<Listen>,
    pub(super) webrtc_listen: Option<Listen>,
    pub(super) webrtc_public_address: Option<Vec<std::net::IpAddr>>,
    pub(super) rtsp_listen: Option<Listen>,
    pub(super) rtsps_listen: Option<Listen>,
    pub(super) rtsp_media: Option<Listen>,
    pub(super) srt_listen: Option<Listen>,
    pub(super) srt_passphrase: Option<Secret>,
    pub(super) http_listen: Option<Listen>,
    pub(super) https_listen: Option<Listen>,
    pub(super) tls_cert: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) app: Option<Vec<String>>,
    pub(super) gop_cache: Option<usize>,
    pub(super) idle_timeout: Option<Span>,
    pub(super) max_publishers: Option<usize>,
    pub(super) takeover: Option<OnTakeover>,
    pub(super) publisher_grace: Option<Pause>,
    pub(super) play_wait: Option<Pause>,
    pub(super) record: Option<Location>,
    pub(super) record_format: Option<RecordFormat>,
    pub(super) archive: Option<Location>,
    pub(super) auth_jwt_secret: Option<Secret>,
    pub(super) auth_anonymous_play: Option<bool>,
    pub(super) demo: Option<bool>,
    pub(super) log: Option<String>,
    #[serde(default)]
    pub(super) rtmp: Rtmp,
    #[serde(default)]
    pub(super) srt: Srt,
    #[serde(default)]
    pub(super) hls: Hls,
    #[serde(default)]
    pub(super) group: Vec<Group>,
    #[serde(default)]
    pub(super) pull: Vec<Relay>,
    #[serde(default)]
    pub(super) push: Vec<Relay>,
    #[serde(default)]
    pub(super) limits: Limits,
}

impl File {
    /// Reads a file; an error names the key and the line, and does not repeat it, as a secret may stand there.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let before = text.get(..at).unwrap_or_default();
            let (line, start) = (before.matches('\n').count(), before.rfind('\n'));
            let key = text
                .get(start.map_or(0, |start| start + 1)..)
                .unwrap_or_default();
            let key = key.split(['=', '\n']).next().unwrap_or_default().trim();
            ConfigError(format!("line {}, {key}: {}", line + 1, error.message()))
        })
    }
}
