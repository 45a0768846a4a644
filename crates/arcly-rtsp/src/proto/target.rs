//! What a request's URI names: a stream, and maybe a track of it.

use super::url::RtspUrl;
use crate::Fault;
use arcly_core::StreamKey;
use percent_encoding::percent_decode_str;

/// What a request's URI names.
///
/// Clients make the URL of a track by putting `a=control` behind that of the stream, and do not agree on where that is where it has a query:
/// `/live/cam?token=x` becomes `/live/cam?token=x/trackID=1` (ffmpeg, live555) or `/live/cam/trackID=1?token=x` (GStreamer). Both are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The stream.
    pub key: StreamKey,
    /// What stands behind the stream's name, as in `trackID=1`; empty where the stream is meant.
    pub control: String,
    /// The token in the query.
    pub token: Option<String>,
}

/// How the control URLs of our own descriptions begin.
const TRACK: &str = "trackID=";

/// The control of track `number`, as our descriptions write it.
pub(crate) fn track_control(number: u16) -> String {
    format!("{TRACK}{number}")
}

impl Target {
    /// Reads a URI.
    ///
    /// # Errors
    /// Where it is no URL with application and stream in its path.
    pub fn parse(uri: &str) -> Result<Self, Fault> {
        let url = RtspUrl::parse(uri)?;
        let path = url.path().trim_matches('/');
        let (app, rest) = path
            .split_once('/')
            .ok_or(Fault::Malformed("a URL without application and stream"))?;
        let (stream, control) = rest.split_once('/').unwrap_or((rest, ""));
        let mut control = control.trim_matches('/');
        let mut query = url.query().unwrap_or_default();
        if let Some((before, tail)) = query.rsplit_once('/')
            && control.is_empty()
            && is_control(tail)
        {
            (query, control) = (before, tail);
        }
        let token = query.split('&').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name == "token").then(|| decoded(value))
        });
        Ok(Self {
            key: StreamKey::new(decoded(app), decoded(stream)),
            control: control.to_owned(),
            token: token.filter(|token| !token.is_empty()),
        })
    }

    /// The number of the track, of our own control URLs.
    #[must_use]
    pub fn track(&self) -> Option<u16> {
        let (name, number) = self.control.split_at_checked(TRACK.len())?;
        let number = name.eq_ignore_ascii_case(TRACK).then_some(number)?;
        number.parse().ok()
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Whether what stands behind the last slash of a query is a control, rather than the end of a token: nothing, or a word and a number.
fn is_control(tail: &str) -> bool {
    let word = tail.trim_end_matches(|c: char| c.is_ascii_digit());
    let known = ["trackID=", "streamid=", "stream=", "track", "stream"];
    tail.is_empty()
        || word.len() < tail.len() && known.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether two URLs name the same, whoever the host is said to be: clients behind proxies and NATs know us by other names.
pub(crate) fn same_place(one: &str, other: &str) -> bool {
    let place = |url: &str| {
        let url = RtspUrl::parse(url).ok()?;
        Some(url.path_and_query.trim_end_matches('/').to_owned())
    };
    match (place(one), place(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Target {
        Target::parse(uri).unwrap()
    }

    #[test]
    fn tracks_are_found_wherever_clients_put_them() {
        for (uri, control, token) in [
            ("rtsp://h/live/cam", "", None),
            ("rtsp://h/live/cam/", "", None),
            ("rtsp://h/live/cam/trackID=1", "trackID=1", None),
            ("rtsp://h/live/cam?token=x", "", Some("x")),
            ("rtsp://h/live/cam?token=x/", "", Some("x")),
            (
                "rtsp://h/live/cam?token=x%20y/trackID=1",
                "trackID=1",
                Some("x y"),
            ),
            (
                "rtsp://h/live/cam/?token=a/b/trackID=1",
                "trackID=1",
                Some("a/b"),
            ),
            (
                "rtsp://h/live/cam/trackID=1?token=x",
                "trackID=1",
                Some("x"),
            ),
            ("rtsp://h/live/cam/trackID=1/?token=", "trackID=1", None),
            ("rtsp://h/live/cam?token=a/b", "", Some("a/b")),
        ] {
            let read = target(uri);
            assert_eq!(read.key, StreamKey::new("live", "cam"), "{uri}");
            assert_eq!(
                (&*read.control, read.token.as_deref()),
                (control, token),
                "{uri}"
            );
        }
        assert_eq!(target("rtsp://h/a/b/trackid=7").track(), Some(7));
        assert_eq!(target("rtsp://h/a/b/streamid=7").track(), None);
        assert_eq!(
            target("rtsp://h/a%20b/%C3%BC").key,
            StreamKey::new("a b", "ü")
        );
    }

    #[test]
    fn a_stream_has_an_application() {
        for uri in [
            "*",
            "rtsp://h",
            "rtsp://h/",
            "rtsp://h/live",
            "rtsp://h/live/",
        ] {
            assert!(Target::parse(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn the_host_does_not_tell_places_apart() {
        assert!(same_place("rtsp://a/live/cam/", "rtsps://b:1/live/cam"));
        assert!(!same_place("rtsp://a/live/cam", "rtsp://a/live/cam2"));
        assert!(!same_place("*", "*"));
    }
}
