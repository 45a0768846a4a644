//! Names: of an application, of a stream in it, and of both together.

use crate::StreamError;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The longest application or stream name, in bytes. Names end up in paths and URLs, and file systems stop at 255.
pub const MAX_NAME_BYTES: usize = 200;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the name as it is; whether it is usable is checked when it is used, see [`StreamKey::validate`].
            #[must_use]
            pub fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            /// The name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl From<String> for $name {
            fn from(name: String) -> Self {
                Self::new(name)
            }
        }

        impl From<&Self> for $name {
            fn from(name: &Self) -> Self {
                name.clone()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name_type! {
    /// The name of an application: a group of streams that share their settings.
    AppName
}
name_type! {
    /// The name of a stream within its application.
    StreamId
}

/// The full name of a stream: application and stream, written `app/stream`. Cloning is cheap.
///
/// ```
/// use arcly_core::StreamKey;
///
/// let key = StreamKey::new("live", "camera-1");
/// assert_eq!(key.to_string(), "live/camera-1");
/// assert_eq!("live/camera-1".parse::<StreamKey>()?, key);
/// # Ok::<(), arcly_core::StreamError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    /// The application.
    pub app: AppName,
    /// The stream within it.
    pub stream: StreamId,
}

impl StreamKey {
    /// The stream `stream` of application `app`, taken as they are; the engine calls [`validate`](Self::validate).
    #[must_use]
    pub fn new(app: impl Into<AppName>, stream: impl Into<StreamId>) -> Self {
        Self {
            app: app.into(),
            stream: stream.into(),
        }
    }

    /// Whether both names can stand in a URL path and a file name: 1 to [`MAX_NAME_BYTES`] bytes of letters, digits
    /// and `-_.~+@=,` and space, not starting with a dot. Letters and digits of any script count.
    ///
    /// # Errors
    /// [`StreamError::InvalidKey`] with what is wrong.
    pub fn validate(&self) -> Result<(), StreamError> {
        for (what, name) in [("application", &*self.app), ("stream", &*self.stream)] {
            let reason = if name.is_empty() {
                "is empty"
            } else if name.len() > MAX_NAME_BYTES {
                "is too long"
            } else if name.starts_with('.') {
                "starts with a dot"
            } else if !name
                .chars()
                .all(|c| c.is_alphanumeric() || "-_.~+@=, ".contains(c))
            {
                "has a character that is not allowed"
            } else {
                continue;
            };
            return Err(StreamError::InvalidKey { what, reason });
        }
        Ok(())
    }
}

/// The beginning of `text`, `max` bytes at most.
pub(crate) fn truncated(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

impl StreamKey {
    /// The key as it goes into reports of a refusal, where it may be anything: names cut to [`MAX_NAME_BYTES`], and control characters, which
    /// could forge log lines, replaced. A valid key comes out unchanged.
    pub(crate) fn for_report(&self) -> Self {
        if self.validate().is_ok() {
            return self.clone();
        }
        let printable = |c: char| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        let name = |name: &str| -> String {
            truncated(name, MAX_NAME_BYTES)
                .chars()
                .map(printable)
                .collect()
        };
        Self::new(name(&self.app), name(&self.stream))
    }
}

impl std::str::FromStr for StreamKey {
    type Err = StreamError;

    /// Parses `app/stream`; the result is valid.
    fn from_str(text: &str) -> Result<Self, StreamError> {
        let (app, stream) = text.split_once('/').ok_or(StreamError::InvalidKey {
            what: "stream",
            reason: "is missing",
        })?;
        let key = Self::new(app, stream);
        key.validate()?;
        Ok(key)
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.stream)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_in_one_line() {
        let key = StreamKey::new("live", "a\n\"b");
        assert_eq!(format!("{key:?}"), r#""live/a\n\"b""#);
    }

    #[test]
    fn a_refused_key_is_reported_in_bounds() {
        let valid = StreamKey::new("live", "Caméra 1");
        assert_eq!(valid.for_report(), valid);
        let long = StreamKey::new("live\r\nforged", "é".repeat(MAX_NAME_BYTES)).for_report();
        assert_eq!(&*long.app, "live\u{fffd}\u{fffd}forged");
        assert_eq!(&*long.stream, "é".repeat(MAX_NAME_BYTES / 2));
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in [
            "",
            "..",
            ".hidden",
            "a/b",
            "a\\b",
            "a\0b",
            "a\nb",
            "a?b",
            &"x".repeat(MAX_NAME_BYTES + 1),
        ] {
            assert!(StreamKey::new("live", bad).validate().is_err(), "{bad:?}");
            assert!(StreamKey::new(bad, "s").validate().is_err(), "{bad:?}");
        }
        for good in ["a", "Caméra 1", "a.b-c_d~e", "user@host", "日本"] {
            assert!(StreamKey::new("live", good).validate().is_ok(), "{good:?}");
        }
    }
}
