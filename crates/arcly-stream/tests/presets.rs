//! The presets, each with an engine and a publisher within the test.
#![cfg(feature = "full")]

use arcly_stream::mux::hls::{ArchiveConfig, HlsConfig, HlsRequest};
use arcly_stream::prelude::*;
use arcly_stream::presets::{archive_hls, for_each_stream, hls_ts_origin, record_ts, serve_hls};
use arcly_stream::storage::{MemoryStorage, StorageBackend};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::mpsc;

fn engine() -> Arc<Engine> {
    Engine::builder().application(AppSpec::new("live")).build()
}

fn key(name: &str) -> StreamKey {
    StreamKey::new("live", name)
}

/// Ten seconds of AAC at 48 kHz.
async fn publish_sound(session: &PublishSession) {
    let config = Bytes::from_static(&[0x11, 0x90]);
    session
        .publish_frame(MediaFrame::new_audio(0, config, CodecId::Aac).into_config())
        .expect("live");
    for n in 0..470 {
        let at = Timestamp::from_ticks(n * 1_024, 48_000);
        let packet = Bytes::from_static(&[0x21; 200]);
        session
            .publish_frame(MediaFrame::new_audio(at, packet, CodecId::Aac))
            .expect("live");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_publish_is_followed_once() {
    let engine = engine();
    let ctx = IngestContext::new(engine.clone());
    let before = ctx.open_publish(key("before")).await.expect("free");
    let (seen, mut followed) = mpsc::unbounded_channel();
    let shutdown = CancellationToken::new();
    let following = tokio::spawn(for_each_stream(
        engine.clone(),
        shutdown.clone(),
        move |stream| {
            let seen = seen.clone();
            async move {
                let _ = seen.send(stream.key().clone());
                stream.ended().await;
            }
        },
    ));
    assert_eq!(followed.recv().await, Some(key("before")));
    let after = ctx.open_publish(key("after")).await.expect("free");
    assert_eq!(followed.recv().await, Some(key("after")));
    before.finish().await.expect("finished");
    let again = ctx.open_publish(key("before")).await.expect("free again");
    assert_eq!(followed.recv().await, Some(key("before")));

    shutdown.cancel();
    drop((after, again));
    following
        .await
        .expect("it waits for its tasks, which end with their streams");
    assert_eq!(followed.recv().await, None, "nothing twice");
}

#[tokio::test]
async fn a_stream_becomes_hls() {
    let engine = engine();
    let origin = hls_ts_origin(HlsConfig::default());
    let shutdown = CancellationToken::new();
    let packaging = tokio::spawn(serve_hls(engine.clone(), origin.clone(), shutdown.clone()));
    let session = IngestContext::new(engine)
        .open_publish(key("radio"))
        .await
        .expect("free");
    publish_sound(&session).await;
    let playlist = origin
        .handle(&key("radio"), HlsRequest::get("ts/media.m3u8"))
        .await;
    assert_eq!(playlist.status, 200);
    shutdown.cancel();
    packaging.await.expect("no panic");
}

#[tokio::test]
async fn a_stream_is_recorded_and_told_of() {
    let engine = engine();
    let mut events = engine.subscribe_events();
    let storage = Arc::new(MemoryStorage::default());
    let shutdown = CancellationToken::new();
    let recording = tokio::spawn(record_ts(
        engine.clone(),
        storage.clone(),
        RecordingConfig::default(),
        shutdown.clone(),
    ));
    let session = IngestContext::new(engine)
        .open_publish(key("radio"))
        .await
        .expect("free");
    publish_sound(&session).await;
    session.finish().await.expect("finished");
    let finished = loop {
        let event = events.recv().await.expect("the engine lives");
        if let EventKind::RecordingFinished { object, bytes, .. } = &event.kind {
            break (object.clone(), *bytes);
        }
    };
    shutdown.cancel();
    recording.await.expect("no panic");
    let file = storage.get(&finished.0).await.expect("it is there");
    assert_eq!(file.len() as u64, finished.1);
    assert!(
        file.chunks(188)
            .all(|packet| packet.len() == 188 && packet[0] == 0x47)
    );
}

#[tokio::test]
async fn each_publish_is_archived_to_its_last_segment_and_once() {
    let engine = engine();
    let origin = hls_ts_origin(HlsConfig::default());
    let stop_packaging = CancellationToken::new();
    let packaging = tokio::spawn(serve_hls(
        engine.clone(),
        origin.clone(),
        stop_packaging.clone(),
    ));
    let storage = Arc::new(MemoryStorage::default());
    let shutdown = CancellationToken::new();
    let archiving = tokio::spawn(archive_hls(
        engine.clone(),
        origin,
        storage.clone(),
        ArchiveConfig::default(),
        shutdown.clone(),
    ));
    let ctx = IngestContext::new(engine);
    for _ in 0..2 {
        // The second comes while what the first has left is still listed.
        let session = ctx.open_publish(key("radio")).await.expect("free");
        publish_sound(&session).await;
        session.finish().await.expect("finished");
    }
    // Both end of themselves; what is not stored by now is on its way.
    shutdown.cancel();
    archiving.await.expect("no panic");
    let objects = storage.list("live/radio/").await.expect("a list");
    let named = |end: &str| {
        let named = objects.iter().filter(|info| info.object.ends_with(end));
        named.map(|info| info.object.clone()).collect::<Vec<_>>()
    };
    let mut segments = named(".ts");
    let stored = segments.len();
    segments.sort_by_key(|name| name.rsplit('/').next().map(str::to_owned));
    segments.dedup_by_key(|name| name.rsplit('/').next().map(str::to_owned));
    assert_eq!(segments.len(), stored, "each once: {objects:?}");
    let mut seconds = 0.0;
    for playlist in named("media.m3u8") {
        let text = storage.get(&playlist).await.expect("it is there");
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(
            text.contains("TYPE:VOD") && text.ends_with("#EXT-X-ENDLIST\n"),
            "{text}"
        );
        let durations = text.lines().filter_map(|line| {
            line.strip_prefix("#EXTINF:")?
                .strip_suffix(',')?
                .parse::<f64>()
                .ok()
        });
        seconds += durations.sum::<f64>();
    }
    assert!((20.0..20.1).contains(&seconds), "{seconds}");
    stop_packaging.cancel();
    packaging.await.expect("no panic");
}
