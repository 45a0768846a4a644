//! Deciding by tokens.

use super::{JwtClaims, JwtKey, JwtKeyError};
use crate::{
    AccessDenied, AccessRequest, Action, Authenticator, Credentials, MAX_CREDENTIAL_BYTES,
    TimeSource,
};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::time::Duration;

/// Allows publish and play by signed tokens.
///
/// A peer shows its token as [`Credentials::token`], or, where its software only knows passwords, as [`Credentials::password`] with any user name.
///
/// ```
/// use arcly_core::{Engine, JwtAuthenticator, JwtKey};
///
/// let secret = "a secret of 32 bytes at the least";
/// let authenticator = JwtAuthenticator::new([JwtKey::hs256(secret)?])?
///     .audience("streaming.example.com")
///     .allow_anonymous_play(true);
/// let engine = Engine::builder().authenticator(authenticator).build();
/// # Ok::<(), arcly_core::JwtKeyError>(())
/// ```
///
/// # The token
///
/// The claims of a token look like this; [`JwtSigner`](crate::JwtSigner) makes such tokens, and so does any JWT library:
///
/// ```json
/// {
///   "exp": 1767323045,
///   "arcly": [
///     { "action": "publish", "path": "live/cam1" },
///     { "action": "play", "path": "live/*" }
///   ]
/// }
/// ```
///
/// * `arcly` lists what is allowed. `action` is `publish` or `play`; an entry with another one allows nothing. `path` is `<app>/<stream>`,
///   where both may end in `*`, which stands for any rest: `live/*` is all of an application, `live/cam-*` some of it, `*/*` everything.
///   A path of another form allows nothing, `*` among them.
/// * `exp`, `nbf`, `iss` and `aud` are those of RFC 7519, section 4.1. `exp` is required by default. A token that names an audience is
///   refused where [`audience`](Self::audience) does not name the same.
///
/// What a token says about how it is signed is believed only where it agrees with a key: each [`JwtKey`] is for one algorithm, so neither `none` nor a public
/// key abused as a secret gets through (RFC 8725, section 3.1). Keys in a token's header, or addresses of such, are not looked at; a token with critical
/// extensions (`crit`) is refused (RFC 7515, section 4.1.11).
///
/// A check takes a few microseconds with a secret, and some hundreds with a public key, in the task of who asks.
#[derive(Debug, Clone)]
pub struct JwtAuthenticator {
    keys: Vec<JwtKey>,
    audience: Option<String>,
    issuer: Option<String>,
    leeway: Duration,
    require_expiry: bool,
    allow_anonymous_play: bool,
    max_token_bytes: usize,
    clock: TimeSource,
}

impl JwtAuthenticator {
    /// The most keys.
    pub const MAX_KEYS: usize = 16;
    /// The default of [`leeway`](Self::leeway).
    pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
    /// The default of [`max_token_bytes`](Self::max_token_bytes): an RS512 token with some fifty permissions.
    pub const DEFAULT_MAX_TOKEN_BYTES: usize = 4 << 10;

    /// Accepts tokens signed for any of `keys`: one, or several while an old one is replaced.
    ///
    /// # Errors
    /// [`JwtKeyError::NoKey`]; [`JwtKeyError::TooManyKeys`].
    pub fn new(keys: impl IntoIterator<Item = JwtKey>) -> Result<Self, JwtKeyError> {
        let keys: Vec<JwtKey> = keys.into_iter().take(Self::MAX_KEYS + 1).collect();
        match keys.len() {
            0 => return Err(JwtKeyError::NoKey),
            1..=Self::MAX_KEYS => {}
            _ => {
                return Err(JwtKeyError::TooManyKeys {
                    max: Self::MAX_KEYS,
                });
            }
        }
        Ok(Self {
            keys,
            audience: None,
            issuer: None,
            leeway: Self::DEFAULT_LEEWAY,
            require_expiry: true,
            allow_anonymous_play: false,
            max_token_bytes: Self::DEFAULT_MAX_TOKEN_BYTES,
            clock: TimeSource::system(),
        })
    }

