//! Recording streams: [`RecordingSink`] writes them into playable files of a [`StorageBackend`](crate::StorageBackend), through a
//! [`Muxer`](crate::mux::Muxer).
//!
//! A stream becomes a row of files. Each begins with the codec configs in force and a keyframe, so it plays alone; each is closed at a
//! keyframe, when it is long or large enough, when a codec config changes, or when the timeline breaks.
//!
//! What a recorder does under faults is with [`RecordingSink`].

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
