//! What is kept of streams: recordings and archives of HLS.

mod support;

use std::path::{Path, PathBuf};
use support::{Server, publish, run, tool};

/// How many pictures a file or playlist has, by whoever reads it without a complaint.
fn pictures(path: &Path) -> usize {
    let decoded = run(tool("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(path)
        .args(["-map", "0:v", "-f", "null", "-progress", "-", "-"]));
    assert_eq!(String::from_utf8_lossy(&decoded.stderr), "");
    let progress = String::from_utf8_lossy(&decoded.stdout).into_owned();
    let frames = progress
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("frame="));
    frames
        .and_then(|frames| frames.trim().parse().ok())
        .expect("a number")
}

#[test]
fn streams_are_recorded_as_mp4() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let mut server = Server::start(&["--record", path, "--record-format", "mp4"]);
    let mut publisher = publish(&server.rtmp_url("live/cam"), 4);
    assert!(publisher.0.wait().expect("a child").success());
    let line = server.line(&["live/cam: recorded"]);
    let object = line
        .split("recorded ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let object = object.expect("a name");
    assert!(object.ends_with(".mp4"), "{object}");
    assert_eq!(pictures(&folder.path().join(object)), 100);
}

#[test]
fn hls_is_archived_and_plays_from_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(&["--archive", folder.path().to_str().expect("UTF-8")]);
    let mut publisher = publish(&server.rtmp_url("live/cam"), 8);
    assert!(publisher.0.wait().expect("a child").success());
    server.line(&["the HLS archive is closed", "live/cam"]);
    let streams = folder.path().join("live/cam");
    let folders: Vec<PathBuf> = std::fs::read_dir(streams)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [archive] = &folders[..] else {
        panic!("{folders:?}")
    };
    assert_eq!(pictures(&archive.join("index.m3u8")), 200);
}

#[test]
fn archives_are_closed_when_the_server_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("UTF-8");
    let mut server = Server::start(&["--archive", path, "--demo"]);
    server.wait_live("live/demo");
    // The third segment is whole.
    assert_eq!(server.get("/live/demo/index.m3u8").status, 200);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    server.line(&["the HLS archive is closed", "live/demo"]);
    let archive = std::fs::read_dir(folder.path().join("live/demo")).expect("a folder");
    let archive = archive
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("one");
    let playlist = std::fs::read_to_string(archive.join("v0.m3u8")).expect("a playlist");
    assert!(
        playlist.contains("TYPE:VOD") && playlist.ends_with("#EXT-X-ENDLIST\n"),
        "{playlist}"
    );
}

#[test]
fn a_player_waits_for_the_first_segments_beyond_the_limit_of_requests() {
    let (_folder, settings) = support::settings("[limits]\nhttp_request_timeout = '1s'\n");
    let mut server = Server::start(&["--config", &settings]);
    let _publisher = publish(&server.rtmp_url("live/cam"), 20);
    server.wait_live("live/cam");
    let response = server.get("/live/cam/index.m3u8");
    assert_eq!(response.status, 200, "{}", response.text());
}
