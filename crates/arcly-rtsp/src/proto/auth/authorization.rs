//! What a client shows: `Authorization`.

use super::digest::{DigestAlgorithm, DigestQuestion};
use crate::Fault;
use crate::proto::parameters::{name_and_value, quoted, split_unquoted};
use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::fmt;

/// Base64 as clients write it, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client shows to prove who it is. Its `Debug` form hides the secrets.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authorization {
    /// User and password, in the clear (RFC 7617).
    Basic {
        /// The user's name; has no colon.
        username: String,
        /// The password.
        password: String,
    },
    /// A hash of user, password and the server's number.
    Digest(DigestResponse),
    /// A token (RFC 6750).
    Bearer(String),
}

/// The answer to a [`DigestChallenge`](super::DigestChallenge).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DigestResponse {
    /// The user's name.
    pub username: String,
    /// What user and password are for, as the server named it.
    pub realm: String,
    /// The server's number.
    pub nonce: String,
    /// What is requested.
    pub uri: String,
    /// The hash, in hexadecimal.
    pub response: String,
    /// The hash function; `None` where none is named, which means MD5.
    pub algorithm: Option<DigestAlgorithm>,
    /// What the server wanted repeated.
    pub opaque: Option<String>,
    /// With `qop=auth`: the count of answers, eight hexadecimal digits, and the client's own number.
    pub qop: Option<(String, String)>,
}

impl DigestResponse {
    /// Whether this proves knowledge of `password`, for a request of `method`. That nonce and realm are the server's own, and that
    /// [`uri`](Self::uri) is what the request names, is for the caller to check.
    #[must_use]
    pub fn proves(&self, password: &str, method: &str) -> bool {
        let qop = self.qop.as_ref();
        let question = DigestQuestion {
            qop: qop.map(|(count, cnonce)| (&**count, &**cnonce)),
            ..DigestQuestion::new(
                self.algorithm.unwrap_or_default(),
                &self.realm,
                &self.nonce,
                method,
                &self.uri,
            )
        };
        let expected = question.answer(&self.username, password);
        same(&expected, &self.response.to_ascii_lowercase())
    }
}

