//! ffmpeg and GStreamer play over TCP what ffmpeg publishes; what they get is compared with what was sent.

mod support;

use arcly_core::{AccessDenied, AccessRequest, AppSpec, Authenticator, Engine, async_trait};
use std::path::Path;
use std::time::Duration;
use support::server::{Server, ffmpeg, run};

/// Stream index, DTS, PTS, size and hash of each packet of a file; configs and metadata apart.
async fn packets(path: &str) -> Vec<String> {
    let (ok, rows) = run(
        "ffprobe",
        "ffmpeg",
        &[
            "-v",
            "error",
            "-show_entries",
            "packet=codec_type,dts,pts,size,data_hash,flags",
            "-show_data_hash",
            "md5",
            "-of",
            "compact=p=0:nk=1",
            path,
        ],
    )
    .await;
    assert!(ok, "{rows}");
    rows.lines()
        .filter(|row| !row.is_empty())
        .map(str::to_owned)
        .collect()
}

fn of(rows: &[String], kind: &str) -> Vec<String> {
    rows.iter()
        .filter(|row| row.starts_with(kind))
        .cloned()
        .collect()
}

async fn encode(path: &Path, arguments: &[&str]) {
    let path = path.to_str().expect("a path in UTF-8");
    let (ok, log) = ffmpeg(&[arguments, &["-f", "flv", path]].concat()).await;
    assert!(ok, "{log}");
}

const VIDEO: &[&str] = &["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30"];
const AUDIO: &[&str] = &["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100"];
const H264: &[&str] = &[
    "-c:v",
    "libx264",
    "-profile:v",
    "high",
    "-bf",
    "3",
    "-g",
    "30",
    "-pix_fmt",
    "yuv420p",
];
const AAC: &[&str] = &["-c:a", "aac", "-b:a", "64k"];

/// A server whose players may wait for their stream.
async fn patient_server() -> Server {
    Server::start(|server| {
        let mut config = arcly_rtmp::Config::default();
        config.play_wait = Duration::from_secs(30);
        server.config(config)
    })
    .await
}

/// Gives a player time to ask for its stream, so that it has it from the start on. (The engine does not tell who waits; one that
/// comes later joins at the newest keyframe, and the comparison fails.)
async fn asked() {
    tokio::time::sleep(Duration::from_millis(800)).await;
}

/// Publishes the file and plays it with ffmpeg from the start on: the packets of both.
async fn through_the_server(arguments: &[&[&str]]) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (clip, got) = (
        folder.path().join("clip.flv"),
        folder.path().join("got.flv"),
    );
    encode(&clip, &arguments.concat()).await;
    let server = patient_server().await;
    let url = server.url("clip");
    let got = got.to_str().expect("a path in UTF-8");
    // It waits for the stream, so that it is there from the start on.
    let arguments = [
        "-xerror", "-i", &url, "-c", "copy", "-copyts", "-f", "flv", got,
    ];
    let playing = ffmpeg(&arguments);
    let clip = clip.to_str().expect("a path in UTF-8");
    let publishing = async {
        asked().await;
        let arguments = ["-re", "-i", clip, "-c", "copy", "-f", "flv", &url];
        ffmpeg(&arguments).await
    };
    let ((played, player_log), (published, publisher_log)) = tokio::join!(playing, publishing);
    assert!(published, "{publisher_log}");
    assert!(played && player_log.is_empty(), "{player_log}");
    server.stop().await;
    (packets(clip).await, packets(got).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_every_packet_that_ffmpeg_publishes() {
    let (sent, arrived) = through_the_server(&[VIDEO, AUDIO, &["-t", "4"], H264, AAC]).await;
    for kind in ["video", "audio"] {
        assert!(of(&sent, kind).len() > 100);
        assert_eq!(of(&arrived, kind), of(&sent, kind));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_streams_of_one_track() {
    for arguments in [[VIDEO, H264], [AUDIO, AAC]] {
        let arguments = [arguments[0], &["-t", "3"], arguments[1]];
        let (sent, arrived) = through_the_server(&arguments).await;
        assert!(sent.len() > 80);
        assert_eq!(arrived, sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_sound_that_starts_late() {
    let late = ["-itsoffset", "2"];
    let (sent, arrived) = through_the_server(&[VIDEO, &late, AUDIO, &["-t", "4"], H264, AAC]).await;
    for kind in ["video", "audio"] {
        assert!(of(&sent, kind).len() > 70);
        assert_eq!(of(&arrived, kind), of(&sent, kind));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_is_told_that_a_stream_is_not_live_or_not_for_it() {
    struct Password;

    #[async_trait]
    impl Authenticator for Password {
        async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
            match request.credentials.token.as_deref() {
                Some("secret") => Ok(()),
                _ => Err(AccessDenied::new("wrong token")),
            }
        }
    }

    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(Password)
        .build();
    let server = Server::start_with(engine, |server| server).await;
    for (name, words) in [("cam?token=secret", "not live"), ("cam", "wrong token")] {
        let url = server.url(name);
        let (ok, log) = ffmpeg(&["-i", &url, "-f", "null", "-"]).await;
        assert!(!ok && log.contains(words), "{log}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmp2src_of_gstreamer_plays_to_the_end_of_the_stream() {
    let server = patient_server().await;
    let (url, location) = (server.url("gst"), format!("location={}", server.url("gst")));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let got = folder.path().join("got.flv");
    let sink = format!("location={}", got.to_str().expect("a path in UTF-8"));
    let arguments = ["-q", "rtmp2src", &location, "!", "filesink", &sink];
    let playing = run("gst-launch-1.0", GST_PACKAGES, &arguments);
    let publishing = async {
        asked().await;
        let live: &[&str] = &["-re", "-t", "3"];
        let to = ["-f", "flv", &url];
        ffmpeg(&[live, VIDEO, live, AUDIO, H264, AAC, &to].concat()).await
    };
    let ((played, player_log), (published, publisher_log)) = tokio::join!(playing, publishing);
    assert!(published, "{publisher_log}");
    assert!(played, "{player_log}");
    let arrived = packets(got.to_str().expect("a path in UTF-8")).await;
    assert_eq!(of(&arrived, "video").len(), 90);
    assert!(of(&arrived, "audio").len() > 120);
    let got = got.to_str().expect("a path in UTF-8");
    let (ok, log) = ffmpeg(&["-xerror", "-i", got, "-f", "null", "-"]).await;
    assert!(ok, "{log}");
    server.stop().await;
}

const GST_PACKAGES: &str = "gstreamer1.0-tools gstreamer1.0-plugins-bad";
