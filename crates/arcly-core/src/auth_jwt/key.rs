//! Keys that check tokens.

use jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};
use spki::der::oid::ObjectIdentifier;
use spki::der::{Document, asn1::BitStringRef};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use std::fmt;

/// How tokens are signed (RFC 7518, section 3.1; RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl JwtAlgorithm {
    /// The `alg` value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The shortest secret, in bytes: the length of the hash (RFC 7518, section 3.2). `None` where keys are no secrets.
    #[must_use]
    pub const fn min_secret_bytes(self) -> Option<usize> {
        match self {
            Self::Hs256 => Some(32),
            Self::Hs384 => Some(48),
            Self::Hs512 => Some(64),
            _ => None,
        }
    }

    pub(super) const fn of_library(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Hs384 => Algorithm::HS384,
            Self::Hs512 => Algorithm::HS512,
            Self::Rs256 => Algorithm::RS256,
            Self::Rs384 => Algorithm::RS384,
            Self::Rs512 => Algorithm::RS512,
            Self::Ps256 => Algorithm::PS256,
            Self::Ps384 => Algorithm::PS384,
            Self::Ps512 => Algorithm::PS512,
            Self::Es256 => Algorithm::ES256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a key cannot be used. All of them are the host's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwtKeyError {
    /// The secret is so short that it could be guessed from one token.
    #[error(
        "a secret for {algorithm} has {min} bytes at least (RFC 7518, section 3.2), not {actual}; `openssl rand -hex {min}` makes one"
    )]
    SecretTooShort {
        /// The algorithm.
        algorithm: JwtAlgorithm,
        /// The shortest allowed.
        min: usize,
        /// The length of the secret.
        actual: usize,
    },
    /// The algorithm goes with a secret, and a public key was given, or the other way round.
    #[error("{algorithm} does not go with {given}")]
    WrongKind {
        /// The algorithm.
        algorithm: JwtAlgorithm,
        /// What was given.
        given: &'static str,
    },
    /// The text is not a public key: PEM with the label `PUBLIC KEY`, as `openssl pkey -pubout` prints it.
    #[error("not a public key in PEM format")]
    Malformed,
    /// An RSA key below 2,048 bits (RFC 7518, section 3.3).
    #[error("an RSA key has 2048 bits at least (RFC 7518, section 3.3), not {bits}")]
    RsaTooShort {
        /// Its length.
        bits: usize,
    },
    /// An authenticator needs a key.
    #[error("there is no key")]
    NoKey,
    /// More keys than an authenticator takes: each may have to be tried for a token.
    #[error("there are more than {max} keys")]
    TooManyKeys {
        /// The most it takes.
        max: usize,
    },
}

/// A key that checks tokens of one algorithm.
#[derive(Clone)]
pub struct JwtKey {
    algorithm: JwtAlgorithm,
    key: DecodingKey,
    id: Option<String>,
}

impl JwtKey {
    /// The shared `secret` for one of the HMAC algorithms. Whoever has it can make tokens.
    ///
    /// # Errors
    /// [`JwtKeyError::SecretTooShort`]; [`JwtKeyError::WrongKind`] for other algorithms.
    pub fn secret(algorithm: JwtAlgorithm, secret: impl AsRef<[u8]>) -> Result<Self, JwtKeyError> {
        let secret = check_secret(algorithm, secret.as_ref())?;
        Ok(Self {
            algorithm,
            key: DecodingKey::from_secret(secret),
            id: None,
        })
    }

    /// [`secret`](Self::secret) for [`JwtAlgorithm::Hs256`], the usual choice.
    ///
    /// # Errors
    /// As there.
    pub fn hs256(secret: impl AsRef<[u8]>) -> Result<Self, JwtKeyError> {
        Self::secret(JwtAlgorithm::Hs256, secret)
    }

    /// A public key in PEM format (`-----BEGIN PUBLIC KEY-----`, RFC 7468, section 13), as `openssl pkey -pubout` prints it.
    ///
    /// # Errors
    /// [`JwtKeyError::Malformed`]; [`JwtKeyError::WrongKind`] if the key is not for `algorithm`; [`JwtKeyError::RsaTooShort`].
    pub fn public_key_pem(algorithm: JwtAlgorithm, pem: &str) -> Result<Self, JwtKeyError> {
        let (label, document) = Document::from_pem(pem).map_err(|_| JwtKeyError::Malformed)?;
        if label != "PUBLIC KEY" {
            return Err(JwtKeyError::Malformed);
        }
        let info = SubjectPublicKeyInfoRef::try_from(document.as_bytes())
            .map_err(|_| JwtKeyError::Malformed)?;
        let key = decoding_key(algorithm, &info)?;
        let key = Self {
            algorithm,
            key,
            id: None,
        };
        // Now rather than at the first token: a point that is not on the curve, for instance.
        key.verifier().ok_or(JwtKeyError::Malformed)?;
        Ok(key)
    }

