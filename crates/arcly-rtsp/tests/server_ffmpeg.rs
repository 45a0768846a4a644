//! ffmpeg publishes and plays, by TCP and UDP, in H.264 and H.265 with B-frames: every picture and sound arrives once and in its place.

mod server;

use arcly_testkit::path_of_ffmpeg_9;
use server::{HASHES, Server, Video, assert_same, clip, finished, hashes, hashes_of, spawn};

/// Publishes a clip with `publisher`, which is some version of ffmpeg, and plays it with ffmpeg 9 from the middle on.
async fn through(name: &str, video: Video, publisher: &str, publish_by: &str, play_by: &str) {
    let clip = clip(name, video);
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
    let player = spawn(&path_of_ffmpeg_9(), "ffmpeg", &play);
    finished(publisher).await;
    let played = hashes(&finished(player).await);
    assert!(
        played[&0].len() >= 75,
        "from the keyframe before it came: {}",
        played[&0].len()
    );
    // ffmpeg gathers pieces of sound for a packet, and drops what it has gathered when it ends.
    assert_same(&source, &played, 12, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tcp() {
    through("ffmpeg-tcp", Video::H264, "ffmpeg", "tcp", "tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_udp() {
    through("ffmpeg-udp", Video::H264, &path_of_ffmpeg_9(), "udp", "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_in_by_tcp_and_out_by_udp() {
    through(
        "ffmpeg-h265-tcp",
        Video::H265,
        &path_of_ffmpeg_9(),
        "tcp",
        "udp",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_in_by_udp_and_out_by_tcp() {
    through("ffmpeg-h265-udp", Video::H265, "ffmpeg", "udp", "tcp").await;
}
