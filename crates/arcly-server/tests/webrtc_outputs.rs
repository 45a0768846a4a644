//! What a browser publishes by WHIP, in each codec that it sends, goes on playing by WHEP, and comes out of HLS, RTMP and RTSP as well.
//!
//! `cargo xtask browser 60` has it watched for a minute.

mod support;

use std::process::Command;
use std::time::Duration;
use support::page::Page;
use support::webrtc::{number, open, run};
use support::{Server, ffmpeg_9, play_seconds};

/// Plays pictures and sound of `url` with ffmpeg 9, which has to decode them without a message.
fn decodes(what: &str, options: &str, url: &str) {
    // One that hangs is a failure, not a test that hangs.
    let mut player = Command::new("timeout");
    player
        .arg("40")
        .arg(ffmpeg_9().get_program())
        .args("-v error -xerror -nostdin".split(' '))
        .args(options.split(' ').filter(|word| !word.is_empty()))
        .args(["-i", url])
        .args("-map 0:v:0 -map 0:a:0 -t 2 -f framecrc -".split(' '));
    let output = player.output().expect("ffmpeg starts");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let of = |stream: &str| {
        lines
            .lines()
            .filter(|line| line.starts_with(stream))
            .count()
    };
    let (pictures, sounds) = (of("0,"), of("1,"));
    eprintln!(
        "{what}: {pictures} pictures, {sounds} sounds in 2 s; {}",
        errors.trim()
    );
    assert!(output.status.success(), "{what}: {errors}");
    assert!(
        pictures > 15 && sounds > 50,
        "{what}: {pictures} pictures, {sounds} sounds; {errors}"
    );
}

/// Watches for a while: pictures come, and none stands still.
fn watch(viewer: &mut Page, codec: &str) {
    let report = |viewer: &mut Page, name: &str| {
        number(
            viewer,
            &format!("stats('inbound-rtp').then((report) => report.{name} ?? 0)"),
        )
    };
    let seconds = play_seconds();
    let before = report(viewer, "framesDecoded");
    std::thread::sleep(Duration::from_secs(seconds));
    let pictures = report(viewer, "framesDecoded") - before;
    let (freezes, frozen) = (
        report(viewer, "freezeCount"),
        report(viewer, "totalFreezesDuration"),
    );
    let lost = report(viewer, "packetsLost");
    eprintln!(
        "{codec}: {pictures} pictures in {seconds} s, {freezes} freezes of {frozen} s, {lost} packets lost"
    );
    assert!(pictures > 12.0 * seconds as f64, "{codec}: {pictures}");
    // A machine that does all of this at once may hold a picture back.
    assert!(
        frozen < 0.02 * seconds as f64,
        "{codec}: frozen for {frozen} s"
    );
    assert_eq!(lost, 0.0, "{codec}");
}

/// Plays VP9 by RTSP with GStreamer: ffmpeg reads a draft of the payload format that RFC 9628 has made another one of.
fn decodes_vp9_by_rtsp(url: &str) {
    let mut player = Command::new("timeout");
    player
        .args(["40", "gst-launch-1.0", "-q", "rtspsrc", "protocols=tcp"])
        .arg(format!("location={url}"))
        .args("! rtpvp9depay ! vp9dec ! fakesink num-buffers=40".split(' '));
    let output = player.output().expect("gst-launch-1.0 starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "VP9 by RTSP: {errors}");
}

/// `rtmp` names the codecs that the player says it takes; `None` where it takes none of them.
fn goes_everywhere(codec: &str, profile: &str, rtmp: Option<&str>) {
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
    eprintln!("{codec}: the first picture after {first:.0} ms");
    watch(&mut viewer, codec);
    let rtsp = format!("rtsp://{}/live/cam", server.rtsp.expect("RTSP is on"));
    match codec {
        "VP9" => decodes_vp9_by_rtsp(&rtsp),
        _ => decodes(&format!("{codec} by RTSP"), "-rtsp_transport tcp", &rtsp),
    }
    if let Some(codecs) = rtmp {
        let options = format!("-rtmp_enhanced_codecs {codecs},Opus");
        let url = server.rtmp_url("live/cam");
        decodes(&format!("{codec} by RTMP"), &options, &url);
    }
    let hls = server.url("/live/cam/index.m3u8");
    decodes(&format!("{codec} by HLS"), "", &hls);
}

#[test]
fn vp8_goes_everywhere() {
    // Enhanced RTMP has it, ffmpeg does not.
    goes_everywhere("VP8", "", None);
}

#[test]
fn vp9_goes_everywhere() {
    goes_everywhere("VP9", "profile-id=0", Some("vp09"));
}

#[test]
fn h264_goes_everywhere() {
    goes_everywhere("H264", "42e01f", Some("avc1"));
}

#[test]
fn av1_goes_everywhere() {
    goes_everywhere("AV1", "", Some("av01"));
}
