//! Enhanced RTMP from end to end: our client publishes to our server what ffmpeg 9 has encoded, and ffmpeg 9 plays it packet by
//! packet as it was.

mod support;

use arcly_core::{Engine, MediaFrame, StreamKey};
use arcly_rtmp::{Config, RelayStatus, RtmpPush, RtmpServer};
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::relay::{LOOPBACK, builder, quick, serve, wait_for};
use support::server::run;

/// ffmpeg 9, which PyPI has in a package.
fn ffmpeg_9() -> String {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pip/imageio_ffmpeg/binaries");
    let mut programs = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let program: Option<PathBuf> = programs.find_map(|entry| {
        let name = entry.file_name();
        name.to_string_lossy()
            .starts_with("ffmpeg-")
            .then(|| entry.path())
    });
    let program = program.unwrap_or_else(|| {
        panic!(
            "ffmpeg 9 is not in {}; install it: cargo xtask setup",
            folder.display()
        )
    });
    program.to_str().expect("a path in UTF-8").to_owned()
}

async fn ffmpeg(arguments: &[&str]) -> String {
    let quiet = ["-hide_banner", "-nostdin", "-y", "-loglevel", "error"];
    let (ok, text) = run(&ffmpeg_9(), "ffmpeg", &[&quiet, arguments].concat()).await;
    assert!(ok, "{text}");
    text
}

type Row = (u32, i64, i64, u64, String);

/// Of each packet its stream, its DTS and PTS against that of the first picture, its size and its hash.
fn packets(framemd5: &str) -> Vec<Row> {
    let rows = framemd5.lines().filter(|line| !line.starts_with('#'));
    let mut packets: Vec<_> = rows
        .map(|line| {
            let mut fields = line.split(',').map(str::trim);
            let mut next = || fields.next().expect("a field");
            let (stream, dts, pts) = (next(), next(), next());
            let (_duration, size, hash) = (next(), next(), next());
            let number = |text: &str| text.parse::<i64>().expect("a number");
            let size = size.parse().expect("a size");
            (
                stream.parse().expect("a number"),
                number(dts),
                number(pts),
                size,
                hash.to_owned(),
            )
        })
        .collect();
    // ffmpeg puts the codec config of FLAC on packets of no bytes, which do not travel.
    packets.retain(|packet| packet.3 > 0);
    packets.sort();
    // A push starts at a keyframe, and counts from there; sound before it does not go out.
    let origin = packets.first().map_or(0, |first| first.1);
    for packet in &mut packets {
        (packet.1, packet.2) = (packet.1 - origin, packet.2 - origin);
    }
    packets.retain(|packet| packet.1 >= 0);
    packets
}

/// Publishes the frames in real time, from the engine that a push takes them from.
async fn publish(engine: &Engine, frames: &[MediaFrame]) {
    let key = StreamKey::new("live", "camera");
    let handle = arcly_core::PublishRegistry::start_publish(engine, &key);
    let handle = handle.await.expect("a free name");
    for frame in frames {
        handle.publish_frame(frame.clone()).expect("live");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let session = handle.session();
    arcly_core::PublishRegistry::end_session(engine, &key, session)
        .await
        .expect("it is ours");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_9_plays_what_our_client_publishes() {
    for (codecs, stripped) in [
        (
            "-c:v libx265 -preset ultrafast -x265-params log-level=0:bframes=2:keyint=10 -c:a libopus",
            "null",
        ),
        (
            "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 10 -c:a flac -sample_fmt s16",
            // Temporal delimiters have no place on the bus (AV1-ISOBMFF, 2.4).
            "filter_units=remove_types=2",
        ),
        (
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 10 -c:a ac3",
            "null",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let clip = folder.path().join("clip.flv");
        let path = clip.to_str().expect("a path in UTF-8");
        let source = "-f lavfi -i testsrc2=s=64x64:r=10 -f lavfi -i sine=r=48000 -t 3 -ac 1";
        let words = source.split(' ').chain(codecs.split(' '));
        let arguments: Vec<_> = words.chain(["-f", "flv", path]).collect();
        ffmpeg(&arguments).await;
        let frames = support::clip::frames(std::fs::read(&clip).expect("it was written"));

        let mut config = Config::default();
        config.play_wait = Duration::from_secs(30);
        let server = RtmpServer::bind(LOOPBACK).await.expect("a free port");
        let url = format!("rtmp://{}/live/camera", server.local_addr());
        let _middle = serve(builder().protocol(server.config(config)).build());
        let push = RtmpPush::new(
            StreamKey::new("live", "camera"),
            url.parse().expect("a URL"),
        )
        .backoff(quick());
        let mut status = push.status();
        let source = serve(builder().protocol(push).build());
        wait_for(&mut status, |status| *status == RelayStatus::Waiting).await;

        let md5 = ["-c", "copy", "-copyts", "-f", "framemd5", "-"];
        let play = [&["-i", &url][..], &md5].concat();
        let playing = ffmpeg(&play);
        let publishing = async {
            // The engine does not tell who waits for a stream.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            publish(&source.engine, &frames).await;
        };
        let (played, ()) = tokio::join!(playing, publishing);
        let read = [&["-i", path][..], &["-bsf:v", stripped], &md5].concat();
        let sent = packets(&ffmpeg(&read).await);
        assert!(sent.len() > 60, "{codecs}: {}", sent.len());
        let played = packets(&played);
        let of = |rows: &[Row], others: &[Row]| -> Vec<Row> {
            let missing = rows.iter().filter(|row| !others.contains(row));
            missing.cloned().collect()
        };
        assert_eq!(of(&played, &sent), of(&sent, &played), "{codecs}");
        assert_eq!(played.len(), sent.len(), "{codecs}");
    }
}
