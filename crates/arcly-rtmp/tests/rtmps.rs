//! RTMPS: ffmpeg and GStreamer publish over TLS; who does not speak it is refused by name.
#![cfg(feature = "tls")]

mod support;

use arcly_core::MediaKind;
use arcly_core::net::tls::{ReloadableCertificate, ServerTrust, TlsConfig};
use arcly_rtmp::{RelayStatus, RtmpPull, RtmpPush, RtmpServer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use support::relay::*;
use support::server::{Server, collect, ffmpeg, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn tls() -> TlsConfig {
    let folder = tempfile::tempdir().expect("a folder");
    tls_in(folder.path()).await
}

/// A server's TLS with a fresh certificate, which stands in `folder` as `chain.pem`.
async fn tls_in(folder: &Path) -> TlsConfig {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, pair.cert.pem()).expect("a writable folder");
    std::fs::write(&key, pair.signing_key.serialize_pem()).expect("a writable folder");
    let certificate = ReloadableCertificate::load(chain, key)
        .await
        .expect("a valid pair");
    TlsConfig::new(Arc::new(certificate)).expect("usable")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_publishes_over_tls() {
    let tls = tls().await;
    let mut server = Server::start(|server| server.tls(tls)).await;
    let url = server.url("cam").replace("rtmp://", "rtmps://");
    let arguments = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120:rate=25",
        "-t",
        "2",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-bf",
        "0",
        "-f",
        "flv",
        &url,
    ];
    let receiving = async {
        let (_, frames) = server.next_publication().await;
        collect(frames).await
    };
    let ((ok, log), frames) = tokio::join!(ffmpeg(&arguments), receiving);
    assert!(ok, "{log}");
    let pictures = frames
        .iter()
        .filter(|frame| frame.kind == MediaKind::Video && !frame.is_config());
    assert_eq!(pictures.count(), 50);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_publishes_over_tls() {
    let tls = tls().await;
    let mut server = Server::start(|server| server.tls(tls)).await;
    let location = server.url("cam").replace("rtmp://", "rtmps://");
    let pipeline = format!(
        "videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120,framerate=25/1 ! x264enc tune=zerolatency ! h264parse ! \
         flvmux streamable=true ! rtmp2sink tls-validation-flags=0 location={location}"
    );
    let arguments: Vec<_> = std::iter::once("-q")
        .chain(pipeline.split_whitespace())
        .collect();
    let receiving = async {
        let (_, frames) = server.next_publication().await;
        collect(frames).await
    };
    let packages =
        "gstreamer1.0-tools gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly glib-networking";
    let ((ok, log), frames) = tokio::join!(run("gst-launch-1.0", packages, &arguments), receiving);
    assert!(ok, "{log}");
    let pictures = frames
        .iter()
        .filter(|frame| frame.kind == MediaKind::Video && !frame.is_config());
    assert_eq!(pictures.count(), 50);
    server.stop().await;
}

#[tokio::test]
async fn plain_rtmp_on_the_port_for_tls_is_refused_and_named() {
    let tls = tls().await;
    let mut server = Server::start(|server| server.tls(tls)).await;
    let mut peer = TcpStream::connect(server.address)
        .await
        .expect("a listener");
    peer.write_all(&support::handshake_bytes())
        .await
        .expect("a live socket");
    let reason = server.next_refusal().await;
    assert!(reason.contains("does not speak TLS"), "{reason}");
    // An alert, then the end.
    let _ = peer.read_to_end(&mut Vec::new()).await;
    server.stop().await;
}

fn live(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Live { .. })
}

fn failed(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Failed { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_and_pulls_go_over_tls_to_whom_they_trust() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = tls_in(folder.path()).await;
    let server = RtmpServer::bind(LOOPBACK).await.expect("a free port");
    let url = format!(
        "rtmps://localhost:{}/live/camera",
        server.local_addr().port()
    );
    let middle = serve(builder().protocol(server.tls(tls)).build());
    let trust = ServerTrust::CaFile(folder.path().join("chain.pem"));
    let url: arcly_rtmp::proto::client::RtmpUrl = url.parse().expect("a URL");
    let push = RtmpPush::new(key(), url.clone())
        .backoff(quick())
        .trust(trust);
    let mut pushing = push.status();
    let wary = RtmpPush::new(key(), url.clone()).backoff(quick());
    let mut refusing = wary.status();
    let source = serve(builder().protocol(push).protocol(wary).build());
    let pull = RtmpPull::new(url, key())
        .backoff(quick())
        .trust(ServerTrust::AcceptAnyCertificate);
    let mut pulling = pull.status();
    let sink = serve(builder().protocol(pull).build());
    publish_on(publish(&source.engine).await);
    wait_for(&mut pushing, live).await;
    wait_for(&mut pulling, live).await;
    check(&read(&stream(&sink.engine).await, 100).await);
    let refused = wait_for(&mut refusing, failed).await.to_string();
    assert!(
        refused.contains("certificate"),
        "the system does not know the certificate: {refused}"
    );
    assert!(stream(&middle.engine).await.is_live());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_over_tls() {
    let server = RtmpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a free port");
    let url = format!("rtmps://{}/live/camera", server.local_addr());
    let running = serve(builder().protocol(server.tls(tls().await)).build());
    let publish = [
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120:rate=25",
        "-t",
        "6",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "25",
        "-f",
        "flv",
        &url,
    ];
    let playing = async {
        stream(&running.engine).await;
        ffmpeg(&["-i", &url, "-t", "2", "-an", "-f", "framemd5", "-"]).await
    };
    let ((published, log), (played, pictures)) = tokio::join!(ffmpeg(&publish), playing);
    assert!(published, "{log}");
    let rows = pictures.lines().filter(|line| line.starts_with("0,"));
    assert!(played && rows.count() >= 40, "{pictures}");
}
