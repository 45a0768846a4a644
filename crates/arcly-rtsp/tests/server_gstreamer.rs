//! GStreamer's `rtspclientsink` publishes, by TCP and UDP, with its sound as MP4A-LATM: every picture and sound arrives once and in its place.

mod server;

use arcly_testkit::path_of_ffmpeg_9;
use server::{HASHES, Server, Video, assert_same, clip, finished, hashes, hashes_of, spawn};
use std::time::Duration;

/// Publishes a clip with GStreamer and plays it with ffmpeg 9.
async fn through(name: &str, video: Video, publish_by: &str, play_by: &str) {
    let clip = clip(name, video);
    let clip = clip.to_str().expect("UTF-8");
    let source = hashes_of(clip);
    let server = Server::start().await;
    let url = server.url("clip");
    let parse = match video {
        Video::H264 => "h264parse",
        Video::H265 => "h265parse",
    };
    let publish = format!(
        "-e filesrc location={clip} ! qtdemux name=d rtspclientsink name=s protocols={publish_by} location={url} \
         d.video_0 ! queue ! {parse} ! identity sync=true ! s.sink_0 d.audio_0 ! queue ! aacparse ! identity sync=true ! s.sink_1"
    );
    let arguments: Vec<_> = publish.split_whitespace().collect();
    let packages = "gstreamer1.0-tools gstreamer1.0-rtsp gstreamer1.0-plugins-bad";
    let publisher = spawn("gst-launch-1.0", packages, &arguments);
    server.live("clip", 2).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let quiet = ["-nostdin", "-loglevel", "error"];
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
    // GStreamer sends its first sender reports seconds after its first packets.
    assert_same(&source, &played, 2, 0.1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_in_by_tcp_and_out_by_udp() {
    through("gst-h264", Video::H264, "tcp", "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_in_by_udp_and_out_by_tcp() {
    through("gst-h265", Video::H265, "udp", "tcp").await;
}
