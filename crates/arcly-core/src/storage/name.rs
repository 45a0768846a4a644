//! Which object names can be used.

use crate::{MAX_NAME_BYTES, Result, StreamError};

/// The longest object name, in bytes: what S3 allows.
pub const MAX_OBJECT_BYTES: usize = 1_024;

/// The most components of an object name.
pub const MAX_OBJECT_DEPTH: usize = 16;

/// Whether `object` can be used on every backend, and cannot lead out of a file system's folder: `/`-separated components of 1 to
/// [`MAX_NAME_BYTES`] bytes, [`MAX_OBJECT_DEPTH`] at most, none of them starting with a dot (which rules out `.` and `..`, and keeps
/// the hidden names for the backends' own files), and no control character, `\`, `:`, `*`, `?`, `"`, `<`, `>` or `|`
/// anywhere.
///
/// # Errors
/// [`StreamError::InvalidObjectName`] with what is wrong.
pub fn validate_object(object: &str) -> Result<()> {
    let reason = if object.is_empty() {
        "is empty"
    } else if object.len() > MAX_OBJECT_BYTES {
        "is too long"
    } else if object.split('/').count() > MAX_OBJECT_DEPTH {
        "has too many components"
    } else if object.starts_with('/') {
        "is an absolute path"
    } else if object.split('/').any(str::is_empty) {
        "has an empty component"
    } else if object
        .split('/')
        .any(|component| component.starts_with('.'))
    {
        "has a component that starts with a dot"
    } else if object
        .split('/')
        .any(|component| component.len() > MAX_NAME_BYTES)
    {
        "has a component that is too long"
    } else if object
        .chars()
        .any(|c| c.is_control() || r#"\:*?"<>|"#.contains(c))
    {
        "has a character that is not allowed"
    } else {
        return Ok(());
    };
    // The name may come from a peer: no more of it than could have been right goes into logs.
    let object = object.chars().take(MAX_OBJECT_BYTES).collect();
    Err(StreamError::InvalidObjectName { object, reason })
}

/// Whether `prefix` can be the beginning of an object name.
pub(super) fn validate_prefix(prefix: &str) -> Result<()> {
    // What a name that starts like this could look like.
    let example = if prefix.is_empty() || prefix.ends_with('/') {
        format!("{prefix}x")
    } else {
        prefix.to_owned()
    };
    validate_object(&example)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let deep = ["a"; MAX_OBJECT_DEPTH + 1].join("/");
        let long = ["a".repeat(MAX_NAME_BYTES).as_str(); 6].join("/");
        let wide = "a".repeat(MAX_NAME_BYTES + 1);
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../a",
            "a/../b",
            "a/..",
            ".",
            "a/./b",
            "a//b",
            "a/",
            ".hidden",
            "a/.b",
            "a\0b",
            "a\nb",
            r"a\..\b",
            "C:/a",
            "a?b",
            &deep,
            &long,
            &wide,
        ] {
            assert!(validate_object(bad).is_err(), "{bad:?}");
        }
        for good in [
            "a",
            "a/b.ts",
            "live/Caméra 1/20260102T030405.678Z-0001.ts",
            "a..b",
            "a.",
            "~+@=, ",
        ] {
            assert!(validate_object(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_prefix_may_end_anywhere() {
        for good in ["", "a", "a/", "a/b"] {
            assert!(validate_prefix(good).is_ok(), "{good:?}");
        }
        for bad in ["/", "..", "../", "a/../", "a//"] {
            assert!(validate_prefix(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_a_plain_relative_path(object in r#"[a./\\:~é\x00]{0,24}"#) {
            if validate_object(&object).is_ok() {
                let path = Path::new(&object);
                prop_assert!(path.components().all(|component| matches!(component, Component::Normal(_))));
                prop_assert_eq!(path.components().count(), object.split('/').count());
            }
        }
    }
}
