//! RTP timestamps start over while ffmpeg and GStreamer play: none of them notices.

mod client;
mod server;

use arcly_core::rtp::RenditionClock;
use arcly_core::{PublishRegistry, StreamKey, Timestamp, TrackId};
use arcly_testkit::{path_of_ffmpeg_9, run_program};
use client::flv::flv_frames;
use server::{HASHES, Server, Video, assert_same, clip_of, finished, hashes, hashes_of, spawn};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// When the timestamps of the pictures are 0, after the stream's start.
const WRAP_AT: i64 = 4;

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "programs play it in their own time"
)]
async fn players_go_on_where_timestamps_start_over() {
    let clip = clip_of("wrap", Video::H264, "8");
    let (flv, mkv) = (clip.with_extension("flv"), clip.with_extension("mkv"));
    let path = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let (clip, flv, mkv) = (path(&clip), path(&flv), path(&mkv));
    let quiet = ["-nostdin", "-loglevel", "error"];
    let remux = [&quiet[..], &["-i", &clip, "-c", "copy", &flv]].concat();
    assert!(run_program("ffmpeg", "ffmpeg", &remux).status.success());
    let frames = flv_frames(&std::fs::read(&flv).expect("the clip"));

    let server = Server::start().await;
    let key = StreamKey::new("live", "clip");
    let handle = server
        .engine
        .start_publish(&key)
        .await
        .expect("a free name");
    let clock = RenditionClock::of(&handle);
    let at_zero = clock.timestamp(TrackId::VIDEO, 90_000, Timestamp::from_millis(0));
    let until_wrap = i64::from(at_zero.wrapping_neg());
    let start = Timestamp::from_ticks(until_wrap, 90_000).as_millis() - WRAP_AT * 1_000;
    let begun = Instant::now();
    let publisher = tokio::spawn(async move {
        for mut frame in frames {
            let due = frame.dts.as_millis().max(0).unsigned_abs();
            sleep_until(begun + Duration::from_millis(due)).await;
            let shift = Timestamp::from_millis(start);
            frame.pts = Timestamp::from_raw(frame.pts.raw() + shift.raw());
            frame.dts = Timestamp::from_raw(frame.dts.raw() + shift.raw());
            handle.publish_frame(frame).expect("live");
        }
        handle
    });
    server.live("clip", 2).await;
    sleep_until(begun + Duration::from_millis(1_500)).await;
    let url = server.url("clip");
    let play = [&quiet[..], &["-i", &url], &HASHES, &["-"]].concat();
    let ffmpeg = spawn(&path_of_ffmpeg_9(), "ffmpeg", &play);
    let play = format!(
        "rtspsrc name=s location={url} buffer-mode=synced \
         s. ! application/x-rtp,media=video ! rtph264depay ! h264parse ! queue ! matroskamux name=m ! filesink location={mkv} \
         s. ! application/x-rtp,media=audio ! rtpmp4gdepay ! aacparse ! queue ! m."
    );
    let play: Vec<_> = play.split_whitespace().collect();
    let packages = "gstreamer1.0-tools gstreamer1.0-plugins-good";
    let gstreamer = spawn("gst-launch-1.0", packages, &play);
    let handle = publisher.await.expect("no panic");
    let last = clock.timestamp(
        TrackId::VIDEO,
        90_000,
        Timestamp::from_millis(start + 8_000),
    );
    assert!(last < 90_000 * 8, "it went over the wrap: {last}");
    drop(handle);
    server.engine.end_publish(&key).await.expect("live");
    let source = hashes_of(&flv);
    eprintln!(
        "wrap, ffmpeg: {}",
        assert_same(&source, &hashes(&finished(ffmpeg).await), 2)
    );
    finished(gstreamer).await;
    eprintln!(
        "wrap, rtspsrc: {}",
        assert_same(&source, &hashes_of(&mkv), 2)
    );
    server.stop().await;
}
