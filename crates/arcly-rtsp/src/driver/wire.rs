//! A connection's socket, with what waits to be written to it and what is played on it or beside it.
//!
//! Two tasks write: the connection's own, which has replies to send and gets a player going again that was stuck; and a
//! [flusher](super::flusher), which writes to all players of a stream in one go. Whoever writes holds the lock, takes whole messages and frames only, and
//! waits for nothing meanwhile.

use super::batch::Batch;
use super::connection::now;
use super::feed::{Feed, FeedTrack, TrackOut};
use crate::Config;
use crate::pacing::Burst;
use arcly_core::net::Outbox;
use arcly_core::rtp::RtpFrame;
use arcly_core::{LogItem, SubscriptionEnd, Transport, ViewerLoss};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How many frames are taken at a time: what goes into one write.
const FILL: usize = 64;
/// How many frames are written straight from the log at a time: a picture and the sound before it are three.
const STRAIGHT: usize = 16;
/// How soon frames are tried again that a full UDP socket did not take.
const UDP_AGAIN: Duration = Duration::from_millis(5);

/// A [`Line`], shared by those who write to it.
pub(super) struct Wire(Mutex<Line>);

/// Why a play came to its end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlayEnd {
    /// The stream is over.
    Unpublished,
    /// It was too slow for too long.
    TooSlow,
    /// The host ended it, or could not go on.
    ByHost,
}

