//! The store, with a limit on every wait and the kernel's errors.

use super::super::clamp_range;
use super::config::ObjectStorageConfig;
use super::keys::Keys;
use super::writers::Writers;
use crate::{Result, StreamError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, GetResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutPayload,
};
use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use tokio::time::timeout;

/// What a storage and its writers share.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) keys: Keys,
    pub(super) config: ObjectStorageConfig,
    pub(super) writers: Writers,
}

/// What is being done to which object, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing<'a>(pub(super) &'static str, pub(super) &'a str);

impl Doing<'_> {
    fn failed(self, error: object_store::Error) -> StreamError {
        use object_store::Error;
        let kind = match &error {
            Error::NotFound { .. } => io::ErrorKind::NotFound,
            Error::AlreadyExists { .. } | Error::Precondition { .. } => {
                io::ErrorKind::AlreadyExists
            }
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                io::ErrorKind::PermissionDenied
            }
            Error::NotSupported { .. } | Error::NotImplemented { .. } => io::ErrorKind::Unsupported,
            _ => io::ErrorKind::Other,
        };
        self.io(io::Error::new(kind, error))
    }

    pub(super) fn io(self, error: io::Error) -> StreamError {
        StreamError::storage(self.0, self.1, error)
    }

    fn timed_out(self) -> StreamError {
        self.io(io::ErrorKind::TimedOut.into())
    }
}

impl Store {
    /// Waits for the store, as long as is configured.
    async fn wait<T>(
        &self,
        doing: Doing<'_>,
        call: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Result<T> {
        match timeout(self.config.call_timeout, call).await {
            Ok(result) => result.map_err(|error| doing.failed(error)),
            Err(_) => Err(doing.timed_out()),
        }
    }

    /// Puts an object, replacing what is there.
    pub(super) async fn put(
        &self,
        doing: Doing<'_>,
        key: &Path,
        payload: PutPayload,
    ) -> Result<()> {
        let put = self.store.put_opts(key, payload, PutMode::Overwrite.into());
        self.wait(doing, put).await.map(drop)
    }

    /// Puts an object unless its name is taken, in one step where the store can.
    pub(super) async fn put_new(
        &self,
        doing: Doing<'_>,
        key: &Path,
        payload: PutPayload,
    ) -> Result<()> {
        let put = self
            .store
            .put_opts(key, payload.clone(), PutMode::Create.into());
        match self.wait(doing, put).await {
            Err(StreamError::Storage { source, .. })
                if source.kind() == io::ErrorKind::Unsupported =>
            {
                if self.size(doing, key).await?.is_some() {
                    return Err(StreamError::StorageExists(doing.1.to_owned()));
                }
                self.put(doing, key, payload).await
            }
            result => result.map(drop),
        }
    }

    /// The size of an object; `None` where there is none.
    pub(super) async fn size(&self, doing: Doing<'_>, key: &Path) -> Result<Option<u64>> {
        let head = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        match self.wait(doing, self.store.get_opts(key, head)).await {
            Ok(found) => Ok(Some(found.meta.size)),
            Err(StreamError::StorageNotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The bytes of an object that lie in `range`.
    pub(super) async fn read(
        &self,
        doing: Doing<'_>,
        key: &Path,
        range: Range<u64>,
    ) -> Result<Bytes> {
        let wanted = match range.end.saturating_sub(range.start) {
            0 => {
                // The store would refuse it, but whether there is such an object is asked as well.
                return match self.size(doing, key).await? {
                    Some(_) => Ok(Bytes::new()),
                    None => Err(StreamError::StorageNotFound(doing.1.to_owned())),
                };
            }
            // No answer that long is taken, so the exact end does not matter.
            length if length > super::super::MAX_READ_BYTES => match range.start {
                0 => None,
                start => Some(GetRange::Offset(start)),
            },
            _ => Some(GetRange::Bounded(range.clone())),
        };
        let options = GetOptions {
            range: wanted,
            ..GetOptions::default()
        };
        match self.wait(doing, self.store.get_opts(key, options)).await {
            Ok(found) => {
                clamp_range(&range, found.meta.size)?;
                self.collect(doing, found).await
            }
            Err(error @ StreamError::StorageNotFound(_)) => Err(error),
            Err(error) => match self.size(doing, key).await? {
                // Stores refuse ranges that begin behind the end.
                Some(size) if range.start >= size => Ok(Bytes::new()),
                _ => Err(error),
            },
        }
    }

    /// Reads an answer, whose length has been checked.
    async fn collect(&self, doing: Doing<'_>, found: GetResult) -> Result<Bytes> {
        let length = found.range.end - found.range.start;
        let mut chunks = found.into_stream();
        let mut data = BytesMut::new();
        while (data.len() as u64) < length {
            let next = timeout(self.config.call_timeout, chunks.next()).await;
            match next.map_err(|_| doing.timed_out())? {
                Some(chunk) => {
                    let chunk = chunk.map_err(|error| doing.failed(error))?;
                    // One chunk is the usual case, and not copied.
                    if data.is_empty() && chunk.len() as u64 == length {
                        return Ok(chunk);
                    }
                    data.extend_from_slice(&chunk);
                }
                None => return Err(doing.io(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        data.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(data.freeze())
    }

    /// All keys below `folder`.
    pub(super) async fn list(
        &self,
        doing: Doing<'_>,
        folder: Option<&Path>,
    ) -> Result<Vec<ObjectMeta>> {
        let mut found = Vec::new();
        let mut keys = self.store.list(folder);
        loop {
            let next = timeout(self.config.call_timeout, keys.next()).await;
            match next.map_err(|_| doing.timed_out())? {
                Some(Ok(meta)) => found.push(meta),
                // No such folder, or gone since it was seen.
                Some(Err(object_store::Error::NotFound { .. })) => {}
                Some(Err(error)) => return Err(doing.failed(error)),
                None => return Ok(found),
            }
        }
    }

    /// Removes `keys`, whether they are there or not. All are tried; the first error is returned.
    pub(super) async fn remove(&self, doing: Doing<'_>, keys: Vec<Path>) -> Result<()> {
        let keys = futures_util::stream::iter(keys.into_iter().map(Ok)).boxed();
        let mut removed = self.store.delete_stream(keys);
        let mut result = Ok(());
        loop {
            let next = timeout(self.config.call_timeout, removed.next()).await;
            match next.map_err(|_| doing.timed_out())? {
                Some(Ok(_) | Err(object_store::Error::NotFound { .. })) => {}
                Some(Err(error)) => result = result.and(Err(doing.failed(error))),
                None => return result,
            }
        }
    }

    pub(super) async fn begin_upload(
        &self,
        doing: Doing<'_>,
        key: &Path,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begin = self.store.put_multipart_opts(key, Default::default());
        self.wait(doing, begin).await
    }

    pub(super) async fn put_part(
        &self,
        doing: Doing<'_>,
        upload: &mut dyn MultipartUpload,
        part: PutPayload,
    ) -> Result<()> {
        self.wait(doing, upload.put_part(part)).await
    }

    pub(super) async fn complete_upload(
        &self,
        doing: Doing<'_>,
        upload: &mut dyn MultipartUpload,
    ) -> Result<()> {
        self.wait(doing, upload.complete()).await.map(drop)
    }

    /// Gives up an upload, as well as that goes: stores remove what is left by rules of their own.
    pub(super) async fn abort_upload(&self, doing: Doing<'_>, upload: &mut dyn MultipartUpload) {
        if let Err(error) = self.wait(doing, upload.abort()).await {
            tracing::debug!(object = doing.1, %error, "an upload could not be aborted");
        }
    }
}
