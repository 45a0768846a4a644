//! Objects in memory.

use super::name::validate_prefix;
use super::{
    ObjectInfo, ObjectWriter, StorageBackend, clamp_range, recovered_name, validate_object,
};
use crate::{Result, StreamError};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps objects in memory, up to a number of bytes: for tests, and for hosts that keep little for a short time. Clones share the objects.
///
/// Objects live as long as the last clone. To play the loss of a process in a test, drop the writer: what it had
/// [synced](ObjectWriter::sync) is what [`recover`](StorageBackend::recover) brings back, and no more.
#[derive(Debug, Clone)]
pub struct MemoryStorage {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    objects: BTreeMap<String, Bytes>,
    /// Objects that are being written, or were when their writer was dropped.
    partial: BTreeMap<u64, Partial>,
    next_partial: u64,
    used: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Partial {
    object: String,
    data: BytesMut,
    synced: usize,
    orphaned: bool,
}

impl MemoryStorage {
    /// What [`MemoryStorage::default`] keeps at most, in bytes.
    pub const DEFAULT_MAX_BYTES: usize = 256 << 20;
    /// The most objects, whatever their size.
    pub const MAX_OBJECTS: usize = 65_536;

    /// Keeps at most `max_bytes`, objects that are being written included. What would exceed that fails with
    /// [`std::io::ErrorKind::StorageFull`].
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            partial: BTreeMap::new(),
            next_partial: 0,
            used: 0,
            max_bytes,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Changes how many bytes are kept at most. Objects that are kept already stay.
    pub fn set_max_bytes(&self, max_bytes: usize) {
        self.lock().max_bytes = max_bytes;
    }

    /// How many lines are synced in unfinished objects.
    #[cfg(test)]
    pub(crate) fn synced_lines(&self) -> usize {
        let state = self.lock();
        let synced = state
            .partial
            .values()
            .flat_map(|partial| &partial.data[..partial.synced]);
        synced.filter(|byte| **byte == b'\n').count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new(Self::DEFAULT_MAX_BYTES)
    }
}

/// The state is sound between any two statements, so a panic elsewhere does not spoil it.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Counts `more` bytes, and one object more if `object` is new.
    fn reserve(
        &mut self,
        action: &'static str,
        object: &str,
        more: usize,
        new_object: bool,
    ) -> Result<()> {
        let used = self.used.saturating_add(more);
        let objects = self.objects.len() + self.partial.len() + usize::from(new_object);
        if used > self.max_bytes || objects > MemoryStorage::MAX_OBJECTS {
            return Err(StreamError::storage(
                action,
                object,
                io::ErrorKind::StorageFull.into(),
            ));
        }
        self.used = used;
        Ok(())
    }

    fn get(&self, object: &str) -> Result<&Bytes> {
        self.objects
            .get(object)
            .ok_or_else(|| StreamError::StorageNotFound(object.to_owned()))
    }
}

#[async_trait]
impl StorageBackend for MemoryStorage {
    async fn put(&self, object: &str, data: Bytes) -> Result<()> {
        validate_object(object)?;
        let mut state = self.lock();
        let replaced = state.objects.get(object).map(Bytes::len);
        state.used -= replaced.unwrap_or(0);
        let reserved = state.reserve("writing", object, data.len(), replaced.is_none());
        if let Err(error) = reserved {
            state.used += replaced.unwrap_or(0);
            return Err(error);
        }
        state.objects.insert(object.to_owned(), data);
        Ok(())
    }

    async fn get(&self, object: &str) -> Result<Bytes> {
        self.get_range(object, 0..u64::MAX).await
    }

    async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes> {
        validate_object(object)?;
        let data = self.lock().get(object)?.clone();
        let range = clamp_range(&range, data.len() as u64)?;
        // Within the length of a slice, so within `usize`.
        Ok(data.slice(range.start as usize..range.end as usize))
    }

    async fn delete(&self, object: &str) -> Result<()> {
        validate_object(object)?;
        let mut state = self.lock();
        let size = state.get(object)?.len();
        state.objects.remove(object);
        state.used -= size;
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        validate_prefix(prefix)?;
        let state = self.lock();
        let from_prefix = state.objects.range::<str, _>((
            std::ops::Bound::Included(prefix),
            std::ops::Bound::Unbounded,
        ));
        let objects = from_prefix
            .take_while(|(object, _)| object.starts_with(prefix))
            .map(|(object, data)| ObjectInfo {
                object: object.clone(),
                bytes: data.len() as u64,
            })
            .collect();
        Ok(objects)
    }

    async fn exists(&self, object: &str) -> Result<bool> {
        validate_object(object)?;
        Ok(self.lock().objects.contains_key(object))
    }

    async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>> {
        validate_object(object)?;
        let mut state = self.lock();
        if state.objects.contains_key(object) {
            return Err(StreamError::StorageExists(object.to_owned()));
        }
        state.reserve("creating", object, 0, true)?;
        let id = state.next_partial;
        state.next_partial += 1;
        let partial = Partial {
            object: object.to_owned(),
            data: BytesMut::new(),
            synced: 0,
            orphaned: false,
        };
        state.partial.insert(id, partial);
        Ok(Box::new(MemoryWriter {
            state: Arc::clone(&self.state),
            object: object.to_owned(),
            id,
            broken: false,
        }))
    }

