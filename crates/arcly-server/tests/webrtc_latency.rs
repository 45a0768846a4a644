//! How long a picture takes from one page to another: the publisher draws the time into its pictures, as black and white fields, and the viewer reads it
//! from what it is shown.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::webrtc::{number, open, run};
use support::{Server, play_seconds};

/// Publishes a canvas with the milliseconds of the clock in 20 fields; reads them again from a video. Both pages are on one machine, and have one clock.
const CLOCK: &str = r"
    const FIELDS = 20, SIZE = 32;
    async function publishClock(url, codec) {
        const canvas = Object.assign(document.createElement('canvas'), {width: FIELDS * SIZE, height: 360});
        const paper = canvas.getContext('2d');
        const draw = () => {
            const time = Date.now() % 2 ** FIELDS;
            paper.fillStyle = `hsl(${time / 50} 60% 50%)`;
            paper.fillRect(0, SIZE, canvas.width, canvas.height);
            for (let field = 0; field < FIELDS; field++) {
                paper.fillStyle = time >> field & 1 ? 'white' : 'black';
                paper.fillRect(field * SIZE, 0, SIZE, SIZE);
            }
        };
        draw();
        setInterval(draw, 33);
        const pc = window.pc = new RTCPeerConnection();
        const video = pc.addTransceiver(canvas.captureStream(30).getVideoTracks()[0], {direction: 'sendonly', sendEncodings: [{maxBitrate: 2_000_000}]});
        video.setCodecPreferences(RTCRtpSender.getCapabilities('video').codecs.filter((c) =>
            c.mimeType === 'video/' + codec || c.mimeType === 'video/rtx'));
        await negotiate(url, pc);
        return true;
    }
    function readClock() {
        window.latencies = [];
        const video = document.querySelector('video');
        const canvas = new OffscreenCanvas(FIELDS * SIZE, SIZE);
        const paper = canvas.getContext('2d', {willReadFrequently: true});
        const read = () => {
            // What is shown now, whatever size the publisher has made it.
            const scale = video.videoWidth / (FIELDS * SIZE);
            paper.drawImage(video, 0, 0, video.videoWidth, SIZE * scale, 0, 0, FIELDS * SIZE, SIZE);
            const now = Date.now() % 2 ** FIELDS;
            let time = 0;
            for (let field = 0; field < FIELDS; field++)
                if (paper.getImageData(field * SIZE + SIZE / 2, SIZE / 2, 1, 1).data[0] > 127) time |= 1 << field;
            latencies.push((now - time + 2 ** FIELDS) % 2 ** FIELDS);
            video.requestVideoFrameCallback(read);
        };
        video.requestVideoFrameCallback(read);
        return true;
    }
    true
";

fn measure(codec: &str) {
    let mut server = Server::start(&[]);
    let mut publisher = open(&server);
    publisher.evaluate(CLOCK);
    run(
        &mut publisher,
        &format!("publishClock('/live/clock/whip', '{codec}')"),
    );
    server.wait_live("live/clock");
    let mut viewer = open(&server);
    viewer.evaluate(CLOCK);
    run(&mut viewer, "play('/live/clock/whep')");
    viewer.wait("window.first !== undefined");
    let first = number(&mut viewer, "first");
    assert_eq!(viewer.evaluate("readClock()"), Value::Bool(true));
    std::thread::sleep(Duration::from_secs(play_seconds().clamp(5, 60)));
    let latencies = viewer.evaluate("latencies.slice(10)");
    let mut latencies: Vec<u64> = latencies
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    latencies.sort_unstable();
    assert!(latencies.len() > 50, "{latencies:?}");
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let (median, most, longest) = (at(0.5), at(0.95), at(1.0));
    eprintln!(
        "{codec}: the first picture after {first:.0} ms; from canvas to screen {median} ms, {most} ms for 95 %, {longest} ms at most, of {} pictures",
        latencies.len()
    );
    assert!(median < 200, "{codec}: {median} ms");
}

#[test]
fn a_picture_takes_less_than_200_ms_by_vp8() {
    measure("VP8");
}

#[test]
fn a_picture_takes_less_than_200_ms_by_h264() {
    measure("H264");
}
