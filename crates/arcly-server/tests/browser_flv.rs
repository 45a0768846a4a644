//! HTTP-FLV in a browser, where mpegts.js feeds it to Media Source Extensions.

mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use support::page::Page;
use support::{Server, run, tool};

/// The player, fetched once by npm.
const PACKAGE: &str = "mpegts.js@1.8.2";

/// The player's source text.
fn player() -> &'static str {
    static PLAYER: OnceLock<String> = OnceLock::new();
    PLAYER.get_or_init(fetch)
}

fn fetch() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(PACKAGE);
    let script: PathBuf = folder.join("node_modules/mpegts.js/dist/mpegts.js");
    if !script.exists() {
        std::fs::create_dir_all(&folder).expect("a folder");
        run(tool("npm")
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--no-save",
            ])
            .args(["--prefix", folder.to_str().expect("UTF-8"), PACKAGE]));
    }
    std::fs::read_to_string(script).expect("npm has put it there")
}

#[test]
fn mpegts_js_plays_by_http_and_by_websocket() {
    let player = player();
    let mut server = Server::start(&["--demo"]);
    server.wait_live("live/demo");
    for scheme in ["http", "ws"] {
        let mut page = Page::open(&server.url("/api/v1/server"));
        page.evaluate(player);
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
    let player = player();
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
    page.evaluate(player);
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
