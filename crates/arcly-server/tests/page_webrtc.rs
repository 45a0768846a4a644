//! The page and WebRTC: it publishes the (fake) camera, plays in real time, and falls back to HLS where that cannot be.

mod support;

use serde_json::Value;
use support::page::Page;
use support::{Process, Server, tool};

/// Opens the page of a server, where what its scripts throw is noted.
fn open(server: &Server, path: &str) -> Page {
    let mut page = Page::open(&server.url(path));
    page.evaluate(
        "window.trouble = []; addEventListener('error', (event) => trouble.push(event.message));
         addEventListener('unhandledrejection', (event) => trouble.push(String(event.reason))); true",
    );
    page
}

fn text(id: &str) -> String {
    format!("document.querySelector('{id}').textContent")
}

const TIME: &str = "document.querySelector('#video').currentTime";

/// A number that the page shows, whatever its unit.
fn number(page: &mut Page, selector: &str) -> f64 {
    let shown = page.evaluate(&text(selector));
    let shown = shown.as_str().expect("a text");
    let digits = shown.split(' ').next().and_then(|text| text.parse().ok());
    digits.unwrap_or_else(|| panic!("{selector} is {shown:?}"))
}

fn click(page: &mut Page, selector: &str) {
    page.evaluate(&format!("document.querySelector('{selector}').click()"));
}

fn assert_no_trouble(page: &mut Page) {
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}

#[test]
fn the_camera_goes_live_and_is_watched_in_real_time() {
    let mut server = Server::start(&[]);
    let mut camera = open(&server, "/?by=hls");
    camera.wait("!document.querySelector('#camera').hidden");
    camera.evaluate("document.querySelector('#camera-name').value = 'my cam'");
    camera.evaluate("document.querySelector('#camera-codec').value = 'VP8'");
    click(&mut camera, "#camera-start");
    server.wait_live("live/my cam");
    camera.wait(&format!("{} === 'Live'", text("#camera-state")));
    camera.wait(&format!(
        "{}.includes('You are live as live/my cam')",
        text("#camera-notice")
    ));
    // Which size it is depends on the bandwidth that the browser has found so far.
    camera.wait(&format!("{}.includes(' × ')", text("[data-sent=picture]")));
    camera.wait(&format!(
        "{}.includes('bit/s')",
        text("[data-sent=bitrate]")
    ));
    assert_eq!(
        camera.evaluate("document.activeElement.id"),
        "camera-stop",
        "who uses the keyboard goes on from there"
    );

    let mut viewer = open(&server, "/#live/my%20cam");
    viewer.wait(&format!("{TIME} > 1"));
    viewer.wait(&format!("{}.startsWith('WebRTC')", text("#playing-by")));
    viewer.wait(&format!("{}.endsWith(' ms')", text("#latency")));
    viewer.wait(&format!(
        "{}.includes(' × ')",
        text("[data-received=picture]")
    ));
    viewer.wait(&format!("{}.endsWith('fps')", text("[data-received=fps]")));
    let (latency, stalls) = (
        number(&mut viewer, "#latency"),
        number(&mut viewer, "#stalls"),
    );
    eprintln!("the page says: latency {latency} ms, {stalls} stalls");
    for name in ["bitrate", "lost", "rtt", "buffer", "frozen", "codecs"] {
        let shown = viewer.evaluate(&text(&format!("[data-received={name}]")));
        eprintln!("{name}: {shown}");
        assert_ne!(shown, "–", "{name}");
    }
    // The sound can be turned on, as there is one.
    viewer.wait("!document.querySelector('#unmute').hidden");
    click(&mut viewer, "#unmute");
    viewer.wait(
        "!document.querySelector('#video').muted && document.querySelector('#unmute').hidden",
    );
    viewer.wait(&format!("{}.startsWith('WebRTC')", text("#playing-by")));
    if let Some(path) = std::env::var_os("ARCLY_SCREENSHOT") {
        viewer.screenshot(std::path::Path::new(&path));
        camera.screenshot(&std::path::Path::new(&path).with_extension("camera.png"));
    }

    let sessions = server.json("/api/v1/webrtc");
    let modes: Vec<_> = sessions["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["mode"].clone())
        .collect();
    assert_eq!(modes, ["publish", "play"], "{sessions:#}");
    for session in sessions["sessions"].as_array().expect("a list") {
        assert_eq!(session["state"], "connected", "{session:#}");
        assert_eq!(session["stream"], "my cam");
        assert_eq!(session["route"]["transport"], "udp");
        assert!(session["rtt_ms"].as_f64().is_some(), "{session:#}");
        assert!(
            session["tracks"][0]["packets"].as_u64() > Some(20),
            "{session:#}"
        );
    }
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("arcly_webrtc_sessions{mode=\"play\"} 1"),
        "{metrics}"
    );

    click(&mut camera, "#camera-mute");
    camera.wait("document.querySelector('#camera-mute').getAttribute('aria-pressed') === 'true'");
    click(&mut camera, "#camera-stop");
    camera.wait("document.querySelector('#camera-live').hidden && !document.querySelector('#camera-form').hidden");
    viewer.wait(&format!(
        "{}.includes('live/my cam is not live')",
        text("#notice")
    ));
    server.line(&["live/my cam: ended"]);
    assert_no_trouble(&mut camera);
    assert_no_trouble(&mut viewer);
}