impl Wire {
    pub(super) fn new(stream: Transport, config: Arc<Config>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Line {
            stream,
            config,
            outbox: Outbox::default(),
            feed: None,
            blocked_since: None,
            congested: false,
            again: None,
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
    feed: Option<Feed>,
    /// Since when the socket has taken nothing of what waits.
    blocked_since: Option<Instant>,
    /// Whether the socket did not take all at once since media was last put into the outbox.
    congested: bool,
    /// When a UDP player is to be sent what was held back.
    again: Option<Instant>,
    /// Why writing failed, until the connection's task has seen it.
    failure: Option<io::Error>,
    /// The connection's task.
    task: Option<Waker>,
}

impl Line {
    // ---- What is played ----

    /// Plays `feed` from now on.
    pub(super) fn play(&mut self, feed: Feed) {
        self.feed = Some(feed);
    }

    /// Plays nothing any more; what was played, where there was something.
    pub(super) fn stop(&mut self) -> Option<Feed> {
        self.again = None;
        let feed = self.feed.take()?;
        if let Some(SubscriptionEnd::Evicted { skipped }) = feed.packets.end() {
            feed.play.lost(ViewerLoss::EvictedForLag, skipped);
        }
        Some(feed)
    }

    /// Plays nothing any more, and says goodbye.
    pub(super) fn end(&mut self) {
        if let Some(feed) = self.stop() {
            feed.say_bye(&mut self.outbox);
        }
    }

    // ---- The connection's task ----

    pub(super) fn push_reply(&mut self, bytes: Bytes) {
        self.outbox.push_reply(bytes);
    }

    /// Bytes of replies that wait for a peer that does not take them.
    pub(super) fn replies(&self) -> usize {
        self.outbox.replies()
    }

    /// Tells that the player is let go of, as the socket takes nothing.
    pub(super) fn stuck(&mut self) {
        if let Some(feed) = &mut self.feed {
            let waiting = feed.packets.peek_ready(usize::MAX).count();
            feed.play
                .lost(ViewerLoss::EvictedForStuckSocket, waiting as u64);
        }
    }

    /// Since when the socket has taken nothing of what waits.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// When [`poll_send`](Self::poll_send) is to be called though nothing comes.
    pub(super) fn again(&self) -> Option<Instant> {
        self.again
    }

    /// Writes all that is ready, until nothing more is or the socket is full; then the task is woken when it takes more. Ready where writing
    /// failed, or the play has come to its end.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<PlayEnd>> {
        let known = self.task.as_ref();
        if !known.is_some_and(|task| task.will_wake(cx.waker())) {
            self.task = Some(cx.waker().clone());
        }
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Err(failure));
        }
        loop {
            // Media behind the replies, to go out with them in one write.
            let filled = self.blocked_since.is_none() && Batch::with_own(|batch| self.fill(batch));
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

    /// Writes all that is ready, as far as the sockets take it at once. What they do not take is the connection's task's to write, as is what
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
            if !self.fill(batch) {
                break;
            }
            match self.outbox.try_write(&mut self.stream) {
                Ok(taken) => self.note(taken > 0 || self.outbox.is_idle()),
                Err(failure) => self.failure = Some(failure),
            }
        }
        let waits = self.blocked_since.is_some() || self.again.is_some();
        if (waits || self.failure.is_some() || self.ended().is_some())
            && let Some(task) = self.task.take()
        {
            task.wake();
        }
    }

    /// Writes to the connection straight from the log, which is what there is to do for an ordinary player by TCP that keeps up: only what the
    /// socket does not take is put into the outbox. False, with nothing done, where nothing is there or it takes more thought.
    fn write_straight(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let Some(feed) = self.feed.as_mut().filter(|feed| !feed.by_udp) else {
            return Ok(false);
        };
        if self.congested || self.stream.is_tls() {
            return Ok(false);
        }
        let now = now();
        let mut slices = [IoSlice::new(&[]); STRAIGHT];
        let (mut first, mut count, mut bytes) = (None, 0, 0);
        for (slice, frame) in slices.iter_mut().zip(feed.packets.peek_ready(STRAIGHT)) {
            let plain = feed.tracks.iter().any(|track| {
                let channel = match &track.out {
                    TrackOut::Interleaved(channels) => Some(channels.rtp),
                    TrackOut::Udp(..) => None,
                };
                track.track == frame.track()
                    && channel == Some(frame.channel())
                    && !track.owes_report(now)
            });
            if !plain {
                break;
            }
            first.get_or_insert(frame);
            *slice = IoSlice::new(frame.interleaved());
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
        let mut skip = taken;
        for frame in feed.packets.peek_ready(count) {
            let mut tracks = feed.tracks.iter_mut();
            if let Some(track) = tracks.find(|track| track.track == frame.track()) {
                track.sent([frame]);
            }
            let all = frame.interleaved();
            let written = skip.min(all.len());
            skip -= written;
            if written < all.len() {
                self.outbox.push(all.slice(written..));
            }
        }
        feed.packets.take_peeked(count);
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

    /// Sends what is ready by UDP, or puts it into the outbox; whether something is in the outbox for that.
    fn fill(&mut self, batch: &mut Batch) -> bool {
        let Some(feed) = &mut self.feed else {
            return false;
        };
        if feed.by_udp {
            self.again = feed.send_datagrams(batch, &mut self.outbox, now());
            return false;
        }
        let congested = std::mem::take(&mut self.congested);
        feed.fill(&mut self.outbox, congested, &self.config, now()) > 0
    }

    /// Whether the play has come to its end.
    fn ended(&self) -> Option<PlayEnd> {
        let end = self.feed.as_ref()?.packets.end()?;
        Some(match end {
            SubscriptionEnd::Evicted { .. } => PlayEnd::TooSlow,
            SubscriptionEnd::PackagerFailed => PlayEnd::ByHost,
            _ => PlayEnd::Unpublished,
        })
    }
}

impl Feed {
    /// Puts what is ready into `outbox`: how many frames were taken. `congested` says that the socket did not take all that came before.
    fn fill(
        &mut self,
        outbox: &mut Outbox,
        congested: bool,
        config: &Config,
        now: Instant,
    ) -> usize {
        let (shed_after, skip_after) = (config.shed_after, config.skip_after);
        let packets = &mut self.packets;
        let sheds = congested && self.shedding.congested(packets, shed_after, skip_after);
        let (mut shed, mut skipped) = (0, 0);
        let (tracks, every) = (&mut self.tracks, self.report_every);
        let taken = packets.for_each_ready(FILL, |frame| {
            skipped += frame.skipped;
            let mut tracks = tracks.iter_mut();
            let Some(track) = tracks.find(|track| track.track == frame.track()) else {
                return;
            };
            if sheds && frame.is_disposable() {
                shed += 1;
                return;
            }
            if track.owes_report(now) {
                let report = track.report(frame.item, now, every);
                track.send_rtcp(&report, outbox);
            }
            outbox.push(track.interleaved(frame.item));
            track.sent([frame.item]);
        });
        for (loss, frames) in [
            (ViewerLoss::DisposableShed, shed),
            (ViewerLoss::SkippedToKeyframe, skipped),
        ] {
            if frames > 0 {
                self.play.lost(loss, frames);
            }
        }
        taken
    }

    /// Sends what is ready by UDP; when to come back, where something is held back by the pace or a full socket.
    fn send_datagrams(
        &mut self,
        batch: &mut Batch,
        outbox: &mut Outbox,
        now: Instant,
    ) -> Option<Instant> {
        let (tracks, every, burst) = (&mut self.tracks, self.report_every, &mut self.burst);
        loop {
            let (mut ready, mut again) = ([None; STRAIGHT], None);
            for (place, frame) in ready.iter_mut().zip(self.packets.peek_ready(STRAIGHT)) {
                let wait = match burst {
                    Some(burst) => burst.wait(frame.dts(), now),
                    None => Duration::ZERO,
                };
                if !wait.is_zero() {
                    again = now.checked_add(wait);
                    break;
                }
                *place = Some(frame);
            }
            let mut sent = 0;
            for frames in ready.chunk_by(are_of_one_track) {
                match send_frames(tracks, frames, every, batch, outbox, now) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        again = now.checked_add(UDP_AGAIN);
                        break;
                    }
                    // An unreachable peer ends by its timeout, or by its connection.
                    Ok(()) | Err(_) => sent += frames.iter().flatten().count(),
                }
            }
            self.packets.take_peeked(sent);
            if again.is_some() {
                return again;
            }
            if sent > 0 {
                continue;
            }
            // What comes first is a gap: it is told with the frame behind it.
            let mut skipped = 0;
            let taken = self.packets.for_each_ready(1, |frame| {
                skipped += frame.skipped;
                let _ = send_frames(tracks, &[Some(frame.item)], every, batch, outbox, now);
            });
            if skipped > 0 {
                self.play.lost(ViewerLoss::SkippedToKeyframe, skipped);
            }
            if taken == 0 {
                // All there is was sent: from here on frames go out as they come.
                *burst = None;
                return None;
            }
        }
    }

    /// Brings a UDP player from the first frame that is ready to now, at so many times real time.
    pub(super) fn start_burst(&mut self, speed: u32, now: Instant) {
        let first = self.packets.peek_ready(1).next().map(LogItem::dts);
        self.burst = first
            .filter(|_| self.by_udp)
            .map(|first| Burst::new(first, speed, now));
    }
}

