//! The URL of a remote stream.

use percent_encoding::percent_decode_str;
use std::fmt;

/// Where a remote stream is: `rtmp://host[:port]/app[/instance]/stream[?query]`, or `rtmps`.
///
/// The last segment of the path is the stream, with the query behind it; all before is the application, so that an instance is part of
/// it. Where a service divides otherwise, [`with_app`](Self::with_app) and [`with_stream`](Self::with_stream) say how. Path and query
/// are sent as they are written here, escapes included.
///
/// Neither `Debug` nor `Display` shows what may be a secret: user, password, query, and the stream's name, which services give out as
/// the key to publish with.
///
/// ```
/// use arcly_rtmp::proto::client::RtmpUrl;
///
/// let url: RtmpUrl = "rtmp://example.com/live/room/s3cret?token=x".parse()?;
/// assert_eq!((url.app(), url.stream(), url.port()), ("live/room", "s3cret?token=x", 1935));
/// assert_eq!(url.to_string(), "rtmp://example.com/live/room/…");
/// # Ok::<(), arcly_rtmp::proto::client::InvalidUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpUrl {
    tls: bool,
    host: String,
    port: Option<u16>,
    app: String,
    stream: String,
    credentials: Option<(String, String)>,
}

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a usable RTMP URL: {reason}")]
pub struct InvalidUrl {
    reason: &'static str,
}

/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 4_096;

impl RtmpUrl {
    /// Whether it is `rtmps`.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The server's name or address; IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port: 1935, or 443 for `rtmps`, where none is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 443 } else { 1935 })
    }

    /// The application, as sent in `connect`.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The stream with its query, as sent in `publish` or `play`. A secret, maybe.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.stream
    }

    /// The user name and the password.
    #[must_use]
    pub fn credentials(&self) -> Option<(&str, &str)> {
        self.credentials
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.as_str()))
    }

    /// Takes `app` as the application, whatever the path says.
    #[must_use]
    pub fn with_app(mut self, app: impl Into<String>) -> Self {
        self.app = app.into();
        self
    }

    /// Takes `stream` as the stream, whatever the path says.
    #[must_use]
    pub fn with_stream(mut self, stream: impl Into<String>) -> Self {
        self.stream = stream.into();
        self
    }

    /// `tcUrl` as sent in `connect`: without user, password and stream.
    #[must_use]
    pub fn tc_url(&self) -> String {
        format!("{}{}", self.origin(), self.app)
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "rtmps" } else { "rtmp" }
    }

    fn origin(&self) -> String {
        let scheme = self.scheme();
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) => format!("{scheme}://{host}:{port}/"),
            None => format!("{scheme}://{host}/"),
        }
    }

    /// Where a server that redirects sends us: `target` replaces host, port and application as far as it names them, and the stream
    /// stays, unless the target ends in it. A redirection never leads from `rtmps` to `rtmp`.
    ///
    /// The target is a URL, or a reference relative to [`tc_url`](Self::tc_url) (RFC 3986, 4.2; Enhanced RTMP v2 allows it in
    /// `ReconnectRequest`): `//host/app` keeps the scheme, `/app` the host too, and an empty one everything. References
    /// relative to a path (`app`, `../app`) are refused: what an application's path is relative to, servers do not agree on.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn redirected(&self, target: &str) -> Result<Self, InvalidUrl> {
        if target.is_empty() {
            return Ok(self.clone());
        }
        let absolute = if target.starts_with("//") {
            format!("{}:{target}", self.scheme())
        } else if let Some(path) = target.strip_prefix('/') {
            format!("{}{path}", self.origin())
        } else {
            target.to_owned()
        };
        let mut parts = Parts::parse(&absolute)?;
        if self.tls && !parts.tls {
            let reason = "a redirection from rtmps to rtmp is not followed";
            return Err(InvalidUrl { reason });
        }
        let name = self.stream.split('?').next().unwrap_or_default();
        if let Some(app) = parts.path.strip_suffix(name)
            && let Some(app) = app.strip_suffix('/')
        {
            parts.path = app;
        }
        let app = if parts.path.is_empty() {
            self.app.clone()
        } else {
            parts.path.to_owned()
        };
        Ok(Self {
            tls: parts.tls,
            host: parts.host.to_owned(),
            port: parts.port,
            app,
            stream: self.stream.clone(),
            credentials: self.credentials.clone(),
        })
    }
}

impl std::str::FromStr for RtmpUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let parts = Parts::parse(text)?;
        let Some((app, name)) = parts.path.rsplit_once('/') else {
            return Err(InvalidUrl {
                reason: "the path needs an application and a stream",
            });
        };
        if app.is_empty() || name.is_empty() {
            return Err(InvalidUrl {
                reason: "the application or the stream is empty",
            });
        }
        let stream = match parts.query {
            Some(query) => format!("{name}?{query}"),
            None => name.to_owned(),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = parts.user_info.map(|user_info| {
            let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
            (decoded(user), decoded(password))
        });
        Ok(Self {
            tls: parts.tls,
            host: parts.host.to_owned(),
            port: parts.port,
            app: app.to_owned(),
            stream,
            credentials,
        })
    }
}

