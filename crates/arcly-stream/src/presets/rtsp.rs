//! RTSP, with this workspace's demultiplexer for those who send MPEG-TS by it.

use arcly_core::StreamKey;
use arcly_mux_ts::TsDemuxer;
use arcly_rtsp::proto::client::RemoteUrl;
use arcly_rtsp::{RtspServer, RtspSource};

/// Plays `url` and publishes it as `key`, MPEG transport streams included: a protocol for
/// [`Engine::builder`](arcly_core::Engine::builder).
///
/// ```
/// use arcly_stream::prelude::*;
/// use arcly_stream::presets::rtsp_source;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let camera = rtsp_source("rtsp://192.0.2.7/stream".parse()?, StreamKey::new("live", "camera"));
/// let engine = Engine::builder().application(AppSpec::new("live")).protocol(camera).build();
/// # drop(engine);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn rtsp_source(url: RemoteUrl, key: StreamKey) -> RtspSource {
    RtspSource::new(url, key).demuxer(TsDemuxer::default)
}

/// Has `server` take MPEG transport streams of publishers too.
///
/// ```
/// use arcly_stream::prelude::*;
/// use arcly_stream::presets::rtsp_server;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = rtsp_server(RtspServer::new("0.0.0.0:8554".parse()?));
/// let engine = Engine::builder().application(AppSpec::new("live")).protocol(server).build();
/// # drop(engine);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn rtsp_server(server: RtspServer) -> RtspServer {
    server.demuxer(TsDemuxer::default)
}
