//! Flags, environment and file; ports that are taken; signals.

mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use support::{Server, arcly};

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("arcly.toml");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let (_folder, path) =
        file("gop_cache = 1\nmax_publishers = 1\nidle_timeout = '1s'\napp = ['file']\n");
    let output = arcly()
        .env("ARCLY_CONFIG", path)
        .env("ARCLY_GOP_CACHE", "2")
        .env("ARCLY_MAX_PUBLISHERS", "2")
        .env("ARCLY_DEMO", "true")
        .args([
            "--check-config",
            "--gop-cache",
            "3",
            "--auth-jwt-secret",
            "a secret of 32 bytes at the least",
        ])
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", stderr(&output));
    let settings: toml::Table = String::from_utf8_lossy(&output.stdout)
        .parse()
        .expect("TOML");
    assert_eq!(settings["gop_cache"].as_integer(), Some(3));
    assert_eq!(settings["max_publishers"].as_integer(), Some(2));
    assert_eq!(settings["idle_timeout"].as_str(), Some("1s"));
    assert_eq!(settings["app"][0].as_str(), Some("file"));
    assert_eq!(settings["demo"].as_bool(), Some(true));
    assert_eq!(settings["rtmp_listen"].as_str(), Some("0.0.0.0:1935"));
    assert_eq!(
        settings["auth_jwt_secret"].as_str(),
        Some("…"),
        "secrets are not shown"
    );
}

#[test]
fn mistakes_are_named() {
    let (_folder, path) = file("demo = true\n\nrtmp_lisen = 'off'\n");
    let output = arcly()
        .arg("--config")
        .arg(&path)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("rtmp_lisen") && said.contains("line 3") && said.contains("arcly.toml"),
        "{said}"
    );

    let output = arcly()
        .args(["--config", "/nowhere/arcly.toml"])
        .output()
        .expect("it starts");
    assert!(!output.status.success() && stderr(&output).contains("/nowhere/arcly.toml"));
    let output = arcly()
        .args(["--rtmp-listen", "1935"])
        .output()
        .expect("it starts");
    assert!(
        !output.status.success() && stderr(&output).contains("--rtmp-listen"),
        "{}",
        stderr(&output)
    );
    let output = arcly()
        .args(["--auth-jwt-secret", "short"])
        .output()
        .expect("it starts");
    assert!(
        output.status.code() == Some(1) && stderr(&output).contains("32"),
        "{}",
        stderr(&output)
    );
    let output = arcly()
        .args(["--srt-passphrase", "too short"])
        .output()
        .expect("it starts");
    assert!(!output.status.success() && stderr(&output).contains("srt_passphrase"));
}

#[test]
fn a_port_that_is_taken_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    for (flag, other) in [
        ("--rtmp-listen", "--http-listen"),
        ("--http-listen", "--rtmp-listen"),
    ] {
        let output = arcly()
            .args([flag, &address.to_string(), other, "127.0.0.1:0"])
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(1));
        let said = stderr(&output);
        assert!(
            said.contains(&format!("port {} is taken", address.port())) && said.contains(flag),
            "{said}"
        );
    }
}

#[test]
fn a_listener_can_be_off() {
    let mut server =
        Server::spawn(arcly().args(["--rtmp-listen", "off", "--http-listen", "127.0.0.1:0"]));
    server.http = Some(server.listening("http"));
    assert_eq!(
        server.json("/api/v1/server")["rtmp_port"],
        serde_json::Value::Null
    );
    assert!(!server.lines.iter().any(|line| line.contains("\"rtmp\"")));
}

#[test]
fn ctrl_c_and_sigterm_end_it_in_order() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start(&["--demo"]);
        server.wait_live("live/demo");
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(0), "SIG{signal}");
        server.line(&["live/demo: ended"]);
        server.line(&["stopped"]);
    }
}
