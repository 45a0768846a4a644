//! ffmpeg and GStreamer publish over TCP to an engine; what arrives is compared with what they sent.

mod support;

use arcly_core::{
    AccessDenied, AccessRequest, AppSpec, Authenticator, EndReason, Engine, MediaFrame, MediaKind,
    StreamKey, async_trait,
};
use support::server::{Server, collect, ffmpeg, run};

/// Stream, DTS, PTS and size of a packet; times in milliseconds.
type PacketRow = (MediaKind, i64, i64, usize);

/// Encodes a clip of `seconds` with B-frames and AAC, and lists its packets.
async fn clip(path: &str, seconds: &str) -> Vec<PacketRow> {
    let (ok, log) = ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=30",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=44100",
        "-t",
        seconds,
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
        "-c:a",
        "aac",
        "-b:a",
        "64k",
        "-f",
        "flv",
        path,
    ])
    .await;
    assert!(ok, "{log}");
    let (ok, rows) = run(
        "ffprobe",
        "ffmpeg",
        &[
            "-v",
            "error",
            "-show_entries",
            "packet=codec_type,dts,pts,size",
            "-of",
            "compact=p=0:nk=1",
            path,
        ],
    )
    .await;
    assert!(ok, "{rows}");
    let rows = rows.lines().filter(|line| !line.is_empty()).map(|line| {
        let mut fields = line.split('|');
        let kind = if fields.next() == Some("video") {
            MediaKind::Video
        } else {
            MediaKind::Audio
        };
        let mut number = || {
            fields
                .next()
                .and_then(|field| field.parse::<i64>().ok())
                .expect("a number")
        };
        let (pts, dts, size) = (number(), number(), number());
        (kind, dts, pts, size as usize)
    });
    rows.collect()
}

fn rows(frames: &[MediaFrame]) -> Vec<PacketRow> {
    let media = frames
        .iter()
        .filter(|frame| !frame.is_config() && frame.kind != MediaKind::Data);
    media
        .map(|f| {
            (
                f.kind,
                f.dts.as_millis(),
                f.pts.as_millis(),
                f.payload.len(),
            )
        })
        .collect()
}

