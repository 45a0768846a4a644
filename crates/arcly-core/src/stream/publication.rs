//! One publish session of a stream, and how a stream goes on from one session to the next.
//!
//! A stream has one publication at a time. Without a grace period it ends with its first. With one, it outlives a publication that went away: it
//! is *interrupted*, keeps what it holds and whoever reads it, and is *resumed* by the next publication that comes in time. The timeline goes on:
//! a resumed publication's timestamps are shifted by a constant, so that its first frame comes as long after the last one as the pause was.

use super::EndReason;
use crate::{MediaFrame, SessionId, TimeDelta, Timestamp};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// The least pause on the timeline between two publications: more than tracks of one publisher are apart, so that no track goes back.
const SHORTEST_PAUSE: TimeDelta = TimeDelta::from_millis(100);

/// How long the tracks of a publication are given to show, from its first sync point on, so that an all-intra stream's second picture does not
/// drop the sound that follows it. No longer than audio's sync points are apart: without video, the second of them settles.
const SETTLING: TimeDelta = TimeDelta::from_millis(1_000);

/// How often a newcomer looks whether its predecessor has left its last call, before it goes on regardless.
const LOOKS_FOR_LAST_CALL: usize = 1_000;

/// Where a stream comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The publisher's protocol.
    pub protocol: String,
    /// The publisher's address.
    pub peer: Option<SocketAddr>,
    /// When it started.
    pub started: SystemTime,
}

/// A publish session, as its stream knows it.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) session: SessionId,
    pub(crate) origin: Origin,
    pub(crate) ended: CancellationToken,
    end_reason: OnceLock<EndReason>,
    /// When it ended, in nanoseconds of the engine's clock; means something once `end_reason` is set.
    ended_at: AtomicU64,
    /// Whether observers have been told of the interruption; changed under the engine's table lock.
    told: AtomicBool,
    /// Whether its first frame has come.
    begun: AtomicBool,
    /// What is added to its timestamps; set with its first media frame.
    shift: OnceLock<TimeDelta>,
    /// DTS of its first sync point.
    first_sync: OnceLock<Timestamp>,
    /// Whether the stream's tracks are its own.
    settled: AtomicBool,
}

impl Publication {
    /// A publication that begins a stream: its timeline is the stream's.
    pub(super) fn first(session: SessionId, origin: Origin) -> Self {
        Self {
            shift: OnceLock::from(TimeDelta::ZERO),
            begun: AtomicBool::new(true),
            settled: AtomicBool::new(true),
            ..Self::next(session, origin)
        }
    }

    /// A publication that resumes a stream.
    pub(super) fn next(session: SessionId, origin: Origin) -> Self {
        Self {
            session,
            origin,
            ended: CancellationToken::new(),
            end_reason: OnceLock::new(),
            ended_at: AtomicU64::new(0),
            told: AtomicBool::new(false),
            begun: AtomicBool::new(false),
            shift: OnceLock::new(),
            first_sync: OnceLock::new(),
            settled: AtomicBool::new(false),
        }
    }

    /// Ends it, and wakes who waits for that; true where it had not ended. Not to be called under a lock: the woken are not ours.
    pub(super) fn end(&self, reason: EndReason, now: u64) -> bool {
        let first = self.close(reason, now);
        if first {
            self.wake();
        }
        first
    }

    /// Ends it; true where it had not ended, and [`wake`](Self::wake) is to follow.
    pub(super) fn close(&self, reason: EndReason, now: u64) -> bool {
        if self.end_reason().is_some() {
            return false;
        }
        self.ended_at.store(now, Ordering::Relaxed);
        self.end_reason.set(reason).is_ok()
    }

    /// Wakes who waits for its end, once it has ended.
    pub(crate) fn wake(&self) {
        self.ended.cancel();
    }

    pub(crate) fn end_reason(&self) -> Option<EndReason> {
        self.end_reason.get().copied()
    }

    /// How long ago it ended, at the time `now` of the engine's clock; `None` while it has not.
    pub(super) fn ended_since(&self, now: u64) -> Option<Duration> {
        self.end_reason()?;
        let ended_at = self.ended_at.load(Ordering::Relaxed);
        Some(Duration::from_nanos(now.saturating_sub(ended_at)))
    }

