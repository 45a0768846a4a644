//! The state of one live stream, shared by its publisher, its viewers and the engine.

use super::gop_clock::GopClock;
use super::publication::{Continuity, Origin, Publication};
use super::qos::Qos;
use super::rendition::Renditions;
use super::track::StreamMetadata;
use super::tracks::Tracks;
use super::viewers::Viewers;
use crate::bus::{LagObserver, Log, Preamble};
use crate::observe::Reporter;
use crate::viewer_loss::Losses;
use crate::{
    EndReason, EventKind, MediaFrame, MediaKind, Result, Retention, SessionId, StreamError,
    StreamKey, Timestamp, ViewerId, ViewerLoss,
};
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// For how many reasons a stream's refusals are reported.
const MAX_REASONS: usize = 32;

/// The limits of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLimits {
    /// What is kept for joiners and laggards.
    pub retention: Retention,
    /// The largest payload, in bytes. Larger frames are refused.
    pub max_frame_bytes: usize,
    /// The most tracks. Frames of further ones are refused.
    pub max_tracks: usize,
    /// The largest codec config, in bytes; each track's newest one is kept beside [`retention`](Self::retention), and older ones as long as
    /// a keyframe that needs them.
    pub max_config_bytes: usize,
    /// [`SubscribeOptions::max_lag`](crate::SubscribeOptions::max_lag) of subscriptions that do not set their own.
    pub max_lag: Option<u64>,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            retention: Retention::default(),
            // A keyframe of 8K at 200 Mbit/s is some 3 MiB.
            max_frame_bytes: 16 << 20,
            max_tracks: 32,
            // An avcC with all the parameter sets that real encoders write has some hundred bytes.
            max_config_bytes: 64 << 10,
            max_lag: Some(crate::SubscribeOptions::DEFAULT_MAX_LAG),
        }
    }
}

pub(crate) struct LiveStream {
    pub(crate) key: StreamKey,
    /// The session that began it.
    pub(crate) session: SessionId,
    /// The session that publishes it now, or did last.
    publication: ArcSwap<Publication>,
    /// How long it outlives a publication; zero: not at all.
    grace: Duration,
    continuity: Continuity,
    pub(crate) limits: StreamLimits,
    pub(crate) log: Arc<Log<MediaFrame>>,
    pub(crate) renditions: Renditions,
    pub(crate) viewers: Viewers,
    pub(crate) ended: CancellationToken,
    pub(crate) keyframe_wanted: Notify,
    reporter: Arc<Reporter>,
    events: Arc<StreamEvents>,
    tracks: Tracks,
    gop_clock: GopClock,
    /// Why frames have been refused so far.
    refused: Mutex<HashSet<String>>,
    end_reason: OnceLock<EndReason>,
    /// When it started and when the last frame came, in nanoseconds of the reporter's clock.
    started: u64,
    last_frame: AtomicU64,
}

/// Reports what happens to the readers of a stream, without keeping the stream alive.
pub(crate) struct StreamEvents {
    key: StreamKey,
    reporter: Arc<Reporter>,
}

impl StreamEvents {
    /// The newest GOP, or that of a rendition, alone broke a bound.
    pub(crate) fn truncated(&self) {
        self.reporter.report(EventKind::GopTruncated {
            key: self.key.clone(),
        });
    }

    /// A viewer lost something now; see [`Losses`] for the pace.
    pub(crate) fn viewer_lost(
        &self,
        viewer: ViewerId,
        losses: &Losses,
        loss: ViewerLoss,
        items: u64,
    ) {
        let now = self.reporter.clock.elapsed();
        if let Some(items) = losses.count(loss, items, now) {
            self.report_loss(viewer, loss, items);
        }
    }

    /// A viewer goes.
    pub(crate) fn viewer_gone(&self, viewer: ViewerId, losses: &Losses) {
        for (loss, items) in losses.rest() {
            self.report_loss(viewer, loss, items);
        }
    }

    fn report_loss(&self, viewer: ViewerId, loss: ViewerLoss, items: u64) {
        self.reporter.report(EventKind::ViewerLost {
            key: self.key.clone(),
            viewer,
            loss,
            items,
        });
    }

    /// The packager of a rendition failed.
    pub(crate) fn packager_failed(&self) {
        self.reporter.report(EventKind::PackagerFailed {
            key: self.key.clone(),
        });
    }
}

impl LagObserver for StreamEvents {
    fn lagged(&self, skipped: u64) {
        self.reporter.report(EventKind::SubscriberLagged {
            key: self.key.clone(),
            skipped,
        });
    }

