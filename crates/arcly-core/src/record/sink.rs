//! The recorder.

use super::cutter::{Cutter, Step};
use super::event::describe;
use super::file::{Closed, RecordingFile};
use super::{RecordingConfig, RecordingEvent, RecordingObserver};
use crate::mux::{MuxError, MuxerFactory};
use crate::{
    MediaFrame, MediaSink, Result, StorageBackend, StreamError, StreamKey, TimeDelta, Timestamp,
};
use async_trait::async_trait;
use std::sync::Arc;
use tracing::{debug, info, warn};

/// How many names are tried for a file whose first choice is taken.
const MAX_NAME_ATTEMPTS: u64 = 1_000;

/// Records one stream into playable files.
///
/// Feed it every frame of the stream with [`send_frame`](MediaSink::send_frame), codec configs included, and end it with
/// [`finish`](MediaSink::finish); [`record_stream`](crate::record_stream) does both for a subscription.
///
/// # What is safe
///
/// A frame is *acknowledged* once `send_frame` has returned for it and a [`sync`](Self::sync) has completed after that; the sink syncs by itself, at the
/// beginning of each file and at least every [`sync_interval`](RecordingConfig::sync_interval) after. [`acknowledged_frames`](Self::acknowledged_frames)
/// counts them. Acknowledged frames survive the process, and on a disk that honours flushes, a loss of power. (A muxer that holds frames back,
/// for interleaving or because its unit is a fragment, delays this by what it holds; it is part of no file until it comes out.)
///
/// A sink that is dropped unfinished closes its file on the current runtime if there is one, and reports it; without, or if that is cut
/// short, the file is left for [`StorageBackend::recover`].
///
/// # Under faults
///
/// A failing store is not the stream's problem: `send_frame` does not fail for it.
///
/// | fault | effect |
/// |---|---|
/// | the process is killed | closed files play; the open one is [recovered](StorageBackend::recover) up to its last sync at least |
/// | the store fails or is full | reported once; what is written is closed if possible; a new file is tried at a keyframe after a back-off |
/// | the store is slow | the publisher does not notice; what the recorder misses is reported as missed |
/// | the store refuses the name of an object | `send_frame` fails: trying again would not help |
/// | the container refuses a track | reported once; the other tracks are recorded |
/// | timestamps jump | the file is closed, a new one begins at the next keyframe |
///
/// ```
/// use arcly_core::{
///     FsStorage, RecordingConfig, RecordingSink, StartAt, StreamError, StreamHandle, mux::MuxerFactory, record_stream,
///     StorageBackend, SubscribeOptions,
/// };
/// use tokio_util::sync::CancellationToken;
///
/// async fn record(
///     stream: StreamHandle,
///     muxers: impl MuxerFactory,
///     shutdown: CancellationToken,
/// ) -> Result<(), StreamError> {
///     let storage = FsStorage::open("recordings").await?;
///     storage.recover().await?; // finish what an earlier process left
///     let sink = RecordingSink::new(stream.key().clone(), storage, muxers, RecordingConfig::default());
///     // However slow the disk is: miss frames, but do not give up.
///     let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
///     record_stream(stream.subscribe(options), sink, shutdown).await
/// }
/// ```
pub struct RecordingSink<B: StorageBackend> {
    key: StreamKey,
    storage: B,
    muxers: Arc<dyn MuxerFactory>,
    config: RecordingConfig,
    cutter: Cutter,
    file: Option<RecordingFile>,
    /// The number of the last file.
    n: u64,
    outage: Option<Outage>,
    /// Frames that are in no file and have not been reported.
    missed: u64,
    /// Of closed files.
    acknowledged: u64,
    /// Why there never will be a file.
    unusable: Option<StreamError>,
}

/// The store is failing, or has been until recently: a disk that is nearly full takes the beginning of a file, and no more.
#[derive(Debug, Clone, Copy)]
struct Outage {
    /// DTS at the last failure.
    since: Timestamp,
    /// How long nothing is tried after it, and how long a file then has to do well for the outage to be over.
    backoff: TimeDelta,
    /// Whether the failure has been reported, and nothing else since.
    reported: bool,
}

impl<B: StorageBackend> RecordingSink<B> {
    /// A recorder of the stream `key` into `storage`, with a muxer of `muxers` for each file.
    pub fn new(
        key: StreamKey,
        storage: B,
        muxers: impl MuxerFactory,
        config: RecordingConfig,
    ) -> Self {
        let cutter = Cutter::new(config.segment_duration, config.max_bytes);
        let muxers = Arc::new(muxers);
        Self {
            key,
            storage,
            muxers,
            config,
            cutter,
            file: None,
            n: 0,
            outage: None,
            missed: 0,
            acknowledged: 0,
            unusable: None,
        }
    }

