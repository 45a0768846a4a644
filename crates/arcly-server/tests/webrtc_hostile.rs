//! Requests to WHIP and WHEP that nobody should send, over HTTP.

mod support;

use serde_json::Value;
use std::fmt::Write as _;
use support::{PATIENCE, Response, Server};

/// An offer as browsers make it, of nobody in particular.
fn offer(direction: &str) -> String {
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 {}\r\na=setup:actpass\r\na=rtcp-mux\r\na={direction}\r\n",
        ["AB"; 32].join(":")
    );
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{transport}a=mid:0\r\na=rtpmap:96 VP8/90000\r\n"
    )
}

fn send(server: &Server, method: &str, path: &str, content_type: &str, body: &str) -> Response {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    if !content_type.is_empty() {
        let _ = write!(request, "Content-Type: {content_type}\r\n");
    }
    let _ = write!(request, "Content-Length: {}\r\n\r\n{body}", body.len());
    server.raw(request.as_bytes())
}

fn post(server: &Server, stream: &str, body: &str) -> Response {
    send(
        server,
        "POST",
        &format!("/live/{stream}/whip"),
        "application/sdp",
        body,
    )
}

/// A refusal says why, in a form that programs read (RFC 9457), to pages of any origin.
fn assert_refused(response: &Response, status: u16) {
    assert_eq!(response.status, status, "{}", response.text());
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    let problem: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!(problem["status"], status);
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|detail| !detail.is_empty()),
        "{problem}"
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_a_problem() {
    let server = Server::start(&[]);
    let good = offer("sendonly");
    for bad in [
        "",
        "v=0",
        "\0\0\0",
        "<html>",
        &good.replace("a=ice-ufrag:abcd\r\n", ""),
        &good.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
        &good.replace("AB:AB", "XY:AB"),
        &good.replace("a=setup:actpass", "a=setup:sideways"),
        &good.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8/0"),
        &good.repeat(40),
    ] {
        let response = post(&server, "cam", bad);
        assert!(
            (400..500).contains(&response.status),
            "{bad}: {}",
            response.text()
        );
        assert_refused(&response, response.status);
    }
    for content_type in ["", "text/plain", "application/json", "application/sdpx"] {
        let response = send(&server, "POST", "/live/cam/whip", content_type, &good);
        assert_refused(&response, 415);
    }
    // Only as much of it is read as shows that it is too long.
    assert_refused(&post(&server, "cam", &"a=x\r\n".repeat(400_000)), 413);
    assert_refused(
        &send(&server, "PUT", "/live/cam/whip", "application/sdp", &good),
        405,
    );
    assert_refused(&server.get("/live/cam/whip"), 405);
    assert_refused(&post(&server, ".hidden", &good), 400);
    assert_refused(
        &send(
            &server,
            "POST",
            "/nowhere/cam/whip",
            "application/sdp",
            &good,
        ),
        404,
    );
    assert_refused(
        &send(
            &server,
            "POST",
            "/live/nobody/whep",
            "application/sdp",
            &offer("recvonly"),
        ),
        404,
    );
    assert_eq!(
        server.json("/api/v1/webrtc")["sessions"],
        serde_json::json!([])
    );
}

#[test]
fn a_session_is_its_owners_alone() {
    let server = Server::start(&[]);
    let opened = post(&server, "cam", &offer("sendonly"));
    assert_eq!(opened.status, 201, "{}", opened.text());
    let (location, etag) = (
        opened.header("location").expect("told"),
        opened.header("etag").expect("told"),
    );
    // Nobody can guess its name, and the number that the API tells is another one.
    let id = server.json("/api/v1/webrtc")["sessions"][0]["id"].clone();
    for name in [&id.to_string(), "x", "..%2F", &"y".repeat(5_000)] {
        let path = format!("/live/cam/whip/{name}");
        assert_refused(&server.request("DELETE", &path, ""), 404);
        let fragment = "a=ice-ufrag:other\r\na=ice-pwd:0123456789012345678901\r\n";
        assert_refused(
            &send(
                &server,
                "PATCH",
                &path,
                "application/trickle-ice-sdpfrag",
                fragment,
            ),
            404,
        );
    }
    let patch = |if_match: &str, body: &str| {
        server.raw(
            format!(
                "PATCH {location} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{if_match}Content-Type: application/trickle-ice-sdpfrag\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    };
    let restart = "a=ice-ufrag:other\r\na=ice-pwd:0123456789012345678901\r\n";
    assert_refused(&patch("If-Match: \"stale\"\r\n", restart), 412);
    assert_refused(&patch("", restart), 428);
    assert_refused(&patch("", "a=ice-ufrag:half\r\n"), 400);
    assert_refused(&patch("", &"a=candidate:x\r\n".repeat(10_000)), 413);
    let restarted = patch(&format!("If-Match: {etag}\r\n"), restart);
    assert_eq!(restarted.status, 200, "{}", restarted.text());
    assert_refused(
        &patch(
            &format!("If-Match: {etag}\r\n"),
            restart.replace("other", "third").as_str(),
        ),
        412,
    );
    assert_eq!(server.request("DELETE", location, "").status, 200);
    assert_refused(&server.request("DELETE", location, ""), 404);
}

#[test]
fn a_flood_of_offers_is_bounded_and_leaves_nothing_behind() {
    let server = Server::start(&[]);
    let mut refused = 0;
    for number in 0..60 {
        let response = post(&server, &format!("cam{number}"), &offer("sendonly"));
        if response.status == 201 {
            continue;
        }
        assert_refused(&response, 503);
        assert_eq!(response.header("retry-after"), Some("5"));
        refused += 1;
    }
    assert_eq!(
        refused,
        60 - 32,
        "those of one address that have not connected yet"
    );
    // Nobody ever comes: the names are free again, and so are the places.
    let counted = |server: &Server| {
        let list = server.json("/api/v1/webrtc");
        list["sessions"].as_array().expect("a list").len()
    };
    assert_eq!(counted(&server), 32);
    #[expect(
        clippy::disallowed_methods,
        reason = "the server has a clock of its own"
    )]
    let start = std::time::Instant::now();
    while counted(&server) > 0 {
        assert!(start.elapsed() < PATIENCE, "they stay");
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    eprintln!("freed after {:?}", start.elapsed());
    assert_eq!(
        server.json("/api/v1/streams")["streams"],
        serde_json::json!([])
    );
    assert_eq!(post(&server, "cam", &offer("sendonly")).status, 201);
}
