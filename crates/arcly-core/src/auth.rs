//! Who may publish and play what: the [`Authenticator`] the engine asks before every publish and every play, of
//! every protocol.

use crate::StreamKey;
use async_trait::async_trait;
use std::fmt;
use std::net::SocketAddr;

/// The longest token, user name or password that is looked at, in bytes; longer ones are refused without asking.
pub const MAX_CREDENTIAL_BYTES: usize = 8 << 10;

/// What somebody wants to do with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "an authenticator must decide on all of them"
)]
pub enum Action {
    /// Publish it.
    Publish,
    /// Play it.
    Play,
}

impl Action {
    /// The lower-case name used in tokens, logs and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Play => "play",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a peer showed to prove who it is. Its `Debug` form hides the secrets.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credentials {
    /// A bearer token: `?token=…` of a URL, or `Authorization: Bearer …`.
    pub token: Option<String>,
    /// A user name.
    pub username: Option<String>,
    /// A password.
    pub password: Option<String>,
}

impl Credentials {
    /// No credentials.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self {
            token: None,
            username: None,
            password: None,
        }
    }

    /// A bearer token.
    #[must_use]
    pub fn token(token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..Self::anonymous()
        }
    }

    /// A user name with its password.
    #[must_use]
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            token: None,
            username: Some(username.into()),
            password: Some(password.into()),
        }
    }

    pub(crate) fn is_oversized(&self) -> bool {
        [&self.token, &self.username, &self.password]
            .into_iter()
            .any(|part| {
                part.as_ref()
                    .is_some_and(|part| part.len() > MAX_CREDENTIAL_BYTES)
            })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "…");
        f.debug_struct("Credentials")
            .field("token", &hidden(&self.token))
            .field("username", &self.username)
            .field("password", &hidden(&self.password))
            .finish()
    }
}

/// What the engine asks an [`Authenticator`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AccessRequest<'a> {
    /// What is to be done.
    pub action: Action,
    /// With which stream.
    pub key: &'a StreamKey,
    /// What the peer showed.
    pub credentials: &'a Credentials,
    /// The peer's address, where there is one.
    pub peer: Option<SocketAddr>,
    /// The protocol's name, as in `rtmp`.
    pub protocol: &'a str,
}

impl<'a> AccessRequest<'a> {
    /// An anonymous request, as from the host itself.
    #[must_use]
    pub const fn new(action: Action, key: &'a StreamKey, credentials: &'a Credentials) -> Self {
        Self {
            action,
            key,
            credentials,
            peer: None,
            protocol: "host",
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct AccessDenied {
    /// Why, in words that may be shown to the peer.
    pub reason: String,
}

impl AccessDenied {
    /// A refusal for `reason`, which may be shown to the peer.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// Decides who may publish and play. The engine asks it before each publish and play, whatever the protocol; there is no
/// way around it for a peer.
///
/// An answer is waited for at most [`EngineBuilder::auth_timeout`](crate::EngineBuilder::auth_timeout); none counts as a refusal, and so does
/// a panic. It is asked in the peer's task and must not block the thread: what looks a user up awaits, or goes through
/// [`spawn_blocking`](tokio::task::spawn_blocking).
///
/// ```
/// use arcly_core::{AccessDenied, AccessRequest, Action, Authenticator, async_trait};
///
/// /// Anyone may watch; publishing takes a password.
/// struct Password(String);
///
/// #[async_trait]
/// impl Authenticator for Password {
///     async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
///         match request.action {
///             Action::Play => Ok(()),
///             Action::Publish if request.credentials.token.as_ref() == Some(&self.0) => Ok(()),
///             Action::Publish => Err(AccessDenied::new("wrong password")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Allows or refuses.
    ///
    /// # Errors
    /// [`AccessDenied`] refuses.
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied>;
}

/// Lets everyone publish and play everything: the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllowAll;

#[async_trait]
impl Authenticator for AllowAll {
    async fn authorize(&self, _request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!(
            "{:?} {:?}",
            Credentials::token("s3cret"),
            Credentials::password("bob", "hunter2")
        );
        assert!(
            !printed.contains("s3cret") && !printed.contains("hunter2"),
            "{printed}"
        );
        assert!(printed.contains("bob"));
    }
}
