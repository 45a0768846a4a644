//! WebRTC in a real browser: its camera by WHIP in, and WHEP out to another one.

mod support;

use serde_json::Value;
use support::Server;
use support::page::Page;

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
        await pc.setRemoteDescription({type: 'answer', sdp: body});
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
    std::thread::sleep(std::time::Duration::from_secs(5));
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
