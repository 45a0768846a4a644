//! WebRTC in a real browser: its camera by WHIP in, and WHEP out to another one.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use serde_json::Value;
use std::time::Duration;
use support::page::Page;
use support::{Process, Server, run as run_program, tool};

/// What pages here can do: publish the (fake) camera, play, and tell how it goes.
const CLIENT: &str = r#"
    async function negotiate(url, pc) {
        await pc.setLocalDescription(await pc.createOffer());
        const response = await fetch(url, {
            method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: pc.localDescription.sdp,
        });
        const body = await response.text();
        if (response.status !== 201) throw new Error(response.status + ' ' + body);
        window.answer = body;
        window.session = new URL(response.headers.get('Location'), location).href;
        window.notice = response.headers.get('Arcly-Notice');
        // Where a test stands between, the only way to the server is through it.
        const sdp = !window.proxy ? body : body
            .replace(/^a=candidate:.* tcp .*\r\n/gm, '')
            .replace(/^(a=candidate:.* udp \d+) \S+ \d+/gm, `$1 ${proxy.host} ${proxy.port}`);
        await pc.setRemoteDescription({type: 'answer', sdp});
    }
    async function publish(url, codec, profile) {
        const media = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480, frameRate: 30}, audio: true});
        const pc = window.pc = new RTCPeerConnection();
        pc.addTransceiver(media.getAudioTracks()[0], {direction: 'sendonly'});
        const video = pc.addTransceiver(media.getVideoTracks()[0], {direction: 'sendonly'});
        const codecs = RTCRtpSender.getCapabilities('video').codecs.filter((c) =>
            c.mimeType === 'video/' + codec && (!profile || c.sdpFmtpLine.includes(profile)) || c.mimeType === 'video/rtx');
        video.setCodecPreferences(codecs);
        await negotiate(url, pc);
        return true;
    }
    async function play(url) {
        const pc = window.pc = new RTCPeerConnection();
        pc.addTransceiver('audio', {direction: 'recvonly'});
        pc.addTransceiver('video', {direction: 'recvonly'});
        const video = document.createElement('video');
        video.muted = true; video.autoplay = true;
        video.srcObject = new MediaStream();
        pc.ontrack = (event) => video.srcObject.addTrack(event.track);
        document.body.append(video);
        window.started = performance.now();
        video.requestVideoFrameCallback(() => window.first = performance.now() - started);
        await negotiate(url, pc);
        return true;
    }
    async function stats(kind) {
        for (const report of (await pc.getStats()).values())
            if (report.type === kind && report.kind === 'video') return report;
        return {};
    }
    true
"#;

fn open(server: &Server) -> Page {
    let mut page = Page::open(&server.url("/"));
    page.wait("document.readyState === 'complete'");
    page.evaluate(CLIENT);
    page
}

fn number(page: &mut Page, expression: &str) -> f64 {
    let value = page.evaluate(expression);
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{expression} is {value}"))
}

/// Runs something that may throw, and tells what.
fn run(page: &mut Page, call: &str) {
    let result = page.evaluate(&format!("{call}.catch((error) => String(error))"));
    assert_eq!(result, Value::Bool(true), "{call}");
}

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
    eprintln!("{codec}: the first picture after {first:.0} ms");
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

/// 25 pictures a second without B-frames, a keyframe each second, and AAC: what an encoder for low latency sends by RTMP.
fn encoder(url: &str) -> Process {
    Process::spawn(
        tool("ffmpeg")
            .args("-v error -re -f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine=sample_rate=48000 -t 120".split(' '))
            .args("-c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac -f flv".split(' '))
            .arg(url),
    )
}

#[test]
fn rtmp_is_watched_by_whep_and_the_viewer_is_told_why_it_is_silent() {
    let mut server = Server::start(&[]);
    let _encoder = encoder(&server.rtmp_url("live/enc"));
    server.wait_live("live/enc");
    let mut viewer = open(&server);
    run(&mut viewer, "play('/live/enc/whep')");
    viewer.wait("window.first !== undefined");
    let first = number(&mut viewer, "first");
    eprintln!("RTMP to WHEP: the first picture after {first:.0} ms");
    let notice = viewer.evaluate("window.notice");
    assert!(
        notice.as_str().is_some_and(|notice| notice.contains("AAC")),
        "{notice}"
    );
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_way_is_repaired_by_retransmissions() {
    let mut server = Server::start(&[]);
    let media = server.listening("webrtc");
    let encoder = encoder(&server.rtmp_url("live/enc"));
    server.wait_live("live/enc");
    let link = LinkConfig {
        delay: Duration::from_millis(25),
        loss_per_million: 50_000,
        ..LinkConfig::default()
    };
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], media.port()));
    let proxy = UdpProxy::start(
        target,
        LinkConfig {
            loss_per_million: 0,
            ..link
        },
        link,
        1,
    )
    .await
    .expect("a port");
    let (host, port) = (proxy.address().ip(), proxy.address().port());
    tokio::task::spawn_blocking(move || {
        let _encoder = encoder;
        let mut viewer = open(&server);
        viewer.evaluate(&format!("window.proxy = {{host: '{host}', port: {port}}}; true"));
        run(&mut viewer, "play('/live/enc/whep')");
        viewer.wait("window.first !== undefined");
        let seconds = 20.0;
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let stat = |viewer: &mut Page, name: &str| {
            number(viewer, &format!("stats('inbound-rtp').then((report) => report.{name} ?? 0)"))
        };
        let frames = stat(&mut viewer, "framesDecoded");
        let frozen = stat(&mut viewer, "totalFreezesDuration");
        let nacks = stat(&mut viewer, "nackCount");
        let again = stat(&mut viewer, "retransmittedPacketsReceived");
        eprintln!("5 % loss at 50 ms: {frames} frames, {frozen} s frozen, {nacks} NACKs, {again} retransmissions");
        assert!(nacks > 0.0 && again > 0.0);
        assert!(frames > seconds * 15.0, "{frames}");
        // Less than 1 % is what is wanted, see the roadmap.
        assert!(frozen < seconds * 0.1, "{frozen}");
    })
    .await
    .expect("no panic");
    let (_, to_client) = proxy.counters();
    assert!(to_client.lost > 0);
}
