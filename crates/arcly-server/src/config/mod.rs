//! What can be set: by a flag, by an environment variable, or in a TOML file, in that order of precedence.

mod file;
mod flags;
mod limits;
mod value;

pub(crate) use flags::Flags;
pub(crate) use limits::Limits;
pub(crate) use value::{Listen, OnTakeover, Secret, Span};

use file::File;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// Names that URLs of the server begin with, and that no application can have.
const RESERVED_APPS: &[&str] = &["api", "assets"];

/// The settings of a server, complete. Serialised, it is a TOML file that sets the same, but for secrets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Config {
    pub(crate) rtmp_listen: Listen,
    pub(crate) http_listen: Listen,
    pub(crate) app: Vec<String>,
    pub(crate) gop_cache: usize,
    pub(crate) idle_timeout: Span,
    pub(crate) max_publishers: usize,
    pub(crate) takeover: OnTakeover,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth_jwt_secret: Option<Secret>,
    pub(crate) auth_anonymous_play: bool,
    pub(crate) demo: bool,
    pub(crate) log: String,
    pub(crate) limits: Limits,
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
        Self {
            rtmp_listen: flags
                .rtmp_listen
                .or(file.rtmp_listen)
                .unwrap_or(Listen::any(1935)),
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
            record: flags.record.or(file.record),
            auth_jwt_secret: flags.auth_jwt_secret.or(file.auth_jwt_secret),
            auth_anonymous_play: flags
                .auth_anonymous_play
                .or(file.auth_anonymous_play)
                .unwrap_or_default(),
            demo: flags.demo.or(file.demo).unwrap_or_default(),
            log: flags.log.or(file.log).unwrap_or_else(|| "info".into()),
            limits: file.limits,
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
        if self.auth_anonymous_play && self.auth_jwt_secret.is_none() {
            return Err(ConfigError(
                "auth_anonymous_play: has a meaning only with auth_jwt_secret".into(),
            ));
        }
        crate::logging::check(&self.log).map_err(|error| ConfigError(format!("log: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn settled(flags: &[&str], file: &str) -> Result<Config, ConfigError> {
        let flags = Flags::try_parse_from([&["arcly"], flags].concat()).expect("flags");
        let config = Config::settle(flags, File::parse(file)?);
        config.validate()?;
        Ok(config)
    }

    #[test]
    fn without_anything_the_defaults_hold() {
        let config = settled(&[], "").expect("valid");
        assert_eq!(config.rtmp_listen, Listen::any(1935));
        assert_eq!(config.http_listen, Listen::any(8080));
        assert_eq!(config.app, ["live"]);
        assert!(!config.demo && config.record.is_none() && config.auth_jwt_secret.is_none());
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = "rtmp_listen = '127.0.0.1:1'\nhttp_listen = 'off'\ndemo = true\napp = ['a']\n";
        let config =
            settled(&["--rtmp-listen", "127.0.0.1:2", "--demo=false"], file).expect("valid");
        assert_eq!(config.rtmp_listen.to_string(), "127.0.0.1:2");
        assert_eq!(config.http_listen, Listen::Off);
        assert!(!config.demo);
        assert_eq!(config.app, ["a"]);
    }

    #[test]
    fn what_is_printed_sets_the_same() {
        let file = "idle_timeout = '1m 30s'\ntakeover = 'replace'\nrecord = '/tmp/x'\n[limits]\nhttp_connections = 7\n";
        let config = settled(&[], file).expect("valid");
        let printed = toml::to_string(&config).expect("TOML");
        assert_eq!(settled(&[], &printed).expect("valid"), config);
        assert_eq!(config.limits.http_connections, 7);
    }

    #[test]
    fn secrets_are_not_printed() {
        let config = settled(
            &["--auth-jwt-secret", "0123456789abcdef0123456789abcdef"],
            "",
        )
        .expect("valid");
        assert!(
            !toml::to_string(&config)
                .expect("TOML")
                .contains("0123456789")
        );
        assert!(!format!("{config:?}").contains("0123456789"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = settled(&[], "demo = true\nrtmp_lisen = 'off'\n")
            .expect_err("unknown")
            .to_string();
        assert!(
            error.contains("rtmp_lisen") && error.contains("line 2"),
            "{error}"
        );
        let error = settled(&[], "[limits]\nhttp_conections = 1\n")
            .expect_err("unknown")
            .to_string();
        assert!(
            error.contains("http_conections") && error.contains("line 2"),
            "{error}"
        );
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        for (flags, file, what) in [
            (&["--app", "api"][..], "", "api"),
            (&["--app", "a/b"], "", "a/b"),
            (&[], "app = []", "app"),
            (&["--log", "loud"], "", "loud"),
            (&["--auth-anonymous-play"], "", "auth_anonymous_play"),
            (&[], "idle_timeout = 'soon'", "idle_timeout"),
            (&[], "rtmp_listen = '1935'", "rtmp_listen"),
        ] {
            let error = settled(flags, file).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
