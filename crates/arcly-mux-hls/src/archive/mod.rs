//! Live streams kept for later: their segments and playlists in a storage.

mod ledger;

use crate::driver::HlsOrigin;
use crate::playlist::iso_8601;
use crate::presentation::Presentation;
use crate::segment::Segment;
use arcly_core::{Result, StorageBackend, StreamError, StreamKey};
use bytes::{Bytes, BytesMut};
use ledger::Ledger;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, warn};

/// Settings of an [`HlsArchive`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ArchiveConfig {
    /// How often the origin is looked at for finished segments.
    pub poll_interval: Duration,
    /// The shortest time between two versions of a playlist in the storage, which grows with the stream and is stored whole each time.
    pub playlist_interval: Duration,
    /// How long one call to the storage is waited for.
    pub call_timeout: Duration,
    /// How often a segment is tried before it becomes a gap.
    pub attempts: u32,
    /// The most segments of a rendition; after them its playlist ends, and a new folder is begun.
    pub max_segments: usize,
}

impl ArchiveConfig {
    /// The default of [`poll_interval`](Self::poll_interval): half a second.
    pub const DEFAULT_POLL_INTERVAL: Duration = Duration::from_millis(500);
    /// The default of [`playlist_interval`](Self::playlist_interval): 10 seconds.
    pub const DEFAULT_PLAYLIST_INTERVAL: Duration = Duration::from_secs(10);
    /// The default of [`call_timeout`](Self::call_timeout): 30 seconds.
    pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(30);
    /// The default of [`attempts`](Self::attempts).
    pub const DEFAULT_ATTEMPTS: u32 = 3;
    /// The default of [`max_segments`](Self::max_segments): six hours of two seconds each, which is a playlist of 1.3 MB.
    pub const DEFAULT_MAX_SEGMENTS: usize = 10_800;
}

impl Default for ArchiveConfig {
    fn default() -> Self {
        Self {
            poll_interval: Self::DEFAULT_POLL_INTERVAL,
            playlist_interval: Self::DEFAULT_PLAYLIST_INTERVAL,
            call_timeout: Self::DEFAULT_CALL_TIMEOUT,
            attempts: Self::DEFAULT_ATTEMPTS,
            max_segments: Self::DEFAULT_MAX_SEGMENTS,
        }
    }
}

/// What an archive has done, or could not do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveStats {
    /// Segments that are in the storage.
    pub stored: u64,
    /// Segments that are not, as the storage failed or was too slow: gaps in the playlist.
    pub gaps: u64,
}

/// Keeps what an origin serves of one stream in a storage, where any web server can serve it from: `index.m3u8`, a media playlist for each
/// rendition, and the segments, all in the folder `<app>/<stream>/<time of the first segment>`.
///
/// It takes segments from the origin's window when they are finished, one at a time, and has no queue of its own: what the live edge serves
/// never waits for the storage, and memory is the window's and one segment. A storage that is slower than the stream makes it
/// fall behind until segments leave the window; these, and those that could not be stored in [`attempts`](ArchiveConfig::attempts), are listed
/// as gaps (EXT-X-GAP, RFC 8216bis 4.4.4.7), which players skip. A segment is listed only once it is stored.
///
/// The playlists are of type EVENT, and VOD once the stream has ended. Those of an archive whose process was killed stay EVENT playlists
/// without an end; what they list is there.
#[derive(Debug)]
pub struct HlsArchive<B> {
    key: StreamKey,
    storage: B,
    config: ArchiveConfig,
    /// Where it is stored, from the first segment on.
    folder: Option<String>,
    ledgers: BTreeMap<Arc<str>, Ledger>,
    /// The multivariant playlist that is stored.
    index: Bytes,
    stats: ArchiveStats,
}

impl<B: StorageBackend> HlsArchive<B> {
    /// An archive of the stream `key` in `storage`.
    pub fn new(key: StreamKey, storage: B, config: ArchiveConfig) -> Self {
        Self {
            key,
            storage,
            config,
            folder: None,
            ledgers: BTreeMap::new(),
            index: Bytes::new(),
            stats: ArchiveStats::default(),
        }
    }

    /// Stores what the first container of `origin` serves of the stream, until `live` completes; then what is left, and the playlists' ends.
    /// `live` is best what ends with the stream's frames: the origin keeps its segments for a while after that.
    ///
    /// # Errors
    /// [`StreamError::InvalidObjectName`] where the stream's name makes no object names. A storage that fails otherwise makes gaps, and the
    /// last error is returned where a playlist could not be stored at the end.
    pub async fn run(
        mut self,
        origin: &HlsOrigin,
        live: impl Future<Output = ()>,
    ) -> Result<ArchiveStats> {
        self.run_publish(origin, live).await
    }