    fn evicted(&self, skipped: u64) {
        self.reporter.report(EventKind::SubscriberEvicted {
            key: self.key.clone(),
            skipped,
        });
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl LiveStream {
    pub(crate) fn new(
        key: StreamKey,
        session: SessionId,
        protocol: String,
        peer: Option<SocketAddr>,
        limits: StreamLimits,
        grace: Duration,
        reporter: Arc<Reporter>,
    ) -> Self {
        let started = nanos(reporter.clock.elapsed());
        let origin = Origin {
            protocol,
            peer,
            started: reporter.clock.wall(),
        };
        Self {
            session,
            publication: ArcSwap::from_pointee(Publication::first(session, origin)),
            grace,
            continuity: Continuity::new(),
            limits,
            log: Arc::new(Log::new(limits.retention)),
            renditions: Renditions::default(),
            viewers: Viewers::default(),
            ended: CancellationToken::new(),
            keyframe_wanted: Notify::new(),
            events: Arc::new(StreamEvents {
                key: key.clone(),
                reporter: Arc::clone(&reporter),
            }),
            key,
            reporter,
            tracks: Tracks::new(limits.max_tracks),
            gop_clock: GopClock::new(),
            refused: Mutex::default(),
            end_reason: OnceLock::new(),
            started,
            last_frame: AtomicU64::new(started),
        }
    }

    pub(crate) fn publish(
        &self,
        publication: &Publication,
        mut frame: MediaFrame,
    ) -> Result<usize> {
        let _call = self.is_resumable().then(|| self.continuity.call());
        if let Some(reason) = publication.end_reason() {
            return Err(self.ended_error(reason));
        }
        let (what, max) = if frame.is_config() {
            ("codec config size in bytes", self.limits.max_config_bytes)
        } else {
            ("frame size in bytes", self.limits.max_frame_bytes)
        };
        if frame.payload.len() > max {
            let max = max as u64;
            return Err(self.refuse(StreamError::LimitExceeded { what, max }));
        }
        if frame.codec.kind() != frame.kind {
            return Err(self.refuse(StreamError::CodecKindMismatch {
                codec: frame.codec,
                kind: frame.kind,
            }));
        }
        let tracks = self.tracks.list();
        let mut known = tracks.iter().filter(|track| track.id == frame.track);
        let shown;
        let track = match known.find(|track| track.is_shown_by(publication.session)) {
            Some(track) => track,
            None => {
                let first = self.tracks.show(publication.session, &frame);
                let first = first.map_err(|error| self.refuse(error))?;
                if first.is_news {
                    self.tracks_changed();
                }
                shown = first.track;
                &shown
            }
        };
        if track.kind != frame.kind {
            return Err(self.refuse(StreamError::TrackKindChanged {
                track: frame.track,
                was: track.kind,
                is: frame.kind,
            }));
        }
        let now = nanos(self.reporter.clock.elapsed());
        self.last_frame.store(now, Ordering::Relaxed);
        if self.is_resumable() {
            if publication.begins() {
                self.gop_clock.resume();
            }
            let resumed = publication.session != self.session;
            let unusable = resumed
                && !frame.is_config()
                && !track.start.admit(publication.session, &mut frame);
            if unusable {
                return Ok(self.log.readers());
            }
            self.continuity.place(publication, &mut frame, now);
        }
        let starts_gop = self.gop_clock.starts_gop(&frame);
        let appended = if frame.is_config() {
            // Before the frame is appended, so that every sync point behind it carries it.
            if self.tracks.set_config(track, &frame) {
                self.tracks_changed();
            }
            self.log.append(frame)
        } else {
            track.counters.record(&frame);
            if track.learn(&frame) {
                self.tracks_changed();
            }
            if starts_gop {
                self.settle(publication, frame.dts);
                self.log.append_sync(frame, || self.tracks.configs())
            } else {
                self.log.append(frame)
            }
        };
        let Ok(appended) = appended else {
            let reason = publication.end_reason().or_else(|| self.end_reason());
            return Err(self.ended_error(reason.unwrap_or(EndReason::Finished)));
        };
        if appended.truncated {
            self.events.truncated();
        }
        Ok(self.log.readers())
    }

    /// Says that a frame is refused. Once a stream and reason: a publisher that sends nothing else must not drown all other events.
    fn refuse(&self, error: StreamError) -> StreamError {
        let reason = error.to_string();
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MAX_REASONS && refused.insert(reason.clone()) {
            drop(refused);
            self.reporter.report(EventKind::FrameRefused {
                key: self.key.clone(),
                error: reason,
            });
        }
        error
    }

    fn tracks_changed(&self) {
        self.reporter.report(EventKind::TracksChanged {
            key: self.key.clone(),
        });
    }

    /// Takes a sync point of a publication that resumed the stream: what that has not shown by now goes.
    fn settle(&self, publication: &Publication, dts: Timestamp) {
        if publication.settles(dts) && self.tracks.settle(publication.session) {
            if !self.tracks.has(MediaKind::Video) {
                self.gop_clock.lose_video();
            }
            self.tracks_changed();
        }
    }

    // ---- Publications and the end ----

    /// The publication that is under way, or was last.
    pub(crate) fn publication(&self) -> Arc<Publication> {
        self.publication.load_full()
    }

    /// Whether it can outlive a publication.
    pub(crate) fn is_resumable(&self) -> bool {
        !self.grace.is_zero()
    }

    /// Whether it waits for its publisher to come back.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.end_reason().is_none() && self.publication.load().end_reason().is_some()
    }

    /// Whether its publisher has stayed away for longer than the grace period.
    pub(crate) fn is_given_up(&self) -> bool {
        let now = nanos(self.reporter.clock.elapsed());
        self.publication
            .load()
            .ended_since(now)
            .is_some_and(|since| since >= self.grace)
    }

    /// Whether the stream goes on after a publication that ends for `reason`.
    pub(crate) fn survives(&self, reason: EndReason) -> bool {
        self.is_resumable() && self.why(reason).may_resume()
    }

    /// Puts another publication in place of the one before, which ends if it has not; it is to be [woken](Publication::wake). Called under the
    /// engine's table lock. Returns both, that before first.
    pub(crate) fn resume(
        &self,
        protocol: String,
        peer: Option<SocketAddr>,
    ) -> (Arc<Publication>, Arc<Publication>) {
        let origin = Origin {
            protocol,
            peer,
            started: self.reporter.clock.wall(),
        };
        let next = Arc::new(Publication::next(SessionId::fresh(), origin));
        let now = nanos(self.reporter.clock.elapsed());
        // While it was away it brought nothing, which is not the newcomer's silence. Before that is seen: the reaper looks at both.
        self.last_frame.store(now, Ordering::Relaxed);
        let before = self.publication.swap(Arc::clone(&next));
        before.close(EndReason::Replaced, now);
        (before, next)
    }

    /// Waits for what the publications before the one under way are about to append.
    pub(crate) async fn last_call(&self) {
        self.continuity.last_call().await;
    }

    /// Ends a publication that the stream [survives](Self::survives), and that is to be [woken](Publication::wake). Called under the engine's
    /// table lock.
    pub(crate) fn interrupt(&self, publication: &Publication, reason: EndReason) {
        publication.close(reason, nanos(self.reporter.clock.elapsed()));
    }

    /// Ends a publication, and the stream with it unless that [survives](Self::survives); true where the publication was under way.
    pub(crate) fn end_publication(&self, publication: &Publication, reason: EndReason) -> bool {
        let reason = self.why(reason);
        let first = publication.end(reason, nanos(self.reporter.clock.elapsed()));
        if first && !self.survives(reason) {
            self.end(reason);
        }
        first
    }

    /// While the engine shuts down, that is why publishers finish and go away.
    fn why(&self, reason: EndReason) -> EndReason {
        match reason {
            EndReason::Finished | EndReason::Dropped if self.reporter.is_shutting_down() => {
                EndReason::Shutdown
            }
            reason => reason,
        }
    }

    /// Ends the stream and whatever publishes it; true where it was live.
    pub(crate) fn end(&self, reason: EndReason) -> bool {
        let reason = self.why(reason);
        self.publication
            .load()
            .end(reason, nanos(self.reporter.clock.elapsed()));
        let first = self.end_reason.set(reason).is_ok();
        if first {
            self.log.close();
            self.renditions.clear();
            self.ended.cancel();
        }
        first
    }

    pub(crate) fn end_reason(&self) -> Option<EndReason> {
        self.end_reason.get().copied()
    }

    fn ended_error(&self, reason: EndReason) -> StreamError {
        StreamError::SessionEnded {
            key: self.key.clone(),
            reason,
        }
    }

    pub(crate) fn configs(&self) -> Arc<Preamble<MediaFrame>> {
        self.tracks.configs()
    }

    pub(crate) fn events(&self) -> &Arc<StreamEvents> {
        &self.events
    }

    pub(crate) fn idle(&self) -> Duration {
        let last = self.last_frame.load(Ordering::Relaxed);
        self.reporter
            .clock
            .elapsed()
            .saturating_sub(Duration::from_nanos(last))
    }

    pub(crate) fn metadata(&self) -> StreamMetadata {
        self.tracks.metadata()
    }

    pub(crate) fn qos(&self) -> Qos {
        let (tracks, totals) = self.tracks.qos();
        Qos {
            uptime: self
                .reporter
                .clock
                .elapsed()
                .saturating_sub(Duration::from_nanos(self.started)),
            idle: self.idle(),
            frames: totals.frames,
            bytes: totals.bytes,
            bitrate: tracks.iter().map(|track| track.bitrate).sum(),
            tracks,
        }
    }
}

/// A stream of which nothing is left but its readers has ended, whether or not somebody said so.
impl Drop for LiveStream {
    fn drop(&mut self) {
        self.log.close();
    }
}
