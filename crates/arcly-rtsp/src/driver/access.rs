//! What a peer shows, as the engine's authenticator takes it.

use super::connection::Shared;
use crate::proto::auth::Authorization;
use crate::proto::session::{Access, Refusal};
use arcly_core::{Credentials, StreamKey, async_trait};

/// Knows passwords, so that digests can be verified: see [`RtspServer::passwords`](crate::RtspServer::passwords).
#[async_trait]
pub trait PasswordLookup: Send + Sync + 'static {
    /// The password of `username`, for what concerns `key`; `None` where there is no such user.
    async fn password(&self, username: &str, key: &StreamKey) -> Option<String>;
}

impl Shared {
    /// The credentials of a request. A digest that proves its password counts as that password; one that does not is refused. A token in the URL
    /// goes along with either.
    pub(super) async fn credentials(&self, access: &Access) -> Result<Credentials, Refusal> {
        let mut credentials = match &access.authorization {
            None => Credentials::anonymous(),
            Some(Authorization::Bearer(token)) => Credentials::token(token),
            Some(Authorization::Basic { username, password }) => {
                Credentials::password(username, password)
            }
            Some(Authorization::Digest(digest)) => {
                let passwords = self.passwords.as_ref();
                let passwords = passwords.ok_or_else(Refusal::unauthorized)?;
                let password = passwords.password(&digest.username, &access.key).await;
                // Who is not known takes as long as who is.
                let known = password.is_some();
                let password = password.unwrap_or_default();
                if !digest.proves(&password, access.method.as_str()) || !known {
                    return Err(Refusal::unauthorized());
                }
                Credentials::password(&*digest.username, password)
            }
        };
        if credentials.token.is_none() {
            credentials.token = access.token.clone();
        }
        Ok(credentials)
    }
}
