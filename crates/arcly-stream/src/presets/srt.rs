//! SRT with MPEG-TS in it, as everyone sends it.

use arcly_core::{Result, StreamKey};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::{SrtPull, SrtPush, SrtServer, SrtUrl};
use std::net::SocketAddr;

/// A server of SRT with MPEG-TS, which binds `address` when it is served.
///
/// ```
/// use arcly_stream::presets::srt_server;
/// use arcly_stream::prelude::*;
///
/// let server = srt_server(([0, 0, 0, 0], 8890).into());
/// let engine = Engine::builder().application(AppSpec::new("live")).protocol(server).build();
/// # drop(engine);
/// ```
#[must_use]
pub fn srt_server(address: SocketAddr) -> SrtServer {
    SrtServer::new(address, TsDemuxer::default, TsMuxer::default)
}

/// The same, bound already: port 0 picks a free one. Must be called on a tokio runtime.
///
/// # Errors
/// [`StreamError::Io`](arcly_core::StreamError::Io) where the address cannot be bound.
pub fn bind_srt(address: SocketAddr) -> Result<SrtServer> {
    SrtServer::bind(address, TsDemuxer::default, TsMuxer::default)
}

/// Brings the stream behind `url` in as `key`, with reconnect: a protocol for [`Engine::builder`](arcly_core::Engine::builder).
#[must_use]
pub fn srt_pull(url: SrtUrl, key: StreamKey) -> SrtPull {
    SrtPull::new(url, key, TsDemuxer::default)
}

/// Sends the stream `key` to `url` whenever it is live: a protocol for [`Engine::builder`](arcly_core::Engine::builder).
#[must_use]
pub fn srt_push(key: StreamKey, url: SrtUrl) -> SrtPush {
    SrtPush::new(key, url, TsMuxer::default)
}
