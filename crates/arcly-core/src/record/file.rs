//! One file of a recording.

use super::cutter::OpenFile;
use crate::mux::{MuxError, Muxer};
use crate::{MediaFrame, ObjectWriter, Result, TimeDelta, Timestamp, TrackId};
use bytes::Bytes;
use std::collections::BTreeSet;

/// A file that is being written: a muxer, and the object it writes to, which is made with the first bytes that come out.
pub(super) struct RecordingFile {
    /// The object's name.
    pub(super) object: String,
    muxer: Box<dyn Muxer>,
    writer: Option<Box<dyn ObjectWriter>>,
    start: Timestamp,
    /// DTS of the newest frame.
    pub(super) last: Timestamp,
    bytes: u64,
    pub(super) frames: u64,
    /// DTS of the frame at which the object was last synced.
    synced_at: Timestamp,
    /// `frames` as of the last sync.
    pub(super) synced_frames: u64,
    /// `bytes` as of the last sync.
    synced_bytes: u64,
    has_unsynced: bool,
    /// Bytes that have come out of the muxer and are not written yet.
    out: Vec<Bytes>,
    refused: BTreeSet<TrackId>,
}

/// What [`RecordingFile::close`] has closed.
pub(super) struct Closed {
    pub(super) object: String,
    pub(super) bytes: u64,
    pub(super) frames: u64,
    pub(super) duration: TimeDelta,
}

impl RecordingFile {
    pub(super) fn new(object: String, muxer: Box<dyn Muxer>, start: Timestamp) -> Self {
        Self {
            object,
            muxer,
            writer: None,
            start,
            last: start,
            bytes: 0,
            frames: 0,
            synced_at: start,
            synced_frames: 0,
            synced_bytes: 0,
            has_unsynced: false,
            out: Vec::new(),
            refused: BTreeSet::new(),
        }
    }

    pub(super) fn extension(&self) -> &'static str {
        self.muxer.format().extension
    }

    pub(super) fn open(&self) -> OpenFile {
        OpenFile {
            start: self.start,
            bytes: self.bytes,
        }
    }

    /// Whether there are bytes to write and no object yet to write them to; [`attach`](Self::attach) it.
    pub(super) fn wants_object(&self) -> bool {
        self.writer.is_none() && !self.out.is_empty()
    }

    pub(super) fn has_object(&self) -> bool {
        self.writer.is_some()
    }

    pub(super) fn attach(&mut self, object: String, writer: Box<dyn ObjectWriter>) {
        self.object = object;
        self.writer = Some(writer);
    }

    /// Muxes `frame`.
    ///
    /// # Errors
    /// Where the container cannot carry it; nothing of it is in the file then.
    pub(super) fn mux(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        self.muxer.write(frame, &mut self.out)?;
        if !frame.is_config() {
            self.frames += 1;
            self.last = self.last.max(frame.dts);
        }
        Ok(())
    }

    /// Whether the refusal of a frame of `track` is the first one in this file.
    pub(super) fn is_first_refusal(&mut self, track: TrackId) -> bool {
        self.refused.insert(track)
    }

    /// Writes what has been muxed.
    pub(super) async fn write_out(&mut self) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        if self.out.is_empty() {
            return Ok(());
        }
        writer.write(&self.out).await?;
        self.bytes += self.out.iter().map(|chunk| chunk.len() as u64).sum::<u64>();
        self.out.clear();
        self.has_unsynced = true;
        Ok(())
    }

    /// Whether the last sync is `interval` back.
    pub(super) fn is_sync_due(&self, now: Timestamp, interval: TimeDelta) -> bool {
        now - self.synced_at >= interval
    }

    pub(super) async fn sync(&mut self) -> Result<()> {
        if let Some(writer) = &mut self.writer
            && self.has_unsynced
        {
            writer.sync().await?;
            self.has_unsynced = false;
            self.synced_at = self.last;
            self.synced_frames = self.frames;
            self.synced_bytes = self.bytes;
        }
        Ok(())
    }

    /// Adds the container's end and gives the object its name; `None` where there never was anything to write.
    pub(super) async fn close(mut self) -> Result<Option<Closed>> {
        if self.writer.is_some() {
            // What a muxer cannot finish is missing at the end of the file; the rest plays.
            let finished = self.muxer.finish(&mut self.out);
            if let Err(error) = finished {
                tracing::warn!(object = self.object, %error, "a recording's container could not be finished");
            }
            self.write_out().await?;
        }
        if let Some(writer) = &mut self.writer
            && let Some(header) = self.muxer.final_header()
        {
            // False where the storage can only append, which the container is made for, too.
            writer.replace_start(header).await?;
        }
        let Some(writer) = self.writer else {
            return Ok(None);
        };
        writer.commit().await?;
        let duration = self.last - self.start;
        Ok(Some(Closed {
            object: self.object,
            bytes: self.bytes,
            frames: self.frames,
            duration,
        }))
    }

    /// After the store has failed: gives the object its name as it is if it holds anything, which plays then, and counts what is known to be in
    /// it; removes it else.
    pub(super) async fn salvage(self) -> Result<Option<Closed>> {
        let Some(writer) = self.writer else {
            return Ok(None);
        };
        if self.synced_bytes == 0 {
            return writer.discard().await.map(|()| None);
        }
        writer.commit().await?;
        let duration = self.synced_at - self.start;
        Ok(Some(Closed {
            object: self.object,
            bytes: self.synced_bytes,
            frames: self.synced_frames,
            duration,
        }))
    }
}