/// A URL in its parts; the path without slashes around it.
struct Parts<'a> {
    tls: bool,
    user_info: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Result<Self, InvalidUrl> {
        let invalid = |reason| Err(InvalidUrl { reason });
        if text.len() > MAX_URL_BYTES {
            return invalid("it is longer than 4096 bytes");
        }
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return invalid("it has a space or a control character");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return invalid("it has no scheme");
        };
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => false,
            "rtmps" => true,
            _ => return invalid("the scheme is neither rtmp nor rtmps"),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let (user_info, authority) = match authority.rsplit_once('@') {
            Some((user_info, authority)) => (Some(user_info), authority),
            None => (None, authority),
        };
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let Some((host, port)) = rest.split_once(']') else {
                return invalid("an IPv6 address has no closing bracket");
            };
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return invalid("what stands in brackets is no IPv6 address");
            }
            (host, port)
        } else {
            authority
                .split_at_checked(authority.find(':').unwrap_or(authority.len()))
                .unwrap_or((authority, ""))
        };
        if host.is_empty() {
            return invalid("it names no host");
        }
        let port = match port.strip_prefix(':') {
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => Some(port),
                _ => return invalid("the port is not a number from 1 to 65535"),
            },
            None if port.is_empty() => None,
            None => return invalid("something stands between the address and the port"),
        };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Ok(Self {
            tls,
            user_info,
            host,
            port,
            path: path.trim_matches('/'),
            query,
        })
    }
}

impl fmt::Display for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = self.app.split('?').next().unwrap_or_default();
        write!(f, "{}{app}/…", self.origin())
    }
}

impl fmt::Debug for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> RtmpUrl {
        text.parse().expect("a usable URL")
    }

    #[test]
    fn the_parts_of_a_url() {
        let plain = url("rtmp://example.com/live/cam");
        assert_eq!(
            (plain.host(), plain.port(), plain.is_tls()),
            ("example.com", 1935, false)
        );
        assert_eq!((plain.app(), plain.stream()), ("live", "cam"));
        assert_eq!(plain.tc_url(), "rtmp://example.com/live");
        let full = url("RTMPS://bob:p%40ss@[::1]:8443/live/inst/cam?token=a/b&x=1");
        assert_eq!(
            (full.host(), full.port(), full.is_tls()),
            ("::1", 8443, true)
        );
        assert_eq!(
            (full.app(), full.stream()),
            ("live/inst", "cam?token=a/b&x=1")
        );
        assert_eq!(full.credentials(), Some(("bob", "p@ss")));
        assert_eq!(full.tc_url(), "rtmps://[::1]:8443/live/inst");
        assert_eq!(url("rtmps://h/a/b").port(), 443);
        let other = url("rtmp://h/live/room/cam")
            .with_app("live")
            .with_stream("room/cam");
        assert_eq!((other.app(), other.stream()), ("live", "room/cam"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for bad in [
            "",
            "live/cam",
            "http://h/live/cam",
            "rtmp://h",
            "rtmp://h/live",
            "rtmp://h//",
            "rtmp:///live/cam",
            "rtmp://h:0/a/b",
            "rtmp://h:x/a/b",
            "rtmp://h:99999/a/b",
            "rtmp://[::1/a/b",
            "rtmp://[x]/a/b",
            "rtmp://[::1]x/a/b",
            "rtmp://h/a/b c",
            "rtmp://h/a\n/b",
        ] {
            assert!(bad.parse::<RtmpUrl>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!(
            "{0} {0:?}",
            url("rtmp://bob:pass@h/live/key?token=t").with_app("live?auth=a")
        );
        for secret in ["bob", "pass", "key", "token", "auth"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn redirections_keep_what_they_do_not_name() {
        let from = url("rtmp://h/live/cam?token=t");
        let to = from.redirected("rtmp://other:1936").expect("usable");
        assert_eq!(
            (to.host(), to.port(), to.app(), to.stream()),
            ("other", 1936, "live", "cam?token=t")
        );
        let to = from.redirected("rtmps://other/edge/cam").expect("usable");
        assert_eq!(
            (to.is_tls(), to.app(), to.stream()),
            (true, "edge", "cam?token=t")
        );
        assert!(
            url("rtmps://h/live/cam")
                .redirected("rtmp://other/live")
                .is_err()
        );
        assert!(from.redirected("http://other/").is_err());
    }

    #[test]
    fn redirections_are_relative_to_where_we_are() {
        let from = url("rtmps://h:8443/live/cam?token=t");
        let parts = |target: &str| {
            let to = from.redirected(target).expect("usable");
            assert_eq!((to.is_tls(), to.stream()), (true, "cam?token=t"));
            (to.host().to_owned(), to.port(), to.app().to_owned())
        };
        let other = ("192.0.2.0".to_owned(), 443, "realtimeapp".to_owned());
        assert_eq!(parts("//192.0.2.0/realtimeapp"), other);
        let path = ("h".to_owned(), 8443, "realtimeapp".to_owned());
        assert_eq!(parts("/realtimeapp"), path);
        let same = ("h".to_owned(), 8443, "live".to_owned());
        assert_eq!(parts(""), same);
        assert_eq!(parts("/"), same);
        assert_eq!(parts("//[::1]:1/").0, "::1");
        for bad in ["other", "../other", "//", "///x", "//h:x/"] {
            assert!(from.redirected(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "(rtmps?://)?[\\PC@:/?\\[\\]]{0,40}") {
            if let Ok(url) = text.parse::<RtmpUrl>() {
                prop_assert!(!url.host().is_empty() && !url.app().is_empty() && !url.stream().is_empty());
                let again: RtmpUrl = format!("{}/{}", url.tc_url(), url.stream()).parse().expect("still usable");
                prop_assert_eq!((again.app(), again.stream()), (url.app(), url.stream()));
            }
        }
    }
}
