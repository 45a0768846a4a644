//! Streams that are brought from, or sent to, other servers, which only a file sets: `[[pull]]` and `[[push]]`.

use super::{ConfigError, Span};
use arcly_stream::media::StreamKey;
use arcly_stream::protocol::rtmp::proto::client::RtmpUrl;
use arcly_stream::protocol::rtsp::TransportPolicy;
use arcly_stream::protocol::rtsp::proto::client::RemoteUrl;
use arcly_stream::protocol::srt::SrtUrl;
use arcly_stream::protocol::ts_udp::TsUrl;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::PathBuf;

/// What stands in the URL of an application-wide push for the stream's name.
const NAME: &str = "{stream}";

/// One `[[pull]]` or `[[push]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relay {
    /// `<app>/<stream>` here; of a push also `<app>/*`, for each stream of the application.
    pub(crate) stream: String,
    pub(crate) url: RelayUrl,
    /// The pause after the first failure, which doubles with each further one …
    #[serde(default = "retry_min")]
    pub(crate) retry_min: Span,
    /// … up to this.
    #[serde(default = "retry_max")]
    pub(crate) retry_max: Span,
    /// What media of `rtsp` is carried over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<RelayTransport>,
    /// Of a pull by RTSP: whether it runs only while somebody watches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) on_demand: bool,
    /// With `rtmps` and `rtsps`: whose certificates are trusted, instead of those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_ca: Option<PathBuf>,
}

const fn retry_min() -> Span {
    Span(arcly_stream::protocol::rtmp::Backoff::DEFAULT_MIN)
}

const fn retry_max() -> Span {
    Span(arcly_stream::protocol::rtmp::Backoff::DEFAULT_MAX)
}

/// What media of RTSP is carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RelayTransport {
    Auto,
    Udp,
    Tcp,
}

impl From<RelayTransport> for TransportPolicy {
    fn from(transport: RelayTransport) -> Self {
        match transport {
            RelayTransport::Auto => Self::Auto,
            RelayTransport::Udp => Self::Udp,
            RelayTransport::Tcp => Self::Tcp,
        }
    }
}

/// Where a relay connects to, by the protocol that the URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RelayTarget {
    Rtmp(RtmpUrl),
    Rtsp(RemoteUrl),
    Srt(SrtUrl),
    TsUdp(TsUrl),
}

impl fmt::Display for RelayTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rtmp(url) => url.fmt(f),
            Self::Rtsp(url) => url.fmt(f),
            Self::Srt(url) => url.fmt(f),
            Self::TsUdp(url) => url.fmt(f),
        }
    }
}

/// Where the other server is. Shown without what may be a secret: user, password, query and the stream's name.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RelayUrl(String);

