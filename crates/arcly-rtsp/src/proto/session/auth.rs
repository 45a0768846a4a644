//! What a connection is challenged with, and what comes back.

use super::Refusal;
use crate::proto::auth::{Authorization, Challenge, DigestAlgorithm, DigestChallenge};
use crate::proto::message::{Request, Response, StatusCode, name};
use crate::proto::target::same_place;

/// The challenges of one connection.
#[derive(Debug)]
pub(super) struct Challenger {
    realm: String,
    /// Of this connection alone, so that nothing that was overheard elsewhere can be shown here.
    nonce: String,
    /// Whether the host can verify digests.
    digest: bool,
    failures: u32,
}

impl Challenger {
    pub(super) fn new(realm: &str, nonce: String, digest: bool) -> Self {
        Self {
            realm: realm.to_owned(),
            nonce,
            digest,
            failures: 0,
        }
    }

    /// What the request shows, where it could be the answer to a challenge of ours.
    pub(super) fn shown(&self, request: &Request) -> Result<Option<Authorization>, Refusal> {
        let Some(value) = request.headers.get(name::AUTHORIZATION) else {
            return Ok(None);
        };
        let authorization = Authorization::parse(value)
            .map_err(|fault| Refusal::new(StatusCode::BAD_REQUEST, fault.to_string()))?;
        let Authorization::Digest(digest) = &authorization else {
            return Ok(Some(authorization));
        };
        let ours = self.digest && digest.nonce == self.nonce && digest.realm == self.realm;
        if !ours || !names(&digest.uri, &request.uri) {
            return Err(Refusal::unauthorized());
        }
        Ok(Some(authorization))
    }

    /// Adds the challenges to a refusal. `answered` says that credentials were shown: false where there are to be no more guesses.
    pub(super) fn challenge(&mut self, response: &mut Response, answered: bool, max: u32) -> bool {
        if self.digest {
            // The strongest first; clients that do not know it take the next.
            for algorithm in [DigestAlgorithm::Sha256, DigestAlgorithm::Md5] {
                let digest = DigestChallenge::new(algorithm, &*self.realm, &*self.nonce);
                let challenge = Challenge::Digest(digest);
                response
                    .headers
                    .push(name::WWW_AUTHENTICATE, challenge.to_string());
            }
        }
        let basic = Challenge::Basic {
            realm: self.realm.clone(),
        };
        response
            .headers
            .push(name::WWW_AUTHENTICATE, basic.to_string());
        self.failures += u32::from(answered);
        self.failures < max.max(1)
    }
}

/// Whether a digest for `proven` goes for a request of `asked`. Some clients (VLC) name the stream where they set up a track of it.
fn names(proven: &str, asked: &str) -> bool {
    let proven = proven.trim_end_matches('/');
    let below = asked.strip_prefix(proven);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        || same_place(proven, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_goes_for_what_it_names_and_what_lies_below() {
        let stream = "rtsp://h/live/cam";
        for asked in [
            stream,
            "rtsp://h/live/cam/",
            "rtsp://h/live/cam/trackID=1",
            "rtsp://h/live/cam?token=x",
        ] {
            assert!(names(stream, asked), "{asked}");
        }
        assert!(
            names("rtsp://h:554/live/cam", stream),
            "the port of the scheme"
        );
        assert!(!names(stream, "rtsp://h/live/camera"));
        assert!(!names("rtsp://h/live/cam/trackID=1", stream));
    }
}
