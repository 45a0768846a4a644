//! How SRT delivers, which only a file sets: `[srt]`.

use super::{ConfigError, Pause, Secret};
use arcly_stream::media::StreamKey;
use arcly_stream::protocol::srt;
use arcly_stream::protocol::srt::Passphrases;
use arcly_stream::protocol::srt::proto::crypto::Passphrase;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::Duration;

/// The longest latency: what the handshake's field holds is a little more.
const LONGEST: Duration = Duration::from_secs(60);

/// The settings of SRT. Defaults: those of [`arcly_stream::protocol::srt::Config`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Srt {
    /// The least delay between sending and delivery, either way, to have lost packets sent again; callers may ask for more.
    pub(crate) latency: Pause,
    /// How long a peer may be silent until it is taken to be gone.
    pub(crate) peer_idle: Pause,
    /// Streams with a passphrase of their own, in place of the one for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) passphrase: Vec<StreamPassphrase>,
}

/// One `[[srt.passphrase]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamPassphrase {
    /// `<app>/<stream>`, or `<app>/*` for those of an application that have none of their own.
    pub(crate) stream: String,
    /// 10 to 79 bytes; empty: these are not encrypted, whatever holds for others.
    pub(crate) passphrase: Secret,
}

impl StreamPassphrase {
    fn validate(&self, apps: &[String]) -> Result<(), ConfigError> {
        let wrong = |why: &str| {
            let stream = &self.stream;
            Err(ConfigError(format!("srt.passphrase {stream:?}: {why}")))
        };
        let Some((app, stream)) = self.stream.split_once('/') else {
            return wrong("stream is <app>/<stream> or <app>/*");
        };
        if !apps.iter().any(|known| known == app) {
            return wrong("there is no such application");
        }
        let stream = if stream == "*" { "x" } else { stream };
        if let Err(error) = StreamKey::new(app, stream).validate() {
            return wrong(&error.to_string());
        }
        match self.secret() {
            Ok(_) => Ok(()),
            Err(error) => wrong(&error.0),
        }
    }

    /// `None`: not encrypted.
    fn secret(&self) -> Result<Option<Passphrase>, ConfigError> {
        match self.passphrase.0.as_str() {
            "" => Ok(None),
            text => secret(text).map(Some),
        }
    }
}

fn secret(text: &str) -> Result<Passphrase, ConfigError> {
    Passphrase::new(text).map_err(|_| ConfigError("a passphrase has 10 to 79 bytes".into()))
}

impl Srt {
    /// Which stream has which passphrase, where `all` is that of those that are not named.
    pub(crate) fn passphrases(&self, all: Option<&Secret>) -> Result<Passphrases, ConfigError> {
        let all = all.map(|all| secret(&all.0)).transpose()?;
        let named = self.passphrase.iter();
        let named = named.map(|entry| Ok((entry.stream.clone(), entry.secret()?)));
        let named: HashMap<_, _> = named.collect::<Result<_, ConfigError>>()?;
        if named.is_empty() {
            return Ok(all.map_or_else(Passphrases::none, Passphrases::all));
        }
        Ok(Passphrases::by(move |target| {
            let (app, stream) = (&target.key.app, &target.key.stream);
            let own = named.get(&format!("{app}/{stream}"));
            let of_app = || named.get(&format!("{app}/*"));
            own.or_else(of_app).unwrap_or(&all).clone()
        }))
    }

    pub(super) fn validate(
        &self,
        passphrase: Option<&Secret>,
        apps: &[String],
    ) -> Result<(), ConfigError> {
        if self.latency.0 > LONGEST {
            return Err(ConfigError("srt.latency: at most 1m".into()));
        }
        if self.peer_idle.0.is_zero() {
            return Err(ConfigError("srt.peer_idle: more than 0".into()));
        }
        if passphrase.is_some_and(|all| secret(&all.0).is_err()) {
            return Err(ConfigError("srt_passphrase: 10 to 79 bytes".into()));
        }
        for (nth, entry) in self.passphrase.iter().enumerate() {
            entry.validate(apps)?;
            let mut before = self.passphrase.iter().take(nth);
            if before.any(|other| other.stream == entry.stream) {
                let stream = &entry.stream;
                return Err(ConfigError(format!(
                    "srt.passphrase {stream:?}: is there twice"
                )));
            }
        }
        Ok(())
    }
}

impl Default for Srt {
    fn default() -> Self {
        let config = srt::Config::default();
        Self {
            latency: Pause(config.handshake.receive_latency),
            peer_idle: Pause(config.connection.limits.idle_timeout),
            passphrase: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_stream::protocol::srt::proto::stream_id::Target;

    const OWN: &str = "correct-horse-battery";
    const OF_APP: &str = "the-one-of-the-app";
    const OF_ALL: &str = "the-one-of-all-others";

    fn entry(stream: &str, passphrase: &str) -> StreamPassphrase {
        StreamPassphrase {
            stream: stream.into(),
            passphrase: Secret(passphrase.into()),
        }
    }

    fn with(passphrase: Vec<StreamPassphrase>) -> Srt {
        Srt {
            passphrase,
            ..Srt::default()
        }
    }

    #[test]
    fn the_nearest_passphrase_counts() {
        let srt = with(vec![
            entry("live/cam", OWN),
            entry("live/open", ""),
            entry("live/*", OF_APP),
        ]);
        let apps = ["live".to_owned(), "other".to_owned()];
        let all = Secret(OF_ALL.into());
        srt.validate(Some(&all), &apps).expect("valid");
        let passphrases = srt.passphrases(Some(&all)).expect("valid");
        for (stream, expected) in [
            ("live/cam", Some(OWN)),
            ("live/open", None),
            ("live/any", Some(OF_APP)),
            ("other/any", Some(OF_ALL)),
        ] {
            for mode in ["publish", "read"] {
                let target = Target::parse(&format!("{mode}:{stream}")).expect("a target");
                let expected = expected.map(|text| Passphrase::new(text).expect("long enough"));
                assert_eq!(passphrases.of(&target), expected, "{mode}:{stream}");
            }
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_repeating_it() {
        let apps = ["live".to_owned()];
        for (passphrases, why) in [
            (vec![entry("cam", OWN)], "<app>/<stream>"),
            (vec![entry("nowhere/cam", OWN)], "no such application"),
            (vec![entry("live/", OWN)], "live/"),
            (vec![entry("live/cam", "short")], "10 to 79"),
            (
                vec![entry("live/cam", OWN), entry("live/cam", OF_APP)],
                "twice",
            ),
        ] {
            let error = with(passphrases)
                .validate(None, &apps)
                .expect_err("refused");
            let text = error.to_string();
            assert!(text.contains(why) && !text.contains("short"), "{text}");
        }
    }
}
