//! Objects in an object store, of which the clouds are several.

mod config;
#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
mod https;
mod keys;
mod location;
mod pieces;
mod recovery;
mod store;
mod upload;
mod writer;
mod writers;

pub use config::ObjectStorageConfig;
pub use location::open_storage;

use super::name::validate_prefix;
use super::{ObjectInfo, ObjectWriter, StorageBackend, validate_object};
use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use keys::Keys;
use object_store::ObjectStore;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;
use store::{Doing, Store};
use writer::PiecesWriter;
use writers::Writers;

/// Keeps objects in any store of the [`object_store`](https://docs.rs/object_store) crate, version 0.14: S3 and what speaks its protocol,
/// Google Cloud Storage, Azure Blob Storage, or one of your own. Clones share it, and several processes may use one store at once.
///
/// * **Names are keys**, behind the prefix that is given, but for `%` and `#`, which become `%25` and `%23`. Keys that nothing here
///   could have made are not listed.
/// * **Objects that grow** are stored in pieces under `<prefix>/.unfinished/<id>/`: one at each [sync](ObjectWriter::sync), and one each
///   [`part_bytes`](ObjectStorageConfig::part_bytes). Beside that, the object is uploaded in parts of this size, so that a
///   [commit](ObjectWriter::commit) needs no more than the last one, however long the object; the pieces are removed then. Each byte is
///   so sent twice, and none is read back but in a recovery, or after a part failed, or beyond 9,999 parts (48 GiB).
/// * **A commit never replaces**, in one step with the store for objects of less than a part. Multipart uploads have no such step in this
///   crate: there the name is looked at right before the last request, and what another *process* gives that name in the milliseconds in
///   between is replaced. Clones of one storage never replace each other's.
/// * **Recovery** ([`recover`](StorageBackend::recover)) makes objects of the pieces of writers that this storage has dropped, at once,
///   and of other processes' when nobody has touched them for [`orphan_age`](ObjectStorageConfig::orphan_age): a living writer does so by a
///   task of its own. One that cannot reach the store for that long may lose its pieces to a recovery, which then has made an object of
///   what was synced; its own commit still makes one of what it had uploaded, or fails.
/// * **Deleting** asks first whether there is such an object, as stores do not say so.
/// * **Every wait ends**, after [`call_timeout`](ObjectStorageConfig::call_timeout), with [`std::io::ErrorKind::TimedOut`]. What the store
///   does with the request after that is its own affair; pieces and names are written so that it does no harm.
/// * **Memory**: a writer holds three [parts](ObjectStorageConfig::part_bytes) at most (15 MiB) and what one call appends; a recovery a
///   part and two pieces; a list all it finds.
///
/// Uploads that a killed process leaves take room in S3 until a lifecycle rule (`AbortIncompleteMultipartUpload`) removes them: set one.
///
/// For a folder, [`FsStorage`](crate::FsStorage) is better than `object_store`'s `LocalFileSystem`: its locks tell at once who lives, and
/// nothing is written twice.
///
/// ```
/// use arcly_core::{ObjectStorage, ObjectStorageConfig, StorageBackend};
/// use bytes::Bytes;
/// use object_store::memory::InMemory;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> arcly_core::Result<()> {
/// let storage = ObjectStorage::new(Arc::new(InMemory::new()), "recordings", ObjectStorageConfig::default())?;
/// let mut writer = storage.create("live/cam/1.ts").await?;
/// writer.write(&[Bytes::from_static(b"frames")]).await?;
/// writer.sync().await?; // from here on, they survive this process
/// drop(writer);
///
/// let recovered = storage.recover().await?;
/// assert_eq!((recovered[0].object.as_str(), recovered[0].bytes), ("live/cam/1.ts", 6));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ObjectStorage {
    store: Arc<Store>,
}

impl ObjectStorage {
    /// Keeps objects in `store`, under keys that start with `prefix` and a slash; an empty prefix is none.
    ///
    /// # Errors
    /// [`StreamError::InvalidObjectName`](crate::StreamError::InvalidObjectName) where `prefix` is neither empty nor a
    /// [valid name](validate_object).
    pub fn new(
        store: Arc<dyn ObjectStore>,
        prefix: &str,
        config: ObjectStorageConfig,
    ) -> Result<Self> {
        let keys = Keys::new(prefix)?;
        let writers = Writers::default();
        let store = Store {
            store,
            keys,
            config,
            writers,
        };
        Ok(Self {
            store: Arc::new(store),
        })
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &ObjectStorageConfig {
        &self.store.config
    }
}

#[async_trait]
impl StorageBackend for ObjectStorage {
    async fn put(&self, object: &str, data: Bytes) -> Result<()> {
        validate_object(object)?;
        let key = self.store.keys.object(object)?;
        self.store
            .put(Doing("writing", object), &key, data.into())
            .await
    }

    async fn get(&self, object: &str) -> Result<Bytes> {
        self.get_range(object, 0..u64::MAX).await
    }

    async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes> {
        validate_object(object)?;
        let key = self.store.keys.object(object)?;
        self.store.read(Doing("reading", object), &key, range).await
    }

    async fn delete(&self, object: &str) -> Result<()> {
        let doing = Doing("deleting", object);
        if !self.exists(object).await? {
            return Err(doing.io(std::io::ErrorKind::NotFound.into()));
        }
        let key = self.store.keys.object(object)?;
        self.store.remove(doing, vec![key]).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        validate_prefix(prefix)?;
        let folder = self.store.keys.folder(prefix)?;
        let found = self
            .store
            .list(Doing("listing", prefix), folder.as_ref())
            .await?;
        let mut objects: Vec<_> = found
            .into_iter()
            .filter_map(|meta| {
                let object = self.store.keys.parse_object(&meta.location)?;
                object.starts_with(prefix).then_some(ObjectInfo {
                    object,
                    bytes: meta.size,
                })
            })
            .collect();
        objects.sort();
        Ok(objects)
    }

    async fn exists(&self, object: &str) -> Result<bool> {
        validate_object(object)?;
        let key = self.store.keys.object(object)?;
        let size = self.store.size(Doing("finding", object), &key).await?;
        Ok(size.is_some())
    }

    async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>> {
        validate_object(object)?;
        // Randomly keyed, so other processes choose other numbers.
        let id = RandomState::new().hash_one(object);
        Ok(Box::new(
            PiecesWriter::create(&self.store, object, id).await?,
        ))
    }

    async fn recover(&self) -> Result<Vec<ObjectInfo>> {
        recovery::recover(&self.store).await
    }
}

#[cfg(test)]
mod faulty;
#[cfg(all(test, feature = "s3"))]
mod s3;
#[cfg(test)]
mod tests;
