//! A line, shared by those who write to it, and its other direction.

use super::{Line, Media};
use crate::net::Transport;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// How long a peer has to take the last words before the socket is closed: closing it with unread input would reset the
/// connection, and the words be lost.
const LINGER: Duration = Duration::from_millis(500);

thread_local! {
    /// Sessions copy what they keep of what they read, so one buffer serves all connections of a thread.
    static READ_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A [`Line`], shared by the connection's task and one of the [`Flushers`](super::Flushers). The connection's task holds it for as long as it lives.
#[derive(Debug)]
pub struct Wire<M>(Mutex<Line<M>>);

impl<M: Media> Wire<M> {
    /// A connection on which `media` is played, if anything.
    #[must_use]
    pub fn new(stream: Transport, media: M) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Line::new(stream, media))))
    }

    /// The line. To be held for as long as a write takes, and never across an `await`.
    pub fn lock(&self) -> MutexGuard<'_, Line<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is there, once, at most 64 KiB, and hands it to `take`; `None` at the end of the input. The line is not locked while `take` runs.
    ///
    /// # Panics
    /// Where `take` calls this itself: the buffer is the thread's.
    pub fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<Option<T>>> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            let read = Pin::new(&mut self.lock().stream).poll_read(cx, &mut buffer);
            ready!(read)?;
            let bytes = buffer.filled();
            Poll::Ready(Ok((!bytes.is_empty()).then(|| take(bytes))))
        })
    }

    /// Writes what is left, closes our direction, and waits for the peer to hang up: half a second in all, whether or not the peer took the last
    /// words by then.
    pub async fn say_goodbye(&self) {
        let goodbye = async {
            poll_fn(|cx| self.lock().poll_drain(cx)).await?;
            poll_fn(|cx| Pin::new(&mut self.lock().stream).poll_shutdown(cx)).await?;
            while poll_fn(|cx| self.poll_read(cx, |_| ())).await?.is_some() {}
            io::Result::Ok(())
        };
        // It had its chance.
        let _ = timeout(LINGER, goodbye).await;
    }
}
