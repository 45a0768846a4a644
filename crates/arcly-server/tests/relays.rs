//! Streams that go from server to server, as the configuration says.

mod support;

use std::path::{Path, PathBuf};
use support::certificate::Certificate;
use support::packets::{assert_same, make_clip, packets_of, publish_clip, read, record};
use support::{Process, Server, arcly, run};

/// A server with what stands in `toml`.
fn start(folder: &Path, name: &str, toml: &str, arguments: &[&str]) -> Server {
    let path = folder.join(name);
    std::fs::write(&path, toml).expect("written");
    let config = path.to_str().expect("UTF-8");
    Server::start(&[&["--config", config], arguments].concat())
}

fn wait_state(server: &Server, stream: &str, state: &str) -> serde_json::Value {
    for _ in 0..300 {
        let relays = server.json("/api/v1/relays");
        let relays = relays["relays"].as_array().expect("a list").clone();
        let found = relays
            .into_iter()
            .find(|relay| relay["stream"] == stream && relay["state"] == state);
        if let Some(relay) = found {
            return relay;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!(
        "{stream} is never {state}: {}",
        server.get("/api/v1/relays").text()
    );
}

#[test]
fn a_stream_goes_from_server_to_server_and_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    make_clip(&file("clip.flv"), 8);
    let sent = packets_of(&file("clip.flv"));
    let certificate = Certificate::make(folder.path());
    // B takes what A pushes, by TLS; C pulls from A.
    let mut b = Server::start(&certificate.flags());
    let rtmps = b.listening("rtmps");
    let quick = "retry_min = '100ms'\nretry_max = '500ms'\n";
    let a_toml = format!(
        "[[push]]\nstream = 'live/cam'\nurl = 'rtmps://localhost:{}/live/one?token=s3cret'\ntls_ca = '{}'\n{quick}\
         [[push]]\nstream = 'live/*'\nurl = 'rtmp://{}/live/all-{{stream}}'\n{quick}",
        rtmps.port(),
        certificate.chain.display(),
        b.rtmp.expect("on"),
    );
    let mut a = start(folder.path(), "a.toml", &a_toml, &[]);
    let c_toml = format!(
        "[[pull]]\nstream = 'live/pulled'\nurl = '{}'\n{quick}",
        a.rtmp_url("live/cam")
    );
    let mut c = start(folder.path(), "c.toml", &c_toml, &[]);
    // Nothing is published yet, so the pull fails; the server is as ready as ever.
    let failed = wait_state(&c, "pulled", "failed");
    assert!(
        failed["error"]
            .as_str()
            .is_some_and(|error| !error.is_empty()),
        "{failed}"
    );
    assert_eq!(c.get("/readyz").status, 200);
    assert_eq!(wait_state(&a, "cam", "waiting")["way"], "push");

    for round in ["first", "second"] {
        let mut publisher = publish_clip(&file("clip.flv"), &a.rtmp_url("live/cam"));
        let play = |server: &mut Server, name: &str, key: &'static str| {
            // Each line counts once: this is the round's own.
            server.next_line(&[&format!("{key}: published by")]);
            let list = file(&format!("{round}-{name}"));
            let player = record(&server.url(&format!("/{key}.flv")), &list);
            (list, key, player)
        };
        let players: [(PathBuf, &str, Process); 3] = [
            play(&mut b, "one", "live/one"),
            play(&mut b, "all", "live/all-cam"),
            play(&mut c, "pulled", "live/pulled"),
        ];
        let live = wait_state(&a, "cam", "live");
        assert!(live["bytes"].as_u64().expect("a number") > 10_000, "{live}");
        assert!(
            live["url"]
                .as_str()
                .is_some_and(|url| !url.contains("s3cret")),
            "{live}"
        );
        assert!(publisher.0.wait().expect("a child").success());
        for (list, key, mut player) in players {
            assert!(player.0.wait().expect("a child").success(), "{round} {key}");
            let compared = assert_same(&sent, &read(&list), &format!("{round} {key}"));
            assert!(
                compared > sent.len() / 2,
                "{round} {key}: {compared} of {}",
                sent.len()
            );
        }
        wait_state(&a, "cam", "waiting");
    }
    let metrics = c.get("/metrics").text();
    assert!(
        metrics.contains("arcly_relays{way=\"pull\",state=\"failed\"}"),
        "{metrics}"
    );
    for server in [&mut a, &mut c] {
        server.signal("TERM");
        assert_eq!(server.exit_code(), Some(0));
        let leaked = server.lines.iter().find(|line| line.contains("s3cret"));
        assert_eq!(leaked, None);
    }
}

