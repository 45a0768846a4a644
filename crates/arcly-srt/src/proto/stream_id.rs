//! What a caller wants, as its stream id says it (draft-sharabayko-srt-01, appendix B; libsrt's access control guidelines).
//!
//! | form | example |
//! |---|---|
//! | plain | `publish:live/camera`, `read:live/camera` |
//! | plain, with credentials | `publish:live/camera:user:password`, `read:live/camera:token`, `read:live/camera?token=…` |
//! | standard | `#!::r=live/camera,m=publish,u=user,s=password`, `#!::r=live/camera,s=token` |

use super::handshake::RejectReason;
use arcly_core::{Action, Credentials, StreamKey};
use percent_encoding::percent_decode_str;
use std::fmt;

/// A stream and what a caller wants to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Publish or play.
    pub action: Action,
    /// The stream; the key is valid.
    pub key: StreamKey,
    /// What the caller shows. Its `Debug` form hides the secrets.
    pub credentials: Credentials,
}

impl Target {
    /// Reads a stream id.
    ///
    /// The plain form is `publish:` or `read:` (also `play:` and `request:`), `app/stream`, and optionally credentials: `:token`,
    /// `:user:password`, or a query with `token`, `user` and `password` (also `pass`), percent-encoded.
    ///
    /// The standard form has the keys `r` (`app/stream`), `m` (`publish`, or `request`, which missing means too), `u` (user), `s`
    /// (the user's password, or without a user a token), `h` (ignored), `t` (`stream`), and `token`. Other keys of one letter are
    /// reserved, and refused; longer ones are ignored.
    ///
    /// # Errors
    /// The code to refuse the caller with: [`BAD_REQUEST`](RejectReason::BAD_REQUEST) where it is none of these forms or the
    /// stream's name cannot be one, [`BAD_MODE`](RejectReason::BAD_MODE),
    /// [`MEDIA_NOT_SUPPORTED`](RejectReason::MEDIA_NOT_SUPPORTED) and [`KEY_NOT_SUPPORTED`](RejectReason::KEY_NOT_SUPPORTED).
    pub fn parse(stream_id: &str) -> Result<Self, RejectReason> {
        match stream_id.strip_prefix("#!:") {
            Some(content) => standard(content),
            None => plain(stream_id),
        }
    }
}

/// `mode:app/stream` with credentials behind.
fn plain(stream_id: &str) -> Result<Target, RejectReason> {
    let (mode, rest) = stream_id.split_once(':').ok_or(RejectReason::BAD_REQUEST)?;
    let action = match mode {
        "publish" => Action::Publish,
        "read" | "play" | "request" => Action::Play,
        _ => return Err(RejectReason::BAD_MODE),
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut parts = rest.splitn(3, ':');
    let key = key(parts.next().unwrap_or_default())?;
    let (first, second) = (parts.next(), parts.next());
    let mut credentials = match (first, second) {
        (Some(user), Some(password)) => Credentials::password(user, password),
        (Some(token), None) => Credentials::token(token),
        (None, _) => Credentials::anonymous(),
    };
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = percent_decode_str(value)
            .decode_utf8()
            .map_err(|_| RejectReason::BAD_REQUEST)?
            .into_owned();
        match name {
            "token" => credentials.token = Some(value),
            "user" => credentials.username = Some(value),
            "password" | "pass" => credentials.password = Some(value),
            _ => {}
        }
    }
    Ok(Target {
        action,
        key,
        credentials,
    })
}

/// What comes behind `#!:`: key-value pairs behind another colon, or in braces.
fn standard(content: &str) -> Result<Target, RejectReason> {
    let braced = content
        .strip_prefix('{')
        .and_then(|content| content.strip_suffix('}'));
    let pairs = content
        .strip_prefix(':')
        .or(braced)
        .filter(|pairs| !pairs.contains(['{', '}']))
        .ok_or(RejectReason::BAD_REQUEST)?;
    let mut action = Action::Play;
    let (mut resource, mut user, mut session, mut token) = (None, None, None, None);
    for pair in pairs.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(RejectReason::BAD_REQUEST)?;
        match (name, value) {
            ("r", _) => resource = Some(value),
            ("u", _) => user = Some(value.to_owned()),
            ("s", _) => session = Some(value.to_owned()),
            ("token", _) => token = Some(value.to_owned()),
            ("m", "publish") => action = Action::Publish,
            ("m", "request") => action = Action::Play,
            ("m", _) => return Err(RejectReason::BAD_MODE),
            ("t", "stream") | ("h", _) => {}
            ("t", _) => return Err(RejectReason::MEDIA_NOT_SUPPORTED),
            _ if name.len() == 1 => return Err(RejectReason::KEY_NOT_SUPPORTED),
            _ => {}
        }
    }
    let mut credentials = Credentials::anonymous();
    if user.is_some() {
        credentials.username = user;
        credentials.password = session;
    } else {
        credentials.token = session;
    }
    if token.is_some() {
        credentials.token = token;
    }
    Ok(Target {
        action,
        key: key(resource.unwrap_or_default())?,
        credentials,
    })
}

