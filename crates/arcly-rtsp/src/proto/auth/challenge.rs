//! What a server asks: `WWW-Authenticate`.

use super::authorization::{Authorization, DigestResponse};
use super::digest::{DigestAlgorithm, DigestQuestion};
use crate::Fault;
use crate::proto::parameters::{name_and_value, quoted, split_unquoted};
use std::fmt;

/// The challenges that are read of one response.
const MAX_CHALLENGES: usize = 16;

/// What a server wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// User and password, in the clear.
    Basic {
        /// What they are for.
        realm: String,
    },
    /// A hash of user, password and a number.
    Digest(DigestChallenge),
}

/// A challenge for a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestChallenge {
    /// What user and password are for.
    pub realm: String,
    /// The server's number.
    pub nonce: String,
    /// What the client is to repeat.
    pub opaque: Option<String>,
    /// The hash function; `None` where none is named, which means MD5.
    pub algorithm: Option<DigestAlgorithm>,
    /// Whether `qop=auth` is offered.
    pub qop_auth: bool,
    /// Whether the answer before was right, but for a number that has expired.
    pub stale: bool,
}

impl DigestChallenge {
    /// A challenge without `qop`, as all clients understand it.
    #[must_use]
    pub fn new(
        algorithm: DigestAlgorithm,
        realm: impl Into<String>,
        nonce: impl Into<String>,
    ) -> Self {
        Self {
            realm: realm.into(),
            nonce: nonce.into(),
            opaque: None,
            algorithm: Some(algorithm),
            qop_auth: false,
            stale: false,
        }
    }
}

impl Challenge {
    /// Reads the challenges of all `WWW-Authenticate` headers of a response. Those of unknown schemes and hash functions are left out.
    ///
    /// # Errors
    /// Where one cannot be read, or none is known.
    pub fn parse_all<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, Fault> {
        // Challenges and their parameters are both separated by commas (RFC 7235, section 4.1).
        let mut drafts: Vec<Draft> = Vec::new();
        for header in headers {
            for part in split_unquoted(header, ',') {
                let parameter = match scheme_of(part) {
                    Some((scheme, parameter)) => {
                        if drafts.len() >= MAX_CHALLENGES {
                            return Err(Fault::LimitExceeded {
                                what: "challenges",
                                max: MAX_CHALLENGES as u64,
                            });
                        }
                        drafts.push(Draft::new(scheme));
                        parameter
                    }
                    None => part,
                };
                let draft = drafts
                    .last_mut()
                    .ok_or(Fault::Malformed("a challenge without scheme"))?;
                draft.set(parameter);
            }
        }
        let challenges: Result<Vec<_>, _> = drafts.into_iter().filter_map(Draft::finish).collect();
        let challenges = challenges?;
        if challenges.is_empty() {
            return Err(Fault::Unsupported("the authentication scheme"));
        }
        Ok(challenges)
    }

    /// The one that gives least away: Digest with SHA-256, with MD5, Basic. `None` where there is none.
    #[must_use]
    pub fn strongest(challenges: &[Self]) -> Option<&Self> {
        let rank = |challenge: &&Self| match challenge {
            Self::Basic { .. } => None,
            Self::Digest(digest) => Some(digest.algorithm.unwrap_or_default()),
        };
        challenges.iter().max_by_key(rank)
    }

    /// The answer for a request. `cnonce` is a random number of the client's own, of characters that need no quoting, and `count` how many answers,
    /// this one included, were given to this challenge: both go into answers with `qop`.
    #[must_use]
    pub fn answer(
        &self,
        (username, password): (&str, &str),
        method: &str,
        uri: &str,
        cnonce: &str,
        count: u32,
    ) -> Authorization {
        let Self::Digest(digest) = self else {
            return Authorization::Basic {
                username: username.to_owned(),
                password: password.to_owned(),
            };
        };
        let count = format!("{count:08x}");
        let question = DigestQuestion {
            qop: digest.qop_auth.then_some((&*count, cnonce)),
            ..DigestQuestion::new(
                digest.algorithm.unwrap_or_default(),
                &digest.realm,
                &digest.nonce,
                method,
                uri,
            )
        };
        Authorization::Digest(DigestResponse {
            username: username.to_owned(),
            realm: digest.realm.clone(),
            nonce: digest.nonce.clone(),
            uri: uri.to_owned(),
            response: question.answer(username, password),
            algorithm: digest.algorithm,
            opaque: digest.opaque.clone(),
            qop: digest.qop_auth.then(|| (count.clone(), cnonce.to_owned())),
        })
    }
}

/// The scheme that starts in this part, and the parameter behind it.
fn scheme_of(part: &str) -> Option<(&str, &str)> {
    let (word, rest) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
    let rest = rest.trim_start();
    (!word.contains('=') && !rest.starts_with('=')).then_some((word, rest))
}

/// A challenge that is being read.
#[derive(Default)]
struct Draft {
    scheme: String,
    realm: Option<String>,
    nonce: Option<String>,
    opaque: Option<String>,
    algorithm: Option<String>,
    qop: Option<String>,
    stale: bool,
}

