//! RTMPS: ffmpeg and GStreamer publish over TLS; who does not speak it is refused by name.
#![cfg(feature = "tls")]

mod support;

use arcly_core::MediaKind;
use arcly_core::net::tls::{ReloadableCertificate, TlsConfig};
use std::sync::Arc;
use support::server::{Server, collect, ffmpeg, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn tls() -> TlsConfig {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
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
