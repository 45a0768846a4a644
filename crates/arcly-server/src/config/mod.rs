//! What can be set: by a flag, by an environment variable, or in a TOML file, in that order of precedence.

mod file;
mod flags;
mod hls;
mod limits;
mod location;
mod relay;
mod rtmp;
mod srt;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use flags::Flags;
pub(crate) use hls::{Group, Hls};
pub(crate) use limits::Limits;
pub(crate) use location::Location;
pub(crate) use relay::{Relay, RelayTarget};
pub(crate) use rtmp::Rtmp;
pub(crate) use srt::Srt;
pub(crate) use value::{Listen, OnTakeover, Pause, RecordFormat, Secret, Span};

use file::File;
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Names that URLs of the server begin with, and that no application can have.
const RESERVED_APPS: &[&str] = &["api", "assets"];

/// The longest that players may be let wait: each of them holds a connection.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The settings of a server, complete. Serialised, it is a TOML file that sets the same, but for secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Config {
    pub(crate) rtmp_listen: Listen,
    pub(crate) rtmps_listen: Listen,
    pub(crate) rtsp_listen: Listen,
    pub(crate) rtsps_listen: Listen,
    pub(crate) rtsp_media: Listen,
    pub(crate) srt_listen: Listen,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) srt_passphrase: Option<Secret>,
    pub(crate) http_listen: Listen,
    pub(crate) https_listen: Listen,
    pub(crate) webrtc_listen: Listen,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) webrtc_public_address: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) app: Vec<String>,
    pub(crate) gop_cache: usize,
    pub(crate) idle_timeout: Span,
    pub(crate) max_publishers: usize,
    pub(crate) takeover: OnTakeover,
    pub(crate) publisher_grace: Pause,
    pub(crate) play_wait: Pause,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<Location>,
    pub(crate) record_format: RecordFormat,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_jwt_secret: Option<Secret>,
    pub(crate) auth_anonymous_play: bool,
    pub(crate) demo: bool,
    pub(crate) log: String,
    pub(crate) rtmp: Rtmp,
    pub(crate) srt: Srt,
    pub(crate) hls: Hls,
    pub(crate) limits: Limits,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) group: Vec<Group>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pull: Vec<Relay>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) push: Vec<Relay>,
}

