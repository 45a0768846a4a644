//! RTMP for arcly-core: ingest from ffmpeg, OBS and GStreamer.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod amf0;
mod config;
mod driver;
mod error;
pub mod flv;
mod limits;
pub mod proto;

pub use config::Config;
pub use driver::RtmpServer;
pub use error::{Error, Fault, Location, Result};
pub use limits::Limits;
