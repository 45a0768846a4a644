//! Showing who we are, when the server asks.

use crate::Fault;
use crate::proto::auth::{Authorization, Challenge};
use crate::proto::message::{Method, Response, name};
use std::fmt;

/// What to do after a 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterChallenge {
    /// Send the request again, with the answer.
    Retry,
    /// The server asks, and there is nothing to show.
    NoCredentials,
    /// What was shown is not taken. It is not shown again: some cameras lock out who is wrong a few times.
    Refused,
}

/// The credentials, and the challenge that they answer.
#[derive(Clone)]
pub(super) struct Login {
    credentials: Option<(String, String)>,
    allow_basic: bool,
    challenge: Option<Challenge>,
    /// How many answers were given to it.
    count: u32,
    /// Whether one of them was taken.
    taken: bool,
    seed: u64,
}

impl Login {
    pub(super) fn new(credentials: Option<(String, String)>, allow_basic: bool, seed: u64) -> Self {
        Self {
            credentials,
            allow_basic,
            challenge: None,
            count: 0,
            taken: false,
            seed,
        }
    }

    /// What goes into a request, once the server has asked.
    pub(super) fn authorization(&mut self, method: &Method, uri: &str) -> Option<Authorization> {
        let (user, password) = self.credentials.as_ref()?;
        let challenge = self.challenge.as_ref()?;
        self.count = self.count.saturating_add(1);
        let cnonce = format!("{:016x}", self.seed.wrapping_add(self.count.into()));
        Some(challenge.answer((user, password), method.as_str(), uri, &cnonce, self.count))
    }

    /// A request that carried an answer succeeded.
    pub(super) fn accepted(&mut self) {
        self.taken |= self.challenge.is_some();
    }

    /// The server asks, by a 401; `answered` says whether the request had carried an answer, `retried` whether it was sent again before.
    pub(super) fn challenged(
        &mut self,
        response: &Response,
        answered: bool,
        retried: bool,
    ) -> Result<AfterChallenge, Fault> {
        if self.credentials.is_none() {
            return Ok(AfterChallenge::NoCredentials);
        }
        let mut challenges = Challenge::parse_all(response.headers.all(name::WWW_AUTHENTICATE))?;
        if !self.allow_basic {
            challenges.retain(|challenge| !matches!(challenge, Challenge::Basic { .. }));
        }
        let Some(challenge) = Challenge::strongest(&challenges).cloned() else {
            return Err(Fault::Unsupported(
                "the server wants the password in the clear, which the configuration excludes",
            ));
        };
        // A number that has expired is no wrong password: the server says so, or has taken an answer before and now gives another number.
        let expired = match (&challenge, &self.challenge) {
            (Challenge::Digest(new), Some(Challenge::Digest(old))) => {
                new.nonce != old.nonce && (new.stale || self.taken)
            }
            _ => false,
        };
        if answered && (!expired || retried) {
            return Ok(AfterChallenge::Refused);
        }
        self.challenge = Some(challenge);
        self.count = 0;
        Ok(AfterChallenge::Retry)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("credentials", &self.credentials.as_ref().map(|_| "…"))
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::auth::DigestResponse;
    use crate::proto::message::StatusCode;

    fn login(allow_basic: bool) -> Login {
        let credentials = Some(("me".to_owned(), "secret".to_owned()));
        Login::new(credentials, allow_basic, 7)
    }

    fn unauthorized(headers: &[&str]) -> Response {
        let mut response = Response::new(StatusCode::UNAUTHORIZED);
        for header in headers {
            response.headers.push(name::WWW_AUTHENTICATE, *header);
        }
        response
    }

    fn digest(login: &mut Login) -> DigestResponse {
        match login.authorization(&Method::Describe, "rtsp://h/a") {
            Some(Authorization::Digest(digest)) => digest,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_strongest_challenge_is_answered() {
        let mut login = login(true);
        assert!(
            login.authorization(&Method::Options, "*").is_none(),
            "nobody asked"
        );
        let asks = unauthorized(&[
            r#"Basic realm="r""#,
            r#"Digest realm="r", nonce="1""#,
            r#"Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth""#,
        ]);
        let after = login.challenged(&asks, false, false);
        assert_eq!(after, Ok(AfterChallenge::Retry));
        let first = digest(&mut login);
        assert_eq!((&*first.nonce, &*first.username), ("2", "me"));
        assert!(first.proves("secret", "DESCRIBE"));
        let count = |digest: DigestResponse| digest.qop.expect("with qop").0;
        assert_eq!(count(first), "00000001");
        assert_eq!(count(digest(&mut login)), "00000002");
    }

    #[test]
    fn a_wrong_password_is_not_shown_twice() {
        let asks = |nonce| unauthorized(&[&format!("Digest realm=\"r\", nonce=\"{nonce}\"")]);
        let mut login = login(true);
        assert_eq!(
            login.challenged(&asks("1"), false, false),
            Ok(AfterChallenge::Retry)
        );
        assert_eq!(
            login.challenged(&asks("2"), true, true),
            Ok(AfterChallenge::Refused)
        );
        assert_eq!(
            login.challenged(&asks("2"), true, false),
            Ok(AfterChallenge::Refused)
        );
    }

    #[test]
    fn a_number_that_expired_is_replaced_once_a_request() {
        let mut login = login(true);
        let stale = |nonce| {
            unauthorized(&[&format!(
                "Digest realm=\"r\", nonce=\"{nonce}\", stale=TRUE"
            )])
        };
        assert_eq!(
            login.challenged(&stale("1"), false, false),
            Ok(AfterChallenge::Retry)
        );
        assert_eq!(
            login.challenged(&stale("2"), true, false),
            Ok(AfterChallenge::Retry)
        );
        assert_eq!(digest(&mut login).nonce, "2");
        assert_eq!(
            login.challenged(&stale("3"), true, true),
            Ok(AfterChallenge::Refused)
        );
        // Also where the server does not say so, but has taken the answer before.
        login.accepted();
        let asks = unauthorized(&[r#"Digest realm="r", nonce="4""#]);
        assert_eq!(
            login.challenged(&asks, true, false),
            Ok(AfterChallenge::Retry)
        );
    }

    #[test]
    fn the_clear_is_for_who_allows_it_and_nothing_for_who_has_nothing() {
        let asks = unauthorized(&[r#"Basic realm="r""#]);
        assert!(login(false).challenged(&asks, false, false).is_err());
        let mut open = login(true);
        assert_eq!(
            open.challenged(&asks, false, false),
            Ok(AfterChallenge::Retry)
        );
        let shown = open.authorization(&Method::Play, "x").expect("an answer");
        assert_eq!(shown.to_string(), "Basic bWU6c2VjcmV0");
        assert_eq!(
            open.challenged(&asks, true, true),
            Ok(AfterChallenge::Refused)
        );
        let mut nobody = Login::new(None, true, 0);
        assert_eq!(
            nobody.challenged(&asks, false, false),
            Ok(AfterChallenge::NoCredentials)
        );
        assert!(!format!("{open:?}").contains("secret"));
    }
}
