//! What the benches share: the frames, the baseline they are measured against, and load over real sockets.
#![expect(clippy::disallowed_methods, reason = "benches measure time")]

pub mod load;

use arcly_core::{CodecId, MediaFrame, StreamHandle, StreamKey, StreamLimits};
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Frames a second of 30 fps video with AAC at 48 kHz.
pub const FRAMES_PER_SECOND: u32 = 77;

/// Frame `number` of a stream with a keyframe every `gop` frames. Its payload is shared, so that making one allocates nothing.
#[must_use]
pub fn frame(number: i64, gop: i64) -> MediaFrame {
    static PAYLOAD: [u8; 1_200] = [0; 1_200];
    let millis = number * 1_000 / i64::from(FRAMES_PER_SECOND);
    MediaFrame::new_video(
        millis,
        millis,
        Bytes::from_static(&PAYLOAD),
        CodecId::H264,
        number % gop == 0,
    )
}

/// A stream without an engine, with the default limits.
#[must_use]
pub fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("bench", "stream"), StreamLimits::default())
}

/// The usual design: `tokio::sync::broadcast`, and a locked vector with the newest GOP that joiners copy.
#[derive(Debug)]
pub struct Baseline {
    frames: broadcast::Sender<Arc<MediaFrame>>,
    gop: Mutex<Vec<Arc<MediaFrame>>>,
}

impl Baseline {
    /// A channel that holds as many frames as our log keeps.
    #[must_use]
    pub fn new() -> Self {
        Self {
            frames: broadcast::channel(2_048).0,
            gop: Mutex::default(),
        }
    }

    /// Publishes a frame: into the GOP vector, then to all receivers.
    pub fn publish(&self, frame: MediaFrame) {
        let frame = Arc::new(frame);
        {
            let mut gop = self.gop.lock().unwrap_or_else(PoisonError::into_inner);
            if frame.is_keyframe() {
                gop.clear();
            }
            gop.push(Arc::clone(&frame));
        }
        // An error means that nobody listens.
        let _ = self.frames.send(frame);
    }

    /// Joins without the GOP.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<MediaFrame>> {
        self.frames.subscribe()
    }

    /// Joins as a viewer does: a copy of the GOP, and the frames from now on.
    #[must_use]
    pub fn join(&self) -> (Vec<Arc<MediaFrame>>, broadcast::Receiver<Arc<MediaFrame>>) {
        let gop = self
            .gop
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        (gop, self.frames.subscribe())
    }
}

impl Default for Baseline {
    fn default() -> Self {
        Self::new()
    }
}
