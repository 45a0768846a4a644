//! The presets, each with an engine and a publisher within the test.
#![cfg(feature = "full")]

use arcly_stream::mux::hls::{HlsConfig, HlsRequest};
use arcly_stream::prelude::*;
use arcly_stream::presets::{for_each_stream, hls_ts_origin, record_ts, serve_hls};
use arcly_stream::storage::MemoryStorage;
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