    /// Accepts tokens only that are for `audience` (`aud`). Without this, only such that are for nobody in particular.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Accepts tokens only that are from `issuer` (`iss`). Without this, from anyone who has a key.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// How far the clocks of issuer and server may differ: tokens hold this much longer, and from this much earlier. 30 s by default.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Whether tokens must expire, which is the default. One that never does can only be revoked with its key.
    #[must_use]
    pub fn require_expiry(mut self, required: bool) -> Self {
        self.require_expiry = required;
        self
    }

    /// Whether anyone may play without a token; false by default. Publishing takes one in any case.
    #[must_use]
    pub fn allow_anonymous_play(mut self, allowed: bool) -> Self {
        self.allow_anonymous_play = allowed;
        self
    }

    /// The longest token that is looked at, in bytes; at most [`MAX_CREDENTIAL_BYTES`]. It bounds the work that a peer can cause.
    #[must_use]
    pub fn max_token_bytes(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes.min(MAX_CREDENTIAL_BYTES);
        self
    }

    /// Where the time is read; the system's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: TimeSource) -> Self {
        self.clock = clock;
        self
    }

    fn decide(&self, request: &AccessRequest<'_>) -> Result<(), Denial> {
        if request.action == Action::Play && self.allow_anonymous_play {
            return Ok(());
        }
        let claims = self.verify(token_of(request.credentials).ok_or(Denial::NoToken)?)?;
        let now = self.clock.now();
        if self.require_expiry && !claims.has_expiry() {
            return Err(Denial::NoExpiry);
        }
        if claims.has_expired(now, self.leeway) {
            return Err(Denial::Expired);
        }
        if claims.is_early(now, self.leeway) {
            return Err(Denial::Early);
        }
        if self
            .issuer
            .as_ref()
            .is_some_and(|issuer| !claims.is_issued_by(issuer))
        {
            return Err(Denial::Issuer);
        }
        if !claims.is_for(self.audience.as_deref()) {
            return Err(Denial::Audience);
        }
        if !claims.allows(request.action, request.key) {
            return Err(Denial::NotPermitted);
        }
        Ok(())
    }

    /// The claims of a token whose signature is right (RFC 7515, section 5.2). Nothing of the claims is looked at before.
    fn verify(&self, token: &str) -> Result<JwtClaims, Denial> {
        if token.len() > self.max_token_bytes {
            return Err(Denial::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Denial::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Denial::Malformed)?;
        let header: Header = decode(header)?;
        if header.crit.is_some() {
            return Err(Denial::Critical);
        }
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Denial::Malformed)?;
        let mut keys = self
            .keys
            .iter()
            .filter(|key| key.is_meant(&header.alg, header.kid.as_deref()))
            .peekable();
        if keys.peek().is_none() {
            return Err(Denial::NoSuchKey);
        }
        if !keys.any(|key| key.verifies(message, &signature)) {
            return Err(Denial::Signature);
        }
        decode(claims)
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        self.decide(request)
            .map_err(|denial| AccessDenied::new(denial.reason(request)))
    }
}

/// What is looked at of a token's header (RFC 7515, section 4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
}

fn token_of(credentials: &Credentials) -> Option<&str> {
    credentials
        .token
        .as_deref()
        .or(credentials.password.as_deref())
        .filter(|token| !token.is_empty())
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Denial> {
    let json = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Denial::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Denial::Malformed)
}

/// Why a request is refused.
#[derive(Clone, Copy)]
enum Denial {
    NoToken,
    TooLong,
    Malformed,
    Critical,
    NoSuchKey,
    Signature,
    NoExpiry,
    Expired,
    Early,
    Issuer,
    Audience,
    NotPermitted,
}

impl Denial {
    /// In words for the peer: what it can mend, and nothing that it did not bring along itself.
    fn reason(self, request: &AccessRequest<'_>) -> String {
        match self {
            Self::NoToken => "a token is required",
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is malformed",
            Self::Critical => "the token has extensions that are not supported",
            Self::NoSuchKey => "the token's algorithm or key is not accepted",
            Self::Signature => "the token's signature is wrong",
            Self::NoExpiry => "the token lacks an expiry time",
            Self::Expired => "the token has expired",
            Self::Early => "the token is not valid yet",
            Self::Issuer => "the token's issuer is not accepted",
            Self::Audience => "the token is for another audience",
            Self::NotPermitted => {
                return format!(
                    "the token does not allow to {} {}",
                    request.action, request.key
                );
            }
        }
        .to_owned()
    }
}
