//! What becomes of a recording.

use crate::{EventKind, StreamError, StreamKey, TimeDelta};

/// Something that happened to the recording of one stream.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordingEvent {
    /// A file was begun, and its beginning is stored.
    Started {
        /// The object's name.
        object: String,
    },
    /// A file was closed, and plays.
    Finished {
        /// The object's name.
        object: String,
        /// Its size; after a failure of the store, how much of it is known to be there.
        bytes: u64,
        /// How many media frames are in it; after a failure, as for `bytes`.
        frames: u64,
        /// From its first frame to its last, in decode order.
        duration: TimeDelta,
    },
    /// The store failed. Reported once, until a [`Started`](Self::Started) says that it works again.
    Failed {
        /// The object that was being written, or created.
        object: String,
        /// Why.
        error: StreamError,
    },
    /// Frames of the stream are in no file, because the recorder was too slow, or the store failed.
    FramesMissed {
        /// How many.
        frames: u64,
    },
    /// The container cannot carry a frame. Reported once a track and file; the track's other frames are tried all the same.
    FrameRefused {
        /// The object that is being written.
        object: String,
        /// Why.
        error: StreamError,
    },
}

impl RecordingEvent {
    /// This as an event of the engine, where it has one for it.
    #[must_use]
    pub fn to_event(&self, key: &StreamKey) -> Option<EventKind> {
        let key = key.clone();
        Some(match self {
            Self::Started { object } => EventKind::RecordingStarted {
                key,
                object: object.clone(),
            },
            Self::Finished { object, bytes, .. } => EventKind::RecordingFinished {
                key,
                object: object.clone(),
                bytes: *bytes,
            },
            Self::Failed { error, .. } => EventKind::RecordingFailed {
                key,
                error: describe(error),
            },
            Self::FrameRefused { error, .. } => EventKind::FrameRefused {
                key,
                error: describe(error),
            },
            // Where the recorder was too slow, its subscription has reported it already; after a failure, the failure has been.
            Self::FramesMissed { .. } => return None,
        })
    }
}

/// An error with its causes, in one line.
pub(super) fn describe(error: &StreamError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Is told what becomes of recordings. Called in the recorder's task; it should be quick. Closures of this form are observers.
pub trait RecordingObserver: Send + Sync + 'static {
    /// Takes one event of the recording of `key`.
    fn on_recording(&self, key: &StreamKey, event: &RecordingEvent);
}

impl<F: Fn(&StreamKey, &RecordingEvent) + Send + Sync + 'static> RecordingObserver for F {
    fn on_recording(&self, key: &StreamKey, event: &RecordingEvent) {
        self(key, event);
    }
}
