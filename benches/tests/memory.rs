//! What streams and readers hold, counted by the allocator. One test, because the allocator counts for the whole process.
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AppSpec, CodecId, Engine, IngestContext, MediaFrame, StartAt, StreamKey, Timestamp,
};
use bytes::Bytes;
use cap::Cap;
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const PAYLOAD: usize = 10_000;

#[tokio::test]
async fn streams_and_readers_hold_what_the_documentation_says() {
    let engine = Engine::builder()
        .application(AppSpec::new("live").gop_cache(512))
        .build();
    let ctx = IngestContext::new(engine.clone());

    // An empty stream, of the default application settings.
    engine.register_app(AppSpec::new("default")).expect("new");
    const STREAMS: usize = 200;
    let mut sessions = Vec::with_capacity(STREAMS);
    let before = ALLOCATOR.allocated();
    for number in 0..STREAMS {
        let key = StreamKey::new("default", number.to_string());
        sessions.push(ctx.open_publish(key).await.expect("free"));
    }
    let each = (ALLOCATOR.allocated() - before) / STREAMS;
    println!("an empty stream takes {each} bytes");
    assert!(each < 16 << 10, "an empty stream takes {each} bytes");
    drop(sessions);

    // A stalled reader: it has read one frame and holds nothing but its place.
    let session = ctx
        .open_publish(StreamKey::new("live", "busy"))
        .await
        .expect("free");
    let publish = |number: i64| {
        let time = Timestamp::from_ticks(number, 50);
        let payload = Bytes::from(vec![0; PAYLOAD]);
        session
            .publish_frame(MediaFrame::new_video(
                time,
                time,
                payload,
                CodecId::H264,
                number % 50 == 0,
            ))
            .expect("live");
    };
    (0..2_000).for_each(publish);
    let mut stalled = session.handle().subscribe_from(StartAt::LatestKeyframe);
    assert!(stalled.recv().await.is_some());
    (2_000..4_000).for_each(publish);
    let with = ALLOCATOR.allocated();
    drop(stalled);
    let pinned = with - ALLOCATOR.allocated();
    println!(
        "a stalled reader pins {pinned} bytes, {:.1} frames",
        pinned as f64 / PAYLOAD as f64
    );
    assert!(
        pinned < 65 * (PAYLOAD + 200),
        "a stalled reader pins {pinned} bytes"
    );
    assert!(pinned > PAYLOAD, "the measurement works: it pins its chunk");

    // A handle that outlives its stream.
    let handle = session.handle().clone();
    let live = ALLOCATOR.allocated();
    session.finish().await.expect("finished");
    let freed = live - ALLOCATOR.allocated();
    println!("ending the stream frees {freed} bytes while a handle is kept");
    assert!(
        freed > 50 * PAYLOAD,
        "a kept handle pins frames: only {freed} bytes were freed"
    );
    drop(handle);
}
