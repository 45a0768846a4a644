//! Which stream a peer means, and the token it shows: `app`, `tcUrl` and the stream name, as real clients fill them in.

use crate::Fault;
use crate::amf0::Value;
use crate::limits::Limits;
use percent_encoding::percent_decode_str;
use std::fmt;

/// What the command object of `connect` says (RTMP 1.0, 7.2.1.1; Enhanced RTMP v2, "Enhancing NetConnection connect").
/// Its `Debug` form leaves queries out, which may hold secrets.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Connect {
    /// `app`, as sent.
    pub app: String,
    /// `tcUrl`, as sent; empty where missing.
    pub tc_url: String,
    /// `flashVer`: what the client calls itself; empty where missing.
    pub flash_version: String,
    /// `objectEncoding`: 0 for AMF0, which missing means too, 3 for AMF3.
    pub object_encoding: f64,
    /// `fourCcList`: the FourCC codecs that the client takes, `*` for all (Enhanced RTMP v1).
    pub four_cc_list: Vec<String>,
    /// `videoFourCcInfoMap`: FourCC and what the client can do with it, a mask (Enhanced RTMP v2).
    pub video_four_cc_info: Vec<(String, u32)>,
    /// `audioFourCcInfoMap`, likewise.
    pub audio_four_cc_info: Vec<(String, u32)>,
    /// `capsEx`: the client's further abilities, a mask (Enhanced RTMP v2).
    pub caps_ex: u32,
    /// `token`: what some clients show instead of a query.
    pub token: Option<String>,
}

impl Connect {
    /// Takes the properties out of the command object. Those that are of another type count as missing: one without an `app` is for
    /// the caller to refuse, see [`application`](Self::application).
    ///
    /// # Errors
    /// [`Fault::LimitExceeded`] where a name is longer than [`Limits::name_bytes`].
    pub fn parse(object: &Value, limits: &Limits) -> Result<Self, Fault> {
        let text = |name| -> Result<String, Fault> {
            let text = object.get(name).and_then(Value::as_str).unwrap_or_default();
            check_length(text, limits)?;
            Ok(text.to_owned())
        };
        let infos = |name| {
            let properties = object
                .get(name)
                .and_then(Value::properties)
                .unwrap_or_default();
            properties
                .iter()
                .take(MAX_FOUR_CCS)
                .filter_map(|(name, value)| Some((four_cc(name)?, mask(value))))
                .collect()
        };
        let four_ccs = object
            .get("fourCcList")
            .and_then(Value::elements)
            .unwrap_or_default();
        Ok(Self {
            app: text("app")?,
            tc_url: text("tcUrl")?,
            flash_version: text("flashVer")?,
            object_encoding: object
                .get("objectEncoding")
                .and_then(Value::as_number)
                .unwrap_or(0.0),
            four_cc_list: four_ccs
                .iter()
                .take(MAX_FOUR_CCS)
                .filter_map(|value| four_cc(value.as_str()?))
                .collect(),
            video_four_cc_info: infos("videoFourCcInfoMap"),
            audio_four_cc_info: infos("audioFourCcInfoMap"),
            caps_ex: object.get("capsEx").map_or(0, mask),
            token: Some(text("token")?).filter(|token| !token.is_empty()),
        })
    }

    /// Whether the client says anything of Enhanced RTMP. [`Capabilities::of`](super::capabilities::Capabilities::of) tells what.
    #[must_use]
    pub fn is_enhanced(&self) -> bool {
        !self.four_cc_list.is_empty()
            || !self.video_four_cc_info.is_empty()
            || !self.audio_four_cc_info.is_empty()
            || self.caps_ex != 0
    }

    /// The name of the application: the first segment of `app`, or of `tcUrl`'s path where `app` is empty. Empty where neither names
    /// one.
    #[must_use]
    pub fn application(&self) -> String {
        self.segments().into_iter().next().unwrap_or_default()
    }

    /// The segments of `app`, decoded, without empty ones and the default instance of Flash Media Server.
    fn segments(&self) -> Vec<String> {
        let (path, _) = split_query(&self.app);
        let own = segments(path);
        if own.is_empty() {
            segments(url_path(&self.tc_url))
        } else {
            own
        }
    }
}