    /// Names the key: tokens with another `kid` are not checked with it. Tokens without one are.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> JwtAlgorithm {
        self.algorithm
    }

    /// Whether the key is one to check a token with, by the token's header.
    pub(super) fn is_meant(&self, alg: &str, kid: Option<&str>) -> bool {
        let named = match (&self.id, kid) {
            (Some(id), Some(kid)) => id == kid,
            _ => true,
        };
        named && self.algorithm.name() == alg
    }

    pub(super) fn verifies(&self, message: &str, signature: &Vec<u8>) -> bool {
        self.verifier()
            .is_some_and(|verifier| verifier.verify(message.as_bytes(), signature).is_ok())
    }

    /// The provider is named rather than left to the library, which has one for the whole process, and panics if some other crate has
    /// enabled a second one.
    fn verifier(&self) -> Option<Box<dyn jsonwebtoken::crypto::JwtVerifier>> {
        (DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.of_library(), &self.key).ok()
    }
}

/// The key itself is not shown.
impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtKey")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

pub(super) fn check_secret(algorithm: JwtAlgorithm, secret: &[u8]) -> Result<&[u8], JwtKeyError> {
    let min = algorithm.min_secret_bytes().ok_or(JwtKeyError::WrongKind {
        algorithm,
        given: "a secret",
    })?;
    let actual = secret.len();
    if actual < min {
        return Err(JwtKeyError::SecretTooShort {
            algorithm,
            min,
            actual,
        });
    }
    Ok(secret)
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED25519_BYTES: usize = 32;
const MIN_RSA_BITS: usize = 2_048;

/// What a public key is for.
#[derive(Clone, Copy)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    Other,
}

impl Kind {
    /// By RFC 3279, sections 2.3.1 and 2.3.5, and RFC 8410, section 3.
    fn of(identifier: &AlgorithmIdentifierRef<'_>) -> Self {
        let curve = || identifier.parameters_oid().ok();
        match identifier.oid {
            RSA => Self::Rsa,
            EC if curve() == Some(P256) => Self::P256,
            EC if curve() == Some(P384) => Self::P384,
            ED25519 => Self::Ed25519,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "an RSA key",
            Self::P256 => "a P-256 key",
            Self::P384 => "a P-384 key",
            Self::Ed25519 => "an Ed25519 key",
            Self::Other => "a key of this kind",
        }
    }
}

/// The key in the form the library takes, if it is one for `algorithm`.
fn decoding_key(
    algorithm: JwtAlgorithm,
    info: &SubjectPublicKeyInfoRef<'_>,
) -> Result<DecodingKey, JwtKeyError> {
    use JwtAlgorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let bytes = BitStringRef::as_bytes(&info.subject_public_key).ok_or(JwtKeyError::Malformed)?;
    let kind = Kind::of(&info.algorithm);
    match (algorithm, kind) {
        (Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512, Kind::Rsa) => {
            let bits = rsa_bits(bytes).ok_or(JwtKeyError::Malformed)?;
            if bits < MIN_RSA_BITS {
                return Err(JwtKeyError::RsaTooShort { bits });
            }
            Ok(DecodingKey::from_rsa_der(bytes))
        }
        (Es256, Kind::P256) | (Es384, Kind::P384) => Ok(DecodingKey::from_ec_der(bytes)),
        // The library cuts the key out of what it is given, and panics where that is too short.
        (EdDsa, Kind::Ed25519) if bytes.len() != ED25519_BYTES => Err(JwtKeyError::Malformed),
        (EdDsa, Kind::Ed25519) => Ok(DecodingKey::from_ed_der(bytes)),
        _ => Err(JwtKeyError::WrongKind {
            algorithm,
            given: kind.name(),
        }),
    }
}

/// The length of the modulus of an RSA key (RFC 8017, appendix A.1.1).
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let (modulus, _) = (DEFAULT_PROVIDER
        .key_utils
        .rsa_pub_components_from_public_key)(key)
    .ok()?;
    let leading = modulus.iter().position(|byte| *byte != 0)?;
    let zeros = modulus.get(leading)?.leading_zeros() as usize;
    Some((modulus.len() - leading) * 8 - zeros)
}
