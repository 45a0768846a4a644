//! A connection's socket, with what waits to be written to it and what is played on it.

use super::Batch;
use crate::net::{Outbox, Transport, now};
use bytes::Bytes;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What is played on a connection: where a protocol takes what is sent next.
pub trait Media: Send + 'static {
    /// How a play comes to its end by itself.
    type End;
    /// What is made ready once for several viewers: [`Joined`](super::Joined) serves most.
    type Batch: Batch;

    /// Writes what is ready straight to the socket, which takes all so far, and what it does not take into `outbox`:
    /// [`Joined::write_ready`](super::Joined::write_ready). Anything that takes more thought is left to [`fill`](Self::fill).
    ///
    /// # Errors
    /// As the socket, but for [`io::ErrorKind::WouldBlock`].
    fn write_straight(
        &mut self,
        stream: &mut Transport,
        outbox: &mut Outbox,
        batch: &mut Self::Batch,
        now: Instant,
    ) -> io::Result<Straight>;

    /// Puts what is ready into `outbox`, within bounds of its own; whether there was something. `congested` says that the socket did not take all
    /// that came before.
    fn fill(
        &mut self,
        outbox: &mut Outbox,
        batch: &mut Self::Batch,
        congested: bool,
        now: Instant,
    ) -> bool;

    /// Whether a play has come to its end by itself. Asked again and again until it is taken away.
    fn ended(&self) -> Option<Self::End>;

    /// When the connection's task is to call [`Line::poll_send`] though nothing comes: where something is held back.
    fn again(&self) -> Option<Instant> {
        None
    }
}

/// What [`Media::write_straight`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "protocols make them")]
pub enum Straight {
    /// It wrote something, of which the socket took so many bytes.
    Wrote {
        /// How many; fewer than there were where the socket is full now.
        taken: usize,
    },
    /// Nothing is ready.
    Nothing,
    /// It did nothing: what is ready is for [`Media::fill`].
    Complicated,
}

/// A connection's socket, with what waits to be written to it and what is played on it.
///
/// Two tasks write: the connection's own, which has replies to send and gets a viewer going again that was stuck; and one of the
/// [`Flushers`](super::Flushers). Whoever writes holds the lock of the [`Wire`](super::Wire), takes whole items only, and waits for nothing
/// meanwhile.
///
/// What waits is bounded: media is taken only while the socket takes all, and how many replies may wait is for the connection to limit
/// ([`replies`](Self::replies)).
pub struct Line<M> {
    pub(super) stream: Transport,
    outbox: Outbox,
    media: M,
    /// Since when the socket has taken nothing of what waits.
    blocked_since: Option<Instant>,
    /// Whether the socket did not take all at once since media was last put into the outbox.
    congested: bool,
    /// Why writing failed, until the connection's task has seen it.
    failure: Option<io::Error>,
    /// The connection's task.
    task: Option<Waker>,
}

impl<M: Media> Line<M> {
    pub(super) fn new(stream: Transport, media: M) -> Self {
        Self {
            stream,
            outbox: Outbox::default(),
            media,
            blocked_since: None,
            congested: false,
            failure: None,
            task: None,
        }
    }

    /// What is played.
    pub fn media(&mut self) -> &mut M {
        &mut self.media
    }

    /// What is played, and what waits to be written behind which it may put its last words.
    pub fn media_and_outbox(&mut self) -> (&mut M, &mut Outbox) {
        (&mut self.media, &mut self.outbox)
    }

    // ---- The connection's task ----

    /// Puts a reply behind what waits to be written; [`poll_send`](Self::poll_send) writes it.
    pub fn push_reply(&mut self, bytes: Bytes) {
        self.outbox.push_reply(bytes);
    }

    /// Bytes of replies that wait for a peer that does not take them.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.outbox.replies()
    }

    /// When the peer is to be let go of: `limit` after the socket has last taken something of what waits.
    #[must_use]
    pub fn stuck_at(&self, limit: Duration) -> Option<Instant> {
        self.blocked_since?.checked_add(limit)
    }

    /// When [`poll_send`](Self::poll_send) is to be called though nothing comes.
    #[must_use]
    pub fn again(&self) -> Option<Instant> {
        self.media.again()
    }

    /// Writes all that is ready, until nothing more is or the socket is full; then the task is woken when it takes more. Ready where writing
    /// failed, or a play has come to its end.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        batch: &mut M::Batch,
    ) -> Poll<io::Result<M::End>> {
        let known = self.task.as_ref();
        if !known.is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err(failure));
        }
        loop {
            // Media behind the replies, to go out with them in one write.
            let filled = self.blocked_since.is_none() && self.fill(batch, now());
            if !filled && self.outbox.is_idle() {
                break;
            }
            let written = self.outbox.poll_write(cx, Pin::new(&mut self.stream));
            self.note(written.is_ready(), now());
            if let Poll::Ready(Err(error)) = written {
                return Poll::Ready(Err(error));
            }
            if self.blocked_since.is_some() {
                break;
            }
        }
        match self.media.ended() {
            Some(end) => Poll::Ready(Ok(end)),
            None => Poll::Pending,
        }
    }

    /// Writes what is left, for the last words.
    pub(super) fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_idle() {
            match self.outbox.poll_write(cx, Pin::new(&mut self.stream)) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    // ---- A flusher ----

    /// Writes all that is ready, as far as the socket takes it at once. What it does not take is the connection's task's to write, as is what
    /// failed or ended to be told.
    pub(super) fn flush(&mut self, batch: &mut M::Batch, now: Instant) {
        // What waits already is in other hands.
        while self.outbox.is_idle() && self.failure.is_none() {
            match self.flush_once(batch, now) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => self.failure = Some(failure),
            }
        }
        let waits = self.blocked_since.is_some() || self.media.again().is_some();
        if (waits || self.failure.is_some() || self.media.ended().is_some())
            && let Some(task) = self.task.take()
        {
            task.wake();
        }
    }

    /// Whether there was something to write.
    fn flush_once(&mut self, batch: &mut M::Batch, now: Instant) -> io::Result<bool> {
        // TLS copies what it encrypts, so that it gains nothing.
        if !self.congested && !self.stream.is_tls() {
            let (stream, outbox) = (&mut self.stream, &mut self.outbox);
            match self.media.write_straight(stream, outbox, batch, now)? {
                Straight::Wrote { taken } => {
                    self.note(taken > 0, now);
                    return Ok(true);
                }
                Straight::Nothing => return Ok(false),
                Straight::Complicated => {}
            }
        }
        if !self.fill(batch, now) {
            return Ok(false);
        }
        let taken = self.outbox.try_write(&mut self.stream)?;
        self.note(taken > 0, now);
        Ok(true)
    }

    // ---- Both ----

    /// Notes how a write went: whether the socket took some of it.
    fn note(&mut self, took: bool, now: Instant) {
        if self.outbox.is_idle() {
            self.blocked_since = None;
        } else {
            self.congested = true;
            if took {
                self.blocked_since = Some(now);
            } else {
                self.blocked_since.get_or_insert(now);
            }
        }
    }

    /// Puts what is ready into the outbox; false where nothing is.
    fn fill(&mut self, batch: &mut M::Batch, now: Instant) -> bool {
        let congested = std::mem::take(&mut self.congested);
        self.media.fill(&mut self.outbox, batch, congested, now)
    }
}

impl<M> fmt::Debug for Line<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("outbox", &self.outbox)
            .field("blocked_since", &self.blocked_since)
            .field("congested", &self.congested)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
