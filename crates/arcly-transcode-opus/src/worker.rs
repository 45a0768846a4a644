//! The transcoder that hosts use: a thread for each track, and bounds.

use crate::Pipeline;
use arcly_core::transcode::{AudioTranscode, AudioTranscoder, TranscodeRefused};
use arcly_core::{CodecId, MediaFrame};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

/// How many frames wait for a track's thread at most: 0.7 s at 48 kHz. More are left out, and are heard as silence.
const MAX_WAITING: usize = 32;

/// How many packets that are done wait to be picked up, which they are with each frame that is pushed. More are left out.
const MAX_DONE: usize = 64;

/// How much is transcoded, and how well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpusTranscoderConfig {
    /// How many tracks are transcoded at the same time; viewers of more have pictures alone, which is logged. Each takes a thread. Default 64.
    pub max_tracks: usize,
    /// Bits a second for each channel. Default 64 000: for all that most can hear, what AAC with 128 kbit/s stereo is.
    pub bits_per_channel: u32,
}

impl Default for OpusTranscoderConfig {
    fn default() -> Self {
        Self {
            max_tracks: 64,
            bits_per_channel: 64_000,
        }
    }
}

/// Makes AAC-LC Opus, see the crate's documentation. One for all streams.
#[derive(Debug, Default)]
pub struct OpusTranscoder {
    config: OpusTranscoderConfig,
    running: Arc<AtomicUsize>,
}

impl OpusTranscoder {
    /// With limits.
    #[must_use]
    pub fn new(config: OpusTranscoderConfig) -> Self {
        Self {
            config,
            running: Arc::default(),
        }
    }

    /// How many tracks are being transcoded.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    const fn is_full(&self) -> TranscodeRefused {
        TranscodeRefused::LimitExceeded {
            max: self.config.max_tracks,
        }
    }
}

impl AudioTranscoder for OpusTranscoder {
    fn output(&self) -> CodecId {
        CodecId::Opus
    }

    fn accepts(&self, config: &MediaFrame) -> Result<(), TranscodeRefused> {
        Pipeline::accepts(config)
    }

    fn start(&self, config: &MediaFrame) -> Result<Box<dyn AudioTranscode>, TranscodeRefused> {
        let place = Place::take(&self.running, self.config.max_tracks).ok_or(self.is_full())?;
        let pipeline = Pipeline::new(config, self.config.bits_per_channel)?;
        let (frames, waiting) = sync_channel(MAX_WAITING);
        let (packets, done) = sync_channel(MAX_DONE);
        thread::Builder::new()
            .name("aac-to-opus".to_owned())
            .spawn(move || {
                work(pipeline, &waiting, &packets);
                drop(place);
            })
            .map_err(|error| TranscodeRefused::Failed(error.to_string()))?;
        Ok(Box::new(Transcode {
            frames,
            done,
            is_behind: false,
            has_failed: false,
        }))
    }
}

/// One of the tracks that may be transcoded.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(running: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        let less_than_all = |count: usize| (count < max).then_some(count + 1);
        running
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less_than_all)
            .ok()
            .map(|_| Self(Arc::clone(running)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Ends when the other side is dropped.
fn work(mut pipeline: Pipeline, waiting: &Receiver<MediaFrame>, packets: &SyncSender<MediaFrame>) {
    while let Ok(frame) = waiting.recv() {
        let failures = pipeline.failures();
        pipeline.push(&frame);
        if failures == 0 && pipeline.failures() > 0 {
            tracing::warn!(track = %frame.track, "an access unit of AAC cannot be decoded; what cannot is silence");
        }
        while let Some(packet) = pipeline.pull() {
            // Where nobody picks it up, it is left out.
            if let Err(TrySendError::Disconnected(_)) = packets.try_send(packet) {
                return;
            }
        }
    }
}

struct Transcode {
    frames: SyncSender<MediaFrame>,
    done: Receiver<MediaFrame>,
    is_behind: bool,
    has_failed: bool,
}

impl AudioTranscode for Transcode {
    fn push(&mut self, frame: &MediaFrame) {
        match self.frames.try_send(frame.clone()) {
            Ok(()) => self.is_behind = false,
            Err(TrySendError::Full(_)) => {
                if !std::mem::replace(&mut self.is_behind, true) {
                    tracing::warn!(track = %frame.track, "transcoding does not keep up: sound is left out");
                }
            }
            // The thread lasts as long as this, unless the decoder has panicked.
            Err(TrySendError::Disconnected(_)) => {
                if !std::mem::replace(&mut self.has_failed, true) {
                    tracing::error!(track = %frame.track, "the transcoder has failed: there is no sound until the last viewer is gone");
                }
            }
        }
    }

    fn pull(&mut self) -> Option<MediaFrame> {
        self.done.try_recv().ok()
    }
}
