//! HLS packaging for arcly-core: playlists and segments served from memory.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod config;
mod driver;
mod origin;
mod packager;
mod playlist;
mod presentation;
mod segment;
mod tracks;
mod window;

pub use config::{HlsConfig, Limits};
pub use driver::HlsOrigin;
pub use origin::{HlsMethod, HlsRequest, HlsResponse};
pub use packager::HlsPackager;
pub use playlist::{MIME_TYPE as PLAYLIST_MIME_TYPE, Playlist};
pub use presentation::Presentation;
pub use segment::Segment;
