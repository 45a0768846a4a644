//! The shell blocks of the README, run as they stand there but for the ports.

mod support;

use std::process::{Command, Stdio};
use support::{Process, Server, run, tool};

const README: &str = include_str!("../../../README.md");

/// The shell blocks, in order.
fn blocks() -> Vec<String> {
    let mut blocks = README.split("```bash\n").skip(1);
    let blocks: Vec<String> = blocks
        .by_ref()
        .map(|rest| rest.split("```").next().expect("closed").trim().to_owned())
        .collect();
    assert!(!blocks.is_empty());
    blocks
}

/// The block that begins with a word.
fn block(first: &str) -> String {
    let found: Vec<_> = blocks()
        .into_iter()
        .filter(|block| block.starts_with(first))
        .collect();
    assert_eq!(found.len(), 1, "one block begins with {first:?}");
    found.into_iter().next().expect("one")
}

/// The block, with the ports of a server of ours.
fn on(server: &Server, block: &str) -> String {
    let (rtmp, http) = (
        server.rtmp.expect("on").port(),
        server.http_address().port(),
    );
    let changed = block
        .replace("localhost:1935", &format!("127.0.0.1:{rtmp}"))
        .replace("localhost:8080", &format!("127.0.0.1:{http}"));
    assert_ne!(changed, block, "it names an address to change");
    changed
}

fn shell(script: &str) -> Command {
    let mut bash = tool("bash");
    bash.args(["-euc", script]);
    bash
}

#[test]
fn every_block_is_run_here_or_checked_elsewhere() {
    for block in blocks() {
        let known = [
            "cargo run --release -- --demo",
            "cargo xtask test",
            "ffmpeg ",
            "ffplay ",
            "curl ",
        ];
        assert!(
            known.iter().any(|known| block.starts_with(known)),
            "nothing runs this block:\n{block}"
        );
    }
}

#[test]
fn the_first_command_shows_a_picture() {
    // What cargo runs is this package's binary; building it for release takes minutes, and gives the same.
    let command = block("cargo run");
    let arguments = command
        .strip_prefix("cargo run --release -- ")
        .expect("the default member is run");
    assert!(
        include_str!("../../../Cargo.toml").contains("default-members = [\"crates/arcly-server\"]")
    );
    let arguments: Vec<_> = arguments.split(' ').collect();
    let mut server = Server::start(&arguments);
    server.wait_live("live/demo");
    assert_eq!(server.get("/live/demo/index.m3u8").status, 200);
}

#[test]
fn publish_watch_and_look() {
    let mut server = Server::start(&[]);
    // `exec`, so that killing it does not leave ffmpeg behind.
    let publish = format!("exec {}", on(&server, &block("ffmpeg")));
    let _publisher = Process::spawn(shell(&publish).stdout(Stdio::null()).stderr(Stdio::null()));
    server.wait_live("live/cam");

    // Neither a window nor a loudspeaker; it would play on for ever.
    tool("ffplay");
    let watch = format!(
        "timeout 10 {} -loglevel error -nodisp || [ $? = 124 ]",
        on(&server, &block("ffplay"))
    );
    let watched = run(shell(&watch)
        .env("SDL_VIDEODRIVER", "dummy")
        .env("SDL_AUDIODRIVER", "dummy"));
    assert_eq!(String::from_utf8_lossy(&watched.stderr).trim(), "");
    assert_eq!(server.json("/api/v1/streams/live/cam")["viewers"], 1);

    let curl = Command::new("curl").arg("--version").output();
    assert!(
        curl.is_ok(),
        "this test needs curl: run `cargo xtask setup`, which installs it"
    );
    let seen = run(&mut shell(&on(&server, &block("curl"))));
    let seen = String::from_utf8_lossy(&seen.stdout);
    assert!(
        seen.contains("\"stream\":\"cam\"")
            && seen.contains("arcly_stream_bitrate_bits{app=\"live\",stream=\"cam\"}"),
        "{seen}"
    );
}
