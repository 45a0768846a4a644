//! What ffmpeg and GStreamer make of our playlists and segments, over HTTP.

#[path = "../../arcly-mux-ts/tests/support/mod.rs"]
mod support;
mod web;

use arcly_core::{MediaFrame, TrackId};
use arcly_mux_hls::HlsConfig;
use arcly_mux_ts::TIMESTAMP_BASE;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::*;
use web::{both, feed, origin, publish, serve, settle};

/// Lists everything, and ends at once.
fn whole() -> HlsConfig {
    let mut config = HlsConfig::default();
    config.playlist_segments = 1_000;
    config.end_grace = Duration::ZERO;
    config
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/live/cam/index.m3u8?token=abc")
}

/// MD5 of each decoded picture and each decoded packet of sound.
fn decoded(input: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    for map in ["0:v", "0:a"] {
        let arguments = [
            "-xerror",
            "-i",
            input,
            "-map",
            map,
            "-f",
            "framehash",
            "-hash",
            "md5",
            "-",
        ];
        let text = String::from_utf8(ffmpeg(&arguments)).expect("hashes are text");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        hashes.extend(
            lines
                .filter_map(|line| line.rsplit(',').next())
                .map(|hash| hash.trim().to_owned()),
        );
    }
    hashes
}

fn test_stream(name: &str, seconds: &str) -> (PathBuf, Vec<MediaFrame>) {
    let flv = scratch(name).join("in.flv");
    encode_flv(&flv, seconds, &HIGH_WITH_B_FRAMES);
    let frames = read_flv(&flv);
    (flv, frames)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("the player's checks hold")
}

#[tokio::test]
async fn ffmpeg_decodes_the_same_pictures_and_sound() {
    let (flv, frames) = test_stream("hls-ffmpeg", "8");
    let origin = origin(whole());
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames).await;
    handle.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let (probed, expected) = (probe(Path::new(&url)), expected(&frames, TIMESTAMP_BASE));
        for track in [TrackId::VIDEO, TrackId::AUDIO] {
            assert_eq!(of_track(&probed, track), of_track(&expected, track));
        }
        assert_eq!(decoded(&url), decoded(flv.to_str().expect("UTF-8")));
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_plays_over_a_republish() {
    let (_, frames) = test_stream("hls-republish", "4");
    let origin = origin(whole());
    let (first, _) = publish(&origin);
    feed(&first, &frames).await;
    first.end();
    settle().await;
    let (second, _) = publish(&origin);
    feed(&second, &frames).await;
    second.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let pictures = frames
            .iter()
            .filter(|frame| frame.is_video() && !frame.is_config())
            .count();
        let probed = probe(Path::new(&url));
        assert_eq!(of_track(&probed, TrackId::VIDEO).len(), 2 * pictures);
        ffmpeg(&["-xerror", "-i", &url, "-f", "null", "-"]);
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_plays_sound_that_starts_late() {
    let (_, mut frames) = test_stream("hls-late-audio", "8");
    frames.retain(|frame| frame.is_config() || frame.is_video() || frame.pts.as_millis() > 3_000);
    let origin = origin(whole());
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames).await;
    handle.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let (probed, expected) = (probe(Path::new(&url)), expected(&frames, TIMESTAMP_BASE));
        for track in [TrackId::VIDEO, TrackId::AUDIO] {
            assert_eq!(of_track(&probed, track), of_track(&expected, track));
        }
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_plays_sound_whose_config_comes_late() {
    let (_, mut frames) = test_stream("hls-late-config", "8");
    // Neither config nor sound before 3 s; it joins at the keyframe at 4 s.
    let config = frames
        .iter()
        .position(|frame| frame.is_audio() && frame.is_config());
    let mut config = frames.remove(config.expect("there is sound"));
    config.pts = 3_000.into();
    config.dts = config.pts;
    frames.retain(|frame| frame.is_video() || frame.pts.as_millis() > 3_000);
    let at = frames
        .iter()
        .position(|frame| frame.dts.as_millis() > 3_000)
        .expect("8 s of video");
    frames.insert(at, config);
    let origin = origin(whole());
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames).await;
    handle.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let joined = frames
            .iter()
            .position(|frame| frame.is_keyframe() && frame.dts.as_millis() > 3_000);
        // What was made before the sound came is not listed with it.
        let listed = &frames[joined.expect("a keyframe follows")..];
        let (probed, expected) = (probe(Path::new(&url)), expected(listed, TIMESTAMP_BASE));
        for track in [TrackId::VIDEO, TrackId::AUDIO] {
            assert_eq!(of_track(&probed, track), of_track(&expected, track));
        }
    })
    .await;
}