    /// The name of the object that is being written.
    #[must_use]
    pub fn current_object(&self) -> Option<&str> {
        self.file
            .as_ref()
            .filter(|file| file.has_object())
            .map(|file| file.object.as_str())
    }

    /// How many frames are safe, see [there](Self#what-is-safe).
    #[must_use]
    pub fn acknowledged_frames(&self) -> u64 {
        self.acknowledged + self.file.as_ref().map_or(0, |file| file.synced_frames)
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &RecordingConfig {
        &self.config
    }

    /// Makes safe what has been sent so far; does nothing where it is. A failure is reported, and dealt with as if it had come by itself.
    pub async fn sync(&mut self) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.sync().await {
            self.fail(error).await;
        }
    }

    /// Begins a file with `frame`, a keyframe.
    async fn begin(&mut self, frame: &MediaFrame) {
        self.close().await;
        if self
            .outage
            .is_some_and(|outage| (frame.dts - outage.since).abs() < outage.backoff)
        {
            self.missed += 1;
            return;
        }
        let muxer = self.muxers.new_muxer();
        let extension = muxer.format().extension;
        self.n += 1;
        let object = self
            .config
            .name
            .expand(&self.key, self.config.clock.now(), self.n, extension);
        self.file = Some(RecordingFile::new(object, muxer, frame.dts));
        for config in self.cutter.configs(frame.dts).collect::<Vec<_>>() {
            // Refused: reported, and the track's frames will be refused as well.
            let _ = self.mux(&config);
        }
        self.write(frame).await;
    }

    /// Muxes `frame` into the open file, and reports if the container refuses it.
    fn mux(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let muxed = file.mux(frame);
        if let Err(error) = &muxed
            && file.is_first_refusal(frame.track)
        {
            let event = RecordingEvent::FrameRefused {
                object: file.object.clone(),
                error: error.clone().into(),
            };
            self.report(event);
        }
        muxed
    }

    async fn write(&mut self, frame: &MediaFrame) {
        if self.mux(frame).is_ok()
            && let Err(error) = self.write_out(frame.dts).await
        {
            self.fail(error).await;
        }
    }

    /// Writes what has been muxed, and syncs when that is due.
    async fn write_out(&mut self, now: Timestamp) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let begins = file.wants_object();
        if begins {
            self.create_object().await?;
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write_out().await?;
        if begins {
            // A store that takes nothing shows it here, before anyone is told that there is a file.
            file.sync().await?;
            let object = file.object.clone();
            if let Some(outage) = &mut self.outage {
                outage.reported = false;
            }
            self.report_missed();
            self.report(RecordingEvent::Started { object });
        } else if file.is_sync_due(now, self.config.sync_interval) {
            file.sync().await?;
            let since_start = now - file.open().start;
            self.outage = self.outage.filter(|outage| since_start < outage.backoff);
        }
        Ok(())
    }

    /// Makes the object of the open file, under the next name that is free.
    async fn create_object(&mut self) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let mut object = file.object.clone();
        let now = self.config.clock.now();
        for _ in 0..MAX_NAME_ATTEMPTS {
            match self.storage.create(&object).await {
                Ok(writer) => {
                    file.attach(object, writer);
                    return Ok(());
                }
                Err(StreamError::StorageExists(_)) => {
                    self.n += 1;
                    object = self
                        .config
                        .name
                        .expand(&self.key, now, self.n, file.extension());
                }
                Err(error) => return Err(error),
            }
        }
        Err(StreamError::StorageExists(object))
    }

    /// Closes the open file, if there is one.
    async fn close(&mut self) {
        let Some(file) = self.file.take() else { return };
        let (object, at) = (file.object.clone(), file.last);
        match file.close().await {
            Ok(closed) => self.closed(closed),
            Err(error) => self.failed(object, error, at),
        }
    }

    /// The store has failed: saves what can be saved, and waits.
    async fn fail(&mut self, error: StreamError) {
        let Some(file) = self.file.take() else { return };
        if matches!(error, StreamError::InvalidObjectName { .. }) {
            self.unusable = Some(error.clone());
        }
        self.failed(file.object.clone(), error, file.last);
        self.missed += file.frames - file.synced_frames;
        match file.salvage().await {
            Ok(closed) => self.closed(closed),
            Err(error) => {
                debug!(stream = %self.key, %error, "the file stays unfinished until it is recovered")
            }
        }
    }

    fn failed(&mut self, object: String, error: StreamError, at: Timestamp) {
        let before = self.outage;
        let backoff = match before {
            None => self.config.backoff,
            Some(outage) => (outage.backoff + outage.backoff).min(RecordingConfig::MAX_BACKOFF),
        };
        self.outage = Some(Outage {
            since: at,
            backoff,
            reported: true,
        });
        if before.is_some_and(|outage| outage.reported) {
            debug!(stream = %self.key, object, error = describe(&error), "recording still fails");
        } else {
            self.report(RecordingEvent::Failed { object, error });
        }
    }

    fn closed(&mut self, closed: Option<Closed>) {
        if let Some(closed) = closed {
            self.acknowledged += closed.frames;
            self.report(closed.into());
        }
    }

    fn report_missed(&mut self) {
        let frames = std::mem::take(&mut self.missed);
        if frames > 0 {
            self.report(RecordingEvent::FramesMissed { frames });
        }
    }

    fn report(&self, event: RecordingEvent) {
        tell(&self.key, self.config.observer.as_deref(), &event);
    }
}

