//! What composes several crates: outputs that follow an engine's streams by themselves.

#[cfg(all(feature = "hls", feature = "ts"))]
mod archive;
mod follow;
#[cfg(all(feature = "hls", feature = "ts"))]
mod hls;
#[cfg(any(feature = "fmp4", feature = "ts"))]
mod recording;
#[cfg(all(feature = "rtsp", feature = "ts"))]
mod rtsp;
#[cfg(all(feature = "srt", feature = "ts"))]
mod srt;
#[cfg(feature = "ts-udp")]
mod ts_udp;

#[cfg(all(feature = "hls", feature = "ts"))]
pub use archive::archive_hls;
pub use follow::for_each_stream;
#[cfg(all(feature = "fmp4", feature = "hls", feature = "ts"))]
pub use hls::hls_origin;
#[cfg(all(feature = "hls", feature = "ts"))]
pub use hls::{hls_ts_origin, serve_hls};
#[cfg(feature = "fmp4")]
pub use recording::{mp4_recording_sink, record_mp4};
#[cfg(feature = "ts")]
pub use recording::{record_ts, ts_recording_sink};
#[cfg(all(feature = "rtsp", feature = "ts"))]
pub use rtsp::{rtsp_server, rtsp_source};
#[cfg(all(feature = "srt", feature = "ts"))]
pub use srt::{bind_srt, srt_pull, srt_push, srt_server};
#[cfg(feature = "ts-udp")]
pub use ts_udp::{ts_udp_input, ts_udp_push};
