//! MPEG-TS over UDP and RTP, with this workspace's muxer and demuxer.

use arcly_core::StreamKey;
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_ts_udp::{TsUdpInput, TsUdpPush, TsUrl};

/// Listens at `url` and publishes what comes as `key`: a protocol for [`Engine::builder`](arcly_core::Engine::builder).
///
/// ```
/// use arcly_stream::prelude::*;
/// use arcly_stream::presets::ts_udp_input;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let input = ts_udp_input("udp://@239.1.1.1:5000".parse()?, StreamKey::new("live", "camera"));
/// let engine = Engine::builder().application(AppSpec::new("live")).protocol(input).build();
/// # drop(engine);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn ts_udp_input(url: TsUrl, key: StreamKey) -> TsUdpInput {
    TsUdpInput::new(url, key, TsDemuxer::default)
}

/// Sends the stream `key` to `url` whenever it is live: a protocol for [`Engine::builder`](arcly_core::Engine::builder).
#[must_use]
pub fn ts_udp_push(key: StreamKey, url: TsUrl) -> TsUdpPush {
    TsUdpPush::new(key, url, TsMuxer::default)
}