/// Why settings cannot be used, in words for whoever wrote them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConfigError(String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Settles `flags` (environment included) with the file that they name.
    pub(crate) fn load(flags: Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
                File::parse(&text)
                    .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?
            }
            None => File::default(),
        };
        let config = Self::settle(flags, file);
        config.validate()?;
        Ok(config)
    }

    fn settle(flags: Flags, file: File) -> Self {
        let tls_cert = flags.tls_cert.or(file.tls_cert);
        let tls_key = flags.tls_key.or(file.tls_key);
        let with_tls = |port| match tls_cert.is_some() && tls_key.is_some() {
            true => Listen::any(port),
            false => Listen::Off,
        };
        Self {
            rtmps_listen: flags
                .rtmps_listen
                .or(file.rtmps_listen)
                .unwrap_or(with_tls(1936)),
            rtsps_listen: flags
                .rtsps_listen
                .or(file.rtsps_listen)
                .unwrap_or(with_tls(8322)),
            https_listen: flags
                .https_listen
                .or(file.https_listen)
                .unwrap_or(with_tls(8443)),
            tls_cert,
            tls_key,
            webrtc_listen: flags
                .webrtc_listen
                .or(file.webrtc_listen)
                .unwrap_or(Listen::any(8189)),
            webrtc_public_address: flags
                .webrtc_public_address
                .or(file.webrtc_public_address)
                .unwrap_or_default(),
            rtmp_listen: flags
                .rtmp_listen
                .or(file.rtmp_listen)
                .unwrap_or(Listen::any(1935)),
            rtsp_listen: flags
                .rtsp_listen
                .or(file.rtsp_listen)
                .unwrap_or(Listen::any(8554)),
            rtsp_media: flags
                .rtsp_media
                .or(file.rtsp_media)
                .unwrap_or(Listen::any(8000)),
            srt_listen: flags
                .srt_listen
                .or(file.srt_listen)
                .unwrap_or(Listen::any(8890)),
            srt_passphrase: flags.srt_passphrase.or(file.srt_passphrase),
            http_listen: flags
                .http_listen
                .or(file.http_listen)
                .unwrap_or(Listen::any(8080)),
            app: flags
                .app
                .or(file.app)
                .unwrap_or_else(|| vec!["live".into()]),
            gop_cache: flags
                .gop_cache
                .or(file.gop_cache)
                .unwrap_or(arcly_stream::bus::Retention::DEFAULT_MAX_ITEMS),
            idle_timeout: flags
                .idle_timeout
                .or(file.idle_timeout)
                .unwrap_or(Span::secs(30)),
            max_publishers: flags.max_publishers.or(file.max_publishers).unwrap_or(500),
            takeover: flags.takeover.or(file.takeover).unwrap_or_default(),
            publisher_grace: flags
                .publisher_grace
                .or(file.publisher_grace)
                .unwrap_or_default(),
            play_wait: flags.play_wait.or(file.play_wait).unwrap_or_default(),
            record: flags.record.or(file.record),
            record_format: flags
                .record_format
                .or(file.record_format)
                .unwrap_or_default(),
            archive: flags.archive.or(file.archive),
            auth_jwt_secret: flags.auth_jwt_secret.or(file.auth_jwt_secret),
            auth_anonymous_play: flags
                .auth_anonymous_play
                .or(file.auth_anonymous_play)
                .unwrap_or_default(),
            demo: flags.demo.or(file.demo).unwrap_or_default(),
            log: flags.log.or(file.log).unwrap_or_else(|| "info".into()),
            rtmp: file.rtmp,
            srt: file.srt,
            hls: file.hls,
            limits: file.limits,
            group: file.group,
            pull: file.pull,
            push: file.push,
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if self.app.is_empty() {
            return Err(ConfigError(
                "app: at least one application is needed".into(),
            ));
        }
        for app in &self.app {
            arcly_stream::media::StreamKey::new(app.as_str(), "x")
                .validate()
                .map_err(|error| ConfigError(format!("app {app:?}: {error}")))?;
            if RESERVED_APPS.contains(&app.as_str()) {
                return Err(ConfigError(format!(
                    "app {app:?}: the name is taken by the server's own URLs"
                )));
            }
        }
        for (which, listen) in [
            ("rtmps_listen", self.rtmps_listen),
            ("rtsps_listen", self.rtsps_listen),
            ("https_listen", self.https_listen),
        ] {
            if listen != Listen::Off && self.tls_cert.is_none() {
                return Err(ConfigError(format!("{which}: needs tls_cert and tls_key")));
            }
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(ConfigError(
                "tls_cert and tls_key: one is of no use without the other".into(),
            ));
        }
        if self.auth_anonymous_play && self.auth_jwt_secret.is_none() {
            return Err(ConfigError(
                "auth_anonymous_play: has a meaning only with auth_jwt_secret".into(),
            ));
        }
        if matches!(self.rtsp_media, Listen::At(address) if address.port() % 2 != 0) {
            return Err(ConfigError("rtsp_media: an even port".into()));
        }
        self.rtmp.validate()?;
        self.srt.validate(self.srt_passphrase.as_ref(), &self.app)?;
        self.hls.validate()?;
        for (nth, group) in self.group.iter().enumerate() {
            group.validate(&self.app, self.group.get(..nth).unwrap_or_default())?;
        }
        if self.archive.is_some() && self.archive == self.record {
            return Err(ConfigError("archive: not where record is".into()));
        }
        for (nth, pull) in self.pull.iter().enumerate() {
            pull.validate("pull", &self.app)?;
            if self
                .pull
                .iter()
                .take(nth)
                .any(|other| other.stream == pull.stream)
            {
                let stream = &pull.stream;
                return Err(ConfigError(format!("pull {stream:?}: is there twice")));
            }
        }
        for push in &self.push {
            push.validate("push", &self.app)?;
        }
        if self.play_wait.0 > LONGEST_WAIT {
            return Err(ConfigError("play_wait: at most 1h".into()));
        }
        crate::logging::check(&self.log).map_err(|error| ConfigError(format!("log: {error}")))
    }
}
