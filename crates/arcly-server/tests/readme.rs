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

/// The blocks that begin with a word.
fn blocks_of(first: &str) -> Vec<String> {
    let all = blocks().into_iter();
    all.filter(|block| block.starts_with(first)).collect()
}

/// The block that begins with a word.
fn block(first: &str) -> String {
    let found = blocks_of(first);
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
            "cat > edge.toml",
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
    let players = blocks_of("ffplay ");
    assert_eq!(players.len(), 3, "HLS, RTMP and HTTP-FLV");
    for player in players {
        let watch = format!(
            "timeout 8 {} -loglevel error -nodisp || [ $? = 124 ]",
            on(&server, &player)
        );
        let watched = run(shell(&watch)
            .env("SDL_VIDEODRIVER", "dummy")
            .env("SDL_AUDIODRIVER", "dummy"));
        assert_eq!(
            String::from_utf8_lossy(&watched.stderr).trim(),
            "",
            "{player}"
        );
    }
    let metrics = server.get("/metrics").text();
    for protocol in ["hls", "rtmp", "http-flv"] {
        let line = format!("arcly_plays_started_total{{protocol=\"{protocol}\"}} 1");
        assert!(metrics.contains(&line), "{metrics}");
    }

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

#[test]
fn a_second_server_takes_the_stream_from_the_first() {
    let mut server = Server::start(&[]);
    let _publisher = support::publish(&server.rtmp_url("live/cam"), 60);
    server.wait_live("live/cam");
    let folder = tempfile::tempdir().expect("a folder");
    let script = on(&server, &block("cat > edge.toml"));
    // The last line runs this package's binary; its ports would be taken where somebody tries the README meanwhile.
    let (write, start) = script.rsplit_once('\n').expect("two commands");
    assert_eq!(start, "cargo run --release -- --config edge.toml");
    run(shell(write).current_dir(folder.path()));
    let config = folder.path().join("edge.toml");
    assert_each_port_is_set(&std::fs::read_to_string(&config).expect("written"));
    let mut edge = Server::start(&["--config", config.to_str().expect("UTF-8")]);
    edge.wait_live("live/cam");
    assert_eq!(edge.get("/live/cam/index.m3u8").status, 200);
}

/// Both servers run on one machine, so the second has to move each port that the first takes.
fn assert_each_port_is_set(config: &str) {
    let help = run(tool(env!("CARGO_BIN_EXE_arcly")).arg("--help"));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let flags = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"));
    // Those for TLS are closed until a certificate is given.
    let open = flags.filter(|flag| flag.ends_with("-listen") && !flag.ends_with("s-listen"));
    let mut ports: Vec<_> = open.collect();
    ports.sort_unstable();
    ports.dedup();
    assert!(ports.len() >= 5, "{help}");
    for port in ports {
        let setting = format!("{} = ", port.replace('-', "_"));
        assert!(
            config.contains(&setting),
            "{setting} is missing in\n{config}"
        );
    }
}