/// The most FourCCs that are kept of each list; fewer than twenty are defined.
const MAX_FOUR_CCS: usize = 32;

/// A stream that a peer wants to publish or play. Its `Debug` form hides the values of the query, which may be secrets.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// The application.
    pub app: String,
    /// The stream in it; empty where the peer named none.
    pub stream: String,
    /// The parameters of the stream name's query, then those of `app`'s, then those of `tcUrl`'s, decoded; last
    /// [`Connect::token`].
    pub query: Vec<(String, String)>,
}

impl Target {
    /// The stream `name` on a connection.
    ///
    /// `app` and the name make one path: its first segment is the application, the rest the stream, joined by `~`
    /// where there are several (`live/room/camera` is stream `room~camera` of application `live`, whether a client
    /// splits that before or after `room`). `_definst_`, empty segments, and the prefixes `flv:` and `mp4:` are left
    /// out, `%` escapes are decoded.
    ///
    /// ```
    /// use arcly_rtmp::proto::target::{Connect, Target};
    /// use arcly_rtmp::{Limits, amf0::Value};
    ///
    /// let object = Value::Object(vec![("app".into(), "live/?token=a".into())]);
    /// let connect = Connect::parse(&object, &Limits::default())?;
    /// let target = Target::new(&connect, "camera?token=b", &Limits::default())?;
    /// assert_eq!((target.app.as_str(), target.stream.as_str()), ("live", "camera"));
    /// assert_eq!(target.token(), Some("b"));
    /// # Ok::<(), arcly_rtmp::Fault>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::LimitExceeded`] where the name is longer than [`Limits::name_bytes`].
    pub fn new(connect: &Connect, name: &str, limits: &Limits) -> Result<Self, Fault> {
        check_length(name, limits)?;
        let (path, own_query) = split_query(name);
        let path = ["flv:", "mp4:"]
            .iter()
            .find_map(|prefix| path.strip_prefix(prefix))
            .unwrap_or(path);
        let mut all = connect.segments().into_iter().chain(segments(path));
        let app = all.next().unwrap_or_default();
        let stream = all.collect::<Vec<_>>().join("~");
        let queries = [
            own_query,
            split_query(&connect.app).1,
            split_query(&connect.tc_url).1,
        ];
        let own = connect
            .token
            .iter()
            .map(|token| ("token".to_owned(), token.clone()));
        let query = queries
            .iter()
            .flat_map(|query| pairs(query))
            .chain(own)
            .collect();
        Ok(Self { app, stream, query })
    }

    /// The first `token` of the query.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, _)| name == "token")
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("app", &split_query(&self.app).0)
            .field("tc_url", &split_query(&self.tc_url).0)
            .field("flash_version", &self.flash_version)
            .field("object_encoding", &self.object_encoding)
            .field("four_cc_list", &self.four_cc_list)
            .field("video_four_cc_info", &self.video_four_cc_info)
            .field("audio_four_cc_info", &self.audio_four_cc_info)
            .field("caps_ex", &self.caps_ex)
            .field("token", &self.token.is_some())
            .finish()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.query.iter().map(|(name, _)| name).collect();
        f.debug_struct("Target")
            .field("app", &self.app)
            .field("stream", &self.stream)
            .field("query", &names)
            .finish()
    }
}

fn check_length(text: &str, limits: &Limits) -> Result<(), Fault> {
    if text.len() > limits.name_bytes {
        return Err(Fault::LimitExceeded {
            what: "name_bytes",
            max: limits.name_bytes as u64,
        });
    }
    Ok(())
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// The path of `rtmp://host:port/path?query`.
fn url_path(url: &str) -> &str {
    let (url, _) = split_query(url);
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or("", |(_, path)| path)
}

fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty() && *segment != "_definst_")
        .map(decode)
        .collect()
}

fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn four_cc(text: &str) -> Option<String> {
    (text.len() <= 4).then(|| text.to_owned())
}