/// An encoder for low latency: H.264 without B-frames, a keyframe each second, and AAC; with `more` options.
fn encoder(url: &str, more: &str) -> Process {
    Process::spawn(
        tool("ffmpeg")
            .args("-v error -re -f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=sample_rate=48000 -t 120".split(' '))
            .args("-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p".split(' '))
            .args(more.split(' ').filter(|word| !word.is_empty()))
            .args(["-c:a", "aac", "-f", "flv", url]),
    )
}

#[test]
fn where_media_finds_no_way_it_plays_by_hls() {
    // An address for documentation, where nobody is (RFC 5737): as where UDP and TCP are blocked.
    let mut server = Server::start(&["--webrtc-public-address", "203.0.113.9"]);
    let _encoder = encoder(&server.rtmp_url("live/cam"), "");
    server.wait_live("live/cam");
    let mut page = open(&server, "/#live/cam");
    page.wait(&format!("{} === 'HLS' && {TIME} > 1", text("#playing-by")));
    page.wait(&format!(
        "{}.includes('No way to the server for media was found')",
        text("#way-notice")
    ));
    // Whoever wants nothing else is told.
    page.evaluate("const way = document.querySelector('#way'); way.value = 'webrtc'; way.dispatchEvent(new Event('change'))");
    page.wait(&format!(
        "{}.includes('No way to the server for media was found')",
        text("#notice")
    ));
    assert_no_trouble(&mut page);
}

#[test]
fn sound_that_cannot_be_carried_is_played_by_hls_once_it_is_wanted() {
    let mut server = Server::start(&[]);
    // Only mono and stereo are made Opus.
    let _encoder = encoder(&server.rtmp_url("live/cam"), "-tune zerolatency -ac 6");
    server.wait_live("live/cam");
    let mut page = open(&server, "/#live/cam");
    page.wait(&format!(
        "{}.startsWith('WebRTC') && {TIME} > 1",
        text("#playing-by")
    ));
    page.wait(&format!("{}.includes('6 channels')", text("#way-notice")));
    page.wait(&format!("{}.includes('delay')", text("#unmute-text")));
    click(&mut page, "#unmute");
    page.wait(&format!("{} === 'HLS'", text("#playing-by")));
    page.wait("document.querySelector('#video').webkitAudioDecodedByteCount > 0");
    assert_eq!(
        page.evaluate("document.querySelector('#video').muted"),
        false
    );
    assert_no_trouble(&mut page);
}

#[test]
fn aac_is_heard_without_leaving_real_time() {
    let mut server = Server::start(&[]);
    let _encoder = encoder(&server.rtmp_url("live/cam"), "-tune zerolatency");
    server.wait_live("live/cam");
    let mut page = open(&server, "/#live/cam");
    page.wait(&format!(
        "{}.startsWith('WebRTC') && {TIME} > 1",
        text("#playing-by")
    ));
    click(&mut page, "#unmute");
    page.wait("!document.querySelector('#video').muted");
    page.wait("document.querySelector('#video').webkitAudioDecodedByteCount > 0 || document.querySelector('#video').srcObject?.getAudioTracks().length > 0");
    assert_eq!(
        page.evaluate(&format!("{}.startsWith('WebRTC')", text("#playing-by"))),
        true
    );
    assert_no_trouble(&mut page);
}

#[test]
fn pictures_with_b_frames_are_played_by_hls() {
    let mut server = Server::start(&[]);
    let _encoder = encoder(&server.rtmp_url("live/cam"), "-bf 2 -b_strategy 0");
    server.wait_live("live/cam");
    let mut page = open(&server, "/#live/cam");
    page.wait(&format!("{} === 'HLS' && {TIME} > 1", text("#playing-by")));
    page.wait(&format!("{}.includes('B-frames')", text("#way-notice")));
    assert_no_trouble(&mut page);
}

#[test]
fn what_is_wrong_with_publishing_is_told_in_words() {
    let mut server = Server::start(&["--takeover", "replace"]);
    let go_live = |page: &mut Page| {
        page.wait("!document.querySelector('#camera').hidden && document.querySelector('#camera-picture').options.length > 1");
        click(page, "#camera-start");
    };
    let mut page = open(&server, "/");
    // A camera that was there when the list was made.
    page.wait("!document.querySelector('#camera').hidden && document.querySelector('#camera-picture').options.length > 1");
    page.evaluate("document.querySelector('#camera-picture').prepend(new Option('gone', 'gone')); document.querySelector('#camera-picture').value = 'gone'");
    go_live(&mut page);
    page.wait(&format!(
        "{}.includes('is gone: choose another one')",
        text("#camera-notice")
    ));
    page.evaluate("document.querySelector('#camera-picture option').remove()");
    go_live(&mut page);
    page.wait(&format!("{} === 'Live'", text("#camera-state")));
    server.wait_live("live/cam");
    // Somebody else takes over.
    let mut other = open(&server, "/");
    go_live(&mut other);
    other.wait(&format!("{} === 'Live'", text("#camera-state")));
    page.wait(&format!(
        "{}.includes('The server has ended it')",
        text("#camera-notice")
    ));
    page.wait("document.querySelector('#camera-live').hidden");
    other.wait(&format!("{} === 'Live'", text("#camera-state")));
    assert_no_trouble(&mut page);
    assert_no_trouble(&mut other);

    let (_folder, settings) =
        support::settings("auth_jwt_secret = 'a-secret-of-at-least-32-characters'\n");
    let server = Server::start(&["--config", &settings]);
    let mut page = open(&server, "/");
    go_live(&mut page);
    page.wait(&format!(
        "{}.includes('A token that allows this is required')",
        text("#camera-notice")
    ));
    assert_no_trouble(&mut page);
}
