//! A server with an engine, and what tests need to judge what went through it by its pictures and sounds.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod peer;

use arcly_core::{AppSpec, CancellationToken, Engine, PlaybackRegistry, StreamKey};
use arcly_rtsp::RtspServer;
use arcly_testkit::{fresh_folder, run_program};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<arcly_core::Result<()>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|engine| engine, |server| server).await
    }

    /// A server as `engine` and `server` make it.
    pub(crate) async fn with(
        engine: impl FnOnce(arcly_core::EngineBuilder) -> arcly_core::EngineBuilder,
        server: impl FnOnce(RtspServer) -> RtspServer,
    ) -> Self {
        let engine = engine(Engine::builder().application(AppSpec::new("live"))).build();
        let bound = RtspServer::bind("127.0.0.1:0".parse().expect("an address"));
        let bound = server(bound.await.expect("a free port"));
        let (address, stop) = (bound.local_addr(), CancellationToken::new());
        let serving = {
            let (engine, stop) = (engine.clone(), stop.clone());
            async move { engine.serve(vec![Box::new(bound)], stop).await }
        };
        Self {
            engine,
            address,
            stop,
            task: tokio::spawn(serving),
        }
    }

    pub(crate) fn url(&self, stream: &str) -> String {
        format!("rtsp://{}/live/{stream}", self.address)
    }

    /// Waits until the stream is live and has shown `tracks` tracks.
    pub(crate) async fn live(&self, stream: &str, tracks: usize) {
        let key = StreamKey::new("live", stream);
        let live = async {
            loop {
                let handle = self.engine.get_stream(&key);
                if handle.is_ok_and(|handle| handle.configs().len() >= tracks) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, live).await;
        came.unwrap_or_else(|_| panic!("live/{stream} did not come"));
    }

    /// Stops it, in time.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let stopped = tokio::time::timeout(PATIENCE, self.task).await;
        stopped
            .expect("in time")
            .expect("no panic")
            .expect("no error");
    }
}

/// What a clip is coded in.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Video {
    H264,
    H265,
}

/// A clip of so many seconds with B-frames, keyframes each second, and AAC, made by ffmpeg.
pub(crate) fn clip_of(name: &str, video: Video, seconds: &str) -> PathBuf {
    let file = fresh_folder(env!("CARGO_TARGET_TMPDIR"), name).join("clip.mp4");
    let path = file.to_str().expect("UTF-8");
    let codec: &[&str] = match video {
        Video::H264 => &[
            "-c:v", "libx264", "-g", "25", "-bf", "2", "-preset", "veryfast",
        ],
        Video::H265 => &[
            "-c:v",
            "libx265",
            "-x265-params",
            "log-level=none:keyint=25:bframes=2",
            "-preset",
            "ultrafast",
        ],
    };
    let picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"];
    let sound = ["-f", "lavfi", "-i", "anoisesrc=r=48000:a=0.2:seed=7"];
    let rest = [
        "-t", seconds, "-pix_fmt", "yuv420p", "-c:a", "aac", "-y", path,
    ];
    let quiet = ["-nostdin", "-loglevel", "error"];
    let all = [&quiet[..], &picture, &sound, codec, &rest].concat();
    let output = run_program("ffmpeg", "ffmpeg", &all);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    file
}

/// Starts a program; it is killed with the test.
pub(crate) fn spawn(program: &str, package: &str, args: &[&str]) -> Child {
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    child.unwrap_or_else(|error| {
        panic!("cannot run {program} ({error}): install it, as in `apt-get install {package}`")
    })
}