fn of(rows: &[PacketRow], kind: MediaKind) -> Vec<PacketRow> {
    rows.iter().filter(|row| row.0 == kind).copied().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_of_ffmpeg_arrives_once_with_its_times() {
    let mut server = Server::start(|server| server).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.flv");
    let path = path.to_str().expect("a path in UTF-8");
    let sent = clip(path, "4").await;
    let url = server.url("clip");
    let publishing = tokio::spawn(async move { server.next_publication().await });
    let arguments = ["-i", path, "-c", "copy", "-f", "flv", &url];
    let copying = ffmpeg(&arguments);
    let receiving = async {
        let (key, frames) = publishing.await.expect("no panic");
        assert_eq!(key, StreamKey::new("live", "clip"));
        collect(frames).await
    };
    let ((ok, log), frames) = tokio::join!(copying, receiving);
    assert!(ok, "{log}");
    let arrived = rows(&frames);
    assert!(
        sent.iter().filter(|row| row.0 == MediaKind::Video).count() == 120,
        "4 s of 30 frames"
    );
    assert!(sent.iter().any(|row| row.1 != row.2), "B-frames");
    for kind in [MediaKind::Video, MediaKind::Audio] {
        assert_eq!(of(&arrived, kind), of(&sent, kind));
    }
    let keyframes = frames.iter().filter(|frame| frame.is_keyframe()).count();
    assert_eq!(keyframes, 4, "one a second");
    let configs: Vec<_> = frames
        .iter()
        .filter(|frame| frame.is_config())
        .map(|frame| frame.kind)
        .collect();
    assert_eq!(
        configs,
        [MediaKind::Data, MediaKind::Video, MediaKind::Audio],
        "onMetaData, avcC, AudioSpecificConfig"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rtmp2sink_of_gstreamer_publishes() {
    let mut server = Server::start(|server| server).await;
    let location = format!("location={}", server.url("gst"));
    let pipeline: Vec<&str> = "-q videotestsrc num-buffers=90 ! video/x-raw,width=320,height=240,framerate=30/1 \
        ! x264enc key-int-max=30 bframes=2 speed-preset=ultrafast ! h264parse ! flvmux name=m streamable=true \
        ! rtmp2sink LOCATION \
        audiotestsrc num-buffers=130 samplesperbuffer=1024 ! audio/x-raw,rate=44100,channels=2 \
        ! avenc_aac ! aacparse ! m."
        .split_whitespace()
        .map(|word| if word == "LOCATION" { location.as_str() } else { word })
        .collect();
    let publishing = run("gst-launch-1.0", GST_PACKAGES, &pipeline);
    let receiving = async {
        let (_, frames) = server.next_publication().await;
        collect(frames).await
    };
    let ((ok, log), frames) = tokio::join!(publishing, receiving);
    assert!(ok, "{log}");
    let video = of(&rows(&frames), MediaKind::Video);
    assert_eq!(video.len(), 90);
    let mut presented: Vec<_> = video.iter().map(|row| row.2).collect();
    presented.sort_unstable();
    for pair in presented.windows(2) {
        assert!((32..=35).contains(&(pair[1] - pair[0])), "{presented:?}");
    }
    assert!(of(&rows(&frames), MediaKind::Audio).len() >= 130);
}

const GST_PACKAGES: &str = "gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
    gstreamer1.0-plugins-ugly gstreamer1.0-libav";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_publisher_is_told_that_the_name_is_taken() {
    let mut server = Server::start(|server| server).await;
    let url = server.url("taken");
    let source =
        "-re -f lavfi -i testsrc2=size=64x48:rate=10 -c:v libx264 -tune zerolatency -f flv";
    let source: Vec<_> = source.split(' ').collect();
    let first = [&source[..], &["-t", "30", &url]].concat();
    let second = [&source[..], &["-t", "1", &url]].concat();
    let refusing = async {
        let (_, mut frames) = server.next_publication().await;
        frames.recv().await.expect("a first frame");
        let (ok, log) = ffmpeg(&second).await;
        assert!(!ok && log.contains("already being published"), "{log}");
        for _ in 0..3 {
            frames.recv().await.expect("the first publisher goes on");
        }
    };
    tokio::select! {
        (_, log) = ffmpeg(&first) => panic!("the first publisher ended: {log}"),
        () = refusing => {}
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_right_token_publishes_and_codecs_are_refused_in_words() {
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
    let mut server = Server::start_with(engine, |server| server).await;
    let base = server.url("");
    let publish = |codec: &'static str, name: &'static str| {
        let url = format!("{base}{name}");
        async move {
            ffmpeg(&[
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=64x48:rate=10",
                "-t",
                "1",
                "-c:v",
                codec,
                "-f",
                "flv",
                &url,
            ])
            .await
        }
    };
    let (ok, log) = publish("libx264", "cam?token=wrong").await;
    assert!(!ok && log.contains("wrong token"), "{log}");
    let (ok, log) = publish("libx264", "cam?token=secret").await;
    assert!(ok, "{log}");
    // ffmpeg has sent it all before it reads a reply.
    publish("flv", "cam?token=secret").await;
    let reason = server.next_refusal().await;
    assert!(reason.contains("Sorenson H.263"), "{reason}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_ends_when_the_host_ends_its_stream() {
    let mut server = Server::start(|server| server).await;
    let url = server.url("ended");
    let arguments = [
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=64x48:rate=30",
        "-t",
        "50",
        "-c:v",
        "libx264",
        "-f",
        "flv",
        &url,
    ];
    let publishing = ffmpeg(&arguments);
    let ending = async {
        let (key, mut frames) = server.next_publication().await;
        frames.recv().await.expect("a first frame");
        arcly_core::PublishRegistry::end_publish(&*server.engine, &key)
            .await
            .expect("it is live");
        while frames.recv().await.is_some() {}
    };
    let ((ok, log), ()) = tokio::join!(publishing, ending);
    assert!(!ok, "{}: {log}", EndReason::EndedByHost);
    server.stop().await;
}
