//! hls.js in a real browser: low-latency CMAF and MPEG-TS, live, measured by the wall clock that the playlists tell.
//!
//! `cargo xtask browser 60` has each of them play for a minute.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::page::Page;
use support::{Process, Server, tool};

/// What the tests need, where `cargo xtask setup` puts it.
fn hls_js() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/npm/node_modules/hls.js/dist/hls.min.js"
    );
    std::fs::read_to_string(path).unwrap_or_else(|error| {
        panic!(
            "this test needs hls.js: run `cargo xtask setup`, which installs it ({path}: {error})"
        )
    })
}

/// A page in which hls.js plays `path`, and notes in `trouble` what goes wrong. (What it aborts itself, as it changes to another variant, is no trouble.)
fn open(server: &Server, path: &str, options: &str) -> Page {
    // A document of the server's origin, without the page's content security policy.
    let mut page = Page::open(&server.url("/healthz"));
    page.wait("document.readyState === 'complete' && location.pathname === '/healthz'");
    page.evaluate(&hls_js());
    let url = server.url(path);
    page.evaluate(&format!(
        "window.trouble = []; window.video = document.createElement('video'); document.body.append(video);
         video.muted = true;
         window.hls = new Hls({{ enableWorker: false, {options} }});
         hls.on(Hls.Events.ERROR, (_, data) => data.details === 'aborted' || trouble.push(data.details + ' ' + (data.error || '')));
         hls.loadSource({url:?}); hls.attachMedia(video);
         video.addEventListener('playing', () => {{
            video.addEventListener('waiting', () => video.seeking || trouble.push('stalled at ' + video.currentTime));
         }}, {{ once: true }});
         video.play(); true"
    ));
    page.wait("video.currentTime > 0 && !video.paused && hls.playingDate !== null");
    page
}

/// Waits until it has played on for so many seconds.
fn play_on(page: &mut Page, seconds: u32) {
    page.evaluate("window.before = video.currentTime; true");
    page.wait(&format!("video.currentTime > before + {seconds}"));
}

fn assert_no_trouble(page: &mut Page) {
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}

/// Plays `path` of a live publisher, and returns the page and the latencies that were seen, in seconds.
fn play(path: &str, options: &str) -> (Page, Vec<f64>) {
    let mut server = Server::start(&[]);
    let _publisher = support::publish(&server.rtmp_url("live/cam"), 120);
    server.wait_live("live/cam");
    let mut page = open(&server, path, options);
    let start = page
        .evaluate("video.currentTime")
        .as_f64()
        .expect("a number");
    let mut latencies = Vec::new();
    let seconds = support::play_seconds();
    for _ in 0..seconds {
        std::thread::sleep(Duration::from_secs(1));
        let latency = page.evaluate("(Date.now() - hls.playingDate) / 1000");
        latencies.push(latency.as_f64().expect("a number"));
    }
    let end = page
        .evaluate("video.currentTime")
        .as_f64()
        .expect("a number");
    let trouble = page.evaluate("trouble");
    eprintln!("{path}: latencies {latencies:.2?}, trouble {trouble}");
    assert_eq!(trouble, Value::Array(Vec::new()), "after {latencies:?}");
    assert!(end - start > seconds as f64 - 1.5, "{start} to {end}");
    assert!(page.evaluate("video.videoWidth").as_u64() > Some(0));
    let sound = page.evaluate("video.webkitAudioDecodedByteCount");
    assert!(sound.as_u64() > Some(0), "sound is decoded: {sound}");
    (page, latencies)
}

#[test]
fn low_latency_cmaf_stays_under_two_and_a_half_seconds() {
    let (mut page, latencies) = play("/live/cam/index.m3u8", "lowLatencyMode: true");
    assert_eq!(
        page.evaluate("hls.lowLatencyMode && hls.latestLevelDetails?.canBlockReload"),
        true
    );
    let late = latencies.iter().filter(|latency| **latency >= 2.5).count();
    assert_eq!(late, 0, "{latencies:?}");
}

