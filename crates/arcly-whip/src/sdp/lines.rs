//! The lines of a description.

use super::{MAX_SDP_BYTES, SdpError};

/// A line `type=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) kind: u8,
    pub(super) value: &'a str,
}

impl<'a> Line<'a> {
    /// The lines of a description, ended by line feeds with or without carriage returns (RFC 8866 9); empty ones are skipped.
    pub(super) fn all(
        description: &'a str,
    ) -> Result<impl Iterator<Item = Result<Self, SdpError>>, SdpError> {
        if description.len() > MAX_SDP_BYTES {
            return Err(SdpError::LimitExceeded {
                what: "bytes",
                max: MAX_SDP_BYTES,
            });
        }
        let lines = description.split('\n').zip(1..);
        Ok(lines.filter_map(|(line, number)| {
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                return None;
            }
            Some(match line.split_once('=') {
                Some((kind, value)) => match kind.as_bytes() {
                    &[kind] => Ok(Self {
                        number,
                        kind,
                        value,
                    }),
                    _ => Err(malformed(number, "it does not begin with a letter and =")),
                },
                None => Err(malformed(number, "it does not begin with a letter and =")),
            })
        }))
    }

    /// An attribute's name and value; the value is empty where there is none.
    pub(super) fn attribute(&self) -> Option<(&'a str, &'a str)> {
        (self.kind == b'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }

    pub(super) const fn malformed(&self, reason: &'static str) -> SdpError {
        malformed(self.number, reason)
    }
}

const fn malformed(line: usize, reason: &'static str) -> SdpError {
    SdpError::Malformed { line, reason }
}

/// The value of `key` in `key=value;key=value` of an `fmtp`.
pub(super) fn format_parameter<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
    })
}
