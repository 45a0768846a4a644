//! The hash that proves knowledge of a password (RFC 7616, section 3.4.1).

use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// MD5, which all peers know. Where none is named.
    #[default]
    Md5,
    /// SHA-256.
    Sha256,
}

impl DigestAlgorithm {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of this name, whatever its case; `None` where it is not known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The hash of `parts` with `:` between them, in lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What a digest is made of, beside user and password.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DigestQuestion<'a> {
    /// The hash function.
    pub algorithm: DigestAlgorithm,
    /// What the user and password are for.
    pub realm: &'a str,
    /// The server's number.
    pub nonce: &'a str,
    /// The client's count of answers to this nonce, eight hexadecimal digits, and its own number; `None` without `qop`, as of RFC 2069.
    pub qop: Option<(&'a str, &'a str)>,
    /// The request's method.
    pub method: &'a str,
    /// The URI that the answer names.
    pub uri: &'a str,
}

impl<'a> DigestQuestion<'a> {
    /// A question without `qop`.
    #[must_use]
    pub const fn new(
        algorithm: DigestAlgorithm,
        realm: &'a str,
        nonce: &'a str,
        method: &'a str,
        uri: &'a str,
    ) -> Self {
        Self {
            algorithm,
            realm,
            nonce,
            qop: None,
            method,
            uri,
        }
    }

    /// The answer of who has this password, in lower-case hexadecimal.
    #[must_use]
    pub fn answer(&self, username: &str, password: &str) -> String {
        let hash = |parts: &[&str]| self.algorithm.hash(parts);
        let user = hash(&[username, self.realm, password]);
        let request = hash(&[self.method, self.uri]);
        match self.qop {
            Some((count, cnonce)) => hash(&[&user, self.nonce, count, cnonce, "auth", &request]),
            None => hash(&[&user, self.nonce, &request]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616, section 3.9.1.
    #[test]
    fn the_examples_of_rfc_7616() {
        for (algorithm, response) in [
            (DigestAlgorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (
                DigestAlgorithm::Sha256,
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ] {
            let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
            let question = DigestQuestion {
                qop: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
                ..DigestQuestion::new(
                    algorithm,
                    "http-auth@example.org",
                    nonce,
                    "GET",
                    "/dir/index.html",
                )
            };
            assert_eq!(question.answer("Mufasa", "Circle of Life"), response);
        }
    }

    /// RFC 2069, section 2.4, with the response as its erratum 749 corrects it.
    #[test]
    fn the_example_of_rfc_2069() {
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let question = DigestQuestion::new(
            DigestAlgorithm::Md5,
            "testrealm@host.com",
            nonce,
            "GET",
            "/dir/index.html",
        );
        assert_eq!(
            question.answer("Mufasa", "CircleOfLife"),
            "1949323746fe6a43ef61f9606e7febea"
        );
    }
}
