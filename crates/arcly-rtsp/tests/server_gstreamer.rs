//! GStreamer's `rtspclientsink` publishes, by TCP and UDP, with its sound as MP4A-LATM, and its `rtspsrc` plays: every picture and sound arrives once
//! and in its place.

mod server;

use arcly_testkit::path_of_ffmpeg_9;
use server::{
    HASHES, Hashes, Server, Video, assert_same, clip_of, finished, finished_publisher, hashes,
    hashes_of, spawn,
};
use std::time::Duration;

/// Publishes a clip with GStreamer and plays it with ffmpeg 9.
async fn through(name: &str, video: Video, publish_by: &str, play_by: &str) {
    let clip = clip_of(name, video, "8");
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
    finished_publisher(publisher).await;
    let played = hashes(&finished(player).await);
    assert!(
        played[&0].len() >= 75,
        "from the keyframe before it came: {}",
        played[&0].len()
    );
    eprintln!("{name}: {}", assert_same(&source, &played, 2));
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

/// Publishes a clip with ffmpeg, and plays it with GStreamer from the middle on, into a file: what was published, and what the file holds.
async fn to_rtspsrc(name: &str, video: Video, play_by: &str, options: &str) -> (Hashes, Hashes) {
    let clip = clip_of(name, video, "8");
    let file = clip.with_file_name("played.mkv");
    let (clip, file) = (clip.to_str().expect("UTF-8"), file.to_str().expect("UTF-8"));
    let server = Server::start().await;
    let url = server.url("clip");
    let publish =
        format!("-nostdin -loglevel error -re -i {clip} -c copy -f rtsp -rtsp_transport tcp {url}");
    let publish: Vec<_> = publish.split_whitespace().collect();
    let publisher = spawn(&path_of_ffmpeg_9(), "ffmpeg", &publish);
    server.live("clip", 2).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (depay, parse) = match video {
        Video::H264 => ("rtph264depay", "h264parse"),
        Video::H265 => ("rtph265depay", "h265parse"),
    };
    let play = format!(
        "rtspsrc name=s location={url} protocols={play_by} {options} \
         s. ! application/x-rtp,media=video ! {depay} ! {parse} ! queue ! matroskamux name=m ! filesink location={file} \
         s. ! application/x-rtp,media=audio ! rtpmp4gdepay ! aacparse ! queue ! m."
    );
    let play: Vec<_> = play.split_whitespace().collect();
    let packages = "gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad";
    let player = spawn("gst-launch-1.0", packages, &play);
    finished(publisher).await;
    finished(player).await;
    server.stop().await;
    (hashes_of(clip), hashes_of(file))
}

/// As `rtspsrc` is by default: it makes its timestamps of when packets arrive.
async fn none_missing(name: &str, video: Video, play_by: &str) {
    let (source, played) = to_rtspsrc(name, video, play_by, "").await;
    // ffmpeg drops pieces of sound that it has gathered for a packet when it ends.
    for (stream, tail) in [(0, 0), (1, 12)] {
        let order = |frames: &Hashes| -> Vec<String> {
            frames[&stream]
                .iter()
                .map(|(_, hash)| hash.clone())
                .collect()
        };
        let (all, played) = (order(&source), order(&played));
        let start = all.iter().position(|hash| *hash == played[0]);
        let rest = &all[start.expect("one that was published")..];
        assert!(played.len() >= 25, "a GOP at least: {}", played.len());
        assert!(
            rest.starts_with(&played) && rest.len() - played.len() <= tail,
            "{} of the last {} of stream {stream} arrived, not all in their places",
            played.len(),
            rest.len()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_to_rtspsrc_by_tcp() {
    none_missing("rtspsrc-h264-tcp", Video::H264, "tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_to_rtspsrc_by_udp() {
    none_missing("rtspsrc-h264-udp", Video::H264, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_to_rtspsrc_by_tcp() {
    none_missing("rtspsrc-h265-tcp", Video::H265, "tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_to_rtspsrc_by_udp() {
    none_missing("rtspsrc-h265-udp", Video::H265, "udp").await;
}

/// With timestamps as we send them, sound and picture are as far apart as they were.
#[tokio::test(flavor = "multi_thread")]
async fn times_to_rtspsrc() {
    let name = "rtspsrc-times";
    let (source, played) = to_rtspsrc(name, Video::H264, "udp", "buffer-mode=synced").await;
    eprintln!("{name}: {}", assert_same(&source, &played, 12));
}
