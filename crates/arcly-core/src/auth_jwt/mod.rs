//! Publish and play allowed by signed tokens (JSON Web Tokens, RFC 7519): [`JwtAuthenticator`].
//! The form of the tokens, and what is not believed of them, is described there.

mod authenticator;
mod claims;
mod key;
mod signer;

pub use authenticator::JwtAuthenticator;
pub use claims::JwtClaims;
pub use key::{JwtAlgorithm, JwtKey, JwtKeyError};
pub use signer::JwtSigner;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
