//! The message that carries keys (draft-sharabayko-srt-01, 3.2.2).

use super::cipher::{KeyLength, SALT_BYTES, WRAP_BYTES};
use crate::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Version 1, packet type 2 (key material), the sign of Haivision.
const VERSION_AND_TYPE: u8 = 0x12;
const SIGN: u16 = 0x2029;
const CIPHER_AES_CTR: u8 = 2;
const CIPHER_AES_GCM: u8 = 4;
/// Where the payload is: SRT.
const ENCAPSULATION_SRT: u8 = 2;
const FIXED_BYTES: usize = 16;

/// Wrapped keys and what is needed to unwrap them, beside the passphrase.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and senders write them"
)]
pub struct KeyMaterial {
    /// Which keys there are.
    pub keys: WrappedKeys,
    /// How long each is.
    pub length: KeyLength,
    /// The salt of all of them.
    pub salt: [u8; SALT_BYTES],
    /// The keys, even before odd, wrapped together: 8 bytes longer than they are.
    pub wrapped: Bytes,
}

/// Which keys a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a field of two bits, not both clear"
)]
pub enum WrappedKeys {
    /// The even one.
    Even,
    /// The odd one.
    Odd,
    /// Both, the even one first.
    Both,
}

impl WrappedKeys {
    const fn count(self) -> usize {
        match self {
            Self::Even | Self::Odd => 1,
            Self::Both => 2,
        }
    }
}

impl KeyMaterial {
    /// Reads a message.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the cipher is another than AES-CTR; [`Error::PeerMisbehaved`] where the message is not
    /// key material, or its lengths do not fit.
    pub fn read(mut message: Bytes) -> Result<Self> {
        if message.len() < FIXED_BYTES {
            return Err(Error::misbehaved("key material that ends early"));
        }
        let version_and_type = message.get_u8() & 0x7f;
        let sign = message.get_u16();
        let keys = match message.get_u8() & 0b11 {
            1 => WrappedKeys::Even,
            2 => WrappedKeys::Odd,
            3 => WrappedKeys::Both,
            _ => return Err(Error::misbehaved("key material without keys")),
        };
        if version_and_type != VERSION_AND_TYPE || sign != SIGN {
            return Err(Error::misbehaved("key material of an unknown kind"));
        }
        let key_id = message.get_u32();
        let (cipher, authentication) = (message.get_u8(), message.get_u8());
        let encapsulation = message.get_u8();
        if key_id != 0 {
            return Err(Error::Unsupported {
                what: "keys wrapped with another key than the passphrase's",
            });
        }
        if cipher == CIPHER_AES_GCM {
            return Err(Error::Unsupported { what: "AES-GCM" });
        }
        if cipher != CIPHER_AES_CTR || authentication != 0 || encapsulation != ENCAPSULATION_SRT {
            return Err(Error::Unsupported {
                what: "a cipher other than AES-CTR",
            });
        }
        message.advance(3);
        let salt_bytes = usize::from(message.get_u8()) * 4;
        let key_bytes = usize::from(message.get_u8()) * 4;
        let length = KeyLength::from_bytes(key_bytes)
            .ok_or(Error::misbehaved("keys of a length that AES does not have"))?;
        if salt_bytes != SALT_BYTES
            || message.len() != SALT_BYTES + keys.count() * key_bytes + WRAP_BYTES
        {
            return Err(Error::misbehaved(
                "key material of another length than it says",
            ));
        }
        let mut salt = [0; SALT_BYTES];
        message.copy_to_slice(&mut salt);
        Ok(Self {
            keys,
            length,
            salt,
            wrapped: message,
        })
    }

    /// The message.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut message = BytesMut::with_capacity(FIXED_BYTES + SALT_BYTES + self.wrapped.len());
        message.put_u8(VERSION_AND_TYPE);
        message.put_u16(SIGN);
        message.put_u8(match self.keys {
            WrappedKeys::Even => 1,
            WrappedKeys::Odd => 2,
            WrappedKeys::Both => 3,
        });
        message.put_u32(0);
        message.put_slice(&[CIPHER_AES_CTR, 0, ENCAPSULATION_SRT, 0, 0, 0]);
        message.put_slice(&[4, (self.length.bytes() / 4) as u8]);
        message.put_slice(&self.salt);
        message.put_slice(&self.wrapped);
        message.freeze()
    }
}