/// `app/stream`, with or without a slash before it.
fn key(path: &str) -> Result<StreamKey, RejectReason> {
    path.strip_prefix('/')
        .unwrap_or(path)
        .parse()
        .map_err(|_| RejectReason::BAD_REQUEST)
}

impl fmt::Display for Target {
    /// The plain form without credentials, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.action {
            Action::Publish => "publish",
            _ => "read",
        };
        write!(f, "{mode}:{}", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(action: Action, credentials: Credentials) -> Result<Target, RejectReason> {
        let key = StreamKey::new("live", "camera");
        Ok(Target {
            action,
            key,
            credentials,
        })
    }

    #[test]
    fn the_plain_form_is_read() {
        let anonymous = Credentials::anonymous;
        let both = |token: &str| {
            let mut credentials = Credentials::password("u", "p");
            credentials.token = Some(token.into());
            credentials
        };
        let cases = [
            ("publish:live/camera", Action::Publish, anonymous()),
            ("read:live/camera", Action::Play, anonymous()),
            ("play:/live/camera", Action::Play, anonymous()),
            ("request:live/camera", Action::Play, anonymous()),
            (
                "read:live/camera:t0k.en",
                Action::Play,
                Credentials::token("t0k.en"),
            ),
            (
                "publish:live/camera:u:p:q",
                Action::Publish,
                Credentials::password("u", "p:q"),
            ),
            (
                "read:live/camera?token=a%2Fb",
                Action::Play,
                Credentials::token("a/b"),
            ),
            (
                "read:live/camera?user=u&pass=p&token=t&x=y",
                Action::Play,
                both("t"),
            ),
        ];
        for (id, action, credentials) in cases {
            assert_eq!(Target::parse(id), target(action, credentials), "{id}");
        }
    }

    #[test]
    fn the_standard_form_is_read() {
        let cases = [
            (
                "#!::r=live/camera,m=publish",
                Action::Publish,
                Credentials::anonymous(),
            ),
            (
                "#!::m=request,r=/live/camera,h=host,t=stream",
                Action::Play,
                Credentials::anonymous(),
            ),
            ("#!::r=live/camera", Action::Play, Credentials::anonymous()),
            (
                "#!::u=u,r=live/camera,s=p=",
                Action::Play,
                Credentials::password("u", "p="),
            ),
            (
                "#!::r=live/camera,s=t",
                Action::Play,
                Credentials::token("t"),
            ),
            (
                "#!::r=live/camera,token=t,acme_id=1",
                Action::Play,
                Credentials::token("t"),
            ),
            (
                "#!:{r=live/camera,m=publish}",
                Action::Publish,
                Credentials::anonymous(),
            ),
        ];
        for (id, action, credentials) in cases {
            assert_eq!(Target::parse(id), target(action, credentials), "{id}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_a_code() {
        let cases = [
            ("", RejectReason::BAD_REQUEST),
            ("live/camera", RejectReason::BAD_REQUEST),
            ("publish:", RejectReason::BAD_REQUEST),
            ("publish:live", RejectReason::BAD_REQUEST),
            ("publish:live/../x", RejectReason::BAD_REQUEST),
            ("listen:live/camera", RejectReason::BAD_MODE),
            ("read:live/camera?token=%ff", RejectReason::BAD_REQUEST),
            ("#!:r=live/camera", RejectReason::BAD_REQUEST),
            ("#!::r=live/camera,m", RejectReason::BAD_REQUEST),
            ("#!::m=publish", RejectReason::BAD_REQUEST),
            ("#!::r=live/camera,m=bidirectional", RejectReason::BAD_MODE),
            (
                "#!::r=live/camera,t=file",
                RejectReason::MEDIA_NOT_SUPPORTED,
            ),
            ("#!::r=live/camera,q=1", RejectReason::KEY_NOT_SUPPORTED),
            ("#!:{a={r=live/camera}}", RejectReason::BAD_REQUEST),
        ];
        for (id, reason) in cases {
            assert_eq!(Target::parse(id), Err(reason), "{id}");
        }
    }

    #[test]
    fn a_target_is_shown_without_its_secrets() {
        let target = Target::parse("publish:live/camera:user:secret").unwrap();
        assert_eq!(target.to_string(), "publish:live/camera");
        assert!(!format!("{target:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn no_stream_id_panics(id in "(#!:[:{]?)?[a-z:=,?%/{}é]{0,40}") {
            let _ = Target::parse(&id);
        }
    }
}
