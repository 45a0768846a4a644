//! How streams are packaged for HLS, which only a file sets: `[hls]`, and streams that are variants of one: `[[group]]`.

use super::{ConfigError, Limits, Pause, Span};
use arcly_stream::media::StreamKey;
use arcly_stream::mux::hls::HlsConfig;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most variants of a group.
const MAX_VARIANTS: usize = 32;

/// HLS. Defaults: those of [`HlsConfig`], which says what each costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hls {
    /// How long a segment is to be.
    pub(crate) target_duration: Span,
    /// How long a part is at most.
    pub(crate) part_duration: Span,
    /// How far viewers can go back, as far as `limits.hls_stream_bytes` allows.
    pub(crate) rewind: Pause,
}

impl Default for Hls {
    fn default() -> Self {
        let config = HlsConfig::default();
        Self {
            target_duration: Span(config.target_duration),
            part_duration: Span(config.part_duration),
            rewind: Pause(config.rewind),
        }
    }
}

impl Hls {
    /// As the packager takes it.
    pub(crate) fn config(&self, limits: &Limits) -> HlsConfig {
        let mut config = HlsConfig::default();
        config.target_duration = self.target_duration.0;
        config.max_segment_duration = config.max_segment_duration.max(self.target_duration.0);
        config.part_duration = self.part_duration.0;
        config.rewind = self.rewind.0;
        config.limits.stream_bytes = limits.hls_stream_bytes;
        config
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |what: &str| Err(ConfigError(format!("hls.{what}")));
        let (target, part) = (self.target_duration.0, self.part_duration.0);
        if !(Duration::from_secs(1)..=Duration::from_secs(10)).contains(&target) {
            return wrong("target_duration: from 1s to 10s");
        }
        if part < Duration::from_millis(100) || part > target {
            return wrong("part_duration: from 100ms to target_duration");
        }
        if self.rewind.0 > Duration::from_secs(24 * 3600) {
            return wrong("rewind: at most 24h");
        }
        Ok(())
    }
}

/// One `[[group]]`: a stream that nobody publishes, whose variants are others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// `<app>/<stream>`: what players ask for.
    pub(crate) stream: String,
    /// `<app>/<stream>` each, in the order in which playlists have them.
    pub(crate) variants: Vec<String>,
}

impl Group {
    /// The name that players ask for, and those of the variants. Empty where it has not been [validated](Self::validate).
    pub(crate) fn keys(&self) -> Option<(StreamKey, Vec<StreamKey>)> {
        let variants = self.variants.iter().map(|name| key(name));
        Some((key(&self.stream)?, variants.collect::<Option<_>>()?))
    }

    pub(super) fn validate(&self, apps: &[String], others: &[Self]) -> Result<(), ConfigError> {
        let wrong = |why: String| Err(ConfigError(format!("group {:?}: {why}", self.stream)));
        for name in std::iter::once(&self.stream).chain(&self.variants) {
            let Some(key) = key(name) else {
                return wrong(format!("{name:?} is no <app>/<stream>"));
            };
            if let Err(error) = key.validate() {
                return wrong(format!("{name:?}: {error}"));
            }
            if !apps.iter().any(|app| **app == *key.app) {
                return wrong(format!("{name:?}: there is no such application"));
            }
        }
        if self.variants.is_empty() || self.variants.len() > MAX_VARIANTS {
            return wrong(format!("it has from 1 to {MAX_VARIANTS} variants"));
        }
        let mut seen: Vec<&String> = Vec::new();
        for name in &self.variants {
            if seen.contains(&name) {
                return wrong(format!("{name:?} is there twice"));
            }
            seen.push(name);
        }
        let is_group = |name: &String| others.iter().any(|other| other.stream == *name);
        if is_group(&self.stream) {
            return wrong("is there twice".into());
        }
        match self
            .variants
            .iter()
            .find(|name| is_group(name) || **name == self.stream)
        {
            Some(name) => wrong(format!("{name:?} is a group itself")),
            None => Ok(()),
        }
    }
}

fn key(name: &str) -> Option<StreamKey> {
    let (app, stream) = name.split_once('/')?;
    Some(StreamKey::new(app, stream))
}
