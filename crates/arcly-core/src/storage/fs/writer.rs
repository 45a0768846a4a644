//! Files that grow.

use super::unfinished::Unfinished;
use super::{ObjectWriter, run_blocking};
use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use std::io::{self, IoSlice, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How much is gathered before it is written: a write costs a hop to another thread, so one a frame would be many. It is also what a
/// slow writer holds of its stream's memory.
const GATHER_BYTES: usize = 256 << 10;
/// How many chunks are gathered at most, for streams of small frames.
const GATHER_CHUNKS: usize = 1_024;

/// A growing file, used by one blocking thread at a time.
struct Growing {
    unfinished: Unfinished,
    /// The length up to the last write that succeeded.
    length: u64,
    /// Set by the first error: what follows would not join what is there.
    broken: bool,
}

impl Growing {
    fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        let file = self.unfinished.file();
        let written = write_all_vectored(file, chunks);
        match written {
            Ok(()) => self.length += chunks.iter().map(|chunk| chunk.len() as u64).sum::<u64>(),
            Err(_) => {
                self.broken = true;
                // Half of a chunk could not be told from damage. If even this fails, a torn end it is.
                let _ = file.set_len(self.length);
            }
        }
        written
    }
}

pub(super) struct FsWriter {
    object: String,
    growing: Arc<Mutex<Growing>>,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

impl FsWriter {
    pub(super) fn new(object: &str, unfinished: Unfinished) -> Self {
        let growing = Growing {
            unfinished,
            length: 0,
            broken: false,
        };
        let growing = Arc::new(Mutex::new(growing));
        Self {
            object: object.to_owned(),
            growing,
            gathered: Vec::new(),
            gathered_bytes: 0,
        }
    }

    /// Writes what is gathered, and runs `then`, on a blocking thread. If this future is dropped, both happen all the same, before
    /// anything that is asked for later.
    async fn flush_and<T: Send + 'static>(
        &mut self,
        action: &'static str,
        then: impl FnOnce(&mut Growing, io::Result<()>) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let chunks = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let growing = Arc::clone(&self.growing);
        let work = move || {
            // Poisoned by a panic in here, which leaves the file no worse than an error does.
            let mut growing = growing.lock().unwrap_or_else(PoisonError::into_inner);
            let flushed = if chunks.is_empty() {
                Ok(())
            } else {
                growing.append(&chunks)
            };
            Ok(then(&mut growing, flushed)?)
        };
        run_blocking(action, &self.object, work).await
    }
}

#[async_trait]
impl ObjectWriter for FsWriter {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            self.gathered_bytes += chunk.len();
            self.gathered.push(chunk.clone());
        }
        if self.gathered_bytes >= GATHER_BYTES || self.gathered.len() >= GATHER_CHUNKS {
            self.flush_and("writing", |_, flushed| flushed).await?;
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<()> {
        let sync = |growing: &mut Growing, flushed: io::Result<()>| {
            flushed?;
            let synced = growing.unfinished.file().sync_data();
            // After a failed flush the kernel may forget what it could not write: nothing more may be promised.
            growing.broken |= synced.is_err();
            synced
        };
        self.flush_and("syncing", sync).await
    }

    async fn replace_start(&mut self, start: Bytes) -> Result<bool> {
        let replace = move |growing: &mut Growing, flushed: io::Result<()>| {
            flushed?;
            if growing.length < start.len() as u64 {
                return Ok(false);
            }
            growing.unfinished.replace_start(&start).map(|()| true)
        };
        self.flush_and("finishing", replace).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let commit = |growing: &mut Growing, flushed: io::Result<()>| {
            let target = growing.unfinished.target().to_path_buf();
            // What was written before an error is kept, under its name.
            growing.unfinished.publish(&target)?;
            flushed
        };
        self.flush_and("committing", commit).await
    }

    async fn discard(mut self: Box<Self>) -> Result<()> {
        self.gathered.clear();
        self.flush_and("discarding", |growing, _| growing.unfinished.remove())
            .await
    }
}

fn write_all_vectored(file: &mut impl Write, chunks: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time, and is interrupted every other time.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        calls: usize,
    }

    impl Write for Slow {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls % 2 == 1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = data.len().min(3);
            self.taken.extend_from_slice(&data[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn short_writes_are_continued() {
        let chunks: Vec<Bytes> = ["a", "bcdefgh", "ij", "klm"].map(Bytes::from).into();
        let mut slow = Slow::default();
        write_all_vectored(&mut slow, &chunks).unwrap();
        assert_eq!(slow.taken, b"abcdefghijklm");
    }
}
