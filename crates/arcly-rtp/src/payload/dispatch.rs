//! From a format to what reads and writes it.

use super::{Depacketizer, Packetizer, PayloadFormat};
use crate::{Result, RtpError};

impl PayloadFormat {
    /// What puts the access units of this format together.
    ///
    /// Its units carry [`config`](super::AccessUnit::config) with the first one that has a config in force, be it from this format or in band,
    /// and whenever it changes.
    ///
    /// # Errors
    /// [`RtpError::Unsupported`] where the format is not read, [`RtpError::Codec`] where its config is damaged.
    pub fn depacketizer(&self) -> Result<Box<dyn Depacketizer>> {
        Err(unsupported(self))
    }

    /// What splits access units into payloads of at most `max_payload` bytes.
    ///
    /// # Errors
    /// [`RtpError::Unsupported`] where the format is not written, [`RtpError::Codec`] where its config is damaged.
    pub fn packetizer(&self, max_payload: usize) -> Result<Box<dyn Packetizer>> {
        let _ = max_payload;
        Err(unsupported(self))
    }
}

fn unsupported(format: &PayloadFormat) -> RtpError {
    RtpError::Unsupported {
        what: format.encoding_name(),
        value: 0,
    }
}
