//! The page's own player: LL-HLS by Media Source Extensions, in a real browser.
//!
//! `cargo xtask browser 60` has it play for a minute.

mod support;

use serde_json::Value;
use support::page::Page;
use support::{Process, Server, publish, tool};

/// Opens the page of a server, where what its scripts throw is noted.
fn open(server: &Server, path: &str) -> Page {
    let path = path.replacen('/', "/?by=hls", 1);
    let mut page = Page::open(&server.url(&path));
    page.evaluate(
        "window.trouble = []; addEventListener('error', (event) => trouble.push(event.message));
         addEventListener('unhandledrejection', (event) => trouble.push(String(event.reason))); true",
    );
    page
}

const TIME: &str = "document.querySelector('video').currentTime";
const STALLS: &str = "document.querySelector('#stalls').textContent";

/// What the page says of the latency, in seconds.
fn latency(page: &mut Page) -> f64 {
    let text = page.evaluate("document.querySelector('#latency').textContent");
    let text = text.as_str().expect("a text");
    let seconds = text.strip_suffix(" s").and_then(|text| text.parse().ok());
    seconds.unwrap_or_else(|| panic!("the latency is {text:?}"))
}

/// An encoder of ours: with or without picture and sound.
fn publish_only(url: &str, input: &str, codec: &[&str]) -> Process {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-v", "error", "-re", "-f", "lavfi", "-i", input, "-t", "60"]);
    Process::spawn(ffmpeg.args(codec).args(["-f", "flv", url]))
}

#[test]
fn a_live_stream_plays_with_low_latency_and_without_a_stall() {
    let mut server = Server::start(&[]);
    let _publisher = publish(&server.rtmp_url("live/cam"), 120);
    server.wait_live("live/cam");
    let mut page = open(&server, "/");
    page.wait(&format!(
        "{TIME} > 0 && document.querySelector('#latency').textContent !== '–'"
    ));
    let start = page.evaluate(TIME).as_f64().expect("a number");
    let seconds = support::play_seconds();
    let mut latencies = Vec::new();
    for _ in 0..seconds {
        std::thread::sleep(std::time::Duration::from_secs(1));
        latencies.push(latency(&mut page));
    }
    let end = page.evaluate(TIME).as_f64().expect("a number");
    eprintln!("latencies {latencies:?}");
    assert!(
        latencies.iter().all(|latency| (0.5..2.5).contains(latency)),
        "{latencies:?}"
    );
    assert!(end - start > seconds as f64 - 1.5, "{start} to {end}");
    assert_eq!(page.evaluate(STALLS), "0");
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
    let decoded = "document.querySelector('video').webkitAudioDecodedByteCount > 0 && document.querySelector('video').videoWidth === 320";
    assert_eq!(page.evaluate(decoded), true);
    let rate = page.evaluate("document.querySelector('video').playbackRate");
    assert!(
        (0.95..=1.1).contains(&rate.as_f64().expect("a number")),
        "{rate}"
    );
}

#[test]
fn it_goes_on_when_the_publisher_stops_and_returns() {
    let mut server = Server::start(&[]);
    let mut publisher = publish(&server.rtmp_url("live/cam"), 10);
    server.wait_live("live/cam");
    let mut page = open(&server, "/#live/cam");
    page.wait(&format!("{TIME} > 1"));
    page.evaluate("window.source = document.querySelector('video').src");
    assert!(publisher.0.wait().expect("a child").success());
    page.wait(&format!("{STALLS} === '1'"));
    let stopped = page.evaluate(TIME).as_f64().expect("a number");
    // In time, before EXT-X-ENDLIST.
    let _publisher = publish(&server.rtmp_url("live/cam"), 40);
    page.wait(&format!("{TIME} > {}", stopped + 6.0));
    assert_eq!(
        page.evaluate("document.querySelector('video').src === source"),
        true,
        "the same player goes on"
    );
    assert_eq!(page.evaluate(STALLS), "1");
    let latency = latency(&mut page);
    assert!(latency < 2.5, "{latency}");
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}

