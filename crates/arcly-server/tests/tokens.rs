//! Signed tokens, for publishers and players alike.

mod support;

use arcly_stream::auth::{Action, JwtAlgorithm, JwtClaims, JwtSigner};
use std::time::{Duration, UNIX_EPOCH};
use support::{Server, publish, tool};

const SECRET: &str = "a secret of 32 bytes at the least";

fn token(action: Action, path: &str) -> String {
    let signer = JwtSigner::new(JwtAlgorithm::Hs256, SECRET).expect("long enough");
    // The year 2100.
    let claims = JwtClaims::expiring_at(UNIX_EPOCH + Duration::from_secs(4_102_444_800));
    signer.sign(&claims.allow(action, path))
}

#[test]
fn without_a_token_nothing_is_published_played_or_seen() {
    let mut server = Server::start(&["--auth-jwt-secret", SECRET, "--demo"]);
    server.wait_live("live/demo");
    let (play, other) = (
        token(Action::Play, "live/*"),
        token(Action::Play, "live/other"),
    );

    for query in [
        String::new(),
        format!("?token={other}"),
        "?token=nonsense".into(),
    ] {
        let refused = server.get(&format!("/live/demo/index.m3u8{query}"));
        assert_eq!(
            (refused.status, refused.header("www-authenticate")),
            (401, Some("Bearer")),
            "{query}"
        );
        assert_eq!(
            server
                .get(&format!("/api/v1/streams/live/demo{query}"))
                .status,
            401
        );
        let list = server.json(&format!("/api/v1/streams{query}"));
        assert_eq!(list["streams"], serde_json::json!([]));
    }

    // The token opens a session, which goes along from playlist to playlist to segment.
    for (index, folder, kind) in [
        ("index.m3u8", "cmaf", ".m4s"),
        ("ts/index.m3u8", "ts", ".ts"),
    ] {
        let url = format!("/live/demo/{index}?token={play}");
        let text = server.get(&url).text();
        assert!(!text.contains(&play), "{text}");
        let media = text
            .lines()
            .find(|line| line.ends_with(".m3u8"))
            .expect("a playlist");
        assert!(media.contains("s-"), "{media}");
        let media = media.trim_start_matches("../");
        let (session, _) = media.rsplit_once('/').expect("a folder");
        let text = server.get(&format!("/live/demo/{media}")).text();
        let segment = text
            .lines()
            .find(|line| !line.starts_with('#') && line.ends_with(kind))
            .expect("a segment");
        assert_eq!(
            server
                .get(&format!("/live/demo/{session}/{segment}"))
                .status,
            200
        );
        assert_eq!(
            server.get(&format!("/live/demo/{folder}/{segment}")).status,
            401
        );
        let forged = format!("/live/demo/s-{}/{folder}/{segment}", "0".repeat(32));
        assert_eq!(server.get(&forged).status, 401);
        let elsewhere = format!("/live/other/{session}/{segment}");
        assert_eq!(server.get(&elsewhere).status, 401);
    }
    // Whoever asks for a media playlist itself has the token carried along.
    let media = server
        .get(&format!("/live/demo/ts/media.m3u8?token={play}"))
        .text();
    let segment = media
        .lines()
        .find(|line| line.starts_with("seg-") && line.contains("?token="))
        .expect("a segment");
    assert_eq!(server.get(&format!("/live/demo/ts/{segment}")).status, 200);
    let bare = segment.split('?').next().expect("a name");
    assert_eq!(server.get(&format!("/live/demo/ts/{bare}")).status, 401);
    let bearer = format!("Authorization: Bearer {play}\r\n");
    assert_eq!(
        server
            .request("GET", &format!("/live/demo/ts/{bare}"), &bearer)
            .status,
        200
    );
    assert_eq!(
        server.json(&format!("/api/v1/streams?token={play}"))["streams"][0]["stream"],
        "demo"
    );

    let _refused = publish(&server.rtmp_url(&format!("live/cam?token={play}")), 5);
    server.line(&["live/cam", "refused", "does not allow to publish"]);
    let _publisher = publish(
        &server.rtmp_url(&format!(
            "live/cam?token={}",
            token(Action::Publish, "live/cam")
        )),
        10,
    );
    server.wait_live("live/cam");
}

#[test]
fn playing_can_be_left_open() {
    let mut server = Server::start(&[
        "--auth-jwt-secret",
        SECRET,
        "--auth-anonymous-play",
        "--demo",
    ]);
    server.wait_live("live/demo");
    assert_eq!(server.get("/live/demo/index.m3u8").status, 200);
    let _refused = publish(&server.rtmp_url("live/cam"), 5);
    server.line(&["live/cam", "refused", "a token is required"]);
}

#[test]
fn every_way_to_play_takes_a_token() {
    let mut server = Server::start(&["--auth-jwt-secret", SECRET, "--demo"]);
    server.wait_live("live/demo");
    let right = token(Action::Play, "live/demo");
    let wrong = [
        token(Action::Publish, "live/demo"),
        token(Action::Play, "live/x"),
        String::new(),
    ];

    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for headers in ["", upgrade] {
        let get = |token: &str| {
            let path = format!("/live/demo.flv?token={token}");
            let head = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n");
            server.raw_until(head.as_bytes(), b"\r\n\r\n")
        };
        for wrong in &wrong {
            let refused = get(wrong);
            assert_eq!(
                (refused.status, refused.header("www-authenticate")),
                (401, Some("Bearer"))
            );
        }
        let played = get(&right);
        assert_eq!(played.status, if headers.is_empty() { 200 } else { 101 });
        // RFC 6455, 1.3, for this key.
        let accept = played.header("sec-websocket-accept");
        assert_eq!(
            accept,
            (!headers.is_empty()).then_some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }
    let bearer = format!("Authorization: Bearer {right}\r\n");
    assert_eq!(
        server.request("HEAD", "/live/demo.flv", &bearer).status,
        200
    );
    assert_eq!(server.request("HEAD", "/live/demo.flv", "").status, 401);

    let play = |token: &str| {
        tool("ffprobe")
            .args([
                "-v",
                "error",
                "-show_entries",
                "stream=codec_name",
                "-of",
                "csv=p=0",
            ])
            .arg(server.rtmp_url(&format!("live/demo?token={token}")))
            .output()
            .expect("it starts")
    };
    for wrong in &wrong {
        let refused = play(wrong);
        assert!(!refused.status.success());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("not authorised"), "{said}");
    }
    let played = play(&right);
    assert_eq!(String::from_utf8_lossy(&played.stdout).trim(), "h264\naac");
}
