//! What is asked for.

/// The longest `token` that is carried over to child URLs, in bytes. Web servers refuse longer URLs
/// altogether.
const MAX_TOKEN_BYTES: usize = 4096;

/// A request for a resource of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct HlsRequest<'a> {
    /// GET or HEAD.
    pub method: HlsMethod,
    /// The path below `/<app>/<stream>/`, percent-decoded, without leading slash: `ts/media.m3u8`.
    pub path: &'a str,
    /// The query as it came, without `?`. Its parameter `token` is carried over to the URLs in
    /// playlists; the Delivery Directives `_HLS_msn`, `_HLS_part` and `_HLS_skip` are heeded (RFC 8216bis 6.2.5).
    pub query: Option<&'a str>,
    /// `Range`. One range of bytes is answered with 206; several are refused with 416.
    pub range: Option<&'a str>,
    /// `If-Range`.
    pub if_range: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `Accept-Encoding`. Playlists come with `gzip` where that is accepted.
    pub accept_encoding: Option<&'a str>,
    /// A session to carry on every URL of a multivariant playlist, see
    /// [`HlsOrigin::open_session`](crate::HlsOrigin::open_session).
    pub session: Option<&'a str>,
    /// The host knows that the stream is live, so that its packaging is worth waiting for a moment, where it has not begun.
    pub is_live: bool,
}

/// The methods that an origin knows. All others are to be answered with 405.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HlsMethod {
    /// Head and body.
    Get,
    /// The head that GET would have had.
    Head,
}

impl<'a> HlsRequest<'a> {
    /// A GET of `path`, without a query and headers.
    #[must_use]
    pub const fn get(path: &'a str) -> Self {
        Self {
            method: HlsMethod::Get,
            path,
            query: None,
            range: None,
            if_range: None,
            if_none_match: None,
            accept_encoding: None,
            session: None,
            is_live: false,
        }
    }

    /// The same as a HEAD request.
    #[must_use]
    pub const fn head(mut self) -> Self {
        self.method = HlsMethod::Head;
        self
    }

    /// With this query.
    #[must_use]
    pub const fn with_query(mut self, query: Option<&'a str>) -> Self {
        self.query = query;
        self
    }

    /// The parameter of the query named `token`, name included, as it came.
    pub(crate) fn token(&self) -> Option<&'a str> {
        let parameter = self
            .query?
            .split('&')
            .find(|parameter| parameter.starts_with("token="))?;
        let is_safe = parameter.len() <= MAX_TOKEN_BYTES && parameter.bytes().all(is_query_byte);
        is_safe.then_some(parameter)
    }

    /// Whether the body may come compressed (RFC 9110 12.5.3).
    pub(crate) fn accepts_gzip(&self) -> bool {
        let Some(accepted) = self.accept_encoding else {
            return false;
        };
        accepted.split(',').any(|coding| {
            let mut parameters = coding.split(';').map(str::trim);
            let name = parameters.next().unwrap_or_default();
            let is_refused = parameters.any(|parameter| {
                let weight = parameter.strip_prefix("q=").map(str::parse::<f32>);
                weight.is_some_and(|weight| weight.is_ok_and(|weight| weight <= 0.0))
            });
            (name.eq_ignore_ascii_case("gzip") || name == "*") && !is_refused
        })
    }

    /// Whether the client has what has this ETag already (RFC 9110 13.1.2, weak comparison).
    pub(crate) fn has(&self, etag: &str) -> bool {
        self.if_none_match.is_some_and(|known| {
            known.split(',').any(|tag| {
                let tag = tag.trim();
                tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
            })
        })
    }
}

/// Whether `byte` may stand in a query (RFC 3986 3.4). Nothing else may get into a playlist: a line
/// break would let whoever made the link write tags.
const fn is_query_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'\'' | b'(' | b')'
        )
        || matches!(
            byte,
            b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/' | b'?'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(query: &str) -> Option<&str> {
        HlsRequest::get("index.m3u8")
            .with_query(Some(query))
            .token()
    }

    #[test]
    fn only_a_clean_token_is_carried_over() {
        assert_eq!(
            token("a=1&token=e30.e30.-_~%2B&b=2"),
            Some("token=e30.e30.-_~%2B")
        );
        assert_eq!(token("xtoken=1"), None);
        assert_eq!(token("token=a\n#EXT-X-ENDLIST"), None);
        assert_eq!(token("token=a\"b"), None);
        let long = format!("token={}", "x".repeat(MAX_TOKEN_BYTES));
        assert_eq!(token(&long), None);
    }

    #[test]
    fn gzip_is_for_those_who_accept_it() {
        for (accepted, gzip) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.8", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000, br", false),
            ("identity", false),
            ("", false),
        ] {
            let mut request = HlsRequest::get("index.m3u8");
            request.accept_encoding = Some(accepted);
            assert_eq!(request.accepts_gzip(), gzip, "{accepted}");
        }
        assert!(!HlsRequest::get("index.m3u8").accepts_gzip());
    }

    #[test]
    fn what_the_client_has_is_told_by_its_etag() {
        let mut request = HlsRequest::get("index.m3u8");
        assert!(!request.has("\"1\""));
        for (known, has) in [
            ("\"1\"", true),
            ("\"0\", W/\"1\"", true),
            ("*", true),
            ("\"11\"", false),
        ] {
            request.if_none_match = Some(known);
            assert_eq!(request.has("\"1\""), has, "{known}");
        }
    }
}
