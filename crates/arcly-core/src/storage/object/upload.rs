//! Making an object out of data that comes bit by bit.

use super::store::{Doing, Store};
use crate::{Result, StreamError};
use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload};
use std::collections::VecDeque;

/// The most parts of an upload, which is what S3 allows.
pub(super) const MAX_PARTS: u64 = 10_000;

/// Uploads an object in parts of the same size. It appears when it is [finished](Self::finish), and not before.
#[derive(Debug)]
pub(super) struct Upload {
    key: Path,
    part_bytes: usize,
    /// `None` as long as it is less than a part.
    parts: Option<Box<dyn MultipartUpload>>,
    uploaded: u64,
    /// What is in no part yet: less than one, but inside of calls.
    tail: VecDeque<Bytes>,
    tail_bytes: usize,
}

impl Upload {
    pub(super) fn new(key: Path, part_bytes: usize) -> Self {
        Self {
            key,
            part_bytes,
            parts: None,
            uploaded: 0,
            tail: VecDeque::new(),
            tail_bytes: 0,
        }
    }

    /// Whether no more parts fit, but the last.
    pub(super) fn is_full(&self) -> bool {
        self.uploaded >= MAX_PARTS - 1
    }

    /// Appends `data`, and uploads the parts that are full. After an error, abort it.
    pub(super) async fn push(
        &mut self,
        store: &Store,
        doing: Doing<'_>,
        data: Bytes,
    ) -> Result<()> {
        self.tail_bytes += data.len();
        self.tail.push_back(data);
        while self.tail_bytes >= self.part_bytes && !self.is_full() {
            let part = self.take_tail(self.part_bytes);
            let upload = match &mut self.parts {
                Some(upload) => upload,
                None => self
                    .parts
                    .insert(store.begin_upload(doing, &self.key).await?),
            };
            store.put_part(doing, upload.as_mut(), part).await?;
            self.uploaded += 1;
        }
        Ok(())
    }

    /// Makes the object appear, unless its name is taken. That is one step for objects of less than a part, on stores that can do that; for
    /// others the name is looked at before the last step.
    pub(super) async fn finish(mut self, store: &Store, doing: Doing<'_>) -> Result<()> {
        let last = self.take_tail(usize::MAX);
        let Some(mut upload) = self.parts.take() else {
            return store.put_new(doing, &self.key, last).await;
        };
        let finished = async {
            if last.content_length() > 0 {
                store.put_part(doing, upload.as_mut(), last).await?;
            }
            if store.size(doing, &self.key).await?.is_some() {
                return Err(StreamError::StorageExists(doing.1.to_owned()));
            }
            store.complete_upload(doing, upload.as_mut()).await
        };
        let finished = finished.await;
        if finished.is_err() {
            store.abort_upload(doing, upload.as_mut()).await;
        }
        finished
    }

    /// Gives it up.
    pub(super) async fn abort(mut self, store: &Store, doing: Doing<'_>) {
        if let Some(upload) = &mut self.parts {
            store.abort_upload(doing, upload.as_mut()).await;
        }
    }

    /// Whether there is anything to abort.
    pub(super) fn has_begun(&self) -> bool {
        self.parts.is_some()
    }

    /// Takes up to `bytes` of what is in no part yet.
    fn take_tail(&mut self, bytes: usize) -> PutPayload {
        let mut part = Vec::new();
        let mut room = bytes.min(self.tail_bytes);
        self.tail_bytes -= room;
        while room > 0 {
            let Some(mut data) = self.tail.pop_front() else {
                break;
            };
            if data.len() > room {
                self.tail.push_front(data.split_off(room));
            }
            room -= data.len();
            part.push(data);
        }
        part.into_iter().collect()
    }
}
