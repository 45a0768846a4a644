//! Clients: a stream is pulled from one server and pushed to the next, and to libsrt; what goes away is called again.

mod support;

use arcly_core::relay::{Backoff, RelayStatus};
use arcly_core::{AppSpec, Engine, InboundProtocol, MediaKind, StreamKey, TimeDelta, async_trait};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::proto::crypto::Passphrase;
use arcly_srt::{Passphrases, SrtPull, SrtPush, SrtUrl};
use std::sync::Arc;
use std::time::Duration;
use support::clip::media_of;
use support::process::{output, start};
use support::server::Server;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "correct-horse-battery";
const PATIENCE: Duration = Duration::from_secs(30);

fn url(text: &str) -> SrtUrl {
    text.parse().expect("a URL")
}

fn key() -> StreamKey {
    StreamKey::new("live", "clip")
}

fn quick() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_millis(300))
}

/// A publisher that is there until it is dropped.
fn publisher(to: &str) -> tokio::process::Child {
    let picture = ["-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=30"];
    let sound = ["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000"];
    let coding = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "15",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-f",
        "mpegts",
        to,
    ];
    let quiet = ["-nostdin", "-loglevel", "error"];
    start("ffmpeg", &[&quiet[..], &picture, &sound, &coding].concat())
}

/// Runs protocols on an engine of their own.
fn run(protocols: Vec<Box<dyn InboundProtocol>>) -> (Arc<Engine>, CancellationToken) {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let shutdown = CancellationToken::new();
    let (serving, token) = (engine.clone(), shutdown.clone());
    tokio::spawn(async move { serving.serve(protocols, token).await });
    (engine, shutdown)
}

async fn wait_for(status: &mut watch::Receiver<RelayStatus>, what: fn(&RelayStatus) -> bool) {
    let reached = timeout(PATIENCE, status.wait_for(what)).await;
    reached.expect("in time").expect("the relay runs");
}

fn is_live(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Live { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_pulled_and_pushed_on_and_comes_back() {
    let encrypted = |config: &mut arcly_srt::Config| {
        config.passphrases = Passphrases::all(Passphrase::new(SECRET).expect("long enough"));
    };
    let mut first = Server::start(encrypted).await;
    let mut last = Server::start(|_| {}).await;
    let from = first.url(
        "read:live/clip",
        &format!("&passphrase={SECRET}&pbkeylen=32"),
    );
    let to = last.url("publish:live/clip", "");
    let pull = SrtPull::new(url(&from), key(), TsDemuxer::default).backoff(quick());
    let push = SrtPush::new(key(), url(&to), TsMuxer::default).backoff(quick());
    let (mut pulling, mut pushing) = (pull.status(), push.status());
    let traffic = pull.traffic();
    let connections = pull.connections();
    let (engine, shutdown) = run(vec![Box::new(pull), Box::new(push)]);

    for round in 0..2 {
        let publish = format!("&passphrase={SECRET}");
        let mut publisher = publisher(&first.url("publish:live/clip", &publish));
        let _ = first.next_publication().await;
        wait_for(&mut pulling, is_live).await;
        wait_for(&mut pushing, is_live).await;
        let (_, mut frames) = last.next_publication().await;
        let (mut pictures, mut last_dts) = (0, None);
        while pictures < 60 {
            let frame = timeout(PATIENCE, frames.recv()).await.expect("in time");
            let frame = frame.expect("it goes on");
            if frame.kind != MediaKind::Video || frame.is_config() {
                continue;
            }
            let step = last_dts.map(|last| frame.dts.since(last));
            let even = step.is_none_or(|step: TimeDelta| (step.as_millis() - 33).abs() <= 1);
            assert!(even, "round {round}, picture {pictures}: {step:?}");
            last_dts = Some(frame.dts);
            pictures += 1;
        }
        assert_eq!(
            connections.list()[0].encryption.map(|it| it.bytes()),
            Some(32)
        );
        // Gone, as after a kill: both ends find out by its silence, and try again.
        publisher.kill().await.expect("it runs");
        while frames.recv().await.is_some() {}
        wait_for(&mut pulling, |status| !is_live(status)).await;
    }
    assert!(traffic.received() > 10_000);
    shutdown.cancel();
    drop(engine);
    first.stop().await;
    last.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libsrt_takes_what_is_pushed_to_it() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    drop(socket);
    let listen = format!("srt://127.0.0.1:{port}?mode=listener&passphrase={SECRET}");
    let call = format!("srt://127.0.0.1:{port}?passphrase={SECRET}&latency=200");
    let listening = tokio::spawn(async move {
        output("srt-live-transmit", &["-a:no", "-q", &listen, "file://con"]).await
    });
    let push = SrtPush::new(key(), url(&call), TsMuxer::default).backoff(quick());
    let mut status = push.status();
    let (engine, shutdown) = run(vec![Box::new(push), Box::new(Source)]);
    wait_for(&mut status, is_live).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    shutdown.cancel();
    let (played, log) = listening.await.expect("no panic");
    assert!(!log.contains("ERROR"), "{log}");
    let media = media_of(played);
    assert!(media.len() > 50, "{} frames", media.len());
    drop(engine);
}

/// Publishes sound for as long as it is let.
struct Source;

#[async_trait]
impl InboundProtocol for Source {
    fn name(&self) -> &'static str {
        "source"
    }

    async fn serve(
        &self,
        ctx: arcly_core::IngestContext,
        shutdown: CancellationToken,
    ) -> arcly_core::Result<()> {
        let session = ctx.open_publish(key()).await?;
        let config = bytes::Bytes::from_static(&[0x11, 0x90]);
        let config = arcly_core::MediaFrame::new_audio(0, config, arcly_core::CodecId::Aac);
        session.publish_frame(config.into_config())?;
        for number in 0.. {
            let payload = bytes::Bytes::from(vec![0x21; 300]);
            let frame =
                arcly_core::MediaFrame::new_audio(number * 20, payload, arcly_core::CodecId::Aac);
            session.publish_frame(frame)?;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
        session.finish().await
    }
}