fn are_of_one_track(one: &Option<&RtpFrame>, other: &Option<&RtpFrame>) -> bool {
    one.map(RtpFrame::track) == other.map(RtpFrame::track)
}

/// Sends frames of one track by UDP. Sound that waited for a picture is several frames: where their lengths allow it, they go out in one send.
fn send_frames(
    tracks: &mut [FeedTrack],
    frames: &[Option<&RtpFrame>],
    every: Duration,
    batch: &mut Batch,
    outbox: &mut Outbox,
    now: Instant,
) -> io::Result<()> {
    let Some(Some(first)) = frames.first() else {
        return Ok(());
    };
    let mut tracks = tracks.iter_mut();
    let Some(track) = tracks.find(|track| track.track == first.track()) else {
        return Ok(());
    };
    if track.owes_report(now) {
        let report = track.report(first, now, every);
        track.send_rtcp(&report, outbox);
    }
    if let TrackOut::Udp(endpoint, peer) = &track.out {
        let (to, mut begun) = (peer.rtp(), false);
        for (segment, bytes) in batch.datagrams(first, frames).runs() {
            match endpoint.rtp.try_send(to, None, segment, bytes) {
                Ok(_) => begun = true,
                // They can be tried again as long as nothing of them went out; what is missing afterwards is lost, as on the way.
                Err(error) if begun && error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
    }
    track.sent(frames.iter().flatten().copied());
    Ok(())
}
