//! WebRTC clients that are no browsers publish by WHIP and play by WHEP: aiortc, and GStreamer's `webrtcbin`.

mod support;

use serde_json::Value;
use std::process::{Child, Command, Stdio};
use support::Server;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/");
/// Where `cargo xtask setup` puts what comes from PyPI.
const PIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/pip");

#[derive(Clone, Copy)]
enum Client {
    Aiortc,
    GStreamer,
}

impl Client {
    /// Starts it; it ends by itself after so many seconds of media, and says what it has seen.
    fn start(self, mode: &str, url: &str, codec: &str, seconds: u32) -> Child {
        let mut command = match self {
            Self::Aiortc => {
                let mut command = Command::new("python3");
                command.env("PYTHONPATH", PIP);
                command.arg(format!("{CLIENTS}aiortc_client.py"));
                command
            }
            Self::GStreamer => {
                // Debian's own, which its bindings are for.
                let mut command = Command::new("/usr/bin/python3");
                command.arg(format!("{CLIENTS}gstreamer_client.py"));
                command
            }
        };
        command
            .args([mode, url, codec, &seconds.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs Python 3: run `cargo xtask setup`")
    }
}

/// What a client has seen.
fn seen(client: Child) -> Value {
    let output = client.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "it failed, see above; where a module is missing, run `cargo xtask setup`: {text}"
    );
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text:?}"))
}

/// Pictures and sound that a player has seen in five seconds, of which the first may be spent on getting there.
fn assert_played(what: &str, player: Child) {
    let seen = seen(player);
    eprintln!("{what}: {seen}");
    let number = |name: &str| seen[name].as_f64().unwrap_or_default();
    assert!(number("video") > 75.0, "{what}: {seen}");
    assert!(number("audio") > 150.0, "{what}: {seen}");
    assert_eq!(seen["deleted"], 200, "{what}");
}

fn both_play_what(publisher: Client, codec: &str) {
    let mut server = Server::start(&[]);
    let (whip, whep) = (server.url("/live/cam/whip"), server.url("/live/cam/whep"));
    let publisher = publisher.start("publish", &whip, codec, 18);
    server.wait_live("live/cam");
    let aiortc = Client::Aiortc.start("play", &whep, codec, 5);
    let gstreamer = Client::GStreamer.start("play", &whep, codec, 5);
    assert_played("aiortc", aiortc);
    assert_played("webrtcbin", gstreamer);
    assert_eq!(seen(publisher)["deleted"], 200);
    server.line(&["live/cam: ended, the publisher finished"]);
}

#[test]
fn what_aiortc_publishes_is_played() {
    both_play_what(Client::Aiortc, "VP8");
}

#[test]
fn what_aiortc_publishes_in_h264_is_played() {
    both_play_what(Client::Aiortc, "H264");
}

#[test]
fn what_webrtcbin_publishes_is_played() {
    both_play_what(Client::GStreamer, "VP8");
}

#[test]
fn what_webrtcbin_publishes_in_h264_is_played() {
    both_play_what(Client::GStreamer, "H264");
}
