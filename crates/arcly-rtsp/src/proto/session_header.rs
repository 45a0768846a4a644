//! The `Session` header (RFC 2326, section 12.37).

use super::parameters::{name_and_value, split_unquoted};
use crate::Fault;
use std::fmt;
use std::time::Duration;

/// The longest session identifier that is taken, in bytes; servers use up to 40.
pub const MAX_ID_BYTES: usize = 256;

/// The timeout of a session whose header names none (RFC 2326, section 12.37).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// A session's identifier, and after how long without a sign of life the server ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionHeader {
    /// The identifier, opaque to clients.
    pub id: String,
    /// The timeout, in whole seconds; `None` where none is named.
    pub timeout: Option<Duration>,
}

impl SessionHeader {
    /// The session `id` without timeout.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            timeout: None,
        }
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Reads a header's value. A timeout that is no number counts as none.
    ///
    /// # Errors
    /// Where there is no identifier; [`Fault::LimitExceeded`] beyond [`MAX_ID_BYTES`].
    pub fn parse(value: &str) -> Result<Self, Fault> {
        let mut parts = split_unquoted(value, ';');
        let id = parts.next().unwrap_or_default();
        if id.is_empty() || value.trim_start().starts_with(';') {
            return Err(Fault::Malformed("a Session header without identifier"));
        }
        if id.len() > MAX_ID_BYTES {
            return Err(Fault::LimitExceeded {
                what: "bytes of a session identifier",
                max: MAX_ID_BYTES as u64,
            });
        }
        let mut session = Self::new(id);
        for parameter in parts {
            let (name, value) = name_and_value(parameter);
            if name.eq_ignore_ascii_case("timeout") {
                let seconds = value.and_then(|value| value.parse::<u32>().ok());
                session.timeout = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            }
        }
        Ok(session)
    }
}

impl fmt::Display for SessionHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        match self.timeout {
            Some(timeout) => write!(f, ";timeout={}", timeout.as_secs()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn identifier_and_timeout_are_read() {
        let session = SessionHeader::parse("12ab ; Timeout = 30").unwrap();
        assert_eq!(
            session,
            SessionHeader::new("12ab").timeout(Duration::from_secs(30))
        );
        assert_eq!(
            SessionHeader::parse("12ab;timeout=x").unwrap().timeout,
            None
        );
        for value in ["", ";timeout=30", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(SessionHeader::parse(value).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(id in "[A-Za-z0-9$_.+-]{1,40}", seconds in proptest::option::of(any::<u32>())) {
            let mut session = SessionHeader::new(id);
            session.timeout = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            prop_assert_eq!(SessionHeader::parse(&session.to_string()).unwrap(), session);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
            let _ = SessionHeader::parse(&text);
        }
    }
}