impl RelayUrl {
    /// The URL for a stream of that name; else what is wrong with it, in words that do not repeat it.
    pub(crate) fn for_stream(&self, name: &str) -> Result<RelayTarget, String> {
        let url = self.0.replace(NAME, &crate::http::path_segment(name));
        if url.starts_with("udp://") || url.starts_with("rtp://") {
            let url: Result<TsUrl, _> = url.parse();
            return url
                .map(RelayTarget::TsUdp)
                .map_err(|error| error.to_string());
        }
        if url.starts_with("rtsp://") || url.starts_with("rtsps://") {
            let url: Result<RemoteUrl, _> = url.parse();
            return url
                .map(RelayTarget::Rtsp)
                .map_err(|error| error.to_string());
        }
        if url.starts_with("srt://") {
            let url: Result<SrtUrl, _> = url.parse();
            return url.map(RelayTarget::Srt).map_err(|error| error.to_string());
        }
        let url: Result<RtmpUrl, _> = url.parse();
        url.map(RelayTarget::Rtmp)
            .map_err(|error| error.to_string())
    }
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.for_stream("x") {
            Ok(url) => url.fmt(f),
            Err(_) => f.write_str("…"),
        }
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for RelayUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RelayUrl {
    /// Whether it can be used is said by [`Relay::validate`], in words that do not repeat it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl Relay {
    /// The application and, but for an application-wide push, the stream.
    pub(crate) fn target(&self) -> (&str, Option<&str>) {
        match self.stream.split_once('/') {
            Some((app, "*")) => (app, None),
            Some((app, stream)) => (app, Some(stream)),
            None => (&self.stream, None),
        }
    }

    /// Whether it can be used as a `what`, which is `pull` or `push`.
    pub(super) fn validate(&self, what: &str, apps: &[String]) -> Result<(), ConfigError> {
        let wrong = |why: &str| Err(ConfigError(format!("{what} {:?}: {why}", self.stream)));
        let (app, stream) = self.target();
        if !self.stream.contains('/') {
            return wrong("stream is <app>/<stream>");
        }
        if !apps.iter().any(|known| known == app) {
            return wrong("there is no such application");
        }
        let names_stream = self.url.0.contains(NAME);
        match stream {
            None if what == "pull" => return wrong("a pull brings one stream"),
            None if !names_stream => return wrong("the URL for all streams has {stream} in it"),
            Some(_) if names_stream => return wrong("only the URL for <app>/* has {stream} in it"),
            _ => {}
        }
        if let Err(error) = StreamKey::new(app, stream.unwrap_or("x")).validate() {
            return wrong(&error.to_string());
        }
        match self.url.for_stream("x") {
            Err(error) => return wrong(&error),
            Ok(RelayTarget::TsUdp(url)) if what == "push" => {
                if let Err(error) = url.check_destination() {
                    return wrong(&error.to_string());
                }
            }
            Ok(_) => {}
        }
        let is_rtsp = matches!(self.url.for_stream("x"), Ok(RelayTarget::Rtsp(_)));
        if self.transport.is_some() && !is_rtsp {
            return wrong("transport is for RTSP");
        }
        if self.on_demand && !(is_rtsp && what == "pull") {
            return wrong("on_demand is for pulls by RTSP");
        }
        if self.retry_max.0 < self.retry_min.0 {
            return wrong("retry_max is less than retry_min");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(stream: &str, url: &str) -> Relay {
        let text = format!("stream = {stream:?}\nurl = {url:?}\n");
        toml::from_str(&text).expect("TOML")
    }

    #[test]
    fn streams_and_urls_have_to_fit() {
        let valid = |what, stream, url| relay(stream, url).validate(what, &["live".into()]);
        let (one, all) = (
            "rtmp://a.example/app/key",
            "rtmps://a.example/app/{stream}?k=1",
        );
        for (what, stream, url, why) in [
            ("pull", "live/x", one, None),
            ("push", "live/x", one, None),
            ("push", "live/*", all, None),
            ("pull", "live/*", all, Some("one stream")),
            ("push", "live/*", one, Some("{stream}")),
            ("push", "live/x", all, Some("{stream}")),
            ("push", "live", one, Some("<app>/<stream>")),
            ("push", "vod/x", one, Some("application")),
            ("push", "live/", one, Some("name")),
            ("pull", "live/x", "rtsp://u:p@cam.example/stream", None),
            ("push", "live/*", "rtsps://a.example/{stream}", None),
            ("pull", "live/x", "rtsp://:554/stream", Some("RTSP URL")),
            (
                "pull",
                "live/x",
                "srt://a.example:8890?streamid=read:live/x",
                None,
            ),
            (
                "push",
                "live/*",
                "srt://a.example:8890?streamid=publish:live/{stream}",
                None,
            ),
            ("pull", "live/x", "srt://", Some("SRT URL")),
            ("pull", "live/x", "udp://:5000", None),
            ("push", "live/x", "rtp://239.1.1.1:5000?ttl=2", None),
            ("push", "live/x", "udp://:5000", Some("address")),
            ("pull", "live/x", "udp://a.example:5000", Some("IP address")),
            (
                "push",
                "live/x",
                "http://a.example/app/key",
                Some("RTMP URL"),
            ),
        ] {
            let error = valid(what, stream, url)
                .err()
                .map(|error| error.to_string());
            match (&error, why) {
                (None, None) => {}
                (Some(error), Some(why)) => assert!(error.contains(why), "{error}"),
                other => panic!("{what} {stream} {url}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_for_rtsp_is_for_rtsp() {
        let of = |what: &str, url: &str, option: &str| {
            let text = format!("stream = 'live/x'\nurl = '{url}'\n{option}\n");
            let relay: Relay = toml::from_str(&text).expect("TOML");
            relay.validate(what, &["live".into()]).is_ok()
        };
        let (rtsp, rtmp) = ("rtsp://a.example/x", "rtmp://a.example/app/x");
        assert!(of("pull", rtsp, "transport = 'udp'\non_demand = true"));
        assert!(of("push", rtsp, "transport = 'tcp'"));
        assert!(!of("push", rtsp, "on_demand = true"));
        assert!(!of("pull", rtmp, "on_demand = true"));
        assert!(!of("pull", rtmp, "transport = 'auto'"));
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        let relay = relay("live/x", "rtmp://user:s3cret@a.example/app/s3cret?k=s3cret");
        let shown = format!("{relay:?} {}", toml::to_string(&relay).expect("TOML"));
        assert!(
            shown.contains("a.example/app") && !shown.contains("s3cret"),
            "{shown}"
        );
        let broken = relay_with("rtmp://user:s3cret@");
        let error = broken
            .validate("push", &["live".into()])
            .expect_err("broken");
        let shown = format!("{broken:?} {error}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    fn relay_with(url: &str) -> Relay {
        relay("live/x", url)
    }

    #[test]
    fn names_are_put_into_the_url_encoded() {
        let relay = relay("live/*", "rtmp://a.example/app/{stream}");
        let url = relay.url.for_stream("a b?c").expect("a URL");
        let RelayTarget::Rtmp(url) = url else {
            panic!("{url:?}");
        };
        assert_eq!(url.stream(), "a%20b%3Fc");
    }
}
