//! Objects that grow.

use super::keys::Item;
use super::pieces;
use super::store::{Doing, Store};
use super::upload::Upload;
use super::writers::Owner;
use crate::{ObjectWriter, Result, StreamError};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often, in the time after which others would take it for an orphan, an unfinished object is touched.
const TOUCHES: u32 = 4;

/// Writes pieces, which survive the process, and uploads the object beside, which need not.
pub(super) struct PiecesWriter {
    store: Arc<Store>,
    object: String,
    id: u64,
    /// What is in no piece yet.
    gathered: BytesMut,
    /// The piece that is being stored. Kept until it is, so that a call that is given up leaves no hole.
    next: Option<Bytes>,
    /// The sizes of the pieces that are stored.
    pieces: Vec<u64>,
    /// The object as far as the pieces go. `None` where it could not be uploaded: it will be read back from the pieces.
    upload: Option<Upload>,
    /// Set by the first error: what follows would not join what is there.
    broken: bool,
    heartbeat: JoinHandle<()>,
    /// Whether nothing is left behind.
    done: bool,
}

impl PiecesWriter {
    /// The beginning of `object`, which has been validated.
    pub(super) async fn create(store: &Arc<Store>, object: &str, id: u64) -> Result<Self> {
        let doing = Doing("creating", object);
        let key = store.keys.object(object)?;
        if store.size(doing, &key).await?.is_some() {
            return Err(StreamError::StorageExists(object.to_owned()));
        }
        store.writers.set(id, Owner::Busy);
        let mut writer = Self {
            store: Arc::clone(store),
            object: object.to_owned(),
            id,
            gathered: BytesMut::new(),
            next: None,
            pieces: Vec::new(),
            upload: Some(Upload::new(key, store.config.part_bytes)),
            broken: false,
            heartbeat: tokio::spawn(keep_alive(Arc::clone(store), id)),
            done: false,
        };
        let name = store.keys.item(id, Item::Name)?;
        let named = store
            .put(doing, &name, object.to_owned().into_bytes().into())
            .await;
        if named.is_err() {
            // If it is there after all, it holds nothing, and is cleared away as that.
            writer.broken = true;
        }
        named.map(|()| writer)
    }

    /// Stores what is gathered as a piece. If this future is dropped, the next call does it again.
    async fn flush(&mut self, action: &'static str) -> Result<()> {
        let doing = Doing(action, &self.object);
        if self.broken {
            return Err(doing.io(io::Error::other("an earlier write failed")));
        }
        if self.next.is_none() && !self.gathered.is_empty() {
            self.next = Some(mem::take(&mut self.gathered).freeze());
        }
        let Some(piece) = self.next.clone() else {
            return Ok(());
        };
        let number = self.pieces.len() as u64;
        let key = self.store.keys.item(self.id, Item::Piece(number))?;
        if let Err(error) = self.store.put(doing, &key, piece.clone().into()).await {
            self.broken = true;
            return Err(error);
        }
        self.next = None;
        self.pieces.push(piece.len() as u64);
        // Gone while it is busy: if this future is dropped, nobody knows how far it came.
        if let Some(mut upload) = self.upload.take() {
            let pushed = upload.push(&self.store, doing, piece).await;
            match pushed {
                Ok(()) if !upload.is_full() => self.upload = Some(upload),
                Ok(()) => upload.abort(&self.store, doing).await,
                Err(error) => {
                    tracing::debug!(object = self.object, %error, "a part could not be uploaded; the object will be read back");
                    upload.abort(&self.store, doing).await;
                }
            }
        }
        Ok(())
    }

    /// Makes the object of what is stored in pieces.
    async fn publish(&mut self) -> Result<()> {
        let doing = Doing("committing", &self.object);
        match self.upload.take() {
            Some(upload) => upload.finish(&self.store, doing).await,
            None => pieces::assemble(&self.store, self.id, &self.pieces, &self.object).await,
        }
    }

    /// Removes the pieces.
    async fn clear(&mut self, action: &'static str) -> Result<()> {
        self.heartbeat.abort();
        // A put that failed may have taken effect.
        let pieces = self.pieces.len() as u64 + u64::from(self.broken || self.next.is_some());
        let cleared = pieces::remove(&self.store, Doing(action, &self.object), self.id, 0..pieces);
        cleared.await?;
        self.done = true;
        Ok(())
    }
}

#[async_trait]
impl ObjectWriter for PiecesWriter {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        if self.broken {
            return self.flush("writing").await;
        }
        for chunk in chunks {
            self.gathered.extend_from_slice(chunk);
        }
        if self.gathered.len() >= self.store.config.part_bytes {
            self.flush("writing").await?;
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<()> {
        while self.next.is_some() || !self.gathered.is_empty() {
            self.flush("syncing").await?;
        }
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let store = Arc::clone(&self.store);
        // First, so that whatever happens next, all of it can be recovered.
        let synced = if self.broken {
            Ok(())
        } else {
            self.sync().await
        };
        let Some(_reserved) = store.writers.reserve(&self.object) else {
            return Err(StreamError::StorageExists(self.object.clone()));
        };
        self.publish().await?;
        if let Err(error) = self.clear("committing").await {
            // The object is there, which is what counts; recovery sees that and clears the rest.
            tracing::debug!(object = self.object, %error, "the pieces of an object could not be removed");
        }
        synced
    }

    async fn discard(mut self: Box<Self>) -> Result<()> {
        if let Some(upload) = self.upload.take() {
            upload
                .abort(&self.store, Doing("discarding", &self.object))
                .await;
        }
        self.clear("discarding").await
    }
}

impl Drop for PiecesWriter {
    fn drop(&mut self) {
        self.heartbeat.abort();
        if self.done {
            self.store.writers.forget(self.id);
            return;
        }
        self.store.writers.set(self.id, Owner::Dropped);
        // What is uploaded of it would be kept, and paid for, without ever being an object.
        let begun = self.upload.take().filter(Upload::has_begun);
        if let (Some(upload), Ok(runtime)) = (begun, tokio::runtime::Handle::try_current()) {
            let (store, object) = (Arc::clone(&self.store), mem::take(&mut self.object));
            runtime.spawn(async move { upload.abort(&store, Doing("dropping", &object)).await });
        }
    }
}

/// Tells other processes that the writer of `id` lives, until the task is aborted.
async fn keep_alive(store: Arc<Store>, id: u64) {
    let period = (store.config.orphan_age / TOUCHES).max(Duration::from_millis(100));
    loop {
        tokio::time::sleep(period).await;
        let touched = match store.keys.item(id, Item::Alive) {
            Ok(key) => {
                store
                    .put(Doing("touching", key.as_ref()), &key, Bytes::new().into())
                    .await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = touched {
            tracing::debug!(%error, "an unfinished object could not be touched");
        }
    }
}
