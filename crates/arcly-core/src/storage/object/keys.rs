//! How names become keys of the store, and back.

use super::super::validate_object;
use crate::{Result, StreamError};
use object_store::path::Path;
use std::io;

/// The folder of objects that are being written. Starts with a dot, so it is no object's.
const UNFINISHED: &str = ".unfinished";

/// One of the objects that an unfinished object consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// Holds the name that it is to get. Written first and removed first: what is left without it is rubbish.
    Name,
    /// Rewritten now and then, which tells other processes that its writer lives.
    Alive,
    /// Made by the process that recovers it.
    Claim,
    /// The piece of this number, from 0 on without holes.
    Piece(u64),
}

/// The keys of one storage: object names behind a prefix.
///
/// A name is its key, but for `%` and `#`, which are escaped: `object_store` keeps names that end in `#` and a number for files of its own.
#[derive(Debug)]
pub(super) struct Keys {
    /// Empty, or ending in `/`.
    root: String,
}

impl Keys {
    /// Keys in the folder `prefix`, which is empty or an object name.
    pub(super) fn new(prefix: &str) -> Result<Self> {
        if prefix.is_empty() {
            return Ok(Self {
                root: String::new(),
            });
        }
        validate_object(prefix)?;
        Ok(Self {
            root: format!("{}/", escape(prefix)),
        })
    }

    /// The key of an object that has been validated.
    pub(super) fn object(&self, object: &str) -> Result<Path> {
        self.path(&escape(object))
    }

    /// The folder in which all objects lie whose names start with `prefix`; `None` where that is the whole store.
    pub(super) fn folder(&self, prefix: &str) -> Result<Option<Path>> {
        let folder = prefix.rfind('/').map_or("", |slash| &prefix[..slash]);
        let path = self.path(&escape(folder))?;
        Ok(Some(path).filter(|path| !path.is_root()))
    }

    /// The folder of all unfinished objects.
    pub(super) fn unfinished(&self) -> Result<Path> {
        self.path(UNFINISHED)
    }

    /// The key of a part of the unfinished object `id`.
    pub(super) fn item(&self, id: u64, item: Item) -> Result<Path> {
        let item = match item {
            Item::Name => "name".to_owned(),
            Item::Alive => "alive".to_owned(),
            Item::Claim => "claim".to_owned(),
            Item::Piece(number) => format!("{number:010}"),
        };
        self.path(&format!("{UNFINISHED}/{id:016x}/{item}"))
    }

    /// The reverse of [`object`](Self::object); `None` for keys that are no object's.
    pub(super) fn parse_object(&self, key: &Path) -> Option<String> {
        let escaped = key.as_ref().strip_prefix(&self.root)?;
        let object = unescape(escaped);
        // What others have put there under a key that is nobody's name cannot be reached, so it is not shown.
        (validate_object(&object).is_ok() && escape(&object) == escaped).then_some(object)
    }

    /// The reverse of [`item`](Self::item).
    pub(super) fn parse_item(&self, key: &Path) -> Option<(u64, Item)> {
        let rest = key.as_ref().strip_prefix(&self.root)?;
        let (folder, rest) = rest.split_once('/')?;
        let (id, item) = rest.split_once('/')?;
        if folder != UNFINISHED || id.len() != 16 {
            return None;
        }
        let id = u64::from_str_radix(id, 16).ok()?;
        let item = match item {
            "name" => Item::Name,
            "alive" => Item::Alive,
            "claim" => Item::Claim,
            number => Item::Piece(number.parse().ok()?),
        };
        Some((id, item))
    }

    fn path(&self, key: &str) -> Result<Path> {
        let key = format!("{}{key}", self.root);
        Path::parse(&key).map_err(|error| {
            StreamError::storage(
                "naming",
                key,
                io::Error::new(io::ErrorKind::InvalidInput, error),
            )
        })
    }
}

fn escape(name: &str) -> String {
    name.replace('%', "%25").replace('#', "%23")
}

fn unescape(key: &str) -> String {
    key.replace("%23", "#").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_its_key() {
        let keys = Keys::new("bucket folder/é").unwrap();
        for (object, key) in [
            ("live/cam 1/é.ts", "bucket folder/é/live/cam 1/é.ts"),
            ("a#1", "bucket folder/é/a%231"),
            ("a%231", "bucket folder/é/a%25231"),
        ] {
            let path = keys.object(object).unwrap();
            assert_eq!(path.as_ref(), key);
            assert_eq!(keys.parse_object(&path).as_deref(), Some(object));
        }
    }

    #[test]
    fn keys_that_are_nobody_s_name_are_not_shown() {
        let keys = Keys::new("in").unwrap();
        for key in [
            "out/a",
            "in",
            "in/.unfinished/0000000000000001/name",
            "in/a%20b",
            "in/a?b",
        ] {
            let key = Path::parse(key).unwrap();
            assert_eq!(keys.parse_object(&key), None, "{key}");
        }
    }

    #[test]
    fn items_are_read_back() {
        for root in ["", "a/b"] {
            let keys = Keys::new(root).unwrap();
            for item in [Item::Name, Item::Alive, Item::Claim, Item::Piece(7)] {
                let key = keys.item(u64::MAX, item).unwrap();
                assert_eq!(keys.parse_item(&key), Some((u64::MAX, item)));
                assert_eq!(keys.parse_object(&key), None);
            }
            let object = keys.object("a/b/1").unwrap();
            assert_eq!(keys.parse_item(&object), None);
        }
    }

    proptest! {
        #[test]
        fn names_round_trip(object in r"[a-c/ .%#~+=&'!@,;()\[\]{}^`$é中0-3-]{1,24}") {
            prop_assume!(validate_object(&object).is_ok());
            for root in ["", "ro#ot/%25"] {
                let keys = Keys::new(root).unwrap();
                let path = keys.object(&object).unwrap();
                prop_assert_eq!(keys.parse_object(&path), Some(object.clone()));
            }
        }
    }
}
