//! Where recordings go.

use std::fmt;
use std::str::FromStr;

/// The stores that URLs name, and the feature of this crate that each takes.
const STORES: &[(&str, &str, bool)] = &[
    ("s3", "s3", cfg!(feature = "s3")),
    ("gs", "gcs", cfg!(feature = "gcs")),
    ("az", "azure", cfg!(feature = "azure")),
];

/// A folder, or the URL of an object store's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location(String);

impl Location {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a folder, or the URL of a bucket".into());
        }
        // Not a URL, and neither is `C:\folder`.
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self(text.to_owned()));
        };
        let store = STORES.iter().find(|(known, ..)| *known == scheme);
        let Some((_, feature, is_there)) = store else {
            return Err(format!("{scheme}:// is neither s3://, gs:// nor az://"));
        };
        if !is_there {
            return Err(format!(
                "{scheme}:// takes a server that was built with `--features {feature}`"
            ));
        }
        if rest.contains('@') {
            return Err(
                "credentials come from the environment, so that they do not stand in a URL".into(),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