#[test]
fn it_starts_anew_when_the_publisher_returns_with_other_tracks() {
    let mut server = Server::start(&[]);
    let mut publisher = publish(&server.rtmp_url("live/cam"), 10);
    server.wait_live("live/cam");
    let mut page = open(&server, "/#live/cam");
    page.wait(&format!(
        "{TIME} > 1 && document.querySelector('video').webkitAudioDecodedByteCount > 0"
    ));
    assert!(publisher.0.wait().expect("a child").success());
    let codec = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "25",
        "-pix_fmt",
        "yuv420p",
    ];
    let _publisher = publish_only(
        &server.rtmp_url("live/cam"),
        "testsrc2=size=640x360:rate=25",
        &codec,
    );
    page.wait("document.querySelector('video').videoWidth === 640");
    page.evaluate(&format!("window.before = {TIME}"));
    page.wait(&format!("{TIME} > before + 4"));
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}

#[test]
fn sound_alone_and_pictures_alone_play() {
    let server = Server::start(&[]);
    let picture = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "25",
        "-pix_fmt",
        "yuv420p",
    ];
    let _picture = publish_only(
        &server.rtmp_url("live/picture"),
        "testsrc2=size=320x180:rate=25",
        &picture,
    );
    let sound = ["-c:a", "aac"];
    let _sound = publish_only(
        &server.rtmp_url("live/sound"),
        "sine=frequency=440:sample_rate=48000",
        &sound,
    );
    let mut page = open(&server, "/#live/sound");
    page.wait("document.querySelectorAll('#streams a').length === 2");
    page.wait(&format!(
        "{TIME} > 1 && document.querySelector('#notice').textContent === 'Sound only'"
    ));
    page.evaluate("window.before = 0; location.hash = '#live/picture'");
    page.wait("document.querySelector('video').videoWidth === 320");
    page.evaluate(&format!("window.before = {TIME}"));
    page.wait(&format!(
        "{TIME} > before + 2 && document.querySelector('#unmute').hidden"
    ));
    assert_eq!(page.evaluate(STALLS), "0");
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}

#[test]
fn what_the_browser_does_not_decode_is_said() {
    let server = Server::start(&[]);
    let mut page = open(&server, "/");
    let choose = |page: &mut Page, streams: &str| {
        page.evaluate(&format!(
            "(async () => {{
                const {{ choose }} = await import('/assets/player/choice.js');
                const {{ parseMultivariant }} = await import('/assets/player/playlist.js');
                const {{ tracks, left, sounds }} = choose(parseMultivariant('#EXTM3U\\n' + {streams:?}, location.href));
                return tracks.map((track) => track.url.split('/').at(-1)).join() + '; ' + left.join() + '; ' + sounds.join();
            }})()"
        ))
    };
    let sound = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"1\",DEFAULT=YES,URI=\"a1.m3u8\"\n";
    let stream = |rate: u32, codecs: &str, more: &str, url: &str| {
        format!("#EXT-X-STREAM-INF:BANDWIDTH={rate},CODECS=\"{codecs}\"{more}\n{url}\n")
    };
    let audio = ",AUDIO=\"a\"";
    for (streams, expected) in [
        (
            stream(1, "hvc1.1.6.L93.B0", "", "v0.m3u8"),
            "; hvc1.1.6.L93.B0; ",
        ),
        (
            sound.to_owned() + &stream(1, "avc1.42C01F,ac-3", audio, "v0.m3u8"),
            "v0.m3u8; ac-3; 1",
        ),
        (
            sound.to_owned() + &stream(1, "avc1.42C01F,mp4a.40.2", audio, "v0.m3u8"),
            "v0.m3u8,a1.m3u8; ; 1",
        ),
        (
            sound.to_owned() + &stream(1, "avc1.42C01F,Opus", audio, "v0.m3u8"),
            "v0.m3u8,a1.m3u8; ; 1",
        ),
        (
            stream(1, "avc1.42C01F,mp4a.40.2", "", "media.m3u8"),
            "media.m3u8; ; ",
        ),
        (stream(1, "mp4a.40.2", "", "a0.m3u8"), "a0.m3u8; ; "),
        // The best that is decoded, of several.
        (
            stream(1, "avc1.42C01F", "", "low.m3u8")
                + &stream(2, "avc1.42C01F", "", "high.m3u8")
                + &stream(3, "hvc1.1.6.L93.B0", "", "best.m3u8"),
            "high.m3u8; hvc1.1.6.L93.B0; ",
        ),
    ] {
        assert_eq!(choose(&mut page, &streams), expected, "{streams}");
    }
}

