//! RTSPS: ffmpeg, GStreamer and our own clients publish and play over TLS.
#![cfg(feature = "tls")]

mod server;

use arcly_core::net::tls::{ReloadableCertificate, ServerTrust, TlsConfig};
use arcly_core::relay::RelayStatus;
use arcly_core::{AppSpec, CancellationToken, Engine, PlaybackRegistry, StartAt, StreamKey};
use arcly_rtsp::{RtspPush, RtspSource};
use arcly_testkit::path_of_ffmpeg_9;
use server::{HASHES, Server, Video, assert_same, clip_of, finished, hashes, hashes_of, spawn};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A server with a fresh certificate, which stands in `folder` as `chain.pem`.
async fn server(folder: &Path) -> Server {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, pair.cert.pem()).expect("a writable folder");
    std::fs::write(&key, pair.signing_key.serialize_pem()).expect("a writable folder");
    let certificate = ReloadableCertificate::load(chain, key)
        .await
        .expect("a valid pair");
    let tls = TlsConfig::new(Arc::new(certificate)).expect("usable");
    Server::with(|engine| engine, |server| server.tls(tls)).await
}

fn rtsps(server: &Server) -> String {
    server.url("clip").replace("rtsp://", "rtsps://")
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_publishes_and_ffmpeg_and_gstreamer_play() {
    let clip = clip_of("rtsps", Video::H264, "8");
    let file = clip.with_file_name("played.mkv");
    let (clip, file) = (clip.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(folder.path()).await;
    let url = rtsps(&server);
    let publish = format!("-nostdin -loglevel error -re -i {clip} -c copy -f rtsp {url}");
    let publish: Vec<_> = publish.split_whitespace().collect();
    let publisher = spawn("ffmpeg", "ffmpeg", &publish);
    server.live("clip", 2).await;
    sleep(Duration::from_millis(1_500)).await;
    let quiet = ["-nostdin", "-loglevel", "error"];
    // Version 9 looks at the certificate, 5.1 does not unless it is told to.
    let chain = folder.path().join("chain.pem");
    let trust = ["-ca_file", chain.to_str().expect("UTF-8")];
    let play = [&quiet[..], &trust, &["-i", &url], &HASHES, &["-"]].concat();
    let player = spawn(&path_of_ffmpeg_9(), "ffmpeg", &play);
    let play = format!(
        "rtspsrc name=s location={url} tls-validation-flags=0 buffer-mode=synced \
         s. ! application/x-rtp,media=video ! rtph264depay ! h264parse ! queue ! matroskamux name=m ! filesink location={file} \
         s. ! application/x-rtp,media=audio ! rtpmp4gdepay ! aacparse ! queue ! m."
    );
    let play: Vec<_> = play.split_whitespace().collect();
    let packages = "gstreamer1.0-tools gstreamer1.0-plugins-good glib-networking";
    let gstreamer = spawn("gst-launch-1.0", packages, &play);
    finished(publisher).await;
    let source = hashes_of(clip);
    // ffmpeg drops pieces of sound that it has gathered for a packet when it ends.
    eprintln!(
        "rtsps, ffmpeg: {}",
        assert_same(&source, &hashes(&finished(player).await), 12)
    );
    finished(gstreamer).await;
    eprintln!(
        "rtsps, rtspsrc: {}",
        assert_same(&source, &hashes_of(file), 12)
    );
    server.stop().await;
}

/// One server's stream is pushed to another over TLS, and pulled from there.
#[tokio::test(flavor = "multi_thread")]
async fn we_push_and_pull() {
    let clip = clip_of("rtsps-relay", Video::H264, "5");
    let clip = clip.to_str().expect("UTF-8");
    let folder = tempfile::tempdir().expect("a folder");
    let remote = server(folder.path()).await;
    let trust = || ServerTrust::CaFile(folder.path().join("chain.pem"));
    let url = || rtsps(&remote).parse().expect("a URL");
    let key = StreamKey::new("live", "clip");
    let here = Server::with(
        |engine| engine.protocol(RtspPush::new(key.clone(), url()).trust(trust())),
        |server| server,
    )
    .await;
    let there = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(RtspSource::new(url(), key.clone()).trust(trust()))
        .build();
    let stop = CancellationToken::new();
    let pushing = here.engine.clone();
    for engine in [pushing, there.clone()] {
        let stop = stop.clone();
        tokio::spawn(async move { engine.serve_registered(stop).await });
    }
    let to = here.url("clip");
    let publish =
        format!("-nostdin -loglevel error -re -i {clip} -c copy -f rtsp -rtsp_transport tcp {to}");
    let publish: Vec<_> = publish.split_whitespace().collect();
    let publisher = spawn(&path_of_ffmpeg_9(), "ffmpeg", &publish);
    let arrives = async {
        loop {
            if let Ok(handle) = there.get_stream(&key) {
                return handle;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let handle = timeout(server::PATIENCE, arrives)
        .await
        .expect("it arrives");
    let mut frames = handle.subscribe_from(StartAt::LatestKeyframe);
    let (mut pictures, mut sounds) = (0, 0);
    while let Ok(Some(frame)) = timeout(server::PATIENCE, frames.recv()).await {
        pictures += usize::from(frame.is_video() && !frame.is_config());
        sounds += usize::from(!frame.is_video() && !frame.is_config());
    }
    finished(publisher).await;
    assert!(pictures >= 75 && sounds >= 120, "{pictures} and {sounds}");
    stop.cancel();
    here.stop().await;
    remote.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_is_not_pulled_from_and_who_speaks_no_tls_is_not_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let remote = server(folder.path()).await;
    let url = rtsps(&remote).parse().expect("a URL");
    let pull = RtspSource::new(url, StreamKey::new("live", "clip"));
    let mut status = pull.status();
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(pull)
        .build();
    let stop = CancellationToken::new();
    let serving = {
        let stop = stop.clone();
        tokio::spawn(async move { engine.serve_registered(stop).await })
    };
    let failed = status.wait_for(|status| matches!(status, RelayStatus::Failed { .. }));
    let failed = timeout(server::PATIENCE, failed).await.expect("in time");
    let reason = failed.expect("it runs").to_string();
    assert!(reason.to_lowercase().contains("certificate"), "{reason}");
    stop.cancel();
    serving.await.expect("no panic").expect("no error");

    let mut plain = TcpStream::connect(remote.address)
        .await
        .expect("it listens");
    plain
        .write_all(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = Vec::new();
    let read = timeout(server::PATIENCE, plain.read_to_end(&mut answer)).await;
    // Closed or reset, but not answered in the clear.
    let _ = read.expect("in time");
    assert!(!answer.starts_with(b"RTSP"));
    remote.stop().await;
}
