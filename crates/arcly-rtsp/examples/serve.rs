//! Serves RTSP: publish to `rtsp://127.0.0.1:8554/live/…`, and play from there.

use arcly_core::{AppSpec, CancellationToken, Engine};
use arcly_rtsp::RtspServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8554").parse()?;
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(RtspServer::new(address))
        .build();
    engine.serve_registered(CancellationToken::new()).await?;
    Ok(())
}
