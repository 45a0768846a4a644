//! The API, health, metrics, HLS' headers, and requests that nobody should send.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use support::Server;

#[test]
fn the_api_describes_what_is_live() {
    let mut server = Server::start(&["--demo", "--app", "live", "--app", "radio"]);
    server.wait_live("live/demo");
    let about = server.json("/api/v1/server");
    assert_eq!(about["applications"], serde_json::json!(["live", "radio"]));
    assert_eq!(about["rtmp_port"], server.rtmp.expect("on").port());
    assert_eq!(about["auth"], false);

    // The playlist is there once the first segment is, and the rates are known by then.
    assert_eq!(server.get("/live/demo/index.m3u8").status, 200);
    let list = server.json("/api/v1/streams");
    let streams = list["streams"].as_array().expect("a list");
    assert_eq!(streams.len(), 1);
    let stream = server.json("/api/v1/streams/live/demo");
    assert_eq!(
        (&stream["app"], &stream["stream"]),
        (&"live".into(), &"demo".into())
    );
    assert_eq!(stream["publisher"]["protocol"], "demo");
    assert_eq!(stream["play"]["hls"], "/live/demo/index.m3u8");
    assert_eq!(stream["viewers"], 1, "the request above");
    assert!(
        stream["uptime_seconds"].as_f64() > Some(1.0) && stream["bitrate"].as_u64() > Some(50_000),
        "{stream}"
    );
    let [video, audio] = &stream["tracks"].as_array().expect("tracks")[..] else {
        panic!("{stream}")
    };
    assert_eq!(
        (&video["codec"], &video["codec_string"]),
        (&"h264".into(), &"avc1.42C01F".into())
    );
    assert_eq!(
        (&video["width"], &video["height"], &video["frame_rate"]),
        (&640.into(), &360.into(), &25.0.into())
    );
    assert_eq!(
        (
            &audio["codec_string"],
            &audio["channels"],
            &audio["sample_rate"]
        ),
        (&"mp4a.40.2".into(), &2.into(), &48_000.into())
    );

    assert_eq!(server.get("/api/v1/streams/live/nobody").status, 404);
    assert_eq!(server.get("/api/v1/streams/nowhere/x").status, 404);
    assert_eq!(server.get("/api/v1/streams/live/.hidden").status, 400);
}

#[test]
fn health_readiness_and_metrics_are_told() {
    let mut server = Server::start(&["--demo"]);
    server.wait_live("live/demo");
    assert_eq!(server.get("/healthz").text(), "ok\n");
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200);
    for part in ["demo", "engine", "http", "rtmp"] {
        let line = format!("{part}: healthy");
        assert!(
            ready.text().lines().any(|known| known == line),
            "{line} is not in {}",
            ready.text()
        );
    }
    server.get("/live/demo/index.m3u8");
    server.get("/nothing/at/all");
    let metrics = server.get("/metrics");
    assert!(
        metrics
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text; version=1.0.0"))
    );
    let text = metrics.text();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    for line in [
        "arcly_streams 1",
        "arcly_viewers 1",
        "arcly_ready 1",
        "arcly_publishes_started_total{protocol=\"demo\"} 1",
        "arcly_plays_started_total{protocol=\"hls\"} 1",
        "arcly_plays_refused_total{protocol=\"hls\",reason=\"app-not-found\"} 1",
        "arcly_stream_viewers{app=\"live\",stream=\"demo\"} 1",
        "arcly_http_responses_total{code=\"404\"} 1",
        "# TYPE arcly_received_bytes counter",
        "# TYPE arcly_stream_bitrate_bits gauge",
    ] {
        assert!(
            text.lines().any(|known| known == line),
            "{line} is not in:\n{text}"
        );
    }
}

