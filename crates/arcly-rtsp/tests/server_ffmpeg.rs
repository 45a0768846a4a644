//! ffmpeg 5.1 and 9 publish and play, by TCP and UDP, in H.264 and H.265 with B-frames: every picture and sound arrives once and in its place.

mod server;

use arcly_testkit::path_of_ffmpeg_9;
use server::{HASHES, Server, Video, assert_same, clip_of, finished, hashes, hashes_of, spawn};

/// Publishes a clip with one version of ffmpeg, and plays it with one from the middle on: each by its program and transport.
async fn through(
    name: &str,
    video: Video,
    (publisher, publish_by): (&str, &str),
    (player, play_by): (&str, &str),
) {
    let clip = clip_of(name, video, "8");
    let clip = clip.to_str().expect("UTF-8");
    let source = hashes_of(clip);
    let server = Server::start().await;
    let url = server.url("clip");
    let quiet = ["-nostdin", "-loglevel", "error"];
    let publish = [
        "-re",
        "-i",
        clip,
        "-c",
        "copy",
        "-f",
        "rtsp",
        "-rtsp_transport",
        publish_by,
        &url,
    ];
    let publisher = spawn(publisher, "ffmpeg", &[&quiet[..], &publish].concat());
    server.live("clip", 2).await;
    // Somewhere in a GOP: the player starts at its keyframe.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let play = ["-rtsp_transport", play_by, "-i", &url];
    let play = [&quiet[..], &play, &HASHES, &["-"]].concat();
    let player = spawn(player, "ffmpeg", &play);
    finished(publisher).await;
    let played = hashes(&finished(player).await);
    assert!(
        played[&0].len() >= 75,
        "from the keyframe before it came: {}",
        played[&0].len()
    );
    // ffmpeg gathers pieces of sound for a packet, and drops what it has gathered when it ends.
    eprintln!("{name}: {}", assert_same(&source, &played, 12));
    server.stop().await;
}

const OLD: &str = "ffmpeg";

#[tokio::test(flavor = "multi_thread")]
async fn by_tcp() {
    let new = path_of_ffmpeg_9();
    through("ffmpeg-tcp", Video::H264, (OLD, "tcp"), (&new, "tcp")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_udp() {
    let new = path_of_ffmpeg_9();
    through("ffmpeg-udp", Video::H264, (&new, "udp"), (&new, "udp")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_in_by_tcp_and_out_by_udp() {
    let new = path_of_ffmpeg_9();
    through("ffmpeg-h265-tcp", Video::H265, (&new, "tcp"), (&new, "udp")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_in_by_udp_and_out_by_tcp() {
    let new = path_of_ffmpeg_9();
    through("ffmpeg-h265-udp", Video::H265, (OLD, "udp"), (&new, "tcp")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_to_the_old_one_by_tcp() {
    let new = path_of_ffmpeg_9();
    through("ffmpeg-old-tcp", Video::H264, (&new, "tcp"), (OLD, "tcp")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn out_to_the_old_one_by_udp() {
    through("ffmpeg-old-udp", Video::H265, (OLD, "udp"), (OLD, "udp")).await;
}