#[tokio::test]
async fn gstreamer_plays_to_the_end() {
    let (flv, frames) = test_stream("hls-gstreamer", "6");
    let origin = origin(whole());
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames).await;
    handle.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let file = |name: &str| flv.with_file_name(name).to_str().expect("UTF-8").to_owned();
        let (video, audio) = (file("video.raw"), file("audio.raw"));
        let pipeline = format!(
            "-q souphttpsrc location={url} ! hlsdemux ! tsdemux name=d \
             d. ! queue ! h264parse ! avdec_h264 ! filesink location={video} \
             d. ! queue ! aacparse ! avdec_aac ! filesink location={audio}"
        );
        let packages = "gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav";
        let output = run("gst-launch-1.0", packages, &pipeline.split_whitespace().collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n(it needs {packages})");
        assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
        let size = |path: &str| std::fs::metadata(path).expect("the player wrote it").len();
        let count = |of: fn(&MediaFrame) -> bool| {
            frames.iter().filter(|frame| of(frame) && !frame.is_config()).count() as u64
        };
        // Pictures of 320x180 in 4:2:0; sound of 1024 samples a frame, two channels of 32 bits.
        assert_eq!(size(&video), count(MediaFrame::is_video) * 320 * 180 * 3 / 2);
        // The decoder swallows the priming frame, or not, by version.
        let sounds = size(&audio) / (1024 * 2 * 4);
        assert!(count(MediaFrame::is_audio) - sounds <= 1, "{sounds} frames of sound");
    })
    .await;
}

#[tokio::test]
async fn ffmpeg_decodes_the_same_from_cmaf() {
    let (flv, frames) = test_stream("hls-cmaf-ffmpeg", "8");
    let origin = both(whole()).build();
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames).await;
    handle.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let streams = probe(Path::new(&url));
        for track in [TrackId::VIDEO, TrackId::AUDIO] {
            let own = |frame: &&MediaFrame| frame.track == track && !frame.is_config();
            assert_eq!(
                of_track(&streams, track).len(),
                frames.iter().filter(own).count()
            );
        }
        assert_eq!(decoded(&url), decoded(flv.to_str().expect("UTF-8")));
    })
    .await;
}

#[tokio::test]
async fn gstreamer_plays_cmaf_to_the_end() {
    let (flv, frames) = test_stream("hls-cmaf-gstreamer", "6");
    let origin = both(whole()).build();
    let (handle, _run) = publish(&origin);
    feed(&handle, &frames).await;
    handle.end();
    settle().await;
    let url = url(serve(origin).await);
    blocking(move || {
        let file = |name: &str| flv.with_file_name(name).to_str().expect("UTF-8").to_owned();
        let (video, audio) = (file("video.raw"), file("audio.raw"));
        let pipeline = format!(
            "-q uridecodebin uri={url} name=d d. ! queue ! video/x-raw ! filesink location={video} \
             d. ! queue ! audio/x-raw ! filesink location={audio}"
        );
        let packages = "gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav";
        let output = run("gst-launch-1.0", packages, &pipeline.split_whitespace().collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}\n(it needs {packages})");
        let size = |path: &str| std::fs::metadata(path).expect("the player wrote it").len();
        let pictures = frames.iter().filter(|frame| frame.is_video() && !frame.is_config()).count() as u64;
        assert_eq!(size(&video), pictures * 320 * 180 * 3 / 2);
        assert!(size(&audio) > 0);
    })
    .await;
}
