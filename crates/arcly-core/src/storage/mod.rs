//! Where recordings and other objects are kept: [`StorageBackend`], with [`FsStorage`] for a folder, [`MemoryStorage`] for
//! tests, and, with feature `object-store`, `ObjectStorage` for the clouds.
//!
//! The model is that of an object store: names with `/` in them, no folders of their own, no renaming. Whole objects are
//! [put](StorageBackend::put); objects that grow for hours are [created](StorageBackend::create), written, and appear when they are
//! committed.

mod fs;
mod memory;
mod name;
#[cfg(feature = "object-store")]
mod object;

pub use fs::FsStorage;
pub use memory::MemoryStorage;
pub use name::{MAX_OBJECT_BYTES, MAX_OBJECT_DEPTH, validate_object};
#[cfg(feature = "object-store")]
pub use object::{ObjectStorage, ObjectStorageConfig, open_storage};

use crate::key::truncated;
use crate::{MAX_NAME_BYTES, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;

/// The most that [`StorageBackend::get`] and [`StorageBackend::get_range`] read into memory at once. Read longer objects in ranges.
pub const MAX_READ_BYTES: u64 = 256 << 20;

/// An object, as [`StorageBackend::list`] finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ObjectInfo {
    /// Its name.
    pub object: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A place to keep objects.
///
/// Object names are `/`-separated and have to pass [`validate_object`]; every method fails with
/// [`StreamError::InvalidObjectName`](crate::StreamError::InvalidObjectName) otherwise. What else fails is a
/// [`StreamError::Storage`](crate::StreamError::Storage) with the cause. `Arc<B>` and `Box<B>` of a backend `B` are backends, also where `B`
/// is `dyn StorageBackend`.
///
/// A call whose future is dropped may or may not take effect, but takes effect whole or not at all.
#[async_trait]
pub trait StorageBackend: Send + Sync + 'static {
    /// Stores `data` as `object`, replacing it if it exists. Readers see the old object or the new one, never a mixture, also
    /// after a crash; of several writers at once, the last wins.
    ///
    /// # Errors
    /// See the trait.
    async fn put(&self, object: &str, data: Bytes) -> Result<()>;

    /// The whole object.
    ///
    /// # Errors
    /// [`StreamError::StorageNotFound`](crate::StreamError::StorageNotFound); [`StreamError::LimitExceeded`](crate::StreamError::LimitExceeded)
    /// if it is larger than [`MAX_READ_BYTES`]; see the trait.
    async fn get(&self, object: &str) -> Result<Bytes>;

    /// The bytes of the object that lie in `range`, which may reach beyond its end: what comes back is then shorter, or empty.
    ///
    /// # Errors
    /// As [`get`](Self::get), for the size of the part that is read.
    async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes>;

    /// Removes the object.
    ///
    /// # Errors
    /// [`StreamError::StorageNotFound`](crate::StreamError::StorageNotFound); see the trait.
    async fn delete(&self, object: &str) -> Result<()>;

    /// The objects whose names start with `prefix`, in the order of their names. Objects that are still being written are not among them.
    ///
    /// # Errors
    /// See the trait.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>>;

    /// Whether the object exists. One that is still being written does not.
    ///
    /// # Errors
    /// See the trait.
    async fn exists(&self, object: &str) -> Result<bool>;

    /// Begins an object that grows. It exists from its [commit](ObjectWriter::commit) on, and never replaces another.
    ///
    /// # Errors
    /// [`StreamError::StorageExists`](crate::StreamError::StorageExists); see the trait.
    async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>>;

    /// Commits the objects whose writers are gone: their process was killed, or dropped them. Objects that some writer of this or
    /// another process still holds are left alone, so this may be called at any time; call it when a process starts.
    ///
    /// Whatever was [synced](ObjectWriter::sync) is in the recovered object, and possibly what was written after that. Where an object of
    /// the same name has appeared meanwhile, both are kept, and the recovered one gets `.recovered-<number>` before its extension.
    ///
    /// The default is for backends on which nothing can be left behind, and finds nothing.
    ///
    /// # Errors
    /// See the trait. An object that cannot be recovered is logged and skipped.
    async fn recover(&self) -> Result<Vec<ObjectInfo>> {
        Ok(Vec::new())
    }
}

/// Writes an object that grows. Made by [`StorageBackend::create`].
///
/// Call order: [`write`](Self::write) and [`sync`](Self::sync) as often as needed, then [`commit`](Self::commit) or
/// [`discard`](Self::discard) once. A writer that is merely dropped leaves its object for [`StorageBackend::recover`].
#[async_trait]
pub trait ObjectWriter: Send {
    /// Appends `chunks`. They may be buffered; an error may concern an earlier call.
    ///
    /// # Errors
    /// See [`StorageBackend`]. What the failed calls were to append is not in the object, and the writer takes no more; it can still be
    /// committed, which keeps what was written before.
    async fn write(&mut self, chunks: &[Bytes]) -> Result<()>;

    /// Returns once everything written so far will survive: the end of this process however it ends, and, where the backend is a
    /// local disk that honours flushes, a loss of power.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn sync(&mut self) -> Result<()>;

