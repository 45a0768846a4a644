//! A connection's socket, with what waits to be written to it and what is played on it.
//!
//! Two tasks write: the connection's own, which has replies to send and gets a viewer going again that was stuck; and a
//! [flusher](super::flusher), which writes to all viewers of a stream in one go and so saves each the cost of a task that wakes, looks and
//! goes back to sleep for every picture. Whoever writes holds the lock, takes whole messages only, and waits for nothing meanwhile.

use super::batch::Batch;
use super::connection::now;
use crate::Config;
use crate::egress::{FlvPacket, MESSAGE_STREAM, Shedding};
use crate::flv::TagKind;
use crate::proto::session::{MessageStreamId, PlayEnd};
use arcly_core::net::Outbox;
use arcly_core::{PlaySession, RenditionSubscription, SubscriptionEnd, Transport, ViewerLoss};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// How many packets are taken at a time: what goes into one write.
const FILL: usize = 64;
/// How many packets are written straight from the log at a time: a picture and the sound before it are three.
const STRAIGHT: usize = 16;

/// A [`Line`], shared by those who write to it.
pub(super) struct Wire(Mutex<Line>);

impl Wire {
    pub(super) fn new(stream: Transport, config: Arc<Config>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Line {
            stream,
            config,
            outbox: Outbox::default(),
            feeds: Vec::new(),
            sent: 0,
            blocked_since: None,
            congested: false,
            failure: None,
            task: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands behind the lock of a [`Wire`].
pub(super) struct Line {
    pub(super) stream: Transport,
    config: Arc<Config>,
    outbox: Outbox,
    feeds: Vec<Feed>,
    /// Bytes of media that the session has not been told of.
    sent: usize,
    /// Since when the socket has taken nothing of what waits.
    blocked_since: Option<Instant>,
    /// Whether the socket did not take all at once since media was last put into the outbox.
    congested: bool,
    /// Why writing failed, until the connection's task has seen it.
    failure: Option<io::Error>,
    /// The connection's task.
    task: Option<Waker>,
}

/// What one play takes from its rendition.
struct Feed {
    stream: MessageStreamId,
    audio: bool,
    video: bool,
    /// `None` while it pauses.
    packets: Option<RenditionSubscription<FlvPacket>>,
    shedding: Shedding,
    /// What is told of what it goes without.
    play: Arc<PlaySession>,
}

impl Line {
    // ---- What is played ----

    /// Plays `packets` on `stream` from now on, in place of what was played there. Sound and pictures are wanted until
    /// [`want`](Self::want) says otherwise.
    pub(super) fn feed(
        &mut self,
        stream: MessageStreamId,
        play: &Arc<PlaySession>,
        packets: RenditionSubscription<FlvPacket>,
    ) {
        let shedding = Shedding::new();
        if let Some(feed) = self.feed_of(stream) {
            (feed.packets, feed.shedding) = (Some(packets), shedding);
            feed.play = Arc::clone(play);
            return;
        }
        self.feeds.reserve_exact(1);
        self.feeds.push(Feed {
            stream,
            audio: true,
            video: true,
            packets: Some(packets),
            shedding,
            play: Arc::clone(play),
        });
    }

    /// Sends nothing on `stream` until it is fed again.
    pub(super) fn pause(&mut self, stream: MessageStreamId) {
        if let Some(feed) = self.feed_of(stream) {
            feed.packets = None;
        }
    }

    /// Whether sound and pictures are wanted on `stream`.
    pub(super) fn want(&mut self, stream: MessageStreamId, audio: bool, video: bool) {
        if let Some(feed) = self.feed_of(stream) {
            (feed.audio, feed.video) = (audio, video);
        }
    }

    /// Plays nothing on `stream` any more.
    pub(super) fn unfeed(&mut self, stream: MessageStreamId) {
        if let Some(feed) = self.feed_of(stream)
            && let Some(packets) = &feed.packets
            && let Some(SubscriptionEnd::Evicted { skipped }) = packets.end()
        {
            feed.play.lost(ViewerLoss::EvictedForLag, skipped);
        }
        self.feeds.retain(|feed| feed.stream != stream);
    }

    fn feed_of(&mut self, stream: MessageStreamId) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.stream == stream)
    }

    // ---- The connection's task ----

    pub(super) fn push_reply(&mut self, bytes: Bytes) {
        self.outbox.push_reply(bytes);
    }

    /// Bytes of replies that wait for a peer that does not take them.
    pub(super) fn replies(&self) -> usize {
        self.outbox.replies()
    }

    /// Tells that the viewers are let go of, as the socket takes nothing.
    pub(super) fn stuck(&mut self) {
        for feed in &mut self.feeds {
            let waiting = feed
                .packets
                .as_mut()
                .map_or(0, |packets| packets.peek_ready(usize::MAX).count());
            feed.play
                .lost(ViewerLoss::EvictedForStuckSocket, waiting as u64);
        }
    }

    /// Since when the socket has taken nothing of what waits.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Bytes of media that were sent since this was last asked.
    pub(super) fn take_sent(&mut self) -> usize {
        std::mem::take(&mut self.sent)
    }

    /// Writes all that is ready, until nothing more is or the socket is full; then the task is woken when it takes more. Ready where writing
    /// failed, or a play has come to its end.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(MessageStreamId, PlayEnd)>> {
        if !self
            .task
            .as_ref()
            .is_some_and(|task| task.will_wake(cx.waker()))
        {
            self.task = Some(cx.waker().clone());
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err(failure));
        }
        loop {
            // Media behind the replies, to go out with them in one write.
            let filled = self.blocked_since.is_none() && self.fill();
            if !filled && self.outbox.is_idle() {
                break;
            }
            let written = self.outbox.poll_write(cx, Pin::new(&mut self.stream));
            self.note(written.is_ready());
            if let Poll::Ready(Err(error)) = written {
                return Poll::Ready(Err(error));
            }
            if self.blocked_since.is_some() {
                break;
            }
        }
        match self.ended() {
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
    pub(super) fn flush(&mut self, batch: &mut Batch) {
        // What waits already is in other hands.
        while self.outbox.is_idle() && self.failure.is_none() {
            match self.write_straight(batch) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
            if !self.fill() {
                break;
            }
            match self.outbox.try_write(&mut self.stream) {
                Ok(taken) => self.note(taken > 0),
                Err(failure) => self.failure = Some(failure),
            }
        }
        if (self.blocked_since.is_some() || self.failure.is_some() || self.ended().is_some())
            && let Some(task) = self.task.take()
        {
            task.wake();
        }
    }

    /// Writes to the socket straight from the log, which is what there is to do for an ordinary viewer that keeps up: nothing is counted, and
    /// only what the socket does not take is put into the outbox. False, with nothing done, where nothing is there or it takes more thought.
    fn write_straight(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let [feed] = self.feeds.as_mut_slice() else {
            return Ok(false);
        };
        let takes_all = feed.audio && feed.video && feed.stream.0 == MESSAGE_STREAM;
        let Some(packets) = feed.packets.as_mut().filter(|_| takes_all) else {
            return Ok(false);
        };
        if self.congested || self.stream.is_tls() {
            return Ok(false);
        }
        let mut slices = [IoSlice::new(&[]); STRAIGHT];
        let (mut first, mut count, mut bytes) = (None, 0, 0);
        for (slice, packet) in slices.iter_mut().zip(packets.peek_ready(STRAIGHT)) {
            first.get_or_insert(packet);
            *slice = IoSlice::new(packet.as_chunks());
            bytes += slice.len();
            count += 1;
        }
        let Some(first) = first else {
            return Ok(false);
        };
        let slices = slices.get(..count).unwrap_or_default();
        let written = match (slices, batch.joined(first, slices, bytes)) {
            ([one], _) => self.stream.try_write(one),
            (_, Some(joined)) => self.stream.try_write(joined),
            (several, None) => self.stream.try_write_vectored(several),
        };
        let taken = match written {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        self.sent += bytes;
        if taken < bytes {
            let mut skip = taken;
            for packet in packets.peek_ready(count) {
                let chunks = packet.chunks();
                let written = skip.min(chunks.len());
                skip -= written;
                self.outbox.push(chunks.slice(written..));
            }
        }
        packets.take_peeked(count);
        self.note(taken > 0);
        Ok(true)
    }

    // ---- Both ----

    /// Notes how a write went: whether the socket took some of it.
    fn note(&mut self, took: bool) {
        if self.outbox.is_idle() {
            self.blocked_since = None;
        } else {
            self.congested = true;
            if took {
                self.blocked_since = Some(now());
            } else {
                self.blocked_since.get_or_insert_with(now);
            }
        }
    }

    /// Puts what is ready into the outbox; false where nothing is.
    fn fill(&mut self) -> bool {
        let congested = std::mem::take(&mut self.congested);
        let mut taken = false;
        for feed in &mut self.feeds {
            let (packets, bytes) = feed.fill(&mut self.outbox, congested, &self.config);
            self.sent += bytes;
            taken |= packets > 0;
        }
        taken
    }

    /// The first play that has come to its end.
    fn ended(&self) -> Option<(MessageStreamId, PlayEnd)> {
        self.feeds.iter().find_map(|feed| {
            let end = match feed.packets.as_ref()?.end()? {
                SubscriptionEnd::Evicted { .. } => PlayEnd::TooSlow,
                SubscriptionEnd::PackagerFailed => PlayEnd::ByHost,
                _ => PlayEnd::Unpublished,
            };
            Some((feed.stream, end))
        })
    }
}

impl Feed {
    /// Puts what is ready into `outbox`: how many packets were taken, and the bytes that are to be written of them. `congested` says that the
    /// socket did not take all that came before.
    fn fill(&mut self, outbox: &mut Outbox, congested: bool, config: &Config) -> (usize, usize) {
        let Some(packets) = &mut self.packets else {
            return (0, 0);
        };
        let (shed_after, skip_after) = (config.shed_after, config.skip_after);
        let sheds = congested && self.shedding.congested(packets, shed_after, skip_after);
        let (mut bytes, mut shed, mut skipped) = (0, 0, 0);
        let taken = packets.for_each_ready(FILL, |packet| {
            let wanted = match packet.kind() {
                TagKind::Audio => self.audio,
                TagKind::Video => self.video,
                TagKind::Script => true,
            };
            skipped += packet.skipped;
            let disposable = sheds && packet.is_disposable();
            shed += u64::from(wanted && disposable);
            if !wanted || disposable {
                return;
            }
            if self.stream.0 == MESSAGE_STREAM {
                let chunks = packet.chunks();
                bytes += chunks.len();
                outbox.push(chunks);
            } else {
                for chunks in packet.chunks_on(self.stream.0) {
                    bytes += chunks.len();
                    outbox.push(chunks);
                }
            }
        });
        for (loss, packets) in [
            (ViewerLoss::DisposableShed, shed),
            (ViewerLoss::SkippedToKeyframe, skipped),
        ] {
            if packets > 0 {
                self.play.lost(loss, packets);
            }
        }
        (taken, bytes)
    }
}
