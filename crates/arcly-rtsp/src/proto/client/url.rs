//! The URL of a remote stream.

use crate::Fault;
use crate::proto::url::RtspUrl;
use std::fmt;
use std::str::FromStr;

/// Where a remote stream is: `rtsp://[user:password@]host[:port]/path[?query]`, or `rtsps`.
///
/// Neither `Debug` nor `Display` shows what may be a secret: user, password, query, and the last segment of the path, which services give out
/// as the key to publish with, and in which some recorders want user and password.
///
/// ```
/// use arcly_rtsp::proto::client::RemoteUrl;
///
/// let url: RemoteUrl = "rtsp://admin:s3cret@192.0.2.1/Streaming/Channels/101?transportmode=unicast".parse()?;
/// assert_eq!(url.to_string(), "rtsp://192.0.2.1/Streaming/Channels/…");
/// # Ok::<(), arcly_rtsp::proto::client::InvalidUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteUrl(RtspUrl);

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a usable RTSP URL: {reason}")]
pub struct InvalidUrl {
    #[source]
    reason: Fault,
}

impl InvalidUrl {
    const fn unsupported(what: &'static str) -> Self {
        Self {
            reason: Fault::Unsupported(what),
        }
    }
}

impl RemoteUrl {
    /// Its parts.
    #[must_use]
    pub const fn as_url(&self) -> &RtspUrl {
        &self.0
    }

    /// Where a server that redirects sends us (RFC 2326, sections 10.10 and 11.3): a URL, or a path on the same server. User and password go along only to
    /// the same host, unless the URL has its own. A redirection never leads from `rtsps` to `rtsp`.
    ///
    /// # Errors
    /// [`InvalidUrl`].
    pub fn redirected(&self, target: &str) -> Result<Self, InvalidUrl> {
        let target = target.trim();
        if target.starts_with('/') && !target.starts_with("//") {
            let mut url = self.0.clone();
            url.path_and_query = target.to_owned();
            return Ok(Self(url));
        }
        let mut url = Self::from_str(target)?.0;
        if self.0.tls && !url.tls {
            let what = "a redirection from rtsps to rtsp";
            return Err(InvalidUrl::unsupported(what));
        }
        if url.credentials.is_none() && url.host.eq_ignore_ascii_case(&self.0.host) {
            url.credentials.clone_from(&self.0.credentials);
        }
        Ok(Self(url))
    }
}

impl FromStr for RemoteUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if text.chars().any(|c| c.is_control() || c == ' ') {
            return Err(InvalidUrl::unsupported("blanks in a URL"));
        }
        let url = RtspUrl::parse(text).map_err(|reason| InvalidUrl { reason })?;
        Ok(Self(url))
    }
}

impl From<RtspUrl> for RemoteUrl {
    fn from(url: RtspUrl) -> Self {
        Self(url)
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        let path = shown.path();
        shown.path_and_query = match path.rsplit_once('/') {
            Some((folders, _)) if path.len() > 1 => format!("{folders}/…"),
            _ => path.to_owned(),
        };
        f.write_str(&shown.request_uri())
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> RemoteUrl {
        text.parse().expect("a URL")
    }

    #[test]
    fn secrets_are_shown_nowhere() {
        for (text, shown) in [
            (
                "rtsp://u:s3cret@h:8554/live/s3cret?t=s3cret",
                "rtsp://h:8554/live/…",
            ),
            ("rtsps://h/user=admin_password=s3cret.sdp", "rtsps://h/…"),
            ("rtsp://h/", "rtsp://h/"),
            ("rtsp://h", "rtsp://h"),
        ] {
            assert_eq!(
                (url(text).to_string(), format!("{:?}", url(text))),
                (shown.to_owned(), shown.to_owned())
            );
        }
        let error = "rtsp://u:s3cret@:x/"
            .parse::<RemoteUrl>()
            .expect_err("no host");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn credentials_follow_to_the_same_host_alone() {
        let from = url("rtsp://u:p@h/a?x");
        let same = from.redirected("rtsp://H:8554/b").expect("a URL");
        assert_eq!(same.as_url().credentials, Some(("u".into(), "p".into())));
        let path = from.redirected("/c").expect("a URL");
        assert_eq!(
            (
                path.as_url().request_uri(),
                path.as_url().credentials.is_some()
            ),
            ("rtsp://h/c".into(), true)
        );
        let other = from.redirected("rtsp://i/b").expect("a URL");
        assert_eq!(other.as_url().credentials, None);
        let own = from.redirected("rtsp://v:q@i/b").expect("a URL");
        assert_eq!(own.as_url().credentials, Some(("v".into(), "q".into())));
    }

    #[test]
    fn where_nobody_should_be_sent() {
        let from = url("rtsps://h/a");
        for target in [
            "rtsp://h/a",
            "http://h/a",
            "",
            "b",
            "//h/a",
            "rtsps://h/a b",
            "rtsps://h/a\r\nX: y",
        ] {
            assert!(from.redirected(target).is_err(), "{target}");
        }
    }
}
