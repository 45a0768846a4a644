//! HLS.

use super::for_each_stream;
use arcly_core::{Engine, StartAt, StreamHandle, SubscribeOptions};
use arcly_mux_hls::{Container, HlsConfig, HlsOrigin, HlsOriginBuilder, Packaging};
use arcly_mux_ts::TsSegmentMuxer;
use std::sync::Arc;
use std::time::Duration;
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

/// Packages each stream of `engine` with `origin` until `shutdown` is cancelled. Publishers that make keyframes on request only, as browsers do, are asked for
/// one whenever a segment could be cut.
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
        let asking = ask_for_keyframes(stream.clone(), origin.config().target_duration);
        let stop = stop.clone();
        async move {
            tokio::select! {
                () = run => {}
                () = asking => {}
                () = stop.cancelled() => {}
            }
        }
    })
    .await;
}

/// Asks the publisher for a keyframe each time the newest one is older than a segment is to be. Never completes.
async fn ask_for_keyframes(stream: StreamHandle, segment: Duration) {
    // Often enough that a segment is not much longer for it; a host may have set it to nothing.
    let mut ticks = tokio::time::interval((segment / 4).max(Duration::from_millis(50)));
    loop {
        ticks.tick().await;
        let mut newest = stream.subscribe(SubscribeOptions::start(StartAt::LatestKeyframe));
        let age = newest.backlog().to_duration().unwrap_or_default();
        if age >= segment {
            stream.request_keyframe();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::{AppSpec, CodecId, IngestContext, MediaFrame, StreamKey};
    use bytes::Bytes;

    #[tokio::test(start_paused = true)]
    async fn a_keyframe_is_asked_for_once_a_segment_could_be_cut() {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let ctx = IngestContext::new(Arc::clone(&engine) as _);
        let key = StreamKey::new("live", "cam");
        let session = ctx.open_publish(key).await.expect("free");
        let stream = session.handle().clone();
        let publish = |seconds: i64, is_key| {
            let at = seconds * 1_000;
            let data = Bytes::from_static(b"picture");
            let frame = MediaFrame::new_video(at, at, data, CodecId::Vp8, is_key);
            session.publish_frame(frame).expect("live");
        };
        tokio::spawn(ask_for_keyframes(stream.clone(), Duration::from_secs(2)));
        let asked = async || {
            let asked = tokio::time::timeout(Duration::from_secs(3), stream.keyframe_requested());
            asked.await.is_ok()
        };
        publish(0, true);
        publish(1, false);
        assert!(!asked().await, "it is a second old");
        publish(2, false);
        assert!(asked().await);
        publish(3, true);
        publish(4, false);
        // What was asked for meanwhile was asked for before the keyframe.
        let _ = asked().await;
        assert!(!asked().await);
    }
}