/// Waits for the end of a program, which has to come with success; what it wrote to its standard output.
pub(crate) async fn finished(child: Child) -> String {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
    let output = output.expect("it ends in time").expect("it ran");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits for GStreamer's `rtspclientsink` to end, which at times it does not by TCP though all is sent (1.22: each thread waits for another); then its connection
/// is closed for it.
pub(crate) async fn finished_publisher(mut child: Child) {
    match tokio::time::timeout(Duration::from_secs(12), child.wait()).await {
        Ok(_) => drop(finished(child).await),
        Err(_) => child.kill().await.expect("it runs"),
    }
}

/// The hashes of one stream's frames, each with its time in seconds.
pub(crate) type Hashes = BTreeMap<usize, Vec<(f64, String)>>;

/// The arguments that print a hash of each decoded picture and each coded piece of sound.
pub(crate) const HASHES: [&str; 17] = [
    "-map",
    "0:v",
    "-map",
    "0:a",
    "-fps_mode",
    "passthrough",
    "-c:v",
    "rawvideo",
    // By default the times of decoded pictures are rounded to whole durations.
    "-enc_time_base:v",
    "1:90000",
    "-c:a",
    "copy",
    // GStreamer's Matroska does not say of sound that it can be started with.
    "-copyinkf:a",
    "-f",
    "framehash",
    "-hash",
    "md5",
];

/// Reads what [`HASHES`] makes ffmpeg print.
pub(crate) fn hashes(text: &str) -> Hashes {
    let mut units = BTreeMap::new();
    let mut hashes = Hashes::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("#tb ") {
            let (stream, unit) = rest.split_once(": ").expect("a stream and its unit");
            let (above, below) = unit.split_once('/').expect("a fraction");
            let number = |text: &str| text.parse::<f64>().expect("a number");
            units.insert(
                stream.parse::<usize>().expect("a number"),
                number(above) / number(below),
            );
        } else if !line.starts_with('#') {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            let stream: usize = fields[0].parse().expect("a number");
            let pts: f64 = fields[2].parse().expect("a number");
            let frames = hashes.entry(stream).or_default();
            frames.push((pts * units[&stream], fields[5].to_owned()));
        }
    }
    hashes
}

/// The hashes of a file.
pub(crate) fn hashes_of(file: &str) -> Hashes {
    let args = [
        &["-nostdin", "-loglevel", "error", "-i", file][..],
        &HASHES,
        &["-"],
    ]
    .concat();
    let output = run_program(&arcly_testkit::path_of_ffmpeg_9(), "ffmpeg", &args);
    hashes(&String::from_utf8_lossy(&output.stdout))
}

/// Asserts that what was played is what was published, from some frame on to the end, with none missing or twice, and sound and picture as far apart.
/// Of the sound, `tail` frames at the end may be missing. What was found, in words.
pub(crate) fn assert_same(source: &Hashes, played: &Hashes, tail: usize) -> String {
    let mut shifts = Vec::new();
    let mut found = String::new();
    for (stream, frames) in played {
        let all = &source[stream];
        let first = &frames[0].1;
        let start = all.iter().position(|(_, hash)| hash == first);
        let start = start
            .unwrap_or_else(|| panic!("the first frame of {stream} is none that was published"));
        for (index, (played, published)) in frames.iter().zip(&all[start..]).enumerate() {
            assert_eq!(
                played.1, published.1,
                "frame {index} of stream {stream}, behind {start}"
            );
        }
        let missing = all.len() - start - frames.len();
        let tail = if *stream == 0 { 0 } else { tail };
        assert!(
            missing <= tail,
            "{missing} frames of stream {stream} are missing at the end"
        );
        // ffmpeg guesses the times of the first pictures: its demuxer gives none before it knows the order.
        let apart = frames.iter().zip(&all[start..]).skip(4);
        let apart: Vec<_> = apart
            .map(|(played, published)| published.0 - played.0)
            .collect();
        let spread = apart
            .iter()
            .map(|shift| (shift - apart[0]).abs())
            .fold(0.0, f64::max);
        assert!(
            spread < 0.002,
            "the times of stream {stream} drift by {spread} s"
        );
        shifts.push(apart[apart.len() - 1]);
        let steady = frames.windows(2).all(|two| two[0].0 < two[1].0);
        assert!(steady, "the times of stream {stream} grow");
        let (count, of) = (frames.len(), all.len() - start);
        found += &format!("{count} of the last {of} of stream {stream}, none doubled; ");
    }
    assert_eq!(shifts.len(), 2, "picture and sound");
    let offset = (shifts[0] - shifts[1]).abs();
    assert!(offset < 0.02, "sound and picture are {offset} s apart");
    format!("{found}sound and picture {:.1} ms apart", offset * 1_000.0)
}
