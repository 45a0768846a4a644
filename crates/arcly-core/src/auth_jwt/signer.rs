//! Making tokens.

use super::key::check_secret;
use super::{JwtAlgorithm, JwtClaims, JwtKeyError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use std::fmt;

/// Makes tokens with a shared secret, for hosts that hand them out themselves. Tokens by public keys are made elsewhere, where the private key is; any JWT
/// library makes them.
///
/// ```
/// use arcly_core::{Action, JwtAlgorithm, JwtClaims, JwtSigner};
/// use std::time::{Duration, SystemTime};
///
/// let signer = JwtSigner::new(JwtAlgorithm::Hs256, "a secret of 32 bytes at the least")?;
/// let claims = JwtClaims::expiring_at(SystemTime::now() + Duration::from_secs(3600))
///     .allow(Action::Publish, "live/cam1")
///     .allow(Action::Play, "live/*");
/// let url = format!("rtmp://example.com/live/cam1?token={}", signer.sign(&claims));
/// # assert!(url.contains("token=eyJ"));
/// # Ok::<(), arcly_core::JwtKeyError>(())
/// ```
#[derive(Clone)]
pub struct JwtSigner {
    algorithm: JwtAlgorithm,
    key: EncodingKey,
    /// The first part of each token, encoded.
    header: String,
}

impl JwtSigner {
    /// Signs with `secret`.
    ///
    /// # Errors
    /// [`JwtKeyError::SecretTooShort`]; [`JwtKeyError::WrongKind`] where `algorithm` is not an HMAC.
    pub fn new(algorithm: JwtAlgorithm, secret: impl AsRef<[u8]>) -> Result<Self, JwtKeyError> {
        let key = EncodingKey::from_secret(check_secret(algorithm, secret.as_ref())?);
        let header = serde_json::json!({ "alg": algorithm.name(), "typ": "JWT" });
        Ok(Self {
            algorithm,
            key,
            header: URL_SAFE_NO_PAD.encode(header.to_string()),
        })
    }

    /// Names the key in the tokens (`kid`), as [`JwtKey::with_id`](crate::JwtKey::with_id) does for who checks them.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        let header =
            serde_json::json!({ "alg": self.algorithm.name(), "typ": "JWT", "kid": id.into() });
        self.header = URL_SAFE_NO_PAD.encode(header.to_string());
        self
    }

    /// A token with these claims. It is made of letters, digits, `-`, `_` and `.`, so it needs no escaping in a URL.
    #[must_use]
    pub fn sign(&self, claims: &JwtClaims) -> String {
        let signed = serde_json::to_vec(claims)
            .map_err(|_| ())
            .and_then(|claims| {
                let message = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
                let signer =
                    (DEFAULT_PROVIDER.signer_factory)(&self.algorithm.of_library(), &self.key)
                        .map_err(|_| ())?;
                let signature = signer.try_sign(message.as_bytes()).map_err(|_| ())?;
                Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
            });
        // None of it can fail: the claims are plain data, and an HMAC takes any key.
        debug_assert!(signed.is_ok());
        signed.unwrap_or_default()
    }
}

/// The secret is not shown.
impl fmt::Debug for JwtSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSigner")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
