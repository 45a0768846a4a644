//! The ciphers: AES-CTR for payloads, AES key wrap for keys.

use super::passphrase::Passphrase;
use crate::proto::sequence::SequenceNumber;
use crate::{Error, Result};
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128, Aes192, Aes256};
use aes_kw::{KwAes128, KwAes192, KwAes256};
use ctr::{Ctr128BE, CtrCore};
use std::fmt;

/// The length of salts, in bytes.
pub(super) const SALT_BYTES: usize = 16;
/// By how much wrapping lengthens keys, in bytes (RFC 3394).
pub(super) const WRAP_BYTES: usize = 8;
/// Rounds of PBKDF2 (draft-sharabayko-srt-01, 6.1.4).
const ROUNDS: u32 = 2048;
/// The last bytes of the salt, which PBKDF2 takes as its own.
const ROUNDS_SALT_BYTES: usize = 8;

/// How long keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "AES has these three")]
pub enum KeyLength {
    /// AES-128: libsrt's default.
    #[default]
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
}

impl KeyLength {
    /// The length in bytes: 16, 24 or 32.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// The length of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: usize) -> Option<Self> {
        match bytes {
            16 => Some(Self::Aes128),
            24 => Some(Self::Aes192),
            32 => Some(Self::Aes256),
            _ => None,
        }
    }
}

/// A key that encrypts payloads, with its salt. Its bytes are kept, to be announced again beside the next one.
#[derive(Clone)]
pub(super) struct StreamKey {
    pub(super) bytes: Box<[u8]>,
    salt: [u8; SALT_BYTES],
    cipher: BlockCipher,
}

#[derive(Clone)]
enum BlockCipher {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl StreamKey {
    /// A key of 16, 24 or 32 bytes.
    pub(super) fn new(bytes: &[u8], salt: [u8; SALT_BYTES]) -> Result<Self> {
        let invalid = Error::ApiMisuse {
            what: "a key has 16, 24 or 32 bytes",
        };
        let cipher = match bytes.len() {
            16 => Aes128::new_from_slice(bytes).map(|key| BlockCipher::Aes128(Box::new(key))),
            24 => Aes192::new_from_slice(bytes).map(|key| BlockCipher::Aes192(Box::new(key))),
            _ => Aes256::new_from_slice(bytes).map(|key| BlockCipher::Aes256(Box::new(key))),
        };
        Ok(Self {
            bytes: bytes.into(),
            salt,
            cipher: cipher.map_err(|_| invalid)?,
        })
    }

    pub(super) const fn salt(&self) -> [u8; SALT_BYTES] {
        self.salt
    }

    /// Encrypts or decrypts the payload of a packet in place (draft-sharabayko-srt-01, 6.2.2).
    pub(super) fn apply(&self, sequence: SequenceNumber, payload: &mut [u8]) {
        // The counter's first value: the upper 112 bits of the salt, with the sequence number over their last 32 and a
        // block counter behind.
        let mut counter = [0; 16];
        let sequence = sequence.value().to_be_bytes();
        let packet = [0; 10].iter().chain(&sequence);
        for ((byte, salt), packet) in counter.iter_mut().zip(self.salt).zip(packet) {
            *byte = salt ^ packet;
        }
        let counter = &counter.into();
        match &self.cipher {
            BlockCipher::Aes128(key) => stream(CtrCore::inner_iv_init(&**key, counter), payload),
            BlockCipher::Aes192(key) => stream(CtrCore::inner_iv_init(&**key, counter), payload),
            BlockCipher::Aes256(key) => stream(CtrCore::inner_iv_init(&**key, counter), payload),
        }
    }
}

/// Applies the key stream. No payload is so long that the counter could end.
fn stream<C>(core: CtrCore<C, ctr::flavors::Ctr128BE>, payload: &mut [u8])
where
    C: aes::cipher::BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
{
    Ctr128BE::from_core(core).apply_keystream(payload);
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamKey(AES-{})", self.bytes.len() * 8)
    }
}

/// The key that wraps keys, derived from the passphrase: as long as they are. Making one takes about a millisecond.
#[derive(Clone)]
pub(super) struct WrappingKey {
    bytes: [u8; 32],
    length: KeyLength,
    salt: [u8; SALT_BYTES],
}

impl WrappingKey {
    pub(super) fn derive(
        passphrase: &Passphrase,
        salt: [u8; SALT_BYTES],
        length: KeyLength,
    ) -> Self {
        let mut bytes = [0; 32];
        let (_, rounds_salt) = salt.split_at(SALT_BYTES - ROUNDS_SALT_BYTES);
        let (key, _) = bytes.split_at_mut(length.bytes());
        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(passphrase.as_bytes(), rounds_salt, ROUNDS, key);
        Self {
            bytes,
            length,
            salt,
        }
    }

    /// Whether keys of that length and salt are wrapped with this one.
    pub(super) fn fits(&self, salt: &[u8; SALT_BYTES], length: KeyLength) -> bool {
        self.salt == *salt && self.length == length
    }

    /// Wraps one key, or two of them one behind the other.
    pub(super) fn wrap(&self, keys: &[u8]) -> Result<Vec<u8>> {
        let mut wrapped = vec![0; keys.len() + WRAP_BYTES];
        let (key, _) = self.bytes.split_at(self.length.bytes());
        let result = match self.length {
            KeyLength::Aes128 => KwAes128::new_from_slice(key)
                .is_ok_and(|key| key.wrap_key(keys, &mut wrapped).is_ok()),
            KeyLength::Aes192 => KwAes192::new_from_slice(key)
                .is_ok_and(|key| key.wrap_key(keys, &mut wrapped).is_ok()),
            KeyLength::Aes256 => KwAes256::new_from_slice(key)
                .is_ok_and(|key| key.wrap_key(keys, &mut wrapped).is_ok()),
        };
        result.then_some(wrapped).ok_or(Error::ApiMisuse {
            what: "keys that cannot be wrapped",
        })
    }

    /// Unwraps keys; `None` where they were wrapped with another key, or changed.
    pub(super) fn unwrap(&self, wrapped: &[u8]) -> Option<Vec<u8>> {
        let mut keys = vec![0; wrapped.len().checked_sub(WRAP_BYTES)?];
        let (key, _) = self.bytes.split_at(self.length.bytes());
        let unwrapped = match self.length {
            KeyLength::Aes128 => KwAes128::new_from_slice(key)
                .is_ok_and(|key| key.unwrap_key(wrapped, &mut keys).is_ok()),
            KeyLength::Aes192 => KwAes192::new_from_slice(key)
                .is_ok_and(|key| key.unwrap_key(wrapped, &mut keys).is_ok()),
            KeyLength::Aes256 => KwAes256::new_from_slice(key)
                .is_ok_and(|key| key.unwrap_key(wrapped, &mut keys).is_ok()),
        };
        unwrapped.then_some(keys)
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappingKey({:?})", self.length)
    }
}