    /// As [`run`](Self::run), for one publish of several: the next call goes on in a new folder, behind what this one has stored. Returns
    /// what was done for it.
    ///
    /// # Errors
    /// As of [`run`](Self::run).
    pub async fn run_publish(
        &mut self,
        origin: &HlsOrigin,
        live: impl Future<Output = ()>,
    ) -> Result<ArchiveStats> {
        self.stats = ArchiveStats::default();
        let mut live = std::pin::pin!(live);
        let mut ticks = interval(self.config.poll_interval.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let every = self.config.playlist_interval.as_nanos() / ticks.period().as_nanos();
        let mut until_playlist = 0;
        let mut is_live = true;
        while is_live {
            tokio::select! {
                () = &mut live => is_live = false,
                _ = ticks.tick() => {}
            }
            self.store_segments(origin).await?;
            if until_playlist == 0 || !is_live {
                let stored = self.store_playlists(!is_live).await;
                if !is_live {
                    self.leave_folder();
                    stored?;
                } else if let Err(error) = stored {
                    debug!(stream = %self.key, %error, "a playlist could not be stored");
                }
                until_playlist = every;
            } else {
                until_playlist -= 1;
            }
        }
        Ok(self.stats)
    }

    /// Stores all finished segments that are not yet. The window goes on while the storage takes its time, so it is looked at before each.
    async fn store_segments(&mut self, origin: &HlsOrigin) -> Result<()> {
        while let Some((name, segment)) = origin
            .presentation(&self.key)
            .and_then(|presentation| self.next(&presentation))
        {
            let is_stored = !segment.is_gap && self.store_segment(&name, &segment).await?;
            let Some(ledger) = self.ledgers.get_mut(&name) else {
                break;
            };
            let missing = ledger.note(&segment, is_stored);
            self.stats.stored += u64::from(is_stored);
            self.stats.gaps += missing + u64::from(!is_stored);
            if missing > 0 {
                warn!(stream = %self.key, missing, "the storage of HLS segments is too slow; some are missing");
            }
            let is_full = ledger.len() >= self.config.max_segments.max(1);
            if let Some(presentation) = origin.presentation(&self.key) {
                self.index = presentation.multivariant().text();
            }
            if is_full {
                self.begin_anew().await;
            }
        }
        Ok(())
    }

    /// The oldest segment that is not stored, with the name of its rendition; of several renditions, from the one that is furthest behind.
    fn next(&mut self, presentation: &Presentation) -> Option<(Arc<str>, Arc<Segment>)> {
        let mut oldest: Option<(Arc<str>, Arc<Segment>)> = None;
        for rendition in presentation.renditions() {
            let name: Arc<str> = rendition.name().into();
            let ledger = self
                .ledgers
                .entry(Arc::clone(&name))
                .or_insert_with(|| Ledger::new(rendition));
            if let Some(segment) = ledger.next(rendition)
                && oldest
                    .as_ref()
                    .is_none_or(|(_, other)| segment.sequence < other.sequence)
            {
                oldest = Some((name, segment));
            }
        }
        oldest
    }

    /// Stores a segment, and the init segment it needs: whether that went well.
    async fn store_segment(&mut self, rendition: &str, segment: &Segment) -> Result<bool> {
        let date = iso_8601(segment.program_date_time).replace(['-', ':'], "");
        let folder = self
            .folder
            .get_or_insert_with(|| format!("{}/{date}", self.key))
            .clone();
        let Some(ledger) = self.ledgers.get(rendition) else {
            return Ok(false);
        };
        let mut objects = Vec::new();
        if let Some(init) = ledger.needs_init(segment) {
            objects.push((ledger.init_name(init.sequence), init.bytes.clone()));
        }
        let mut bytes = BytesMut::with_capacity(segment.size);
        for part in &segment.bytes {
            bytes.extend_from_slice(part);
        }
        objects.push((ledger.segment_name(segment.sequence), bytes.freeze()));
        for (name, bytes) in objects {
            if let Err(error) = self.put(&format!("{folder}/{name}"), bytes).await {
                if matches!(error, StreamError::InvalidObjectName { .. }) {
                    return Err(error);
                }
                warn!(stream = %self.key, name, %error, "an HLS segment could not be stored");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Stores the playlists that have changed, the multivariant one last.
    async fn store_playlists(&mut self, has_ended: bool) -> Result<()> {
        let Some(folder) = self.folder.clone() else {
            return Ok(());
        };
        let mut result = Ok(());
        let mut playlists = Vec::new();
        for (rendition, ledger) in &self.ledgers {
            if ledger.is_dirty || has_ended {
                let text = Bytes::from(ledger.playlist(has_ended));
                playlists.push((Arc::clone(rendition), ledger.playlist_name(), text));
            }
        }
        for (rendition, name, text) in playlists {
            let stored = self.put(&format!("{folder}/{name}"), text).await;
            if let (Ok(()), Some(ledger)) = (&stored, self.ledgers.get_mut(&rendition)) {
                ledger.is_dirty = false;
            }
            result = result.and(stored);
        }
        let index = self
            .put(&format!("{folder}/index.m3u8"), self.index.clone())
            .await;
        result.and(index)
    }

    /// Ends the playlists, and goes on in another folder.
    async fn begin_anew(&mut self) {
        if let Err(error) = self.store_playlists(true).await {
            warn!(stream = %self.key, %error, "the end of an HLS playlist could not be stored");
        }
        self.leave_folder();
    }

    /// Whatever comes next goes into another folder.
    fn leave_folder(&mut self) {
        self.folder = None;
        for ledger in self.ledgers.values_mut() {
            ledger.begin_anew();
        }
    }

    async fn put(&self, object: &str, bytes: Bytes) -> Result<()> {
        let mut result = Ok(());
        for _ in 0..self.config.attempts.max(1) {
            let put = self.storage.put(object, bytes.clone());
            result = match timeout(self.config.call_timeout, put).await {
                Ok(Err(error @ StreamError::InvalidObjectName { .. })) => return Err(error),
                Ok(result) => result,
                Err(_) => Err(StreamError::storage(
                    "writing",
                    object,
                    std::io::ErrorKind::TimedOut.into(),
                )),
            };
            if result.is_ok() {
                break;
            }
        }
        result
    }
}

#[cfg(test)]
mod tests;