/// Whether both are the same, in a time that tells nothing about where they differ.
fn same(one: &str, other: &str) -> bool {
    let pairs = one.bytes().zip(other.bytes());
    one.len() == other.len() && pairs.fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

impl Authorization {
    /// Reads a header's value. The scheme has no case.
    ///
    /// # Errors
    /// Where it cannot be read; [`Fault::Unsupported`] of another scheme or hash function.
    pub fn parse(value: &str) -> Result<Self, Fault> {
        let value = value.trim();
        let (scheme, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => basic(rest.trim()),
            "bearer" if !rest.trim().is_empty() => Ok(Self::Bearer(rest.trim().to_owned())),
            "bearer" => Err(Fault::Malformed("a bearer without token")),
            "digest" => digest(rest).map(Self::Digest),
            _ => Err(Fault::Unsupported("the authentication scheme")),
        }
    }
}

fn basic(encoded: &str) -> Result<Authorization, Fault> {
    let decoded = BASE64
        .decode(encoded)
        .map_err(|_| Fault::Malformed("basic credentials that are no base64"))?;
    let decoded = String::from_utf8_lossy(&decoded);
    let (username, password) = decoded
        .split_once(':')
        .ok_or(Fault::Malformed("basic credentials without password"))?;
    Ok(Authorization::Basic {
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

fn digest(parameters: &str) -> Result<DigestResponse, Fault> {
    let (mut username, mut realm, mut nonce, mut uri, mut response) = Default::default();
    let (mut algorithm, mut opaque, mut qop, mut count, mut cnonce) =
        (None, None, false, None, None);
    for parameter in split_unquoted(parameters, ',') {
        let (name, Some(value)) = name_and_value(parameter) else {
            continue;
        };
        let value = value.into_owned();
        match name.to_ascii_lowercase().as_str() {
            "username" => username = Some(value),
            "realm" => realm = Some(value),
            "nonce" => nonce = Some(value),
            "uri" => uri = Some(value),
            "response" => response = Some(value),
            "opaque" => opaque = Some(value),
            "nc" => count = Some(value),
            "cnonce" => cnonce = Some(value),
            "qop" if value.eq_ignore_ascii_case("auth") => qop = true,
            "qop" => return Err(Fault::Unsupported("the digest's quality of protection")),
            "algorithm" => {
                let known = DigestAlgorithm::from_name(&value);
                algorithm = Some(known.ok_or(Fault::Unsupported("the digest's algorithm"))?);
            }
            _ => {}
        }
    }
    const MISSING: Fault = Fault::Malformed("digest credentials that miss a parameter");
    Ok(DigestResponse {
        username: username.ok_or(MISSING)?,
        realm: realm.ok_or(MISSING)?,
        nonce: nonce.ok_or(MISSING)?,
        uri: uri.ok_or(MISSING)?,
        response: response.ok_or(MISSING)?,
        algorithm,
        opaque,
        qop: match (qop, count, cnonce) {
            (false, ..) => None,
            (true, Some(count), Some(cnonce)) => Some((count, cnonce)),
            (true, ..) => return Err(MISSING),
        },
    })
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = match self {
            Self::Basic { username, password } => {
                let encoded = BASE64.encode(format!("{username}:{password}"));
                return write!(f, "Basic {encoded}");
            }
            Self::Bearer(token) => return write!(f, "Bearer {token}"),
            Self::Digest(digest) => digest,
        };
        write!(
            f,
            "Digest username={}, realm={}, nonce={}, uri={}, response={}",
            quoted(&digest.username),
            quoted(&digest.realm),
            quoted(&digest.nonce),
            quoted(&digest.uri),
            quoted(&digest.response),
        )?;
        if let Some(opaque) = &digest.opaque {
            write!(f, ", opaque={}", quoted(opaque))?;
        }
        if let Some(algorithm) = digest.algorithm {
            write!(f, ", algorithm={}", algorithm.as_str())?;
        }
        if let Some((count, cnonce)) = &digest.qop {
            write!(f, ", qop=auth, nc={count}, cnonce={}", quoted(cnonce))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, .. } => write!(f, "Basic({username:?}, …)"),
            Self::Bearer(_) => f.write_str("Bearer(…)"),
            Self::Digest(digest) => fmt::Debug::fmt(digest, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Challenge, DigestChallenge};
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    #[test]
    fn what_clients_send_is_read() {
        let basic = Authorization::Basic {
            username: "bob".into(),
            password: "a:b".into(),
        };
        assert_eq!(
            Authorization::parse("basic Ym9iOmE6Yg=="),
            Ok(basic.clone())
        );
        assert_eq!(
            Authorization::parse("Basic Ym9iOmE6Yg"),
            Ok(basic),
            "no padding"
        );
        assert_eq!(
            Authorization::parse("Bearer x.y.z"),
            Ok(Authorization::Bearer("x.y.z".into()))
        );
        // As ffmpeg writes it.
        let ffmpeg = r#"Digest username="bob", realm="r", nonce="n", uri="rtsp://h/a?x=1,2", response="00ff""#;
        let Ok(Authorization::Digest(digest)) = Authorization::parse(ffmpeg) else {
            panic!("no digest");
        };
        assert_eq!((&*digest.uri, digest.algorithm), ("rtsp://h/a?x=1,2", None));
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        for value in [
            "Basic",
            "Basic !",
            "Basic Ym9i",
            "Bearer ",
            "Digest",
            "Digest username=x",
            "Digest realm",
        ] {
            assert!(
                matches!(Authorization::parse(value), Err(Fault::Malformed(_))),
                "{value}"
            );
        }
        let unknown = "Digest username=a,realm=b,nonce=c,uri=d,response=e,";
        for value in [
            "",
            "NTLM x",
            &format!("{unknown}qop=auth-int"),
            &format!("{unknown}algorithm=MD5-sess"),
        ] {
            assert!(
                matches!(Authorization::parse(value), Err(Fault::Unsupported(_))),
                "{value}"
            );
        }
        assert!(Authorization::parse(&format!("{unknown}qop=auth,nc=1")).is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let basic = Authorization::parse("Basic Ym9iOmh1bnRlcjI=").unwrap();
        assert_eq!(format!("{basic:?}"), r#"Basic("bob", …)"#);
    }

    proptest! {
        #[test]
        fn an_answer_proves_the_password_and_no_other(
            user in "[ -~]{0,12}", password in "\\PC{0,12}", other in "\\PC{0,12}",
            sha: bool, qop_auth: bool, opaque in option::of("[ -~]{0,8}"),
        ) {
            let algorithm = if sha { DigestAlgorithm::Sha256 } else { DigestAlgorithm::Md5 };
            let challenge = Challenge::Digest(DigestChallenge {
                qop_auth, opaque, ..DigestChallenge::new(algorithm, "realm", "nonce")
            });
            let answer = challenge.answer((&user, &password), "SETUP", "rtsp://h/a", "c0ffee", 7);
            let read = Authorization::parse(&answer.to_string()).unwrap();
            prop_assert_eq!(&read, &answer);
            let Authorization::Digest(digest) = read else { panic!("no digest") };
            prop_assert!(digest.proves(&password, "SETUP"));
            prop_assert!(!digest.proves(&password, "PLAY"));
            prop_assert_eq!(digest.proves(&other, "SETUP"), other == password);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(Digest |Basic |Bearer )?\\PC{0,100}") {
            let _ = Authorization::parse(&text);
        }
    }
}
