//! The secret that both ends know.

use crate::{Error, Result};
use std::fmt;

/// A passphrase, 10 to 79 bytes, as libsrt demands it (`SRTO_PASSPHRASE`). It is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Box<[u8]>);

impl Passphrase {
    /// The shortest, in bytes.
    pub const MIN_BYTES: usize = 10;
    /// The longest, in bytes.
    pub const MAX_BYTES: usize = 79;

    /// Takes a passphrase.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where it is shorter or longer than libsrt's peers could have it.
    pub fn new(passphrase: impl AsRef<[u8]>) -> Result<Self> {
        let bytes = passphrase.as_ref();
        if (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes.len()) {
            Ok(Self(bytes.into()))
        } else {
            Err(Error::ApiMisuse {
                what: "a passphrase has 10 to 79 bytes",
            })
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
