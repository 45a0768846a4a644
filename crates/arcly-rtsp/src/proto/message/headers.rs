//! The headers of a message.

use std::fmt;

/// The names of headers, in the case that RFC 2326 gives them; they are compared without regard to it.
pub mod name {
    macro_rules! names {
        ($($name:ident = $text:literal;)*) => {
            $(#[doc = concat!("`", $text, "`.")] pub const $name: &str = $text;)*
        };
    }
    names! {
        ACCEPT = "Accept";
        AUTHORIZATION = "Authorization";
        CONTENT_BASE = "Content-Base";
        CONTENT_LENGTH = "Content-Length";
        CONTENT_LOCATION = "Content-Location";
        CONTENT_TYPE = "Content-Type";
        CSEQ = "CSeq";
        DATE = "Date";
        LOCATION = "Location";
        PIPELINED_REQUESTS = "Pipelined-Requests";
        PROXY_REQUIRE = "Proxy-Require";
        PUBLIC = "Public";
        RANGE = "Range";
        REQUIRE = "Require";
        RTP_INFO = "RTP-Info";
        SCALE = "Scale";
        SERVER = "Server";
        SESSION = "Session";
        TRANSPORT = "Transport";
        UNSUPPORTED = "Unsupported";
        USER_AGENT = "User-Agent";
        WWW_AUTHENTICATE = "WWW-Authenticate";
    }
}

/// Headers in the order that they came or were put in. A name may occur several times; [`get`](Self::get) finds the first.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The first value of `name`, whatever its case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = |(held, _): &&(String, String)| held.eq_ignore_ascii_case(name);
        self.0.iter().find(named).map(|(_, value)| value.as_str())
    }

    /// All values of `name`, whatever its case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(held, _): &&(String, String)| held.eq_ignore_ascii_case(name);
        self.0.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// All headers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a header behind the others. Control characters in name or value, which would make lines of their own, are
    /// written as spaces; spaces around a value are none of it (RFC 2326, section 4.2).
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let value = single_line(value);
        self.0.push((single_line(name), value.trim().to_owned()));
    }

    /// Puts `value` in place of all values of `name`.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
        self.push(name, value);
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            for part in [name.as_str(), ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
}

/// The text without control characters: nobody can smuggle in a line.
pub(super) fn single_line(text: impl Into<String>) -> String {
    let text = text.into();
    if text.chars().any(char::is_control) {
        return text.replace(char::is_control, " ");
    }
    text
}

/// Values of these are not shown: they prove who somebody is.
const SECRET: [&str; 1] = [name::AUTHORIZATION];

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.iter().map(|(name, value)| {
            let secret = SECRET
                .iter()
                .any(|secret| secret.eq_ignore_ascii_case(name));
            (name, if secret { "…" } else { value })
        });
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_may_occur_again() {
        let mut headers = Headers::new();
        headers.push("WWW-Authenticate", "Basic");
        headers.push("www-authenticate", "Digest");
        assert_eq!(headers.get("WWW-AUTHENTICATE"), Some("Basic"));
        assert_eq!(
            headers.all(name::WWW_AUTHENTICATE).collect::<Vec<_>>(),
            ["Basic", "Digest"]
        );
        headers.set("Www-Authenticate", "none");
        assert_eq!(
            headers.iter().collect::<Vec<_>>(),
            [("Www-Authenticate", "none")]
        );
    }

    #[test]
    fn no_header_makes_a_line_of_its_own() {
        let mut headers = Headers::new();
        headers.push("Session", "\0\t 1\r\nLocation: rtsp://elsewhere\n");
        let mut out = Vec::new();
        headers.write_to(&mut out);
        assert_eq!(out, b"Session: 1  Location: rtsp://elsewhere\r\n");
    }

    #[test]
    fn credentials_are_not_printed() {
        let mut headers = Headers::new();
        headers.push("authorization", "Basic c2VjcmV0");
        assert!(!format!("{headers:?}").contains("c2VjcmV0"));
    }
}