impl Draft {
    fn new(scheme: &str) -> Self {
        Self {
            scheme: scheme.to_ascii_lowercase(),
            ..Self::default()
        }
    }

    fn set(&mut self, parameter: &str) {
        let (name, Some(value)) = name_and_value(parameter) else {
            return;
        };
        let value = value.into_owned();
        match name.to_ascii_lowercase().as_str() {
            "realm" => self.realm = Some(value),
            "nonce" => self.nonce = Some(value),
            "opaque" => self.opaque = Some(value),
            "algorithm" => self.algorithm = Some(value),
            "qop" => self.qop = Some(value),
            "stale" => self.stale = value.eq_ignore_ascii_case("true"),
            _ => {}
        }
    }

    /// `None` where it is not known.
    fn finish(self) -> Option<Result<Challenge, Fault>> {
        match self.scheme.as_str() {
            "basic" => Some(Ok(Challenge::Basic {
                realm: self.realm.unwrap_or_default(),
            })),
            "digest" => {
                let algorithm = match &self.algorithm {
                    Some(name) => Some(DigestAlgorithm::from_name(name)?),
                    None => None,
                };
                let qop_auth = self.qop.is_some_and(|offered| {
                    let mut offered = offered.split(',');
                    offered.any(|qop| qop.trim().eq_ignore_ascii_case("auth"))
                });
                let (Some(realm), Some(nonce)) = (self.realm, self.nonce) else {
                    return Some(Err(Fault::Malformed(
                        "a digest challenge without realm or nonce",
                    )));
                };
                Some(Ok(Challenge::Digest(DigestChallenge {
                    realm,
                    nonce,
                    opaque: self.opaque,
                    algorithm,
                    qop_auth,
                    stale: self.stale,
                })))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = match self {
            Self::Basic { realm } => return write!(f, "Basic realm={}", quoted(realm)),
            Self::Digest(digest) => digest,
        };
        let (realm, nonce) = (quoted(&digest.realm), quoted(&digest.nonce));
        write!(f, "Digest realm={realm}, nonce={nonce}")?;
        if let Some(opaque) = &digest.opaque {
            write!(f, ", opaque={}", quoted(opaque))?;
        }
        if let Some(algorithm) = digest.algorithm {
            write!(f, ", algorithm={}", algorithm.as_str())?;
        }
        if digest.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if digest.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    #[test]
    fn several_challenges_in_one_header_are_read() {
        let header = r#"Digest realm="a, b", nonce="n",qop="auth-int, auth" , stale = TRUE, Negotiate, Basic realm=c"#;
        let read =
            Challenge::parse_all([header, "Digest realm=x, nonce=y, algorithm=SHA-256"]).unwrap();
        let digest = DigestChallenge {
            algorithm: None,
            qop_auth: true,
            stale: true,
            ..DigestChallenge::new(DigestAlgorithm::Md5, "a, b", "n")
        };
        let strong = Challenge::Digest(DigestChallenge::new(DigestAlgorithm::Sha256, "x", "y"));
        assert_eq!(
            read,
            [
                Challenge::Digest(digest),
                Challenge::Basic { realm: "c".into() },
                strong.clone()
            ]
        );
        assert_eq!(Challenge::strongest(&read), Some(&strong));
        assert_eq!(Challenge::strongest(&read[1..2]), Some(&read[1]));
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        for header in ["Digest realm=x", "Digest nonce=x", "realm=x"] {
            assert!(
                matches!(Challenge::parse_all([header]), Err(Fault::Malformed(_))),
                "{header}"
            );
        }
        for header in [
            "",
            "Negotiate",
            "Digest realm=x, nonce=y, algorithm=SHA-512-256",
        ] {
            assert!(
                matches!(Challenge::parse_all([header]), Err(Fault::Unsupported(_))),
                "{header}"
            );
        }
        let many = "Basic realm=x,".repeat(MAX_CHALLENGES + 1);
        assert!(Challenge::parse_all([&*many]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            realm in "[ -~]{0,12}", nonce in "[ -~]{0,12}", opaque in option::of("[ -~]{0,12}"),
            sha: bool, qop_auth: bool, stale: bool,
        ) {
            let algorithm = if sha { DigestAlgorithm::Sha256 } else { DigestAlgorithm::Md5 };
            let digest = DigestChallenge { opaque, qop_auth, stale, ..DigestChallenge::new(algorithm, realm.clone(), nonce) };
            let challenges = [Challenge::Digest(digest), Challenge::Basic { realm }];
            let written: Vec<_> = challenges.iter().map(Challenge::to_string).collect();
            let apart = Challenge::parse_all(written.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(&apart, &challenges);
            let joined = written.join(", ");
            prop_assert_eq!(Challenge::parse_all([&*joined]).unwrap(), challenges);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(Digest |Basic )?\\PC{0,100}") {
            let _ = Challenge::parse_all([&*text]);
        }
    }
}
