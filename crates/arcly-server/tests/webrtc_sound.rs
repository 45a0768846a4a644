//! What an encoder sends as AAC is heard by WebRTC, in a real browser.

mod support;

use serde_json::{Value, json};
use support::page::Page;
use support::webrtc::{open, run};
use support::{Process, Server, tool};

/// What is heard: the strongest frequency, how loud it is, and how much of it the browser had to make up.
const LISTEN: &str = "(async () => {
    const context = new AudioContext({sampleRate: 48000});
    await context.resume();
    const tracks = pc.getReceivers().map((receiver) => receiver.track).filter((track) => track.kind === 'audio');
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    context.createMediaStreamSource(new MediaStream(tracks)).connect(analyser);
    const sound = async () => [...(await pc.getStats()).values()].find((r) => r.type === 'inbound-rtp' && r.kind === 'audio');
    await new Promise((done) => setTimeout(done, 2000));
    const before = await sound();
    await new Promise((done) => setTimeout(done, 2000));
    const after = await sound();
    const bins = new Float32Array(analyser.frequencyBinCount), wave = new Float32Array(analyser.fftSize);
    analyser.getFloatFrequencyData(bins);
    analyser.getFloatTimeDomainData(wave);
    return {
        hertz: bins.indexOf(Math.max(...bins)) * 48000 / analyser.fftSize,
        level: Math.sqrt(wave.reduce((sum, sample) => sum + sample * sample, 0) / wave.length),
        samples: after.totalSamplesReceived - before.totalSamplesReceived,
        concealed: after.concealedSamples - before.concealedSamples,
        lost: after.packetsLost,
    };
})()";

/// 25 pictures a second, and a tone of 1 kHz whose level is 0.088.
fn encoder(url: &str, rate: u32, channels: u32) -> Process {
    let tone = format!("sine=frequency=1000:sample_rate={rate}");
    let tone = match channels {
        1 => tone,
        // As it is in both; ffmpeg itself would lower it.
        _ => format!("{tone},pan=stereo|c0=c0|c1=c0"),
    };
    Process::spawn(
        tool("ffmpeg")
            .args("-v error -re -f lavfi -i testsrc2=size=320x240:rate=25 -f lavfi -i".split(' '))
            .arg(tone)
            .args("-t 120 -c:v libx264 -profile:v baseline -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p".split(' '))
            .args("-c:a aac -b:a 128k -f flv".split(' '))
            .arg(url),
    )
}

fn listen(page: &mut Page) -> Value {
    let call = json!({ "expression": LISTEN, "awaitPromise": true, "returnByValue": true, "userGesture": true });
    let heard = page.call("Runtime.evaluate", call);
    heard["result"]["value"].clone()
}

fn a_tone_is_heard(rate: u32, channels: u32) {
    let mut server = Server::start(&[]);
    let _encoder = encoder(&server.rtmp_url("live/tone"), rate, channels);
    server.wait_live("live/tone");
    let mut viewer = open(&server);
    run(&mut viewer, "play('/live/tone/whep')");
    viewer.wait("window.first !== undefined");
    assert_eq!(viewer.evaluate("window.notice"), Value::Null);
    let heard = listen(&mut viewer);
    eprintln!("{rate} Hz, {channels} channels: {heard}");
    let number = |name: &str| {
        heard[name]
            .as_f64()
            .unwrap_or_else(|| panic!("no {name}: {heard}"))
    };
    assert!((number("hertz") - 1_000.0).abs() < 10.0, "{heard}");
    assert!((number("level") / 0.088 - 1.0).abs() < 0.15, "{heard}");
    assert!(number("samples") > 48_000.0, "{heard}");
    assert!(number("concealed") < number("samples") * 0.1, "{heard}");
}

#[test]
fn a_tone_at_48_khz_in_stereo_is_heard() {
    a_tone_is_heard(48_000, 2);
}

#[test]
fn a_tone_at_48_khz_in_mono_is_heard() {
    a_tone_is_heard(48_000, 1);
}

#[test]
fn a_tone_at_44_100_hz_in_stereo_is_heard() {
    a_tone_is_heard(44_100, 2);
}

#[test]
fn a_tone_at_44_100_hz_in_mono_is_heard() {
    a_tone_is_heard(44_100, 1);
}