/// A mask that travels as a number.
fn mask(value: &Value) -> u32 {
    // `as` saturates, and makes 0 of what is no number.
    value.as_number().map_or(0, |number| number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(app: &str, tc_url: &str) -> Connect {
        let object = Value::Object(vec![
            ("app".to_owned(), app.into()),
            ("tcUrl".to_owned(), tc_url.into()),
        ]);
        Connect::parse(&object, &Limits::default()).expect("within limits")
    }

    fn target(app: &str, tc_url: &str, name: &str) -> (String, String, Option<String>) {
        let target =
            Target::new(&connect(app, tc_url), name, &Limits::default()).expect("within limits");
        let token = target.token().map(str::to_owned);
        (target.app, target.stream, token)
    }

    #[test]
    fn the_ways_in_which_clients_name_a_stream() {
        let url = "rtmp://host:1935/live";
        for (app, tc_url, name, expected) in [
            ("live", url, "cam", ("live", "cam", None)),
            ("live/", url, "cam", ("live", "cam", None)),
            ("/live//", url, "/cam/", ("live", "cam", None)),
            ("live/_definst_", url, "cam", ("live", "cam", None)),
            ("live/room", url, "cam", ("live", "room~cam", None)),
            ("live", url, "room/cam", ("live", "room~cam", None)),
            ("live", url, "mp4:cam", ("live", "cam", None)),
            ("live", url, "Cam%C3%A9ra%201", ("live", "Caméra 1", None)),
            ("", "rtmp://host/live/", "cam", ("live", "cam", None)),
            ("live?token=a%2Bb", url, "cam", ("live", "cam", Some("a+b"))),
            (
                "live/?token=a",
                url,
                "cam?x=1&token=s",
                ("live", "cam", Some("s")),
            ),
            (
                "live",
                "rtmp://host/live?token=t",
                "cam",
                ("live", "cam", Some("t")),
            ),
            ("live", url, "", ("live", "", None)),
            ("", "rtmp://host", "", ("", "", None)),
        ] {
            let (a, s, t) = target(app, tc_url, name);
            assert_eq!(
                (a.as_str(), s.as_str(), t.as_deref()),
                expected,
                "{app:?} {tc_url:?} {name:?}"
            );
        }
    }

    #[test]
    fn what_enhanced_rtmp_adds_is_kept() {
        let object = Value::Object(vec![
            ("app".to_owned(), "live".into()),
            (
                "fourCcList".to_owned(),
                Value::StrictArray(vec!["hvc1".into(), Value::Null, "av01".into()]),
            ),
            (
                "videoFourCcInfoMap".to_owned(),
                Value::Object(vec![("*".to_owned(), 7.0.into())]),
            ),
            ("capsEx".to_owned(), 15.0.into()),
            ("token".to_owned(), "secret".into()),
        ]);
        let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
        assert_eq!(connect.four_cc_list, ["hvc1", "av01"]);
        assert_eq!(connect.video_four_cc_info, [("*".to_owned(), 7)]);
        assert_eq!(connect.caps_ex, 15);
        let target = Target::new(&connect, "cam", &Limits::default()).expect("within limits");
        assert_eq!(target.token(), Some("secret"));
        assert!(!format!("{connect:?}").contains("secret"));
        let target = Target::new(&connect, "cam?token=own", &Limits::default());
        assert_eq!(target.expect("within limits").token(), Some("own"));
    }

    #[test]
    fn properties_of_another_type_count_as_missing() {
        let object = Value::Object(vec![("app".to_owned(), 7.0.into())]);
        let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
        assert_eq!(
            (connect.app.as_str(), connect.application().as_str()),
            ("", "")
        );
    }

    #[test]
    fn tokens_are_not_shown() {
        let connect = connect("live?token=secret", "rtmp://host/live?token=secret");
        let target = Target::new(&connect, "cam?token=secret", &Limits::default());
        let shown = format!("{connect:?} {target:?}");
        assert!(
            !shown.contains("secret") && shown.contains("rtmp://host/live"),
            "{shown}"
        );
    }

    #[test]
    fn long_names_are_refused() {
        let limits = Limits {
            name_bytes: 8,
            ..Limits::default()
        };
        let limit = Err(Fault::LimitExceeded {
            what: "name_bytes",
            max: 8,
        });
        assert_eq!(
            Target::new(&connect("live", ""), "123456789", &limits),
            limit
        );
        let object = Value::Object(vec![("tcUrl".to_owned(), "123456789".into())]);
        assert_eq!(Connect::parse(&object, &limits).map(drop), limit.map(drop));
    }
}
