//! Objects as files in a folder.

mod folder;
mod recovery;
mod unfinished;
mod writer;

use super::name::validate_prefix;
use super::{ObjectInfo, ObjectWriter, StorageBackend, clamp_range, validate_object};
use crate::{Result, StreamError};
use async_trait::async_trait;
use bytes::Bytes;
use folder::Folder;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use unfinished::{Purpose, Unfinished};

/// Keeps objects as files in a folder; `live/cam/1.ts` is the file of that path in it. Clones share the folder, and several processes may use
/// it at once.
///
/// * **Atomic**: data is written to a hidden file beside its destination, flushed to the disk, and then given its name (by `rename` for
///   [`put`](StorageBackend::put), by `link`, which does not replace, for [`create`](StorageBackend::create)); the folder is flushed after
///   that.
/// * **Unfinished objects** are hidden files named `.<name>.<number>.partial`, locked (`flock` on Unix) by the process that writes them. When it
///   dies, the system drops the lock, and that is how [`recover`](StorageBackend::recover) knows an orphan. It gives orphans their names,
///   and deletes only what holds nothing: empty ones, and `.put` files, whose `put` never returned.
///   On a file system without locks, [`create`](StorageBackend::create) fails.
/// * **Symbolic links** below the folder are refused, so no object name leads out of it; the folder itself may be one. To
///   spread a folder over disks, mount them. This check and the access that follows are two steps: it protects from links that are there, not
///   from a process that may write to the folder and plants one in between.
/// * **Blocking calls** run on tokio's blocking threads, and writes are gathered to a few a second.
///
/// Folders are made as needed and stay when they are empty.
///
/// ```
/// use arcly_core::{FsStorage, StorageBackend, StreamError};
/// use bytes::Bytes;
///
/// async fn snapshot(folder: &str, jpeg: Bytes) -> Result<(), StreamError> {
///     let storage = FsStorage::open(folder).await?;
///     for object in storage.recover().await? {
///         println!("{} was left unfinished; {} bytes of it are saved", object.object, object.bytes);
///     }
///     storage.put("live/cam1/snapshot.jpg", jpeg).await // readers see the old one or the new one
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # let folder = tempfile::tempdir().unwrap();
/// # runtime.block_on(snapshot(folder.path().to_str().unwrap(), Bytes::from_static(b"jpeg")))?;
/// # assert!(folder.path().join("live/cam1/snapshot.jpg").exists());
/// # Ok::<(), StreamError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FsStorage {
    folder: Folder,
}

impl FsStorage {
    /// Uses the folder `root`, and makes it first if needed. Call [`recover`](StorageBackend::recover) next, to finish what an
    /// earlier process left.
    ///
    /// # Errors
    /// [`StreamError::Io`] if the folder cannot be made or read.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let opened = tokio::task::spawn_blocking(move || Self::open_blocking(root)).await;
        opened.unwrap_or_else(|error| {
            Err(StreamError::io(
                "opening a storage folder",
                io::Error::other(error),
            ))
        })
    }

    /// [`open`](Self::open) for use before a runtime is there.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_blocking(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let folder = Folder::open(root).map_err(|error| {
            StreamError::io(
                format!("opening the storage folder {}", root.display()),
                error,
            )
        })?;
        Ok(Self { folder })
    }

    /// The folder, with symbolic links resolved.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.root()
    }

    /// Runs `work` on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        action: &'static str,
        object: &str,
        work: impl FnOnce(&Folder, &str) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (folder, name) = (self.folder.clone(), object.to_owned());
        run_blocking(action, object, move || work(&folder, &name)).await
    }
}

/// Why a step on the file system failed: a limit of ours, or the system.
enum Failure {
    Kernel(StreamError),
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Self::Kernel(error)
    }
}

async fn run_blocking<T: Send + 'static>(
    action: &'static str,
    object: &str,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Failure::Kernel(error))) => Err(error),
        Ok(Err(Failure::System(error))) => Err(StreamError::storage(action, object, error)),
        // The runtime is shutting down.
        Err(error) => Err(StreamError::storage(
            action,
            object,
            io::Error::other(error),
        )),
    }
}

#[async_trait]
impl StorageBackend for FsStorage {
    async fn put(&self, object: &str, data: Bytes) -> Result<()> {
        validate_object(object)?;
        let put = move |folder: &Folder, object: &str| {
            let mut unfinished = Unfinished::create(folder, object, Purpose::Put)?;
            let written = unfinished
                .file()
                .write_all(&data)
                .and_then(|()| unfinished.replace());
            if written.is_err() {
                // Best effort: the first error is the one to report, and recovery clears what stays.
                let _ = unfinished.remove();
            }
            Ok(written?)
        };
        self.blocking("writing", object, put).await
    }

    async fn get(&self, object: &str) -> Result<Bytes> {
        self.get_range(object, 0..u64::MAX).await
    }

    async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes> {
        validate_object(object)?;
        let read = move |folder: &Folder, object: &str| {
            let (path, size) = folder.find(object)?;
            let range = clamp_range(&range, size)?;
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let length = range.end - range.start;
            // At most `MAX_READ_BYTES`.
            let mut data = Vec::with_capacity(length as usize);
            file.take(length).read_to_end(&mut data)?;
            Ok(Bytes::from(data))
        };
        self.blocking("reading", object, read).await
    }

    async fn delete(&self, object: &str) -> Result<()> {
        validate_object(object)?;
        let delete =
            |folder: &Folder, object: &str| Ok(std::fs::remove_file(folder.find(object)?.0)?);
        self.blocking("deleting", object, delete).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        validate_prefix(prefix)?;
        self.blocking("listing", prefix, |folder, prefix| Ok(folder.list(prefix)?))
            .await
    }

    async fn exists(&self, object: &str) -> Result<bool> {
        validate_object(object)?;
        let exists = |folder: &Folder, object: &str| match folder.find(object) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        };
        self.blocking("finding", object, exists).await
    }

    async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>> {
        validate_object(object)?;
        let create = |folder: &Folder, object: &str| {
            if folder.find(object).is_ok() {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
            }
            Ok(Unfinished::create(folder, object, Purpose::Grow)?)
        };
        let unfinished = self.blocking("creating", object, create).await?;
        Ok(Box::new(writer::FsWriter::new(object, unfinished)))
    }

    async fn recover(&self) -> Result<Vec<ObjectInfo>> {
        self.blocking("recovering", "", |folder, _| Ok(recovery::recover(folder)?))
            .await
    }
}

#[cfg(test)]
mod tests;