/// Writes `event` to the log and tells the observer.
fn tell(stream: &StreamKey, observer: Option<&dyn RecordingObserver>, event: &RecordingEvent) {
    match event {
        RecordingEvent::Started { object } => info!(%stream, object, "recording"),
        RecordingEvent::Finished {
            object,
            bytes,
            frames,
            duration,
        } => {
            info!(%stream, object, bytes, frames, %duration, "recorded");
        }
        RecordingEvent::Failed { object, error } => {
            warn!(%stream, object, error = describe(error), "recording failed; trying again later");
        }
        RecordingEvent::FramesMissed { frames } => {
            warn!(%stream, frames, "frames are missing in the recording")
        }
        RecordingEvent::FrameRefused { object, error } => {
            warn!(%stream, object, error = describe(error), "the recording's container cannot carry a frame");
        }
    }
    if let Some(observer) = observer {
        observer.on_recording(stream, event);
    }
}

#[async_trait]
impl<B: StorageBackend> MediaSink for RecordingSink<B> {
    /// Does not fail for a store that does, see [there](RecordingSink#under-faults).
    ///
    /// # Errors
    /// [`StreamError::InvalidObjectName`] where the store refuses the name of a file, for which the stream's own name has to be
    /// [invalid](StreamKey::validate).
    async fn send_frame(&mut self, frame: &MediaFrame, skipped: u64) -> Result<()> {
        if skipped > 0 {
            self.missed += skipped;
            // While nothing is written, they add to what the next file's beginning reports.
            if self.file.is_some() {
                self.report_missed();
            }
        }
        match self
            .cutter
            .step(frame, self.file.as_ref().map(RecordingFile::open))
        {
            Step::Noted => {}
            Step::NewTrack => {
                // Where the container takes the codec at all, another file will have the track from its beginning.
                if matches!(self.mux(frame), Err(error) if !matches!(error, MuxError::UnsupportedCodec { .. }))
                {
                    self.cutter.cut_for(frame.track);
                }
            }
            Step::Write => self.write(frame).await,
            Step::Begin => self.begin(frame).await,
            // Before the first file there is nothing to miss yet.
            Step::Skip => self.missed += u64::from(self.n > 0),
            Step::Break => {
                self.close().await;
                self.missed += 1;
            }
        }
        self.unusable.clone().map_or(Ok(()), Err)
    }

    /// Closes the open file. The sink can be used again after that, and begins another.
    ///
    /// # Errors
    /// The store's, where the file could not be closed; it is left for [`StorageBackend::recover`] then.
    async fn finish(&mut self) -> Result<()> {
        self.report_missed();
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let object = file.object.clone();
        let at = file.last;
        match file.close().await {
            Ok(closed) => {
                self.closed(closed);
                Ok(())
            }
            Err(error) => {
                self.failed(object, error.clone(), at);
                Err(error)
            }
        }
    }
}

impl From<Closed> for RecordingEvent {
    fn from(closed: Closed) -> Self {
        let Closed {
            object,
            bytes,
            frames,
            duration,
        } = closed;
        Self::Finished {
            object,
            bytes,
            frames,
            duration,
        }
    }
}

impl<B: StorageBackend> Drop for RecordingSink<B> {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (key, observer) = (self.key.clone(), self.config.observer.clone());
            runtime.spawn(async move {
                let object = file.object.clone();
                let event = match file.close().await {
                    Ok(Some(closed)) => closed.into(),
                    Ok(None) => return,
                    Err(error) => RecordingEvent::Failed { object, error },
                };
                tell(&key, observer.as_deref(), &event);
            });
        }
    }
}

impl<B: StorageBackend> std::fmt::Debug for RecordingSink<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordingSink")
            .field("key", &self.key)
            .field("object", &self.current_object())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
