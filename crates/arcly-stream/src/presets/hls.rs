//! HLS.

use super::for_each_stream;
use arcly_core::{Engine, StartAt, SubscribeOptions};
use arcly_mux_hls::{Container, HlsConfig, HlsOrigin, HlsOriginBuilder, Packaging};
use arcly_mux_ts::TsSegmentMuxer;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An HLS origin that cuts MPEG-TS segments. [`serve_hls`] feeds it; the host answers requests with [`HlsOrigin::handle`].
#[must_use]
pub fn hls_ts_origin(config: HlsConfig) -> HlsOrigin {
    HlsOrigin::new(config, TsSegmentMuxer::default)
}

/// What makes an HLS origin with low-latency CMAF at `index.m3u8`, each track in a rendition of its own, and MPEG-TS at `ts/index.m3u8`. Groups of streams can
/// be added before it is built. [`serve_hls`] feeds it; the host answers requests with [`HlsOrigin::handle`].
///
/// Both containers are made of each stream, from the start: a player of either finds the segments there. That takes twice the
/// memory: [`Limits::stream_bytes`](arcly_mux_hls::Limits::stream_bytes) is for each.
#[cfg(feature = "fmp4")]
#[must_use]
pub fn hls_origin(config: HlsConfig) -> HlsOriginBuilder {
    HlsOrigin::builder(config)
        .container(Container::new(
            "cmaf",
            Packaging::LOW_LATENCY,
            arcly_mux_fmp4::CmafSegmentMuxer::default,
        ))
        .container(Container::new(
            "ts",
            Packaging::PLAIN,
            TsSegmentMuxer::default,
        ))
}

/// Packages each stream of `engine` with `origin` until `shutdown` is cancelled.
///
/// ```
/// use arcly_stream::mux::hls::{HlsConfig, HlsRequest};
/// use arcly_stream::prelude::*;
/// use arcly_stream::presets::{hls_ts_origin, serve_hls};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let engine = Engine::builder().application(AppSpec::new("live")).build();
/// let origin = hls_ts_origin(HlsConfig::default());
/// let packaging = tokio::spawn(serve_hls(engine, origin.clone(), CancellationToken::new()));
///
/// // In the host's HTTP server, for GET /live/camera/index.m3u8, once it has authorised the viewer:
/// let response = origin.handle(&StreamKey::new("live", "camera"), HlsRequest::get("index.m3u8")).await;
/// assert_eq!(response.status, 404); // nobody publishes it
/// # packaging.abort();
/// # }
/// ```
pub async fn serve_hls(engine: Arc<Engine>, origin: HlsOrigin, shutdown: CancellationToken) {
    let stop = shutdown.clone();
    for_each_stream(engine, shutdown, move |stream| {
        // The packager is never slower than its stream for long, and has to outlive any stall.
        let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
        let run = origin.run_stream(stream.key(), stream.subscribe(options));
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = run => {}
                () = stop.cancelled() => {}
            }
        }
    })
    .await;
}
