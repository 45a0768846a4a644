//! What is published by RTMP, SRT and RTSP is watched by WHEP in a browser.

mod support;

use std::time::Duration;
use support::webrtc::{number, open, run};
use support::{Process, Server, tool};

/// 25 pictures a second without B-frames, a keyframe each second, and Opus where the container has it.
fn publish(output: &str) -> Process {
    Process::spawn(
        tool("ffmpeg")
            .args("-v error -re -f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=sample_rate=48000 -t 120".split(' '))
            .args("-c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p".split(' '))
            .args(output.split(' ')),
    )
}

fn is_watched(what: &str, output: impl FnOnce(&mut Server) -> String, has_sound: bool) {
    let mut server = Server::start(&[]);
    let output = output(&mut server);
    let _publisher = publish(&output);
    server.wait_live("live/enc");
    let mut viewer = open(&server);
    run(&mut viewer, "play('/live/enc/whep')");
    viewer.wait("window.first !== undefined");
    let first = number(&mut viewer, "first");
    let report = "stats('inbound-rtp').then((report) => report.framesDecoded)";
    let before = number(&mut viewer, report);
    std::thread::sleep(Duration::from_secs(5));
    let pictures = number(&mut viewer, report) - before;
    let frozen = number(
        &mut viewer,
        "stats('inbound-rtp').then((report) => report.totalFreezesDuration ?? 0)",
    );
    eprintln!(
        "{what}: the first picture after {first:.0} ms, {pictures} in 5 s, frozen for {frozen} s"
    );
    assert!(pictures > 100.0, "{what}: {pictures}");
    // A machine that encodes beside may hold pictures back.
    assert!(frozen < 1.0, "{what}: {frozen}");
    if has_sound {
        let heard = "pc.getStats().then((all) => [...all.values()].find((one) => one.type === 'inbound-rtp' && one.kind === 'audio')?.packetsReceived ?? 0)";
        assert!(number(&mut viewer, heard) > 150.0, "{what}: silence");
    }
}

#[test]
fn by_rtmp() {
    is_watched(
        "RTMP",
        |server| format!("-c:a aac -f flv {}", server.rtmp_url("live/enc")),
        false,
    );
}

#[test]
fn by_srt() {
    let url = |server: &mut Server| {
        let port = server.listening("srt").port();
        format!("-c:a libopus -b:a 64k -f mpegts srt://127.0.0.1:{port}?streamid=publish:live/enc")
    };
    is_watched("SRT", url, true);
}

#[test]
fn by_rtsp() {
    let url = |server: &mut Server| {
        let address = server.rtsp.expect("RTSP is on");
        format!("-c:a libopus -b:a 64k -f rtsp -rtsp_transport tcp rtsp://{address}/live/enc")
    };
    is_watched("RTSP", url, true);
}
