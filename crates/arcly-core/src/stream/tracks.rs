//! Which tracks a live stream has, and the codec configs in force: what joiners are given and outputs plan by.
//!
//! Where a publication resumes a stream, it finds the tracks of the one before. A track that it *shows*, by any frame, is the same track going on;
//! one that it has not shown by the time it [settles](super::Publication) goes, with its config: joiners would be given the header
//! of a track that never comes, and outputs would wait for it.
//!
//! A frame of a track that the publication has shown takes no lock here. To change which tracks there are takes one, so that what is dropped
//! as not shown and what is shown at that moment are never the same.

use super::qos::TrackQos;
use super::track::{StreamMetadata, Track};
use crate::bus::Preamble;
use crate::{MediaFrame, MediaKind, Result, SessionId, StreamError, TrackId};
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct Tracks {
    /// In the order in which they appeared.
    list: ArcSwap<Vec<Arc<Track>>>,
    /// The codec configs in force, one a track, in the order of the tracks.
    configs: ArcSwap<Preamble<MediaFrame>>,
    max: usize,
    /// Held to change which tracks there are; nobody else is called meanwhile.
    gone: Mutex<Totals>,
}

/// What has been published, in all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

impl Totals {
    pub(super) fn add(&mut self, track: &TrackQos) {
        self.frames += track.frames;
        self.bytes += track.bytes;
    }
}

/// A track that a publication has shown for the first time.
pub(super) struct Shown {
    pub(super) track: Arc<Track>,
    /// Whether observers are to be told: the track is new, or something else than it was.
    pub(super) is_news: bool,
}

impl Tracks {
    /// No tracks yet, and never more than `max`.
    pub(super) fn new(max: usize) -> Self {
        Self {
            list: ArcSwap::default(),
            configs: ArcSwap::from_pointee(Preamble {
                items: Box::default(),
            }),
            max,
            gone: Mutex::default(),
        }
    }

    pub(super) fn list(&self) -> Guard<Arc<Vec<Arc<Track>>>> {
        self.list.load()
    }

    pub(super) fn configs(&self) -> Arc<Preamble<MediaFrame>> {
        self.configs.load_full()
    }

    fn gone(&self) -> MutexGuard<'_, Totals> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The track of `frame`, the first of it that `session` brings.
    ///
    /// # Errors
    /// [`StreamError::LimitExceeded`] where it would be one too many.
    pub(super) fn show(&self, session: SessionId, frame: &MediaFrame) -> Result<Shown> {
        let mut gone = self.gone();
        let mut tracks = Vec::clone(&self.list.load());
        let held = tracks.iter_mut().find(|track| track.id == frame.track);
        let new = Arc::new(Track::new(frame, session));
        let shown = |track, is_news| Ok(Shown { track, is_news });
        match held {
            Some(held) if held.is_shown_by(session) => return shown(Arc::clone(held), false),
            Some(held) if held.kind == frame.kind && held.codec() == frame.codec => {
                held.show(session);
                let has_config = self.configs().items.iter().any(|c| c.track == held.id);
                let is_news = !has_config && held.renew(frame);
                return shown(Arc::clone(held), is_news);
            }
            Some(held) => {
                // Another track that only has its number.
                gone.add(&held.qos());
                *held = Arc::clone(&new);
                self.drop_configs(|id| id == frame.track);
            }
            None => {
                if tracks.len() >= self.max {
                    self.drop_unshown(session, &mut tracks, &mut gone);
                }
                if tracks.len() >= self.max {
                    return Err(StreamError::LimitExceeded {
                        what: "number of tracks",
                        max: self.max as u64,
                    });
                }
                tracks.push(Arc::clone(&new));
            }
        }
        self.list.store(Arc::new(tracks));
        shown(new, true)
    }

    /// Drops the tracks that `session` has not shown, with their configs; whether there were any.
    pub(super) fn settle(&self, session: SessionId) -> bool {
        let mut gone = self.gone();
        let mut tracks = Vec::clone(&self.list.load());
        let dropped = self.drop_unshown(session, &mut tracks, &mut gone);
        if dropped {
            self.list.store(Arc::new(tracks));
        }
        dropped
    }

    fn drop_unshown(
        &self,
        session: SessionId,
        tracks: &mut Vec<Arc<Track>>,
        gone: &mut Totals,
    ) -> bool {
        let unshown = tracks.extract_if(.., |track| !track.is_shown_by(session));
        let unshown: Vec<_> = unshown.collect();
        unshown.iter().for_each(|track| gone.add(&track.qos()));
        self.drop_configs(|id| unshown.iter().any(|track| track.id == id));
        !unshown.is_empty()
    }

    fn drop_configs(&self, which: impl Fn(TrackId) -> bool) {
        self.configs.rcu(|configs| {
            let items = configs.items.iter();
            let kept = items.filter(|item| !which(item.track)).cloned();
            Preamble {
                items: kept.collect(),
            }
        });
    }

    /// Whether there is a track of this kind.
    pub(super) fn has(&self, kind: MediaKind) -> bool {
        self.list.load().iter().any(|track| track.kind == kind)
    }

    /// Makes `frame` the codec config in force for its track; whether observers are to be told.
    pub(super) fn set_config(&self, track: &Track, frame: &MediaFrame) -> bool {
        let in_force = self.configs.load();
        let same = |held: &MediaFrame| {
            held.track == frame.track && held.codec == frame.codec && held.payload == frame.payload
        };
        if in_force.items.iter().any(same) {
            return false; // Sources repeat their configs.
        }
        let tracks = self.list.load_full();
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
        let is_codec_config = frame.kind != MediaKind::Data;
        if is_codec_config {
            track.set_config(frame);
        }
        is_codec_config
    }

    pub(super) fn metadata(&self) -> StreamMetadata {
        let tracks = self.list.load();
        StreamMetadata {
            tracks: tracks.iter().map(|track| (*track.info()).clone()).collect(),
        }
    }

    /// What flows in each track, and what has flowed in all, those that are gone among them.
    pub(super) fn qos(&self) -> (Vec<TrackQos>, Totals) {
        let gone = self.gone();
        let mut totals = *gone;
        let tracks: Vec<_> = self.list.load().iter().map(|track| track.qos()).collect();
        tracks.iter().for_each(|track| totals.add(track));
        (tracks, totals)
    }
}