#[test]
fn hls_plays_from_pages_of_other_origins() {
    let mut server = Server::start(&["--demo"]);
    server.wait_live("live/demo");
    let playlist = server.get("/live/demo/index.m3u8");
    assert_eq!(
        playlist.header("content-type"),
        Some("application/vnd.apple.mpegurl")
    );
    assert_eq!(playlist.header("access-control-allow-origin"), Some("*"));
    let head = server.request("HEAD", "/live/demo/index.m3u8", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        head.header("content-length"),
        playlist.header("content-length")
    );
    let preflight = server.request(
        "OPTIONS",
        "/live/demo/index.m3u8",
        "Origin: https://example.org\r\n",
    );
    assert_eq!(preflight.status, 204);
    assert!(
        preflight
            .header("access-control-allow-headers")
            .is_some_and(|allowed| allowed.contains("Authorization"))
    );
    let media = server.get("/live/demo/ts/media.m3u8").text();
    let segment = media
        .lines()
        .find(|line| line.starts_with("seg-"))
        .expect("a segment");
    let segment = server.get(&format!("/live/demo/ts/{segment}"));
    assert_eq!(
        (segment.status, segment.header("content-type")),
        (200, Some("video/mp2t"))
    );
    assert!(
        segment.body.len().is_multiple_of(188)
            && segment.body.chunks(188).all(|packet| packet[0] == 0x47)
    );
    assert_eq!(
        segment.header("content-length"),
        Some(&*segment.body.len().to_string())
    );
}

#[test]
fn the_page_takes_nothing_from_elsewhere() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert!(
        page.header("content-security-policy")
            .is_some_and(|policy| policy.starts_with("default-src 'self'"))
    );
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let text = page.text();
    for path in ["/assets/page.css", "/assets/page.js", "/assets/icon.svg"] {
        assert!(
            text.contains(path) && server.get(path).status == 200,
            "{path}"
        );
    }
    assert!(!text.contains("https://") && !text.contains("<style") && !text.contains(" style="));
}

#[test]
fn bad_requests_are_refused_and_others_go_on() {
    let server = Server::start(&[]);
    for (request, status) in [
        (
            "GET /live/x/index.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            404,
        ),
        (
            "GET /elsewhere/x/index.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            404,
        ),
        (
            "GET /live/..%2f..%2fetc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            400,
        ),
        (
            "GET /live/%ff/index.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            400,
        ),
        (
            "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            404,
        ),
        (
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            405,
        ),
        (
            "DELETE /api/v1/streams/live/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            405,
        ),
        ("nonsense\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\n\n", 400),
    ] {
        let response = server.raw(request.as_bytes());
        assert_eq!(response.status, status, "{request:?}: {}", response.text());
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000));
    assert!([414, 431].contains(&server.raw(long.as_bytes()).status));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert_eq!(server.raw(many.as_bytes()).status, 431);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn silent_and_surplus_connections_are_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("arcly.toml");
    std::fs::write(
        &file,
        "[limits]\nhttp_head_timeout = '1s'\nhttp_connections_per_ip = 3\n",
    )
    .expect("written");
    let server = Server::start(&["--config", file.to_str().expect("UTF-8")]);
    let connect = || {
        let stream = TcpStream::connect(server.http_address()).expect("connected");
        stream
            .set_read_timeout(Some(support::PATIENCE))
            .expect("a socket");
        stream
    };
    let mut silent: Vec<_> = (0..3).map(|_| connect()).collect();
    let mut slow = silent.pop().expect("three");
    slow.write_all(b"GET / HTTP/1.1\r\nHost:").expect("sent");
    let mut surplus = connect();
    let closed = |stream: &mut TcpStream| matches!(stream.read(&mut [0; 512]), Ok(0) | Err(_));
    assert!(closed(&mut surplus), "a fourth is closed at once");
    for stream in &mut silent {
        assert!(closed(stream), "a silent one is closed in time");
    }
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(
        !rest.starts_with(b"HTTP/1.1 200"),
        "as is one that is in no hurry"
    );
    assert_eq!(server.get("/healthz").status, 200);
}
