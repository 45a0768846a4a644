//! srt-live-transmit and GStreamer's srtsink publish by libsrt, with stream ids in both forms.

mod support;

use arcly_core::StreamKey;
use arcly_srt::Passphrases;
use arcly_srt::proto::crypto::Passphrase;
use std::path::Path;
use std::time::Duration;
use support::clip::{assert_begins, encode, media_of, paced, rows};
use support::numbered::now;
use support::process::{run, start, start_with_input};
use support::server::{Server, collect};
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, sleep_until};

const SECRET: &str = "correct-horse-battery";
/// How long the clip is.
const SECONDS: u64 = 3;

/// Publishes the clip by `publish`, which is given its path and the server, and compares what arrives.
async fn arrives(secret: Option<&str>, publish: impl AsyncFnOnce(&Path, &Server)) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.ts");
    encode(&path, &SECONDS.to_string()).await;
    let sent = media_of(std::fs::read(&path).expect("the clip"));
    let mut server = Server::start(|config| {
        if let Some(secret) = secret {
            config.passphrases = Passphrases::all(Passphrase::new(secret).expect("long enough"));
        }
    })
    .await;
    publish(&path, &server).await;
    let (key, frames) = server.next_publication().await;
    assert_eq!(key, StreamKey::new("live", "clip"));
    assert_begins(&sent, &rows(&collect(frames).await), 0);
    server.stop().await;
}

/// Gives srt-live-transmit the clip at its pace, and asks it to end.
async fn transmit(clip: &Path, url: &str) {
    let ts = std::fs::read(clip).expect("the clip");
    let arguments = ["-loglevel:error", "-chunk:1316", "file://con", url];
    let mut child = start_with_input("srt-live-transmit", &arguments);
    let mut input = child.stdin.take().expect("its input");
    // It connects meanwhile; what it reads before is lost on it.
    sleep(Duration::from_secs(1)).await;
    let start_at = now();
    for (due, payload) in paced(ts, Duration::from_secs(SECONDS)) {
        sleep_until((start_at + due).into()).await;
        input.write_all(&payload).await.expect("it reads");
    }
    // What it was given last is on its way.
    sleep(Duration::from_millis(500)).await;
    let id = child.id().expect("it runs").to_string();
    let told = start("kill", &["-INT", &id]).wait().await;
    assert!(told.expect("it is told").success());
    drop(input);
    child.wait().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srt_live_transmit_publishes_with_both_forms_of_stream_id() {
    for id in ["publish:live/clip", "#!::r=live/clip,m=publish"] {
        arrives(None, async |clip, server| {
            transmit(clip, &server.url(id, "")).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srt_live_transmit_publishes_in_each_key_length() {
    for length in [16, 24, 32] {
        arrives(Some(SECRET), async |clip, server| {
            let parameters = format!("&passphrase={SECRET}&pbkeylen={length}");
            transmit(clip, &server.url("publish:live/clip", &parameters)).await;
        })
        .await;
    }
}

/// Has srtsink send the clip in real time.
async fn sink(clip: &Path, server: &Server, properties: &[&str]) {
    let location = format!("location={}", clip.display());
    let uri = format!("uri=srt://{}", server.address);
    let source = [
        "-q",
        "filesrc",
        &location,
        "!",
        "tsparse",
        "set-timestamps=true",
        "alignment=7",
    ];
    let arguments = [&source[..], &["!", "srtsink", &uri], properties].concat();
    let (ok, log) = run("gst-launch-1.0", &arguments).await;
    assert!(ok, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srtsink_publishes_with_both_forms_of_stream_id() {
    for id in ["publish:live/clip", "#!::r=live/clip,m=publish"] {
        arrives(None, async |clip, server| {
            sink(clip, server, &[&format!("streamid={id}")]).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srtsink_publishes_in_each_key_length() {
    for length in [16, 24, 32] {
        arrives(Some(SECRET), async |clip, server| {
            let passphrase = format!("passphrase={SECRET}");
            let length = format!("pbkeylen={length}");
            sink(
                clip,
                server,
                &["streamid=publish:live/clip", &passphrase, &length],
            )
            .await;
        })
        .await;
    }
}