    /// Puts `start` in the place of the first bytes of the object, as many as it has; false, and nothing done, where the backend can only
    /// append or less has been written. For containers that know only at the end what their beginning is to say, see
    /// [`Muxer::final_header`](crate::mux::Muxer::final_header).
    ///
    /// What lies behind the first 4 KiB of `start` is durable before those are written. So a crash on the way leaves the old beginning whole, or
    /// changed behind its first 4 KiB only.
    ///
    /// The default is for backends that can only append.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    async fn replace_start(&mut self, start: Bytes) -> Result<bool> {
        let _ = start;
        Ok(false)
    }

    /// Makes the object appear, whole and durable, under its name.
    ///
    /// # Errors
    /// [`StreamError::StorageExists`](crate::StreamError::StorageExists) if another object has taken the name meanwhile; see [`StorageBackend`].
    /// What was written is then left for [`StorageBackend::recover`]. Where the last writes fail in here, the object appears without them.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Removes what was written.
    ///
    /// # Errors
    /// See [`StorageBackend`].
    async fn discard(self: Box<Self>) -> Result<()>;
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        #[async_trait]
        impl<B: StorageBackend + ?Sized> StorageBackend for $pointer<B> {
            async fn put(&self, object: &str, data: Bytes) -> Result<()> {
                (**self).put(object, data).await
            }
            async fn get(&self, object: &str) -> Result<Bytes> {
                (**self).get(object).await
            }
            async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes> {
                (**self).get_range(object, range).await
            }
            async fn delete(&self, object: &str) -> Result<()> {
                (**self).delete(object).await
            }
            async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
                (**self).list(prefix).await
            }
            async fn exists(&self, object: &str) -> Result<bool> {
                (**self).exists(object).await
            }
            async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>> {
                (**self).create(object).await
            }
            async fn recover(&self) -> Result<Vec<ObjectInfo>> {
                (**self).recover().await
            }
        }
    )*};
}
forward!(Arc, Box);

/// Where bytes `range` of an object of `size` bytes lie.
///
/// # Errors
/// [`StreamError::LimitExceeded`](crate::StreamError::LimitExceeded) if that is more than [`MAX_READ_BYTES`].
fn clamp_range(range: &Range<u64>, size: u64) -> Result<Range<u64>> {
    let end = range.end.min(size);
    let start = range.start.min(end);
    if end - start > MAX_READ_BYTES {
        return Err(crate::StreamError::LimitExceeded {
            what: "the part of the object read at once",
            max: MAX_READ_BYTES,
        });
    }
    Ok(start..end)
}

/// An extension longer than this is part of the name.
const MAX_EXTENSION_BYTES: usize = 16;

/// The name under which `object` is recovered where its own is taken: `.recovered-<number>` before the extension. What stands before that is
/// cut, down to one character, where the name would get too long; where that is not enough, it goes into a folder further up.
fn recovered_name(object: &str, number: u64) -> String {
    let file = object.rfind('/').map_or(0, |slash| slash + 1);
    let dot = object[file..]
        .rfind('.')
        .filter(|dot| *dot > 0)
        .map(|dot| file + dot)
        .filter(|dot| object.len() - dot <= MAX_EXTENSION_BYTES)
        .unwrap_or(object.len());
    let (stem, extension) = object.split_at(dot);
    let (mut folder, stem) = stem.split_at(file);
    let mark = format!(".recovered-{number:016x}{extension}");
    let first = stem.chars().next().map_or(0, char::len_utf8);
    while folder.len() + first + mark.len() > MAX_OBJECT_BYTES {
        let above = folder.trim_end_matches('/').rfind('/');
        folder = above.map_or("", |slash| &folder[..=slash]);
    }
    let room = MAX_NAME_BYTES.min(MAX_OBJECT_BYTES - folder.len()) - mark.len();
    format!("{folder}{}{mark}", truncated(stem, room))
}

#[cfg(test)]
mod conformance;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovered_object_s_name_can_be_used() {
        let (longest, wide) = ("x".repeat(MAX_NAME_BYTES), "é".repeat(MAX_NAME_BYTES / 2));
        let deep = ["x".repeat(MAX_NAME_BYTES).as_str(); 5].join("/");
        for object in [
            longest.clone(),
            wide,
            format!("live/{}.ts", &longest[3..]),
            format!("a.{}", &longest[2..]),
            format!("{deep}/file-0001.ts"),
        ] {
            validate_object(&object).expect("a valid name");
            let recovered = recovered_name(&object, u64::MAX);
            validate_object(&recovered).unwrap_or_else(|error| panic!("{recovered}: {error}"));
            assert_ne!(recovered, recovered_name(&object, 1));
            assert_eq!(recovered.ends_with(".ts"), object.ends_with(".ts"));
        }
    }

    #[test]
    fn a_recovered_object_keeps_its_extension() {
        assert_eq!(
            recovered_name("a.b/c.ts", 1),
            "a.b/c.recovered-0000000000000001.ts"
        );
        assert_eq!(
            recovered_name("a.b/c", 1),
            "a.b/c.recovered-0000000000000001"
        );
        assert_eq!(
            recovered_name("c.tar.gz", 1),
            "c.tar.recovered-0000000000000001.gz"
        );
    }
}