#[test]
fn streams_go_by_rtsp_too_and_a_pull_on_demand_while_somebody_watches() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sink = Server::start(&[]);
    let push = format!(
        "[[push]]\nstream = 'live/demo'\nurl = 'rtsp://{}/live/pushed'\n",
        sink.rtsp.expect("on")
    );
    let mut origin = start(folder.path(), "origin.toml", &push, &["--demo"]);
    origin.wait_live("live/demo");
    sink.wait_live("live/pushed");
    assert_eq!(wait_state(&origin, "demo", "live")["way"], "push");

    let pull = format!(
        "[[pull]]\nstream = 'live/pulled'\nurl = 'rtsp://{}/live/demo'\non_demand = true\n",
        origin.rtsp.expect("on")
    );
    let edge = start(folder.path(), "edge.toml", &pull, &[]);
    wait_state(&edge, "pulled", "waiting");
    assert_eq!(edge.get("/readyz").status, 200);
    // Players wait for it, by whatever protocol they come.
    for path in ["/live/pulled.flv", "/live/pulled/index.m3u8"] {
        let url = edge.url(path);
        let url = url.as_str();
        run(support::tool("ffmpeg").args(["-v", "error", "-i", url, "-t", "2", "-f", "null", "-"]));
        wait_state(&edge, "pulled", "live");
        wait_state(&edge, "pulled", "waiting");
    }
}

#[test]
fn relays_are_the_hosts_own_where_tokens_are_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut remote = Server::start(&["--demo"]);
    remote.wait_live("live/demo");
    let toml = format!(
        "[[pull]]\nstream = 'live/pulled'\nurl = '{}'\n",
        remote.rtmp_url("live/demo")
    );
    let secret = "a secret of 32 bytes at the least";
    let mut server = start(
        folder.path(),
        "arcly.toml",
        &toml,
        &["--auth-jwt-secret", secret],
    );
    server.wait_live("live/pulled");
    let relays = server.json("/api/v1/relays");
    assert_eq!(relays["relays"], serde_json::json!([]), "nobody may see it");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("arcly.toml");
    let check = |toml: &str| {
        std::fs::write(&path, toml).expect("written");
        let output = arcly()
            .arg("--check-config")
            .arg("--config")
            .arg(&path)
            .output();
        let output = output.expect("arcly starts");
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&text).into_owned(),
        )
    };
    let (valid, text) =
        check("[[push]]\nstream = 'live/x'\nurl = 'rtmp://user:s3cret@a.example/app/s3cret'\n");
    assert!(valid && text.contains("rtmp://a.example/app/…"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    for toml in [
        "[[push]]\nstream = 'live/x'\nurl = 'rtmp://user:s3cret@/app/x'\n",
        "[[push]]\nstream = 'live/x'\nurl = 'http://user:s3cret@a.example/app/x'\n",
        "push = [{ stream = 'live/x', url = 'rtmp://user:s3cret@a.example/app/x', when = 'now' }]\n",
        "[[pull]]\nstream = 'vod/x'\nurl = 'rtmp://a.example/app/s3cret'\n",
    ] {
        let (valid, text) = check(toml);
        assert!(!valid && !text.contains("s3cret"), "{toml}: {text}");
    }
    // A certificate that cannot be used is noticed as well.
    let certificate = Certificate::make(folder.path());
    run(arcly().arg("--check-config").args(certificate.flags()));
    std::fs::write(&certificate.key, "no key").expect("written");
    let refused = arcly()
        .arg("--check-config")
        .args(certificate.flags())
        .output();
    let refused = refused.expect("arcly starts");
    assert!(!refused.status.success());
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("key.pem"), "{text}");
}
