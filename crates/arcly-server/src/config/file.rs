//! The TOML file.

use super::{ConfigError, Limits, Listen, OnTakeover, Secret, Span};
use serde::Deserialize;
use std::path::PathBuf;

/// What a file may set: each flag under its name with underscores, and the limits.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) rtmp_listen: Option<Listen>,
    pub(super) http_listen: Option<Listen>,
    pub(super) app: Option<Vec<String>>,
    pub(super) gop_cache: Option<usize>,
    pub(super) idle_timeout: Option<Span>,
    pub(super) max_publishers: Option<usize>,
    pub(super) takeover: Option<OnTakeover>,
    pub(super) record: Option<PathBuf>,
    pub(super) auth_jwt_secret: Option<Secret>,
    pub(super) auth_anonymous_play: Option<bool>,
    pub(super) demo: Option<bool>,
    pub(super) log: Option<String>,
    #[serde(default)]
    pub(super) limits: Limits,
}

impl File {
    /// Reads a file; an error names the key and the line.
    pub(super) fn parse(text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError(error.to_string()))
    }
}
