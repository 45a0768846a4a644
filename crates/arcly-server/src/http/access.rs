//! Who asks: the token of a request, and what may be shown to whoever has it.

use arcly_stream::prelude::*;
use axum::http::{HeaderMap, Uri, header};

/// Decides what of the API may be shown. HLS is decided by the engine itself.
#[derive(Clone)]
pub(crate) struct Access(Option<JwtAuthenticator>);

impl Access {
    /// As `authenticator` says; without one, everything may be shown.
    pub(crate) const fn new(authenticator: Option<JwtAuthenticator>) -> Self {
        Self(authenticator)
    }

    /// Whether there is something to decide.
    pub(crate) const fn is_restricted(&self) -> bool {
        self.0.is_some()
    }

    /// Whether who shows `credentials` may know of stream `key`: whoever may play it.
    pub(crate) async fn may_see(&self, key: &StreamKey, credentials: &Credentials) -> bool {
        match &self.0 {
            // Asked directly: looking at a list is not a play, and not refused in the log.
            Some(authenticator) => {
                let request = AccessRequest::new(Action::Play, key, credentials);
                authenticator.authorize(&request).await.is_ok()
            }
            None => true,
        }
    }
}

/// The token of a request: `Authorization: Bearer …`, or else `?token=…`.
pub(crate) fn credentials(uri: &Uri, headers: &HeaderMap) -> Credentials {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned());
    match bearer.or_else(|| query_token(uri)) {
        Some(token) => Credentials::token(token),
        None => Credentials::anonymous(),
    }
}

fn query_token(uri: &Uri) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Query {
        token: Option<String>,
    }
    let query = axum::extract::Query::<Query>::try_from_uri(uri).ok()?;
    query.0.token.filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(uri: &'static str, authorization: Option<&'static str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
        }
        credentials(&Uri::from_static(uri), &headers).token
    }

    #[test]
    fn tokens_come_in_the_header_or_the_query() {
        assert_eq!(token("/x", None), None);
        assert_eq!(token("/x?token=", None), None);
        assert_eq!(
            token("/x?a=1&token=a.b%2Dc", None).as_deref(),
            Some("a.b-c")
        );
        assert_eq!(token("/x?token=q", Some("bearer h")).as_deref(), Some("h"));
        assert_eq!(token("/x?token=q", Some("Basic h")).as_deref(), Some("q"));
    }
}