    async fn recover(&self) -> Result<Vec<ObjectInfo>> {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut recovered = Vec::new();
        let orphaned = state
            .partial
            .iter()
            .filter(|(_, partial)| partial.orphaned)
            .map(|(id, _)| *id);
        for id in orphaned.collect::<Vec<_>>() {
            let Some(mut partial) = state.partial.remove(&id) else {
                continue;
            };
            state.used -= partial.data.len() - partial.synced;
            partial.data.truncate(partial.synced);
            if partial.data.is_empty() {
                continue;
            }
            let taken = state.objects.contains_key(&partial.object);
            let object = if taken {
                recovered_name(&partial.object, id)
            } else {
                partial.object
            };
            recovered.push(ObjectInfo {
                object: object.clone(),
                bytes: partial.data.len() as u64,
            });
            state.objects.insert(object, partial.data.freeze());
        }
        recovered.sort();
        Ok(recovered)
    }
}

struct MemoryWriter {
    state: Arc<Mutex<State>>,
    object: String,
    id: u64,
    /// Set by the first error: what follows would not join what is there.
    broken: bool,
}

impl MemoryWriter {
    fn gone(&self) -> StreamError {
        StreamError::StorageNotFound(self.object.clone())
    }
}

#[async_trait]
impl ObjectWriter for MemoryWriter {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        let more = chunks.iter().map(Bytes::len).sum();
        let mut state = lock(&self.state);
        if self.broken {
            return Err(StreamError::storage(
                "writing",
                &*self.object,
                io::Error::other("an earlier write failed"),
            ));
        }
        let reserved = state.reserve("writing", &self.object, more, false);
        self.broken = reserved.is_err();
        reserved?;
        let partial = state.partial.get_mut(&self.id).ok_or_else(|| self.gone())?;
        chunks
            .iter()
            .for_each(|chunk| partial.data.extend_from_slice(chunk));
        Ok(())
    }

    async fn sync(&mut self) -> Result<()> {
        let mut state = lock(&self.state);
        let partial = state.partial.get_mut(&self.id).ok_or_else(|| self.gone())?;
        partial.synced = partial.data.len();
        Ok(())
    }

    async fn replace_start(&mut self, start: Bytes) -> Result<bool> {
        let mut state = lock(&self.state);
        let partial = state.partial.get_mut(&self.id).ok_or_else(|| self.gone())?;
        let Some(old) = partial.data.get_mut(..start.len()) else {
            return Ok(false);
        };
        old.copy_from_slice(&start);
        Ok(true)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let mut state = lock(&self.state);
        if state.objects.contains_key(&self.object) {
            if let Some(partial) = state.partial.get_mut(&self.id) {
                partial.synced = partial.data.len();
            }
            return Err(StreamError::StorageExists(self.object.clone()));
        }
        let partial = state.partial.remove(&self.id).ok_or_else(|| self.gone())?;
        state.objects.insert(partial.object, partial.data.freeze());
        Ok(())
    }

    async fn discard(self: Box<Self>) -> Result<()> {
        let mut state = lock(&self.state);
        let partial = state.partial.remove(&self.id).ok_or_else(|| self.gone())?;
        state.used -= partial.data.len();
        Ok(())
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        if let Some(partial) = lock(&self.state).partial.get_mut(&self.id) {
            partial.orphaned = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_full(result: Result<()>) -> bool {
        matches!(result, Err(StreamError::Storage { source, .. }) if source.kind() == io::ErrorKind::StorageFull)
    }

    #[tokio::test]
    async fn the_bound_holds_for_everything_together() {
        let storage = MemoryStorage::new(10);
        storage
            .put("a", Bytes::from_static(b"12345"))
            .await
            .unwrap();
        let mut writer = storage.create("b").await.unwrap();
        writer.write(&[Bytes::from_static(b"123")]).await.unwrap();
        assert!(is_full(storage.put("c", Bytes::from_static(b"123")).await));
        assert!(is_full(writer.write(&[Bytes::from_static(b"123")]).await));
        assert!(
            writer.write(&[Bytes::from_static(b"1")]).await.is_err(),
            "it would not join what is there"
        );
        assert!(is_full(
            storage.put("a", Bytes::from_static(b"12345678")).await
        ));
        storage
            .put("a", Bytes::from_static(b"1234567"))
            .await
            .unwrap();
        writer.discard().await.unwrap();
        storage.delete("a").await.unwrap();
        storage
            .put("c", Bytes::from_static(b"1234567890"))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn only_what_was_synced_is_recovered() {
        let storage = MemoryStorage::default();
        let mut writer = storage.create("a").await.unwrap();
        writer
            .write(&[Bytes::from_static(b"synced")])
            .await
            .unwrap();
        writer.sync().await.unwrap();
        writer.write(&[Bytes::from_static(b"lost")]).await.unwrap();
        drop(writer);
        storage.recover().await.unwrap();
        assert_eq!(storage.get("a").await.unwrap(), "synced");
        assert_eq!(storage.lock().used, 6);
    }
}
