//! HLS for `arcly-core` (RFC 8216bis): live streams become playlists, segments and parts, served from memory.
//!
//! * [`HlsOrigin`] is what a host uses: a task per live stream runs [`HlsOrigin::run_stream`], a request
//!   is answered by [`HlsOrigin::handle`], and no HTTP framework is in sight.
//! * [`HlsPackager`] is what is inside: frames and the wall clock in, [`Presentation`]s out; no clock, no
//!   I/O. For hosts with a runtime of their own.
//!
//! The container is the host's choice: the crate cuts segments with any
//! [`SegmentMuxer`](arcly_core::mux::SegmentMuxer), such as `arcly_mux_ts::TsSegmentMuxer`.
//!
//! ```
//! use arcly_core::{CodecId, MediaFrame, StartAt, StreamHandle, StreamKey, StreamLimits};
//! use arcly_mux_hls::{HlsConfig, HlsOrigin, HlsRequest};
//! use arcly_mux_ts::TsSegmentMuxer;
//! use bytes::Bytes;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> arcly_core::Result<()> {
//! let origin = HlsOrigin::new(HlsConfig::default(), TsSegmentMuxer::default);
//!
//! // A live stream: in a server, one that `Engine` has just announced.
//! let key = StreamKey::new("live", "radio");
//! let stream = StreamHandle::standalone(key.clone(), StreamLimits::default());
//! let frames = stream.subscribe_from(StartAt::LatestKeyframe);
//! let run = tokio::spawn(origin.run_stream(&key, frames));
//!
//! // Somebody publishes ten seconds of sound, and ends.
//! let config = Bytes::from_static(&[0x11, 0x90]); // AAC LC, 48 kHz, stereo
//! stream.publish_frame(MediaFrame::new_audio(0, config, CodecId::Aac).into_config())?;
//! for n in 0..470 {
//!     let packet = Bytes::from_static(&[0x21; 300]);
//!     stream.publish_frame(MediaFrame::new_audio(n * 64 / 3, packet, CodecId::Aac))?;
//!     tokio::task::yield_now().await; // frames come one by one
//! }
//! stream.end();
//!
//! // A player asks, in time or a little early.
//! let playlist = origin.handle(&key, HlsRequest::get("index.m3u8")).await;
//! assert_eq!((playlist.status, playlist.content_type), (200, "application/vnd.apple.mpegurl"));
//! let media = origin.handle(&key, HlsRequest::get("ts/media.m3u8")).await;
//! let media = String::from_utf8_lossy(&media.body.concat()).into_owned();
//! assert!(media.contains("#EXTINF:2.005000,\nseg-"), "{media}");
//! run.abort(); // or await it: it keeps the stream for those who still watch
//! # Ok(())
//! # }
//! ```
//!
//! # Paths
//!
//! Below `/<app>/<stream>/`: `index.m3u8` is the multivariant playlist of the first container, `<folder>/index.m3u8` that of each.
//! With [`Layout::Muxed`], `ts/media.m3u8` is the media playlist and `ts/seg-<n>.ts` are the segments; with [`Layout::Demuxed`],
//! `cmaf/v0.m3u8`, `cmaf/v0-<n>.m4s`, `cmaf/v0-<n>.<part>.m4s` and `cmaf/v0-init-<n>.mp4` are those of video track 0.
//! `s-<session>/` before any of these carries a session, see [`HlsOrigin::open_session`].
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | `packager` | `cutting`: where segments are cut; `rendition`: one rendition in the making; `offer`: what is served of it; `pace`: target durations; `rates`: bandwidths; `program_clock`: the wall clock |
//! | `window` | numbering, what is listed, what is still served, how much is kept |
//! | `date_range` | SCTE-35 |
//! | `playlist` | the text |
//! | `presentation` | all that is served at one moment, immutable |
//! | `origin` | paths, directives, ranges, responses |
//! | `archive` | segments and playlists kept in a storage |
//! | `driver` | with `archive` the only part with tokio and a clock |
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod archive;
mod config;
mod date_range;
mod driver;
mod origin;
mod packager;
mod playlist;
mod presentation;
mod segment;
mod tracks;
mod window;

pub use archive::{ArchiveConfig, ArchiveStats, HlsArchive};
pub use config::{HlsConfig, Limits, PlaylistType};
pub use driver::{Container, HlsOrigin, HlsOriginBuilder};
pub use origin::{HlsMethod, HlsRequest, HlsResponse};
pub use packager::{HlsPackager, Layout, Packaging};
pub use playlist::{MIME_TYPE as PLAYLIST_MIME_TYPE, Rendered};
pub use presentation::{Presentation, Rendition};
pub use segment::{InitSegment, Part, Segment};

/// The README's examples are compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
