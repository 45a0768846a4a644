//! WebRTC in a real browser: its camera by WHIP in, and WHEP out to another one.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::webrtc::{encoder, number, open, run};
use support::{Server, run as run_program, tool};

fn round_trip(codec: &str, profile: &str) {
    let mut server = Server::start(&[]);
    let mut camera = open(&server);
    run(
        &mut camera,
        &format!("publish('/live/cam/whip', '{codec}', '{profile}')"),
    );
    server.wait_live("live/cam");
    let mut viewer = open(&server);
    run(&mut viewer, "play('/live/cam/whep')");
    viewer.wait("window.first !== undefined");
    let first = number(&mut viewer, "first");
    let marks = viewer.evaluate("JSON.stringify(marks)");
    eprintln!("{codec}: the first picture after {first:.0} ms: {marks}");
    let decoded = "stats('inbound-rtp').then((report) => report.framesDecoded)";
    let before = number(&mut viewer, decoded);
    std::thread::sleep(Duration::from_secs(5));
    let after = number(&mut viewer, decoded);
    eprintln!(
        "{codec}: {}",
        viewer.evaluate("stats('inbound-rtp').then((r) => JSON.stringify({decoded: r.framesDecoded, dropped: r.framesDropped, freezes: r.freezeCount, nack: r.nackCount, pli: r.pliCount, lost: r.packetsLost, jitter: r.jitterBufferDelay / r.jitterBufferEmittedCount, width: r.frameWidth}))")
    );
    assert!(after - before > 40.0, "{before} to {after}");
}

#[test]
fn vp8_goes_from_browser_to_browser() {
    round_trip("VP8", "");
}

#[test]
fn vp9_goes_from_browser_to_browser() {
    round_trip("VP9", "profile-id=0");
}

#[test]
fn h264_goes_from_browser_to_browser() {
    round_trip("H264", "42e01f");
}

#[test]
fn av1_goes_from_browser_to_browser() {
    round_trip("AV1", "");
}

#[test]
fn rtmp_is_watched_by_whep() {
    let mut server = Server::start(&[]);
    let _encoder = encoder(&server.rtmp_url("live/enc"));
    server.wait_live("live/enc");
    let mut viewer = open(&server);
    run(&mut viewer, "play('/live/enc/whep')");
    viewer.wait("window.first !== undefined");
    let first = number(&mut viewer, "first");
    eprintln!("RTMP to WHEP: the first picture after {first:.0} ms");
    assert_eq!(viewer.evaluate("window.notice"), Value::Null);
    let decoded = "stats('inbound-rtp').then((report) => report.framesDecoded)";
    let before = number(&mut viewer, decoded);
    std::thread::sleep(Duration::from_secs(4));
    let after = number(&mut viewer, decoded);
    assert!(after - before > 40.0, "{before} to {after}");
}

#[test]
fn a_browsers_camera_is_played_by_hls() {
    let mut server = Server::start(&[]);
    let mut camera = open(&server);
    run(&mut camera, "publish('/live/cam/whip', 'H264', '42e01f')");
    server.wait_live("live/cam");
    std::thread::sleep(Duration::from_secs(6));
    let url = server.url("/live/cam/index.m3u8");
    let decoded = run_program(
        tool("ffprobe")
            .args("-v error -read_intervals %+3 -count_frames -show_entries stream=codec_name,nb_read_frames -of csv=p=0".split(' '))
            .arg(url),
    );
    let decoded = String::from_utf8_lossy(&decoded.stdout).into_owned();
    let frames = |codec: &str| -> u32 {
        let line = decoded.lines().find(|line| line.starts_with(codec));
        let count = line.and_then(|line| line.split(',').nth(1)?.trim().parse().ok());
        count.unwrap_or_else(|| panic!("no {codec}: {decoded}"))
    };
    assert!(frames("h264") > 20, "{decoded}");
    assert!(frames("opus") > 50, "{decoded}");
}
