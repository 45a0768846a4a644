//! SRT in and out of the server: ffmpeg publishes by it, RTMP's and HLS's viewers see it, and the API tells of it.

mod support;

use std::time::{Duration, Instant};
use support::{Server, run, tool};

const PASSPHRASE: &str = "correct-horse-battery";

#[test]
fn what_comes_by_srt_plays_by_srt_and_all_others() {
    let mut server = Server::start(&["--srt-passphrase", PASSPHRASE]);
    let port = server.listening("srt").port();
    assert_eq!(server.json("/api/v1/server")["srt_port"], port);
    let url = |id: &str| {
        format!("srt://127.0.0.1:{port}?streamid={id}&passphrase={PASSPHRASE}&mode=caller")
    };
    let picture = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30"];
    let sound = ["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000"];
    let coding = "-c:v libx264 -preset ultrafast -g 30 -pix_fmt yuv420p -c:a aac -t 20 -f mpegts";
    let mut publisher = tool("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(picture)
        .args(sound)
        .args(coding.split(' '))
        .arg(url("publish:live/cam"))
        .spawn()
        .expect("ffmpeg starts");
    server.wait_live("live/cam");
    let sources = [
        url("read:live/cam"),
        server.rtmp_url("live/cam"),
        server.url("/live/cam/index.m3u8"),
    ];
    for source in &sources {
        run(tool("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i", source])
            .args(["-t", "1", "-c", "copy", "-f", "null", "-"]));
    }
    let connections = server.json("/api/v1/srt");
    let connection = &connections["connections"][0];
    assert_eq!(connection["mode"], "publish");
    assert_eq!(connection["stream"], "cam");
    assert_eq!(connection["key_bits"], 128);
    assert!(connection["received"]["packets"].as_u64() > Some(10));
    let metrics = server.get("/metrics");
    assert!(metrics.text().contains("arcly_srt_connections 1"));

    // Without the passphrase, or to a name that is taken, nobody gets in.
    for id in ["read:live/cam", "publish:live/cam"] {
        let open = format!("srt://127.0.0.1:{port}?streamid={id}&mode=caller");
        let refused = tool("ffmpeg")
            .args(["-v", "quiet", "-nostdin", "-i", &open, "-f", "null", "-"])
            .status();
        assert!(!refused.expect("ffmpeg starts").success());
    }
    server.line(&["refused", "(11)"]);

    publisher.kill().expect("it runs");
    let killed = now();
    server.line(&["live/cam: ended"]);
    assert!(now() - killed < Duration::from_secs(8));
    let _ = publisher.wait();
}

#[expect(clippy::disallowed_methods, reason = "measures the server's patience")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn streams_are_pushed_to_and_pulled_from_another_server() {
    let mut far = Server::start(&["--srt-passphrase", PASSPHRASE]);
    let port = far.listening("srt").port();
    let url = |id: &str| format!("srt://127.0.0.1:{port}?streamid={id}&passphrase={PASSPHRASE}");
    let (_folder, settings) = support::settings(&format!(
        "[[push]]\nstream = 'live/*'\nurl = '{}'\n[[pull]]\nstream = 'live/back'\nurl = '{}'\n",
        url("publish:live/{stream}-there"),
        url("read:live/cam-there"),
    ));
    let mut near = Server::start(&["--config", &settings]);
    let _publisher = support::publish(&near.rtmp_url("live/cam"), 60);
    far.wait_live("live/cam-there");
    near.wait_live("live/back");
    run(tool("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", &near.rtmp_url("live/back")])
        .args(["-t", "1", "-c", "copy", "-f", "null", "-"]));
    let relays = near.json("/api/v1/relays").to_string();
    assert!(!relays.contains(PASSPHRASE), "{relays}");
}

/// Publishes a second of a test picture; whether the server takes it.
fn publishes(port: u16, stream: &str, passphrase: &str) -> bool {
    let passphrase = match passphrase {
        "" => String::new(),
        secret => format!("&passphrase={secret}"),
    };
    let url = format!("srt://127.0.0.1:{port}?streamid=publish:{stream}&mode=caller{passphrase}");
    let picture = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120:rate=30",
        "-t",
        "1",
    ];
    tool("ffmpeg")
        .args(["-v", "quiet", "-nostdin", "-re"])
        .args(picture)
        .args("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -f mpegts".split(' '))
        .arg(url)
        .status()
        .expect("ffmpeg starts")
        .success()
}

#[test]
fn each_stream_has_the_passphrase_that_the_file_gives_it() {
    const OF_CAM: &str = "only-the-camera-knows";
    let (_folder, settings) = support::settings(&format!(
        "app = ['live', 'other']\nsrt_passphrase = '{PASSPHRASE}'\n\
         [[srt.passphrase]]\nstream = 'live/cam'\npassphrase = '{OF_CAM}'\n\
         [[srt.passphrase]]\nstream = 'live/*'\npassphrase = ''\n"
    ));
    let mut server = Server::start(&["--config", &settings]);
    let port = server.listening("srt").port();
    for (stream, passphrase, code) in [
        ("live/cam", OF_CAM, None),
        ("live/cam", PASSPHRASE, Some("(10)")),
        // In the clear to what is encrypted, and the reverse.
        ("live/cam", "", Some("(11)")),
        ("live/open", "", None),
        ("live/open", PASSPHRASE, Some("(11)")),
        ("other/cam", PASSPHRASE, None),
        ("other/cam", "", Some("(11)")),
    ] {
        assert_eq!(
            publishes(port, stream, passphrase),
            code.is_none(),
            "{stream}, {passphrase}"
        );
        match code {
            Some(code) => server.next_line(&["refused", code]),
            None => server.next_line(&[&format!("{stream}: published by")]),
        }
    }
    let shown = tool(env!("CARGO_BIN_EXE_arcly"))
        .args(["--config", &settings, "--check-config"])
        .output()
        .expect("arcly starts");
    let shown = [shown.stdout, shown.stderr].concat();
    let shown = String::from_utf8_lossy(&shown);
    assert!(
        !shown.contains(OF_CAM) && !shown.contains(PASSPHRASE),
        "{shown}"
    );
}
