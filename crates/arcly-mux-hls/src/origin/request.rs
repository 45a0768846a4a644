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
    /// playlists.
    pub query: Option<&'a str>,
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
    /// A GET of `path`, without a query.
    #[must_use]
    pub const fn get(path: &'a str) -> Self {
        Self {
            method: HlsMethod::Get,
            path,
            query: None,
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
    pub(super) fn token(&self) -> Option<&'a str> {
        let parameter = self
            .query?
            .split('&')
            .find(|parameter| parameter.starts_with("token="))?;
        let is_safe = parameter.len() <= MAX_TOKEN_BYTES && parameter.bytes().all(is_query_byte);
        is_safe.then_some(parameter)
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
}
