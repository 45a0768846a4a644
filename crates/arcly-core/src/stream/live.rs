//! The state of one live stream, shared by its publisher, its viewers and the engine.

use super::gop_clock::GopClock;
use super::qos::Qos;
use super::rendition::Renditions;
use super::track::{StreamMetadata, Track};
use crate::bus::{LagObserver, Log, Preamble};
use crate::observe::Reporter;
use crate::{
    EndReason, EventKind, MediaFrame, MediaKind, Result, Retention, SessionId, StreamError,
    StreamKey,
};
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

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
            max_lag: Some(crate::SubscribeOptions::DEFAULT_MAX_LAG),
        }
    }
}

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

pub(crate) struct LiveStream {
    pub(crate) key: StreamKey,
    pub(crate) session: SessionId,
    pub(crate) origin: Origin,
    pub(crate) limits: StreamLimits,
    pub(crate) log: Arc<Log<MediaFrame>>,
    pub(crate) renditions: Renditions,
    pub(crate) viewers: AtomicUsize,
    pub(crate) ended: CancellationToken,
    pub(crate) keyframe_wanted: Notify,
    reporter: Arc<Reporter>,
    lag: Arc<LagReporter>,
    tracks: ArcSwap<Vec<Arc<Track>>>,
    /// The codec configs in force, one a track, in the order of the tracks.
    configs: ArcSwap<Preamble<MediaFrame>>,
    gop_clock: GopClock,
    end_reason: OnceLock<EndReason>,
    /// When it started and when the last frame came, in nanoseconds of the reporter's clock.
    started: u64,
    last_frame: AtomicU64,
}

/// Reports for the subscriptions of a stream, without keeping the stream alive.
struct LagReporter {
    key: StreamKey,
    reporter: Arc<Reporter>,
}

