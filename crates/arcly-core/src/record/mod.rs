//! Recording streams: [`RecordingSink`] writes them into playable files of a [`StorageBackend`](crate::StorageBackend), through a
//! [`Muxer`](crate::mux::Muxer).
//!
//! A stream becomes a row of files. Each begins with the codec configs in force and a keyframe, so it plays alone; each is closed at a
//! keyframe, when it is long or large enough, when a codec config changes, or when the timeline breaks.
//!
//! What a recorder does under faults:
//!
//! | fault | effect |
//! |---|---|
//! | the process is killed | closed files play; the open one is recovered ([`StorageBackend::recover`](crate::StorageBackend::recover)) up to its last sync at least |
//! | the store fails or is full | reported once; what is written is closed if possible; a new file is tried at a keyframe after a back-off |
//! | the store is slow | the publisher does not notice; what the recorder misses is reported as missed |
//! | the container refuses a track | reported once; the other tracks are recorded |
//! | timestamps jump | the file is closed, a new one begins at the next keyframe |

mod config;
mod cutter;
mod driver;
mod event;
mod file;
mod file_name;
#[cfg(test)]
mod fixtures;
mod sink;

pub use config::RecordingConfig;
pub use driver::record_stream;
pub use event::{RecordingEvent, RecordingObserver};
pub use file_name::FileNameTemplate;
pub use sink::RecordingSink;
