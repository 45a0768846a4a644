//! An engine with inputs and outputs, a stream to send, and the programs that judge.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use arcly_core::mux::Demuxer;
use arcly_core::{
    AppSpec, Engine, InboundProtocol, IngestContext, MediaFrame, MediaKind, PlaybackContext,
    PlaybackRegistry, StartAt, StreamKey,
};
use arcly_mux_ts::TsDemuxer;
use bytes::Bytes;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// An engine that runs `protocols` until it is dropped.
pub struct Host {
    pub engine: Arc<Engine>,
    shutdown: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Host {
    pub fn new() -> Self {
        Self {
            engine: Engine::builder().application(AppSpec::new("live")).build(),
            shutdown: CancellationToken::new(),
            tasks: Vec::new(),
        }
    }

    pub fn run(&mut self, protocol: Arc<dyn InboundProtocol>) {
        let playback = PlaybackContext::new(self.engine.clone());
        let ctx = IngestContext::new(self.engine.clone()).with_playback(playback);
        let shutdown = self.shutdown.clone();
        self.tasks.push(tokio::spawn(async move {
            protocol.serve(ctx, shutdown).await.unwrap();
        }));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub fn key() -> StreamKey {
    StreamKey::new("live", "camera")
}

/// All frames of a stream, from when it goes live to its end.
pub fn watch(engine: &Arc<Engine>) -> JoinHandle<Vec<MediaFrame>> {
    let engine = engine.clone();
    tokio::spawn(async move {
        let handle = loop {
            match engine.get_stream(&key()) {
                Ok(handle) => break handle,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let mut frames = handle.subscribe_from(StartAt::Back(Duration::from_secs(60)));
        let mut all = Vec::new();
        while let Some(frame) = frames.recv().await {
            assert_eq!(frame.skipped(), 0);
            all.push((*frame).clone());
        }
        all
    })
}

/// The decoding times of a kind of frames, in milliseconds.
pub fn times(frames: &[MediaFrame], kind: MediaKind) -> Vec<i64> {
    frames
        .iter()
        .filter(|frame| frame.kind == kind && !frame.is_config())
        .map(|frame| frame.dts.as_millis())
        .collect()
}

/// So many frames, each `step` milliseconds after the one before, none missing or doubled.
pub fn assert_even(times: &[i64], count: usize, step: std::ops::RangeInclusive<i64>) {
    assert_eq!(times.len(), count, "{times:?}");
    for pair in times.windows(2) {
        assert!(step.contains(&(pair[1] - pair[0])), "{times:?}");
    }
}

/// The arguments that have ffmpeg make so many seconds of 25 pictures and of sound, in real time.
pub fn source(seconds: &str) -> Vec<&str> {
    let mut arguments = vec!["-hide_banner", "-nostdin", "-loglevel", "error", "-re"];
    arguments.extend(["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]);
    arguments.extend([
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
    ]);
    arguments.extend(["-t", seconds, "-c:v", "libx264", "-preset", "ultrafast"]);
    arguments.extend(["-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"]);
    arguments
}

/// Runs a program to its end, and insists on success.
pub async fn run(program: &str, package: &str, arguments: Vec<String>) -> Vec<u8> {
    let child = tokio::process::Command::new(program)
        .args(&arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = child.unwrap_or_else(|error| missing(program, package, &error));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    output.stdout
}

pub fn missing(program: &str, package: &str, error: &std::io::Error) -> ! {
    panic!("cannot run {program} ({error}): install it, as in `apt-get install {package}`")
}

pub fn owned(arguments: &[&str]) -> Vec<String> {
    arguments
        .iter()
        .map(|&argument| argument.to_owned())
        .collect()
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// A clip in MPEG-TS, as frames.
pub fn clip(seconds: &str) -> Vec<MediaFrame> {
    let mut arguments: Vec<_> = source(seconds)
        .into_iter()
        .filter(|&argument| argument != "-re")
        .collect();
    arguments.extend(["-f", "mpegts", "-"]);
    let output = Command::new("ffmpeg").args(&arguments).output();
    let output = output.unwrap_or_else(|error| missing("ffmpeg", "ffmpeg", &error));
    assert!(output.status.success());
    let mut demuxer = TsDemuxer::default();
    let mut frames = Vec::new();
    demuxer
        .read(Bytes::from(output.stdout), &mut frames)
        .unwrap();
    demuxer.finish(&mut frames);
    frames
}

/// Publishes frames at their own pace.
pub async fn publish(engine: &Arc<Engine>, frames: Vec<MediaFrame>) {
    let session = IngestContext::new(engine.clone())
        .open_publish(key())
        .await
        .unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "frames are published in real time"
    )]
    let start = tokio::time::Instant::now();
    let first = frames.first().map(|frame| frame.dts);
    for frame in frames {
        let at = first.map(|first| frame.dts.since(first).abs());
        let at = at.and_then(|delta| delta.to_duration()).unwrap_or_default();
        tokio::time::sleep_until(start + at).await;
        session.publish_frame(frame).unwrap();
    }
    session.finish().await.unwrap();
}

/// A plain socket's datagrams with their times, until none has come for a second.
pub fn record(socket: UdpSocket) -> JoinHandle<Vec<(Duration, Vec<u8>)>> {
    tokio::task::spawn_blocking(move || {
        #[expect(
            clippy::disallowed_methods,
            reason = "arrival is measured in real time"
        )]
        let start = std::time::Instant::now();
        let all = Arc::new(Mutex::new(Vec::new()));
        let mut buffer = vec![0; 2_000];
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        while let Ok(length) = socket.recv(&mut buffer) {
            socket
                .set_read_timeout(Some(Duration::from_secs(1)))
                .unwrap();
            let datagram = buffer[..length].to_vec();
            all.lock().unwrap().push((start.elapsed(), datagram));
        }
        std::mem::take(&mut *all.lock().unwrap())
    })
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
