//! A stream is pushed to other servers.

mod client;
mod server;

use arcly_core::relay::RelayStatus;
use arcly_core::rtp::sdp::SessionDescription;
use arcly_core::{
    AppSpec, CancellationToken, CodecId, Engine, MediaFrame, PublishRegistry, StartAt,
    StreamHandle, Timestamp,
};

use arcly_rtsp::{RtspPush, TransportPolicy};
use client::flv::flv_frames;
use client::mock::{DESCRIPTION, Pictures};
use client::pull::{PATIENCE, key, quick, wait_for};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// ffmpeg, as a server that takes one publisher, and writes down the packets that it gets.
struct FfmpegServer {
    child: Child,
    url: String,
}

impl FfmpegServer {
    fn start() -> Self {
        // Free a moment ago; ffmpeg does not tell which it has.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let url = format!("rtsp://{address}/live/camera");
        let child = Command::new("ffmpeg")
            .args([
                "-hide_banner",
                "-loglevel",
                "error",
                "-nostdin",
                "-rtsp_flags",
                "listen",
                "-i",
                &url,
            ])
            .args([
                "-map",
                "0",
                "-c",
                "copy",
                "-f",
                "framehash",
                "-hash",
                "md5",
                "-",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("ffmpeg cannot be run ({error}): apt-get install ffmpeg")
            });
        Self { child, url }
    }

    /// All packets: stream, DTS, PTS, duration, size, hash.
    async fn packets(self) -> Vec<Vec<String>> {
        let output = timeout(PATIENCE, self.child.wait_with_output()).await;
        let output = output.expect("ffmpeg ends").expect("its output");
        let text = String::from_utf8(output.stdout).expect("text");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let row = |line: &str| line.split(',').map(|word| word.trim().to_owned()).collect();
        lines.map(row).collect()
    }
}

/// Real pictures and sound, made by ffmpeg: access units of H.264 with B-frames and of AAC, in the order of their decoding times.
async fn clip(folder: &std::path::Path) -> Vec<MediaFrame> {
    let file = folder.join("clip.flv");
    let made = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args([
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25:duration=4",
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000:duration=4",
        ])
        .args([
            "-c:v",
            "libx264",
            "-g",
            "25",
            "-bf",
            "2",
            "-b_strategy",
            "0",
            "-c:a",
            "aac",
            "-f",
            "flv",
        ])
        .arg(&file)
        .status()
        .await
        .expect("ffmpeg: apt-get install ffmpeg");
    assert!(made.success());
    flv_frames(&std::fs::read(&file).expect("the clip"))
}

struct Pushing {
    engine: Arc<Engine>,
    handle: StreamHandle,
    shutdown: CancellationToken,
}

impl Drop for Pushing {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn engine(push: RtspPush) -> Pushing {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(push)
        .build();
    let shutdown = CancellationToken::new();
    let (served, token) = (Arc::clone(&engine), shutdown.clone());
    tokio::spawn(async move { served.serve_registered(token).await });
    let handle = engine.start_publish(&key()).await.expect("a free name");
    Pushing {
        engine,
        handle,
        shutdown,
    }
}

/// Publishes the frames at four times their pace, once media goes over: what was before is sent from the keyframe on.
async fn publish(handle: &StreamHandle, frames: &[MediaFrame]) {
    for frame in frames {
        handle.publish_frame(frame.clone()).expect("live");
        if frame.is_video() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn push_to_ffmpeg(transport: TransportPolicy) {
    let folder = tempfile::tempdir().expect("a folder");
    let frames = clip(folder.path()).await;
    let server = FfmpegServer::start();
    let url = server.url.parse().expect("a URL");
    let push = RtspPush::new(key(), url)
        .backoff(quick())
        .transport(transport);
    let mut status = push.status();
    let pushing = engine(push).await;
    let (start, rest) = frames.split_at(10);
    publish(&pushing.handle, start).await;
    wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
    publish(&pushing.handle, rest).await;
    pushing.engine.end_publish(&key()).await.expect("live");
    let packets = server.packets().await;
    let of = |stream: &str| -> Vec<&Vec<String>> {
        packets.iter().filter(|row| row[0] == stream).collect()
    };
    let count = |video| {
        let media = frames.iter().filter(|frame| !frame.is_config());
        media.filter(|frame| frame.is_video() == video).count()
    };
    let (video, audio) = (of("0"), of("1"));
    // ffmpeg keeps the last picture to itself where the connection ends without a packet behind it.
    assert!(
        video.len() + 1 >= count(true) && video.len() <= count(true),
        "{} of {}",
        video.len(),
        count(true)
    );
    assert!(
        audio.len() + 2 >= count(false) && audio.len() <= count(false),
        "{} of {}",
        audio.len(),
        count(false)
    );
    let mut hashes: Vec<_> = video.iter().map(|row| &row[5]).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), video.len(), "none twice");
}

#[tokio::test]
async fn ffmpeg_gets_all_packets_interleaved() {
    push_to_ffmpeg(TransportPolicy::Tcp).await;
}

/// Two seconds that were before, five packets a picture: the network is not to be drowned in them.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "what is measured is a pace")]
async fn datagrams_go_out_at_a_pace_until_they_have_caught_up() {
    const BYTES: usize = 5_000;
    let remote = server::Server::start().await;
    let url = remote.url("camera").parse().expect("a URL");
    let push = RtspPush::new(key(), url).transport(TransportPolicy::Udp);
    let pushing = engine(push).await;
    let description = SessionDescription::parse(DESCRIPTION.as_bytes()).expect("SDP");
    let preferred = description.media[0].preferred().expect("known");
    let config = preferred.format.as_ref().and_then(|format| format.config());
    let config = config.expect("sprop-parameter-sets");
    let config = MediaFrame::new_video(0, 0, config, CodecId::H264, false).into_config();
    pushing.handle.publish_frame(config).expect("live");
    // One GOP: of the mock's keyframes, only the first.
    let pictures = (0..).filter(|index| *index == 0 || index % 12 != 0);
    for (index, number) in pictures.take(50).enumerate() {
        let mut frame = Pictures::picture(number, BYTES);
        frame.pts = Timestamp::from_millis(index as i64 * 40);
        frame.dts = frame.pts;
        pushing.handle.publish_frame(frame).expect("live");
    }
    let arrived = client::pull::stream(&remote.engine).await;
    let mut frames = arrived.subscribe_from(StartAt::LatestKeyframe);
    let mut came = Vec::new();
    let reading = async {
        while came.len() < 49 {
            let frame = frames.recv().await.expect("it is live");
            if !frame.is_config() {
                came.push(Instant::now());
            }
        }
    };
    // All but the last picture, which ends where another one begins.
    timeout(PATIENCE, reading).await.expect("none is lost");
    let took = came[48] - came[0];
    // Four seconds a second; the first 100 ms come together, as the remote sees which packet is the first.
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(took <= Duration::from_secs(5), "{took:?}");
    pushing.engine.end_publish(&key()).await.expect("live");
    remote.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = format!("rtsp://{address}/a").parse().expect("a URL");
    let push = RtspPush::new(key(), url).backoff(quick());
    let mut status = push.status();
    let pushing = engine(push).await;
    let folder = tempfile::tempdir().expect("a folder");
    publish(&pushing.handle, &clip(folder.path()).await[..10]).await;
    for _ in 0..2 {
        let reason = client::pull::failure(&mut status).await;
        assert!(reason.contains("connecting"), "{reason}");
        wait_for(&mut status, |status| {
            matches!(status, RelayStatus::Connecting { failures: 1.. })
        })
        .await;
    }
}