#[test]
fn cmaf_plays_without_parts() {
    play("/live/cam/index.m3u8", "lowLatencyMode: false");
}

#[test]
fn transport_streams_play() {
    play("/live/cam/ts/index.m3u8", "");
}

/// An encoder with two qualities of one picture, each a stream of its own, with the same times and keyframes.
fn publish_two_qualities(server: &Server) -> Process {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args([
        "-v",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=640x360:rate=25",
    ]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"]);
    for (size, name) in [("640x360", "live/high"), ("320x180", "live/low")] {
        ffmpeg.args("-map 0:v -map 1:a -t 90 -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -c:a aac -s".split(' '));
        ffmpeg.args([size, "-f", "flv", &server.rtmp_url(name)]);
    }
    Process::spawn(&mut ffmpeg)
}

#[test]
fn variants_of_a_group_are_changed_between_without_a_break() {
    let (_folder, settings) = support::settings(
        "[[group]]\nstream = 'live/show'\nvariants = ['live/high', 'live/low']\n",
    );
    let mut server = Server::start(&["--config", &settings]);
    let _publisher = publish_two_qualities(&server);
    server.wait_live("live/high");
    server.wait_live("live/low");
    for name in ["high", "low"] {
        assert_eq!(server.get(&format!("/live/{name}/index.m3u8")).status, 200);
    }
    let mut page = open(
        &server,
        "/live/show/index.m3u8",
        "lowLatencyMode: true, startLevel: 0",
    );
    assert_eq!(
        page.evaluate("hls.levels.map((level) => level.width).join()"),
        "320,640"
    );
    for (level, width) in [(1, 640), (0, 320), (1, 640)] {
        page.evaluate(&format!("hls.nextLevel = {level}; true"));
        page.wait(&format!("video.videoWidth === {width}"));
        play_on(&mut page, 3);
    }
    let latency = page.evaluate("(Date.now() - hls.playingDate) / 1000");
    assert!(latency.as_f64() < Some(2.5), "{latency}");
    assert_no_trouble(&mut page);
}

#[test]
fn one_of_several_sounds_is_chosen() {
    let mut server = Server::start(&[]);
    let _publisher = support::publish_two_sounds(&server.rtmp_url("live/cam"));
    server.wait_live("live/cam");
    let mut page = open(&server, "/live/cam/index.m3u8", "lowLatencyMode: true");
    assert_eq!(page.evaluate("hls.audioTracks.length"), 2);
    play_on(&mut page, 2);
    page.evaluate("window.heard = null; hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, (_, data) => { heard = data.id; }); hls.audioTrack = 1; true");
    page.wait("heard === 1");
    play_on(&mut page, 4);
    assert_no_trouble(&mut page);
}

#[test]
fn viewers_go_back_and_return_to_the_live_edge() {
    let (_folder, settings) = support::settings("[hls]\nrewind = '60s'\n");
    let mut server = Server::start(&["--config", &settings]);
    let _publisher = support::publish(&server.rtmp_url("live/cam"), 120);
    server.wait_live("live/cam");
    std::thread::sleep(Duration::from_secs(18));
    let mut page = open(&server, "/live/cam/index.m3u8", "lowLatencyMode: true");
    assert!(
        page.evaluate("video.currentTime - hls.latestLevelDetails.fragmentStart")
            .as_f64()
            > Some(12.0)
    );
    page.evaluate("video.currentTime = hls.latestLevelDetails.fragmentStart + 1; true");
    page.wait("!video.seeking");
    play_on(&mut page, 3);
    page.evaluate("video.currentTime = hls.liveSyncPosition; true");
    page.wait("!video.seeking && hls.latency < 2.5");
    play_on(&mut page, 3);
    assert_no_trouble(&mut page);
}