#[test]
fn an_update_of_a_playlist_is_the_same_as_the_whole() {
    let (_folder, settings) = support::settings("[hls]\nrewind = '60s'\n");
    let mut server = Server::start(&["--demo", "--config", &settings]);
    server.wait_live("live/demo");
    let mut page = open(&server, "/");
    page.wait(&format!("{TIME} > 15"));
    let same = page.evaluate(
        "(async () => {
            const { parseMedia } = await import('/assets/player/playlist.js');
            const get = async (query) => (await fetch('/live/demo/cmaf/v0.m3u8' + query)).text();
            const before = parseMedia(await get(''), location.href);
            const { msn, part } = before.next;
            const [delta, whole] = await Promise.all([`&_HLS_skip=YES`, ''].map((skip) => get(`?_HLS_msn=${msn}&_HLS_part=${part}${skip}`)));
            const flat = (list) => JSON.stringify({ ...list, segments: list.segments.map((segment) => ({ ...segment, date: Math.round(segment.date / 2), parts: [] })) });
            return [delta.includes('EXT-X-SKIP'), flat(parseMedia(delta, location.href, before)) === flat(parseMedia(whole, location.href)),
                parseMedia(delta, location.href, { segments: [] })];
        })()",
    );
    assert_eq!(same, serde_json::json!([true, true, null]));
}

#[test]
fn viewers_go_back_and_return_to_the_live_edge() {
    let (_folder, settings) = support::settings("[hls]\nrewind = '60s'\n");
    let mut server = Server::start(&["--config", &settings]);
    let _publisher = publish(&server.rtmp_url("live/cam"), 120);
    server.wait_live("live/cam");
    // Whoever comes later has more behind them than they have loaded.
    std::thread::sleep(std::time::Duration::from_secs(18));
    let mut page = open(&server, "/");
    page.wait(&format!(
        "{TIME} > 0 && document.querySelector('#latency').textContent !== '–'"
    ));
    assert_eq!(
        page.evaluate("document.querySelector('#go-live').hidden"),
        true
    );
    page.evaluate("window.video = document.querySelector('video'); video.currentTime = video.seekable.start(0) + 1; true");
    page.wait("!video.seeking && !document.querySelector('#go-live').hidden");
    page.evaluate(&format!("window.before = {TIME}; true"));
    page.wait(&format!("{TIME} > before + 3"));
    let far = latency(&mut page);
    assert!(far > 10.0, "{far}");
    page.evaluate("document.querySelector('#go-live').click()");
    page.wait("document.querySelector('#go-live').hidden && !video.seeking && parseFloat(document.querySelector('#latency').textContent) < 2.5");
    page.evaluate(&format!("window.before = {TIME}; true"));
    page.wait(&format!("{TIME} > before + 3"));
    assert!(latency(&mut page) < 2.5);
    assert_eq!(page.evaluate(STALLS), "0");
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}

#[test]
fn one_of_several_sounds_is_chosen() {
    let mut server = Server::start(&[]);
    let _publisher = support::publish_two_sounds(&server.rtmp_url("live/cam"));
    server.wait_live("live/cam");
    let mut page = open(&server, "/");
    page.wait(&format!("{TIME} > 1"));
    page.wait("!document.querySelector('#sound-box').hidden && document.querySelectorAll('#sound option').length === 2");
    page.evaluate(
        "window.asked = []; window.ask = fetch; window.fetch = (url, options) => { asked.push(String(url)); return ask(url, options); };
         window.sounds = () => new Set(asked.map((url) => url.match(/cmaf\\/(a\\d+)-/)?.[1]).filter(Boolean)); true",
    );
    page.wait("sounds().size === 1");
    page.evaluate("document.querySelector('#sound').selectedIndex = 1; document.querySelector('#sound').dispatchEvent(new Event('change')); true");
    page.wait("sounds().size === 2");
    page.evaluate(&format!("window.before = {TIME}; true"));
    page.wait(&format!(
        "{TIME} > 0 && {TIME} !== before && document.querySelector('#sound').selectedIndex === 1"
    ));
    assert_eq!(page.evaluate("trouble"), Value::Array(Vec::new()));
}
