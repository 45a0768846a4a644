//! ffmpeg and GStreamer play over TCP what ffmpeg publishes; what they get is compared with what was sent.

mod support;

use std::path::Path;
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

/// Publishes the file and plays it with ffmpeg from the start on, into a file whose path is returned.
async fn through_the_server(name: &str, clip: &Path, got: &Path) {
    let mut server = Server::start(|server| {
        let mut config = arcly_rtmp::Config::default();
        config.play_wait = std::time::Duration::from_secs(30);
        server.config(config)
    })
    .await;
    let url = server.url(name);
    let got = got.to_str().expect("a path in UTF-8");
    // It waits for the stream, so that it is there from the start on.
    let arguments = [
        "-xerror", "-i", &url, "-c", "copy", "-copyts", "-f", "flv", got,
    ];
    let playing = ffmpeg(&arguments);
    let clip = clip.to_str().expect("a path in UTF-8");
    let publishing = async {
        // Not before it has asked for the stream.
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let arguments = ["-re", "-i", clip, "-c", "copy", "-f", "flv", &url];
        let published = ffmpeg(&arguments).await;
        let _ = server.next_publication().await;
        published
    };
    let ((played, player_log), (published, publisher_log)) = tokio::join!(playing, publishing);
    assert!(published, "{publisher_log}");
    assert!(played && player_log.is_empty(), "{player_log}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_every_packet_that_ffmpeg_publishes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (clip, got) = (
        folder.path().join("clip.flv"),
        folder.path().join("got.flv"),
    );
    encode(&clip, &[VIDEO, AUDIO, &["-t", "4"], H264, AAC].concat()).await;
    through_the_server("clip", &clip, &got).await;
    let sent = packets(clip.to_str().expect("UTF-8")).await;
    let arrived = packets(got.to_str().expect("UTF-8")).await;
    for kind in ["video", "audio"] {
        assert!(of(&sent, kind).len() > 100);
        assert_eq!(of(&arrived, kind), of(&sent, kind));
    }
}
