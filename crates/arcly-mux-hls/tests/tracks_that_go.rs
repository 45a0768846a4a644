//! Tracks that a publisher who returns does not have any more: players that come are not told of them.

mod media;
mod web;

use arcly_core::{
    AppSpec, Engine, IngestContext, MediaFrame, MediaKind, PlaybackRegistry, StartAt,
    SubscribeOptions,
};
use arcly_mux_hls::{HlsConfig, HlsOrigin, HlsRequest};
use media::frames;
use std::time::Duration;
use web::{both, key, settle, text};

async fn index(origin: &HlsOrigin, path: &str) -> String {
    text(&origin.handle(&key(), HlsRequest::get(path)).await)
}

/// Publishes as `session`s do that are gone suddenly, one after the other in a stream that outlives them.
async fn publish(ctx: &IngestContext, frames: impl Iterator<Item = MediaFrame>) {
    let session = ctx.open_publish(key()).await.expect("free, or interrupted");
    for frame in frames {
        session.publish_frame(frame).expect("it is live");
        settle().await;
    }
    drop(session);
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn codecs_are_true_after_a_publisher_returned_with_less_and_with_more() {
    let app = AppSpec::new("live").publisher_grace(Duration::from_secs(60));
    let engine = Engine::builder().application(app).build();
    let ctx = IngestContext::new(engine.clone());
    let origin = both(HlsConfig::default()).build();
    let session = ctx.open_publish(key()).await.expect("free");
    let stream = engine.get_stream(&key()).expect("live");
    drop(session);
    let frames_of =
        stream.subscribe(SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None));
    let run = tokio::spawn(origin.run_stream(&key(), frames_of));

    let both_codecs = "CODECS=\"avc1.64000A,mp4a.40.2\"";
    publish(&ctx, frames(8).into_iter()).await;
    for path in ["index.m3u8", "ts/index.m3u8"] {
        let playlist = index(&origin, path).await;
        assert!(playlist.contains(both_codecs), "{playlist}");
    }
    tokio::time::advance(Duration::from_secs(2)).await;
    let pictures = frames(8)
        .into_iter()
        .filter(|frame| frame.kind == MediaKind::Video);
    publish(&ctx, pictures).await;
    for path in ["index.m3u8", "ts/index.m3u8"] {
        let playlist = index(&origin, path).await;
        assert!(
            playlist.contains("CODECS=\"avc1.64000A\"") && !playlist.contains("AUDIO"),
            "{playlist}"
        );
    }
    // Whoever plays the sound already finds that there is none.
    let sound = index(&origin, "cmaf/a1.m3u8").await;
    assert!(sound.contains("#EXT-X-GAP"), "{sound}");

    tokio::time::advance(Duration::from_secs(2)).await;
    publish(&ctx, frames(8).into_iter()).await;
    for path in ["index.m3u8", "ts/index.m3u8"] {
        let playlist = index(&origin, path).await;
        assert!(playlist.contains(both_codecs), "{playlist}");
    }
    run.abort();
}