    /// True the first time: the interruption is to be told. Called under the engine's table lock.
    pub(crate) fn take_interruption(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    /// Takes a frame; true for the first of a publication that resumes a stream.
    pub(super) fn begins(&self) -> bool {
        !self.begun.load(Ordering::Relaxed) && !self.begun.swap(true, Ordering::Relaxed)
    }

    /// Takes a sync point at `dts`; true once, where every track of a publication that resumes a stream has had its chance to show: at the
    /// second sync point, or where these are close together, at the first that is [`SETTLING`] behind the first.
    pub(super) fn settles(&self, dts: Timestamp) -> bool {
        if self.settled.load(Ordering::Relaxed) {
            return false;
        }
        // Either way: video and audio, which both make sync points, may be far apart.
        let since = dts.since(*self.first_sync.get_or_init(|| dts)).abs();
        since >= SETTLING && !self.settled.swap(true, Ordering::Relaxed)
    }
}

impl EndReason {
    /// Whether a publisher that went away like this may come back.
    pub(super) const fn may_resume(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Dropped | Self::Idle | Self::Replaced
        )
    }
}

/// What a stream carries on from publication to publication: its timeline, and the calls of `publish` that are under way.
#[derive(Debug)]
pub(super) struct Continuity {
    /// The latest PTS so far, raw; `i64::MIN` before the first frame.
    newest_pts: AtomicI64,
    /// When the last frame came, in nanoseconds of the engine's clock.
    last_came: AtomicU64,
    /// Calls of `publish` that are under way, of whichever publication.
    calls: AtomicUsize,
}

impl Continuity {
    pub(super) const fn new() -> Self {
        Self {
            newest_pts: AtomicI64::new(i64::MIN),
            last_came: AtomicU64::new(0),
            calls: AtomicUsize::new(0),
        }
    }

    /// Marks a call of `publish`; the guard ends it. A call that begins after its publication ended sees that, or is waited for by
    /// [`last_call`](Self::last_call): each side does its part, has a fence, and looks for the other's.
    pub(super) fn call(&self) -> Call<'_> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Call(self)
    }

    /// Waits until no call of `publish` is under way, all publications but a newcomer's having ended, so that none of their frames comes
    /// after its first. Such a call waits for nothing; but a thread may be held up in it for as long as its host pleases, so the patience
    /// is bounded.
    pub(super) async fn last_call(&self) {
        fence(Ordering::SeqCst);
        for _ in 0..LOOKS_FOR_LAST_CALL {
            if self.calls.load(Ordering::Acquire) == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Puts a frame of `publication` on the stream's timeline, which comes at `now` of the engine's clock.
    pub(super) fn place(&self, publication: &Publication, frame: &mut MediaFrame, now: u64) {
        let newest = self.newest_pts.load(Ordering::Relaxed);
        if frame.is_config() && publication.shift.get().is_none() {
            // Ahead of the media, it may be stamped with anything.
            if newest != i64::MIN {
                frame.pts = Timestamp::from_raw(newest);
                frame.dts = frame.pts;
            }
            return;
        }
        let shift = *publication.shift.get_or_init(|| {
            if newest == i64::MIN {
                return TimeDelta::ZERO;
            }
            let pause = now.saturating_sub(self.last_came.load(Ordering::Relaxed));
            let pause = TimeDelta::from(Duration::from_nanos(pause)).max(SHORTEST_PAUSE);
            let shift = (Timestamp::from_raw(newest) + pause).since(frame.dts);
            // Whole milliseconds: what was exact in the publisher's protocol stays so.
            TimeDelta::from_millis(shift.to_ticks(1_000))
        });
        frame.pts = frame.pts + shift;
        frame.dts = frame.dts + shift;
        if !frame.is_config() {
            self.newest_pts
                .fetch_max(frame.pts.raw(), Ordering::Relaxed);
            self.last_came.store(now, Ordering::Relaxed);
        }
    }
}

/// A call of `publish`.
pub(super) struct Call<'a>(&'a Continuity);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Release);
    }
}

/// Whether a track has begun in the publication that is under way.
#[derive(Debug)]
pub(super) struct TrackStart(AtomicU64);

impl TrackStart {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Looks at a media frame of a publication that resumed the stream. The first of a track is marked as following a discontinuity; false
    /// where the frame cannot be used: video before its first keyframe would refer to pictures of the publication before.
    pub(super) fn admit(&self, session: SessionId, frame: &mut MediaFrame) -> bool {
        if self.0.load(Ordering::Relaxed) == session.get() {
            return true;
        }
        if frame.is_video() && !frame.is_keyframe() {
            return false;
        }
        self.0.store(session.get(), Ordering::Relaxed);
        frame.flags.insert(crate::FrameFlags::DISCONTINUITY);
        true
    }
}
