//! A container that can be read by eye, and a store that fails when told to.

use crate::mux::{ContainerFormat, MuxError, Muxer};
use crate::{
    CodecId, MediaFrame, MemoryStorage, ObjectInfo, ObjectWriter, Result, StorageBackend,
    StreamError,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A container that is a row of lines: `c`onfig, `k`eyframe or `f`rame, track, DTS in ms, payload; `end` at the end. Takes no Opus, and no
/// track that is new after the first frame.
#[derive(Default)]
pub(super) struct Lines {
    has_frames: bool,
}

impl Muxer for Lines {
    fn format(&self) -> ContainerFormat {
        ContainerFormat {
            name: "lines",
            extension: "txt",
            mime_type: "text/plain",
        }
    }

    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        if frame.codec == CodecId::Opus {
            return Err(MuxError::UnsupportedCodec {
                container: "lines",
                codec: frame.codec,
            });
        }
        if frame.is_config() && self.has_frames {
            return Err(MuxError::Malformed {
                what: "track",
                reason: "too late".into(),
            });
        }
        self.has_frames |= !frame.is_config();
        let kind = if frame.is_config() {
            'c'
        } else if frame.is_keyframe() {
            'k'
        } else {
            'f'
        };
        let payload = String::from_utf8_lossy(&frame.payload);
        out.push(Bytes::from(format!(
            "{kind}{} {} {payload}\n",
            frame.track,
            frame.dts.as_millis()
        )));
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        out.push(Bytes::from_static(b"end\n"));
        Ok(())
    }
}

/// Memory that can be told to fail.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    pub(super) memory: MemoryStorage,
    pub(super) fails: Arc<AtomicBool>,
}

impl Faulty {
    fn check(&self) -> Result<()> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(StreamError::storage(
                "touching",
                "it",
                std::io::Error::other("told to"),
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl StorageBackend for Faulty {
    async fn put(&self, object: &str, data: Bytes) -> Result<()> {
        self.memory.put(object, data).await
    }
    async fn get(&self, object: &str) -> Result<Bytes> {
        self.memory.get(object).await
    }
    async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes> {
        self.memory.get_range(object, range).await
    }
    async fn delete(&self, object: &str) -> Result<()> {
        self.memory.delete(object).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.memory.list(prefix).await
    }
    async fn exists(&self, object: &str) -> Result<bool> {
        self.memory.exists(object).await
    }
    async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>> {
        let writer = self.memory.create(object).await?;
        Ok(Box::new(FaultyWriter {
            storage: self.clone(),
            writer,
        }))
    }
    async fn recover(&self) -> Result<Vec<ObjectInfo>> {
        self.memory.recover().await
    }
}

struct FaultyWriter {
    storage: Faulty,
    writer: Box<dyn ObjectWriter>,
}

#[async_trait]
impl ObjectWriter for FaultyWriter {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        self.writer.write(chunks).await
    }
    /// As with a file, writes are gathered, and only a sync finds out.
    async fn sync(&mut self) -> Result<()> {
        self.storage.check()?;
        self.writer.sync().await
    }
    async fn commit(self: Box<Self>) -> Result<()> {
        self.writer.commit().await
    }
    async fn discard(self: Box<Self>) -> Result<()> {
        self.writer.discard().await
    }
}
