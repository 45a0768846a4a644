//! Two publishers of one name: the second is refused with the code for it, or takes over where the application says so.

mod support;

use arcly_core::{AppSpec, Engine, MediaKind, StreamKey, Takeover};
use arcly_srt::proto::handshake::RejectReason;
use std::time::Duration;
use support::caller::Peer;
use support::process::{ffmpeg, start, start_with_input};
use support::server::Server;
use tokio::process::Child;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// A publisher of pictures of so many pixels in width, that is there until it is killed.
fn publisher(url: &str, width: u32) -> Child {
    let picture = format!("testsrc2=size={width}x120:rate=30");
    let arguments = [
        "-nostdin",
        "-loglevel",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "15",
        "-pix_fmt",
        "yuv420p",
        "-f",
        "mpegts",
        url,
    ];
    start("ffmpeg", &arguments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_publisher_is_told_of_the_conflict_and_the_first_goes_on() {
    let mut server = Server::start(|_| {}).await;
    let url = server.url("publish:live/clip", "");
    let _first = publisher(&url, 160);
    let (_, mut frames) = server.next_publication().await;
    assert!(frames.recv().await.is_some());

    let second = start_with_input("srt-live-transmit", &["-a:no", "file://con", &url]);
    let output = timeout(PATIENCE, second.wait_with_output()).await;
    let output = output.expect("it ends").expect("its output");
    let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    // It does not say which.
    assert!(log.contains("Application-defined rejection"), "{log}");
    let reason = server.next_refusal().await;
    assert!(reason.contains("already"), "{reason}");
    let ours = Peer::call(server.address, "publish:live/clip", None).await;
    assert_eq!(ours.err(), Some(RejectReason::CONFLICT));
    assert_eq!(server.connections.list().len(), 1);
    for _ in 0..30 {
        let frame = timeout(PATIENCE, frames.recv()).await.expect("in time");
        assert!(frame.is_some(), "the first goes on");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_application_says_so_the_second_publisher_takes_over() {
    let app = AppSpec::new("live").takeover(Takeover::Replace);
    let engine = Engine::builder().application(app).build();
    let mut server = Server::start_with(engine, |_| {}).await;
    let url = server.url("publish:live/clip", "");
    let mut first = publisher(&url, 160);
    let (_, mut frames) = server.next_publication().await;
    assert!(frames.recv().await.is_some());

    let _second = publisher(&url, 320);
    let (key, mut taken_over) = server.next_publication().await;
    assert_eq!(key, StreamKey::new("live", "clip"));
    // The first one's stream ends, and the first is told: ffmpeg ends with an error.
    let ended = async { while frames.recv().await.is_some() {} };
    timeout(PATIENCE, ended).await.expect("it ends");
    let status = timeout(PATIENCE, first.wait()).await.expect("it is told");
    assert!(!status.expect("it ran").success());
    let mut pictures = 0;
    while pictures < 30 {
        let frame = timeout(PATIENCE, taken_over.recv()).await.expect("in time");
        let frame = frame.expect("the second goes on");
        pictures += u32::from(frame.kind == MediaKind::Video && !frame.is_config());
    }
    // And what is played is the second one's.
    let play = server.url("read:live/clip", "");
    let (ok, log) = ffmpeg(&[
        "-loglevel",
        "info",
        "-i",
        &play,
        "-t",
        "1",
        "-f",
        "null",
        "-",
    ])
    .await;
    assert!(ok && log.contains("320x120"), "{log}");
    server.stop().await;
}
