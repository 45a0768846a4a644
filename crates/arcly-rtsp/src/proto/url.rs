//! RTSP URLs (RFC 2326, section 3.2), as both roles read them.

use crate::Fault;
use percent_encoding::percent_decode_str;
use std::fmt;

/// The port of `rtsp://` URLs that name none.
pub const RTSP_PORT: u16 = 554;
/// The port of `rtsps://` URLs that name none.
pub const RTSPS_PORT: u16 = 322;
/// The longest URL that is taken, in bytes.
pub const MAX_URL_BYTES: usize = 8 << 10;

/// A URL of `rtsp://` or `rtsps://`. Its `Debug` form hides user, password and query.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtspUrl {
    /// Whether it is `rtsps://`.
    pub tls: bool,
    /// User and password, percent-decoded; the password may be empty.
    pub credentials: Option<(String, String)>,
    /// The host: a name or an address, IPv6 addresses without brackets.
    pub host: String,
    /// The port; `None` where none is named, see [`effective_port`](Self::effective_port).
    pub port: Option<u16>,
    /// From the first `/` on, query included, as it came; empty where there is none.
    pub path_and_query: String,
}

impl RtspUrl {
    /// Reads a URL. The scheme has no case.
    ///
    /// # Errors
    /// Where it is no such URL; [`Fault::LimitExceeded`] beyond [`MAX_URL_BYTES`].
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > MAX_URL_BYTES {
            return Err(Fault::LimitExceeded {
                what: "bytes of a URL",
                max: MAX_URL_BYTES as u64,
            });
        }
        let (scheme, rest) = text
            .split_once("://")
            .ok_or(Fault::Malformed("a URL without scheme"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "rtsp" => false,
            "rtsps" => true,
            _ => return Err(Fault::Unsupported("the scheme of the URL")),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        // A password may have an `@` that was not encoded; a host has none.
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = split_port(host)?;
        if host.is_empty() {
            return Err(Fault::Malformed("a URL without host"));
        }
        Ok(Self {
            tls,
            credentials: user.map(|user| {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                (decoded(name), decoded(password))
            }),
            host: host.to_owned(),
            port,
            path_and_query: path_and_query.to_owned(),
        })
    }

    /// The port, or that of the scheme.
    #[must_use]
    pub fn effective_port(&self) -> u16 {
        let default = if self.tls { RTSPS_PORT } else { RTSP_PORT };
        self.port.unwrap_or(default)
    }

    /// The path without query, as it came; it starts with `/` where it is not empty.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }

    /// The query, without `?`; `None` where there is none.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        let (_, query) = self.path_and_query.split_once('?')?;
        Some(query)
    }

    /// The value of the query's parameter `name`, percent-decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.query()?.split('&');
        pairs.find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key) == name).then(|| decoded(value))
        })
    }

    /// The URL as it is sent: without user and password, which requests do not carry in their URI.
    #[must_use]
    pub fn request_uri(&self) -> String {
        let scheme = if self.tls { "rtsps" } else { "rtsp" };
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        let (host, path) = (&self.host, &self.path_and_query);
        format!("{scheme}://{open}{host}{close}{port}{path}")
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), Fault> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(Fault::Malformed(
            "an IPv6 address without its closing bracket",
        ))?;
        (host, rest.strip_prefix(':').unwrap_or_default())
    } else {
        authority.split_once(':').unwrap_or((authority, ""))
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let port = port
        .parse()
        .map_err(|_| Fault::Malformed("the URL's port is no number"))?;
    Ok((host, Some(port)))
}

impl fmt::Debug for RtspUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.clone();
        shown.path_and_query = self.path().to_owned();
        let query = if self.query().is_some() { "?…" } else { "" };
        write!(f, "{}{query}", shown.request_uri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn its_parts_are_found() {
        let url =
            RtspUrl::parse("RTSP://bob:p%40ss@w@cam.lan:8554/live/one?token=a%20b&x").unwrap();
        assert_eq!(url.credentials, Some(("bob".into(), "p@ss@w".into())));
        assert_eq!((&*url.host, url.effective_port()), ("cam.lan", 8554));
        assert_eq!(
            (url.path(), url.query()),
            ("/live/one", Some("token=a%20b&x"))
        );
        assert_eq!(url.parameter("token").as_deref(), Some("a b"));
        assert_eq!(url.parameter("x").as_deref(), Some(""));
        assert_eq!(
            url.request_uri(),
            "rtsp://cam.lan:8554/live/one?token=a%20b&x"
        );
        let six = RtspUrl::parse("rtsps://[::1]?x").unwrap();
        assert_eq!(
            (&*six.host, six.effective_port(), six.path()),
            ("::1", 322, "")
        );
        assert_eq!(six.request_uri(), "rtsps://[::1]?x");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "*",
            "/live",
            "http://host/",
            "rtsp://",
            "rtsp://:554/",
            "rtsp://h:x/",
            "rtsp://[::1/",
            "rtsp://h:70000",
        ] {
            assert!(RtspUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let url = RtspUrl::parse("rtsp://bob:hunter2@host/live?token=s3cret").unwrap();
        assert_eq!(format!("{url:?}"), "rtsp://host/live?…");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            tls: bool, host in "[a-z0-9.-]{1,12}|::1", port in any::<Option<u16>>(), path in "(/[a-zA-Z0-9=%._?&-]{0,20})?",
        ) {
            let url = RtspUrl { tls, credentials: None, host, port, path_and_query: path };
            prop_assert_eq!(RtspUrl::parse(&url.request_uri()).unwrap(), url);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(rtsp://)?\\PC{0,100}") {
            let _ = RtspUrl::parse(&text);
        }
    }
}
