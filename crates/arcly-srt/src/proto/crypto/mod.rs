//! Payload encryption: AES in counter mode, keys that both ends derive from a passphrase, and their renewal
//! (draft-sharabayko-srt-01, 6).
//!
//! The initiator of a handshake makes a stream encrypting key (SEK) and a salt, wraps the key with one derived from the
//! passphrase (KEK), and sends both as *key material*. The responder answers with the same bytes, and both directions start
//! with that key. From then on each sender renews its own key: it announces the next one, even or odd by turns, goes over to
//! it, and forgets the old one.
//!
//! AES-CTR does not authenticate: who can guess addresses, socket ids and sequence numbers can change what is received, as
//! with libsrt. AES-GCM, which libsrt 1.6 adds, is refused.
//!
//! Keys and salts come from the operating system's random numbers, the one thing of this module that its inputs do not decide.

mod cipher;
mod key_material;
mod passphrase;
mod session;

pub use cipher::KeyLength;
pub use key_material::{KeyMaterial, WrappedKeys};
pub use passphrase::Passphrase;
pub use session::{KeyRefresh, Session, Undecryptable};

use crate::{Error, Result};

/// How a side fares with the keys of its peer, as an answer to key material says it in place of the material
/// (draft-sharabayko-srt-01, 3.2.2; the values are libsrt's).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// No encryption: no key material has been seen.
    Unsecured,
    /// The exchange is going on.
    Securing,
    /// Keys are known.
    Secured,
    /// The peer encrypts, and this side has no passphrase.
    NoSecret,
    /// The passphrases differ.
    BadSecret,
    /// The cipher is not supported.
    BadCryptoMode,
}

impl KeyState {
    /// The answer that says so. libsrt writes it in the order of its own machine, which is little-endian wherever it runs.
    #[must_use]
    pub const fn to_message(self) -> [u8; 4] {
        let code: u32 = match self {
            Self::Unsecured => 0,
            Self::Securing => 1,
            Self::Secured => 2,
            Self::NoSecret => 3,
            Self::BadSecret => 4,
            Self::BadCryptoMode => 5,
        };
        code.to_le_bytes()
    }

    /// Reads such an answer, in either byte order; `None` where it is key material or unknown.
    #[must_use]
    pub fn from_message(message: &[u8]) -> Option<Self> {
        let bytes: [u8; 4] = message.try_into().ok()?;
        let code = u32::from_le_bytes(bytes);
        let code = if code > 0xff { code.swap_bytes() } else { code };
        Some(match code {
            0 => Self::Unsecured,
            1 => Self::Securing,
            2 => Self::Secured,
            3 => Self::NoSecret,
            4 => Self::BadSecret,
            5 => Self::BadCryptoMode,
            _ => return None,
        })
    }
}

/// Fills `bytes` with random numbers of the operating system.
pub(crate) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|_| Error::Unavailable {
        what: "random numbers of the operating system",
    })
}

#[cfg(test)]
mod tests;