impl LagObserver for LagReporter {
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
        reporter: Arc<Reporter>,
    ) -> Self {
        let started = nanos(reporter.clock.elapsed());
        Self {
            session,
            origin: Origin {
                protocol,
                peer,
                started: reporter.clock.wall(),
            },
            limits,
            log: Arc::new(Log::new(limits.retention)),
            renditions: Renditions::default(),
            viewers: AtomicUsize::new(0),
            ended: CancellationToken::new(),
            keyframe_wanted: Notify::new(),
            lag: Arc::new(LagReporter {
                key: key.clone(),
                reporter: Arc::clone(&reporter),
            }),
            key,
            reporter,
            tracks: ArcSwap::default(),
            configs: ArcSwap::from_pointee(Preamble {
                items: Box::default(),
            }),
            gop_clock: GopClock::new(),
            end_reason: OnceLock::new(),
            started,
            last_frame: AtomicU64::new(started),
        }
    }

    pub(crate) fn publish(&self, frame: MediaFrame) -> Result<usize> {
        if let Some(reason) = self.end_reason() {
            return Err(self.ended_error(reason));
        }
        let max = self.limits.max_frame_bytes;
        if frame.payload.len() > max {
            return Err(self.refuse(StreamError::LimitExceeded {
                what: "frame size in bytes",
                max: max as u64,
            }));
        }
        let tracks = self.tracks.load();
        let added;
        let track = match tracks.iter().find(|track| track.id == frame.track) {
            Some(track) => track,
            None => {
                added = self.add_track(&frame).map_err(|error| self.refuse(error))?;
                &added
            }
        };
        if track.kind != frame.kind {
            return Err(self.refuse(StreamError::TrackKindChanged {
                track: frame.track,
                was: track.kind,
                is: frame.kind,
            }));
        }
        self.last_frame
            .store(nanos(self.reporter.clock.elapsed()), Ordering::Relaxed);
        let starts_gop = self.gop_clock.starts_gop(&frame);
        let appended = if frame.is_config() {
            self.set_config(track, &frame);
            self.log.append(frame)
        } else {
            track.counters.record(&frame);
            if starts_gop {
                self.log.append_sync(frame, || self.configs.load_full())
            } else {
                self.log.append(frame)
            }
        };
        let Ok(appended) = appended else {
            return Err(self.ended_error(self.end_reason().unwrap_or(EndReason::Finished)));
        };
        if appended.truncated {
            self.reporter.report(EventKind::GopTruncated {
                key: self.key.clone(),
            });
        }
        Ok(self.log.readers())
    }

    /// Says that a frame is refused.
    fn refuse(&self, error: StreamError) -> StreamError {
        self.reporter.report(EventKind::FrameRefused {
            key: self.key.clone(),
            error: error.to_string(),
        });
        error
    }

    /// Makes the track that `frame` is the first of.
    fn add_track(&self, frame: &MediaFrame) -> Result<Arc<Track>> {
        let max = self.limits.max_tracks;
        let find = |tracks: &[Arc<Track>]| {
            let same = tracks.iter().find(|track| track.id == frame.track);
            same.cloned()
        };
        let new = Arc::new(Track::new(frame));
        self.tracks.rcu(|tracks| {
            let mut tracks = Vec::clone(tracks);
            if find(&tracks).is_none() && tracks.len() < max {
                tracks.push(Arc::clone(&new));
            }
            tracks
        });
        let track = find(&self.tracks.load()).ok_or(StreamError::LimitExceeded {
            what: "number of tracks",
            max: max as u64,
        })?;
        self.reporter.report(EventKind::TracksChanged {
            key: self.key.clone(),
        });
        Ok(track)
    }

    /// Makes `frame` the codec config in force for its track. Done before the frame is appended, so that every sync point behind it
    /// carries it.
    fn set_config(&self, track: &Track, frame: &MediaFrame) {
        let in_force = self.configs.load();
        let same = |held: &MediaFrame| {
            held.track == frame.track && held.codec == frame.codec && held.payload == frame.payload
        };
        if in_force.items.iter().any(same) {
            return; // Sources repeat their configs.
        }
        let tracks = self.tracks.load_full();
        let place = |id| tracks.iter().position(|track| track.id == id);
        self.configs.rcu(|configs| {
            let mut items: Vec<MediaFrame> = configs
                .items
                .iter()
                .filter(|item| item.track != frame.track)
                .cloned()
                .collect();
            items.push(frame.clone());
            items.sort_by_key(|item| place(item.track));
            Preamble {
                items: items.into(),
            }
        });
        // Timed metadata that is kept for joiners is no codec config: the track stays as it is.
        if frame.kind != MediaKind::Data {
            track.set_config(frame);
            self.reporter.report(EventKind::TracksChanged {
                key: self.key.clone(),
            });
        }
    }

    /// Ends the stream; true where it was live.
    pub(crate) fn end(&self, reason: EndReason) -> bool {
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
        self.configs.load_full()
    }

    pub(crate) fn lag_observer(&self) -> Arc<dyn LagObserver> {
        Arc::clone(&self.lag) as Arc<dyn LagObserver>
    }

    pub(crate) fn idle(&self) -> Duration {
        let last = self.last_frame.load(Ordering::Relaxed);
        self.reporter
            .clock
            .elapsed()
            .saturating_sub(Duration::from_nanos(last))
    }

    pub(crate) fn metadata(&self) -> StreamMetadata {
        StreamMetadata {
            tracks: self
                .tracks
                .load()
                .iter()
                .map(|track| (*track.info()).clone())
                .collect(),
        }
    }

    pub(crate) fn qos(&self) -> Qos {
        let tracks: Vec<_> = self
            .tracks
            .load()
            .iter()
            .map(|track| {
                track
                    .counters
                    .snapshot(track.id, track.kind, track.info().codec)
            })
            .collect();
        Qos {
            uptime: self
                .reporter
                .clock
                .elapsed()
                .saturating_sub(Duration::from_nanos(self.started)),
            idle: self.idle(),
            frames: tracks.iter().map(|track| track.frames).sum(),
            bytes: tracks.iter().map(|track| track.bytes).sum(),
            bitrate: tracks.iter().map(|track| track.bitrate).sum(),
            tracks,
        }
    }
}
