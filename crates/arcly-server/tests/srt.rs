//! SRT in and out of the server: ffmpeg publishes by it, RTMP's and HLS's viewers see it, and the API tells of it.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use std::time::{Duration, Instant};
use support::{Process, Server, run, tool};

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

#[test]
fn the_api_and_the_metrics_tell_what_the_network_does() {
    let mut server = Server::start(&[]);
    let address = server.listening("srt");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    // 40 ms there and back; one in twenty is lost, either way.
    let link = LinkConfig {
        delay: Duration::from_millis(20),
        loss_per_million: 50_000,
        ..LinkConfig::default()
    };
    let proxy = |seed| {
        let proxy = UdpProxy::start(address, link, link, seed);
        runtime.block_on(proxy).expect("a proxy")
    };
    let (publishing, playing) = (proxy(1), proxy(7));
    let url = |proxy: &UdpProxy, id: &str| {
        // ffmpeg counts in microseconds.
        let address = proxy.address();
        format!("srt://{address}?streamid={id}&mode=caller&latency=400000&linger=0")
    };
    let picture = ["-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"];
    let coding = "-c:v libx264 -preset ultrafast -b:v 4M -g 30 -pix_fmt yuv420p -f mpegts";
    let mut publisher = tool("ffmpeg");
    publisher
        .args(["-v", "error", "-nostdin"])
        .args(picture)
        .args(coding.split(' '));
    let _publisher = Process::spawn(publisher.arg(url(&publishing, "publish:live/cam")));
    server.wait_live("live/cam");
    let mut player = tool("ffmpeg");
    player.args([
        "-v",
        "error",
        "-nostdin",
        "-i",
        &url(&playing, "read:live/cam"),
    ]);
    let _player = Process::spawn(player.args(["-c", "copy", "-f", "null", "-"]));

    let of = |server: &Server, mode: &str| {
        let connections = server.json("/api/v1/srt")["connections"].clone();
        let all = connections.as_array().expect("a list");
        all.iter().find(|it| it["mode"] == mode).cloned()
    };
    let count = |value: &serde_json::Value| value.as_u64().expect("a number");
    let deadline = now() + support::PATIENCE;
    // Until there is enough to judge by.
    let (published, played) = loop {
        assert!(now() < deadline, "both are connected and go on");
        let both = (of(&server, "publish"), of(&server, "play"));
        if let (Some(published), Some(played)) = both
            && count(&published["received"]["packets"]) > 2_000
            && count(&played["sent"]["packets"]) > 2_000
        {
            break (published, played);
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    for connection in [&published, &played] {
        let rtt = connection["rtt_ms"].as_f64().expect("a number");
        assert!((38.0..80.0).contains(&rtt), "{rtt} ms");
    }
    // A twentieth, give or take.
    let is_a_twentieth = |part: u64, of: u64| part * 100 > of * 3 && part * 100 < of * 8;
    let received = &published["received"];
    assert_eq!(received["latency_ms"], 400.0);
    assert!(is_a_twentieth(
        count(&received["missing_packets"]),
        count(&received["packets"])
    ));
    let waiting = count(&received["missing_packets"]) - count(&received["recovered_packets"]);
    assert!(waiting < 100, "{waiting}");
    assert_eq!(received["dropped_packets"], 0);
    assert!(count(&received["bitrate"]) > 1_000_000);
    assert!(count(&received["buffered_packets"]) > 50);
    let sent = &played["sent"];
    // Some are sent again before it can be known that they have to be.
    let (again, all) = (
        count(&sent["retransmitted_packets"]),
        count(&sent["packets"]),
    );
    assert!(
        again * 100 > all * 3 && again * 100 < all * 20,
        "{again} of {all}"
    );
    assert!(count(&sent["lost_packets"]) >= count(&sent["retransmitted_packets"]) / 2);
    assert!(count(&sent["bitrate"]) > 1_000_000);
    let metrics = server.get("/metrics").text();
    let metric = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
            .expect(name)
    };
    assert!(metric("arcly_srt_missing_packets ") >= count(&received["missing_packets"]) as f64);
    assert!(
        metric("arcly_srt_retransmitted_packets ") >= count(&sent["retransmitted_packets"]) as f64
    );
    assert!(metric("arcly_srt_rtt_max_seconds ") > 0.038);
    assert!(metric("arcly_srt_buffered_bytes ") > 50_000.0);
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
