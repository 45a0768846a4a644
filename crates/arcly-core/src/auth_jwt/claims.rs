//! What a token says.

use crate::{Action, StreamKey};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};

/// The claims of a token, to be [signed](crate::JwtSigner::sign). The form of the permission claim is described [there](crate::JwtAuthenticator#the-token).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JwtClaims {
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<NumericDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(default)]
    arcly: Vec<Permission>,
}

/// Seconds since 1970; integers, by all that issue tokens, but fractions are allowed (RFC 7519, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum NumericDate {
    Whole(u64),
    Fraction(f64),
}

impl NumericDate {
    fn new(time: SystemTime) -> Self {
        Self::Whole(since_1970(time).as_secs())
    }

    fn seconds(self) -> f64 {
        match self {
            // Exact for the next 285 million years.
            Self::Whole(seconds) => seconds as f64,
            Self::Fraction(seconds) => seconds,
        }
    }
}

/// One audience, or several (RFC 7519, section 4.1.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn includes(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Permission {
    action: PermittedAction,
    path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PermittedAction {
    Publish,
    Play,
    /// One of a later version.
    #[serde(other)]
    Unknown,
}

impl Permission {
    fn allows(&self, action: Action, key: &StreamKey) -> bool {
        let permitted = match self.action {
            PermittedAction::Publish => action == Action::Publish,
            PermittedAction::Play => action == Action::Play,
            PermittedAction::Unknown => false,
        };
        // Names have no slash and no asterisk, so there is one way to read a path.
        let matches = |(app, stream)| matches(app, &key.app) && matches(stream, &key.stream);
        permitted && self.path.split_once('/').is_some_and(matches)
    }
}

/// Whether `name` is `pattern`, or begins with it where it ends in `*`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

impl JwtClaims {
    /// Claims that allow nothing yet, of a token that expires at `expiry`.
    #[must_use]
    pub fn expiring_at(expiry: SystemTime) -> Self {
        Self {
            exp: Some(NumericDate::new(expiry)),
            ..Self::without_expiry()
        }
    }

    /// Claims that allow nothing yet, of a token that never expires. Such tokens are refused, unless the authenticator is told
    /// [not to require an expiry](crate::JwtAuthenticator::require_expiry).
    #[must_use]
    pub const fn without_expiry() -> Self {
        Self {
            exp: None,
            nbf: None,
            iss: None,
            sub: None,
            aud: None,
            arcly: Vec::new(),
        }
    }

    /// Allows `action` on `path`: `<app>/<stream>`, where both may end in `*`. A path of another form, as `*`, `live*` or `live/a/b`, is that of
    /// no stream, and allows nothing: all streams are `*/*`.
    #[must_use]
    pub fn allow(mut self, action: Action, path: impl Into<String>) -> Self {
        let action = match action {
            Action::Publish => PermittedAction::Publish,
            Action::Play => PermittedAction::Play,
        };
        self.arcly.push(Permission {
            action,
            path: path.into(),
        });
        self
    }

    /// Makes the token valid from `time` on only (`nbf`).
    #[must_use]
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.nbf = Some(NumericDate::new(time));
        self
    }

    /// Says who issues the token (`iss`).
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.iss = Some(issuer.into());
        self
    }

    /// Says for which services the token is (`aud`).
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.aud = Some(Audience::One(audience.into()));
        self
    }

    /// Says whom the token is about (`sub`); for the host's own use.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.sub = Some(subject.into());
        self
    }

    pub(super) fn allows(&self, action: Action, key: &StreamKey) -> bool {
        self.arcly
            .iter()
            .any(|permission| permission.allows(action, key))
    }

    pub(super) fn has_expiry(&self) -> bool {
        self.exp.is_some()
    }

    /// Whether the token has expired at `now` (RFC 7519, section 4.1.4: on or after it).
    pub(super) fn has_expired(&self, now: SystemTime, leeway: Duration) -> bool {
        let now = since_1970(now).as_secs_f64();
        self.exp
            .is_some_and(|expiry| now >= expiry.seconds() + leeway.as_secs_f64())
    }

    /// Whether the token is not valid yet at `now` (RFC 7519, section 4.1.5).
    pub(super) fn is_early(&self, now: SystemTime, leeway: Duration) -> bool {
        let now = since_1970(now).as_secs_f64();
        self.nbf
            .is_some_and(|start| now + leeway.as_secs_f64() < start.seconds())
    }

    pub(super) fn is_issued_by(&self, issuer: &str) -> bool {
        self.iss.as_deref() == Some(issuer)
    }

    /// Whether the token is for `audience`: for one that it names, or for anyone where neither says whom.
    pub(super) fn is_for(&self, audience: Option<&str>) -> bool {
        match (&self.aud, audience) {
            (None, None) => true,
            (Some(aud), Some(audience)) => aud.includes(audience),
            _ => false,
        }
    }
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}
