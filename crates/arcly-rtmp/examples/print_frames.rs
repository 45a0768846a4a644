//! Takes publishers on an address and prints the frames of every stream.
//!
//! `cargo run -p arcly-rtmp --example print_frames -- 127.0.0.1:1935`, then
//! `ffmpeg -re -i clip.mp4 -c copy -f flv rtmp://127.0.0.1/live/clip`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use arcly_core::{AppSpec, Engine, EventBus, EventKind, PlaybackRegistry};
use arcly_rtmp::RtmpServer;
use std::sync::Arc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:1935".to_owned());
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(RtmpServer::bind(address.parse()?).await?)
        .build();
    tokio::spawn(print_streams(Arc::clone(&engine)));
    engine.serve_registered_until_signal().await?;
    Ok(())
}

async fn print_streams(engine: Arc<Engine>) {
    let mut events = engine.subscribe_events();
    while let Some(event) = events.recv().await {
        println!("{event:?}");
        if let EventKind::PublishStarted { key, .. } = &event.kind
            && let Ok(stream) = engine.get_stream(key)
        {
            tokio::spawn(async move {
                let mut frames = stream.subscribe_resilient();
                while let Some(frame) = frames.recv().await {
                    println!("{} {:?}", stream.key(), *frame);
                }
            });
        }
    }
}
