//! HTTP-FLV in a browser, where mpegts.js feeds it to Media Source Extensions.

mod support;

use support::page::Page;
use support::{Server, tool};

/// The player's source text, where `cargo xtask setup` puts it.
fn mpegts_js() -> String {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../target/npm/node_modules/mpegts.js/dist/mpegts.js"
    );
    std::fs::read_to_string(path).unwrap_or_else(|error| {
        panic!("this test needs mpegts.js: run `cargo xtask setup`, which installs it ({path}: {error})")
    })
}

#[test]
fn mpegts_js_plays_by_http_and_by_websocket() {
    let player = mpegts_js();
    let mut server = Server::start(&["--demo"]);
    server.wait_live("live/demo");
    for scheme in ["http", "ws"] {
        let mut page = Page::open(&server.url("/api/v1/server"));
        page.evaluate(&player);
        page.wait("typeof mpegts === 'object' && mpegts.isSupported()");
        page.evaluate(&format!(
            "document.body.innerHTML = '<video muted></video>';
             window.video = document.querySelector('video');
             window.failed = null;
             window.flv = mpegts.createPlayer({{ type: 'flv', isLive: true, url: '{scheme}://{}/live/demo.flv' }});
             flv.on(mpegts.Events.ERROR, (...what) => {{ failed = JSON.stringify(what); }});
             flv.attachMediaElement(video);
             flv.load();
             video.play().catch((error) => {{ failed = String(error); }});
             0",
            server.http_address()
        ));
        page.wait("failed !== null || video.currentTime > 0");
        page.wait("failed !== null || video.buffered.length > 0 && video.buffered.end(0) - video.buffered.start(0) > 5");
        assert_eq!(page.evaluate("failed"), serde_json::Value::Null, "{scheme}");
        assert_eq!(page.evaluate("video.videoWidth"), 640);
        let info = page.evaluate(
            "[flv.mediaInfo.videoCodec, flv.mediaInfo.hasAudio, video.buffered.length].join()",
        );
        let info = info.as_str().expect("text").to_owned();
        assert!(
            info.starts_with("avc1.") && info.ends_with(",true,1"),
            "{scheme}: {info}"
        );
        page.evaluate("flv.destroy()");
    }
    let text = server.get("/metrics").text();
    assert!(
        text.contains(r#"arcly_plays_started_total{protocol="ws-flv"} 1"#),
        "{text}"
    );
}

#[test]
fn a_stream_without_sound_starts_as_well() {
    let player = mpegts_js();
    let mut server = Server::start(&[]);
    let _publisher = support::Process::spawn(
        tool("ffmpeg")
            .args([
                "-v",
                "error",
                "-re",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=320x180:rate=25",
                "-t",
                "30",
            ])
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-g",
                "25",
                "-pix_fmt",
                "yuv420p",
                "-f",
                "flv",
            ])
            .arg(server.rtmp_url("live/mute")),
    );
    server.wait_live("live/mute");
    let mut page = Page::open(&server.url("/api/v1/server"));
    page.evaluate(&player);
    page.wait("typeof mpegts === 'object'");
    page.evaluate(
        "document.body.innerHTML = '<video muted></video>';
         window.video = document.querySelector('video');
         window.flv = mpegts.createPlayer({ type: 'flv', isLive: true, url: location.origin + '/live/mute.flv' });
         flv.attachMediaElement(video);
         flv.load();
         video.play().catch(() => {});
         0",
    );
    page.wait("video.currentTime > 2");
}
