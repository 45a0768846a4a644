//! hls.js in a real browser: low-latency CMAF and MPEG-TS, live, measured by the wall clock that the playlists tell.
//!
//! `cargo xtask browser 60` has each of them play for a minute.

mod support;

use serde_json::Value;
use std::time::Duration;
use support::Server;
use support::page::Page;

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

/// Plays `path` of a live publisher, and returns the page and the latencies that were seen, in seconds.
fn play(path: &str, options: &str) -> (Page, Vec<f64>) {
    let mut server = Server::start(&[]);
    let _publisher = support::publish(&server.rtmp_url("live/cam"), 120);
    server.wait_live("live/cam");
    // A document of the server's origin, without the page's content security policy.
    let mut page = Page::open(&server.url("/healthz"));
    page.wait("document.readyState === 'complete' && location.pathname === '/healthz'");
    page.evaluate(&hls_js());
    let url = server.url(path);
    page.evaluate(&format!(
        "window.trouble = []; window.video = document.createElement('video'); document.body.append(video);
         video.muted = true;
         window.hls = new Hls({{ enableWorker: false, {options} }});
         hls.on(Hls.Events.ERROR, (_, data) => trouble.push(data.details + ' ' + (data.error || '')));
         hls.loadSource({url:?}); hls.attachMedia(video);
         video.addEventListener('playing', () => {{
            video.addEventListener('waiting', () => trouble.push('stalled at ' + video.currentTime));
         }}, {{ once: true }});
         video.play(); true"
    ));
    page.wait("video.currentTime > 0 && !video.paused && hls.playingDate !== null");
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
