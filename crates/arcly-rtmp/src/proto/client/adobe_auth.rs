//! `authmod=adobe`: user and password in the way of Adobe Media Server's access plug-in, which several content delivery networks have.
//!
//! There is no specification; Flash Media Live Encoder, librtmp and ffmpeg agree on this. The server refuses `connect` twice: first to
//! ask for the user's name, then with a salt and a challenge, each time closing the connection. What is to be said comes as a query behind
//! the application. MD5 and no proof of the server: over plain RTMP this hides the password from onlookers, not the stream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What a refusal asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge<'a> {
    /// The user's name.
    UserWanted,
    /// A proof that we know the password.
    ProofWanted(Question<'a>),
}

/// The values that go into the proof.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question<'a> {
    salt: &'a str,
    challenge: &'a str,
    opaque: &'a str,
}

/// The challenge in the description of a refusal; `None` where it is none, or says that user or password are wrong.
pub(super) fn challenge(description: &str) -> Option<Challenge<'_>> {
    if !description.contains("authmod=adobe") {
        return None;
    }
    if description.contains("code=403 need auth") {
        return Some(Challenge::UserWanted);
    }
    let (_, query) = description.split_once('?')?;
    let value = |wanted: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(name, _)| *name == wanted);
        found.map_or("", |(_, value)| value.trim())
    };
    if value("reason") != "needauth" {
        return None;
    }
    Some(Challenge::ProofWanted(Question {
        salt: value("salt"),
        challenge: value("challenge"),
        opaque: value("opaque"),
    }))
}

/// The answer that names the user.
pub(super) fn introduce(user: &str) -> String {
    let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
    format!("?authmod=adobe&user={user}")
}

impl Question<'_> {
    /// The answer that proves the password. `nonce` is ours, against replay.
    pub(super) fn answer(&self, user: &str, password: &str, nonce: u32) -> String {
        let hash = |parts: &[&str]| {
            let mut md5 = Md5::new();
            for part in parts {
                md5.update(part);
            }
            STANDARD.encode(md5.finalize())
        };
        let nonce = format!("{nonce:08x}");
        let salted = hash(&[user, self.salt, password]);
        let asked = if self.opaque.is_empty() {
            self.challenge
        } else {
            self.opaque
        };
        let response = hash(&[&salted, asked, &nonce]);
        let mut answer = format!("{}&challenge={nonce}&response={response}", introduce(user));
        if !self.opaque.is_empty() {
            answer.push_str("&opaque=");
            answer.push_str(self.opaque);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_refusals_are_told_from_others() {
        let first = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        assert_eq!(challenge(first), Some(Challenge::UserWanted));
        let second = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=bob&salt=s1&challenge=c1&opaque=o1";
        let question = Question {
            salt: "s1",
            challenge: "c1",
            opaque: "o1",
        };
        assert_eq!(challenge(second), Some(Challenge::ProofWanted(question)));
        let wrong = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=o1";
        assert_eq!(challenge(wrong), None);
        assert_eq!(
            challenge("[ AccessManager.Reject ] : [ authmod=llnw ]"),
            None
        );
    }

    #[test]
    fn the_proof_hashes_what_the_server_hashes() {
        let question = Question {
            salt: "salt",
            challenge: "ignored",
            opaque: "opaque",
        };
        let answer = question.answer("bob", "pass", 0x1f);
        // The response by `openssl md5 -binary | base64`, twice.
        assert_eq!(
            answer,
            "?authmod=adobe&user=bob&challenge=0000001f&response=aobb4xeBlR4H2svonu0rTA==&opaque=opaque"
        );
        let without = Question {
            opaque: "",
            challenge: "c",
            ..question
        };
        assert!(!without.answer("bob", "pass", 1).contains("opaque"));
    }
}
