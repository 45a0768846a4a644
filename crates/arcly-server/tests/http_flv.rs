//! One stream, published by a real encoder and played in every way that FLV and RTMP have: the packets that went in come out.

mod support;

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use support::certificate::Certificate;
use support::packets::{assert_same, make_clip, packets_of, publish_clip, read, record};
use support::{PATIENCE, Server, run};
use tungstenite::Message;

/// Plays by WebSocket to the end, into a file; the status code at the end.
fn record_by_websocket(server: &Server, path: &str, file: &Path) -> Option<u16> {
    let stream = TcpStream::connect(server.http_address()).expect("HTTP is served");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let url = format!("ws://{}{path}", server.http_address());
    let (mut socket, response) = tungstenite::client(url, stream).expect("a WebSocket");
    assert_eq!(response.status(), 101);
    socket
        .send(Message::Ping("are you there".into()))
        .expect("sent");
    let mut file = std::fs::File::create(file).expect("a file");
    let mut answered = false;
    loop {
        match socket.read().expect("it goes on until it is closed") {
            Message::Binary(bytes) => file.write_all(&bytes).expect("written"),
            Message::Pong(payload) => {
                assert_eq!(payload, "are you there");
                answered = true;
            }
            Message::Close(frame) => {
                assert!(answered);
                return frame.map(|frame| frame.code.into());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_goes_in_comes_out_of_every_url() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let certificate = Certificate::make(folder.path());
    let mut server = Server::start(&certificate.flags());
    let (rtmps, https) = (server.listening("rtmps"), server.listening("https"));
    make_clip(&file("clip.flv"), 12);
    let sent = packets_of(&file("clip.flv"));

    for (publish, key) in [
        (server.rtmp_url("live/plain"), "live/plain"),
        (format!("rtmps://{rtmps}/live/secure"), "live/secure"),
    ] {
        let mut publisher = publish_clip(&file("clip.flv"), &publish);
        server.wait_live(key);
        let lists = [
            ("rtmp", server.rtmp_url(key)),
            ("rtmps", format!("rtmps://{rtmps}/{key}")),
            ("http", server.url(&format!("/{key}.flv"))),
            ("https", format!("https://{https}/{key}.flv")),
            ("legacy", server.url(&format!("/{key}.flv?enhanced=0"))),
        ];
        let players = lists
            .each_ref()
            .map(|(name, url)| (name, file(name), record(url, &file(name))));
        let code = record_by_websocket(&server, &format!("/{key}.flv"), &file("ws.flv"));
        assert_eq!(code, Some(1000));
        assert!(publisher.0.wait().expect("a child").success());
        for (name, list, mut player) in players {
            let ended = player.0.wait().expect("a child");
            let said = std::fs::read_to_string(list.with_extension("stderr")).expect("there");
            assert!(ended.success(), "{name}: {said}");
            assert_eq!(said, "", "{name} complains");
            let compared = assert_same(&sent, &read(&list), name);
            assert!(
                compared > sent.len() / 2,
                "{name}: only {compared} of {}",
                sent.len()
            );
        }
        let compared = assert_same(&sent, &packets_of(&file("ws.flv")), "ws");
        assert!(
            compared > sent.len() / 2,
            "ws: only {compared} of {}",
            sent.len()
        );
    }
    let text = server.get("/metrics").text();
    for line in [
        r#"arcly_plays_started_total{protocol="http-flv"} 6"#,
        r#"arcly_plays_started_total{protocol="ws-flv"} 2"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
}

/// The certificate that a client has to trust, so that it connects.
fn trusted(address: std::net::SocketAddr, certificate: &Path) -> bool {
    let status = Command::new("curl")
        .args(["--silent", "--fail", "--output", "/dev/null", "--cacert"])
        .arg(certificate)
        .args([
            "--resolve",
            &format!("localhost:{}:127.0.0.1", address.port()),
        ])
        .arg(format!("https://localhost:{}/healthz", address.port()))
        .status();
    status
        .expect("this test needs curl: run `cargo xtask setup`, which installs it")
        .success()
}

#[test]
fn a_new_certificate_disturbs_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let certificate = Certificate::make(folder.path());
    let mut server = Server::start(&certificate.flags());
    let https = server.listening("https");
    make_clip(&file("clip.flv"), 8);
    let _publisher = publish_clip(&file("clip.flv"), &server.rtmp_url("live/cam"));
    server.wait_live("live/cam");
    let url = format!("https://{https}/live/cam.flv");
    let mut player = record(&url, &file("list"));
    assert!(trusted(https, &certificate.chain));

    std::fs::copy(&certificate.chain, file("old.pem")).expect("copied");
    certificate.replace();
    assert!(!trusted(https, &certificate.chain), "not read yet");
    server.signal("HUP");
    server.line(&["TLS certificate was read again"]);
    assert!(trusted(https, &certificate.chain));
    assert!(!trusted(https, &file("old.pem")));

    // What cannot be used is refused, and the last one stays.
    std::fs::write(&certificate.key, "no key").expect("written");
    server.signal("HUP");
    server.line(&["the old one stays"]);
    assert!(trusted(https, &certificate.chain));

    assert!(player.0.wait().expect("a child").success());
    let compared = assert_same(
        &packets_of(&file("clip.flv")),
        &read(&file("list")),
        "https",
    );
    assert!(compared > 300, "{compared}");
}

#[test]
fn a_request_is_answered_as_http_asks() {
    let mut server = Server::start(&["--demo"]);
    server.wait_live("live/demo");

    let head = server.request("HEAD", "/live/demo.flv", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-type"), Some("video/x-flv"));
    assert_eq!(head.header("cache-control"), Some("no-store"));
    assert_eq!(head.header("access-control-allow-origin"), Some("*"));
    assert_eq!(server.json("/api/v1/streams/live/demo")["viewers"], 0);

    let preflight = server.request("OPTIONS", "/live/demo.flv", "Origin: http://a.example\r\n");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));

    for (path, status, words) in [
        ("/live/nobody.flv", 404, "is not live"),
        ("/vod/demo.flv", 404, "does not exist"),
        ("/live/demo.mp3", 404, "nothing at this path"),
        ("/live/demo.flv?enhanced=2", 400, "enhanced"),
    ] {
        let refused = server.get(path);
        assert_eq!(refused.status, status, "{path}");
        assert!(refused.text().contains(words), "{path}: {}", refused.text());
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    }
    let upgrade = "Upgrade: websocket\r\n";
    for (headers, status) in [
        (
            format!("{upgrade}Connection: Upgrade\r\nSec-WebSocket-Version: 8\r\n"),
            426,
        ),
        (
            format!("{upgrade}Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"),
            400,
        ),
        (
            format!("{upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"),
            400,
        ),
    ] {
        let head = format!("GET /live/demo.flv HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
        let refused = server.raw_until(head.as_bytes(), b"}");
        assert_eq!(refused.status, status, "{headers}");
        let version = refused.header("sec-websocket-version");
        assert_eq!(version, (status == 426).then_some("13"));
    }
    // HTTP/1.0 has no chunks; the file comes all the same.
    let old = server.raw_until(b"GET /live/demo.flv HTTP/1.0\r\n\r\n", b"onMetaData");
    assert_eq!((old.status, old.header("transfer-encoding")), (200, None));
    assert!(old.body.starts_with(b"FLV\x01\x05"), "pictures and sound");
}

#[test]
fn players_may_wait_for_a_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let mut server = Server::start(&["--play-wait", "30s"]);
    make_clip(&file("clip.flv"), 4);
    let players = [
        ("http", server.url("/live/late.flv")),
        ("rtmp", server.rtmp_url("live/late")),
    ]
    .map(|(name, url)| (name, record(&url, &file(name))));
    // Both ask before there is anything: neither gets an answer that would end it.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let _publisher = publish_clip(&file("clip.flv"), &server.rtmp_url("live/late"));
    server.wait_live("live/late");
    let sent = packets_of(&file("clip.flv"));
    for (name, mut player) in players {
        if name == "rtmp" {
            // It would wait for the stream to come again.
            server.line(&["live/late: ended"]);
            std::thread::sleep(std::time::Duration::from_secs(1));
            let id = player.0.id().to_string();
            run(Command::new("kill").args(["-s", "INT", &id]));
        }
        let _ = player.0.wait();
        let got = read(&file(name));
        assert_eq!(
            assert_same(&sent, &got, name),
            sent.len(),
            "{name}: from the first packet on"
        );
    }
}
