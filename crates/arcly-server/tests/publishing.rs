//! Publishers that come, go, and compete; recordings of what they sent.

mod support;

use support::{Server, publish, run, tool};

#[test]
fn a_second_publisher_is_refused_or_replaces_the_first() {
    let mut server = Server::start(&[]);
    let _first = publish(&server.rtmp_url("live/cam"), 20);
    server.wait_live("live/cam");
    let _second = publish(&server.rtmp_url("live/cam"), 20);
    server.line(&["live/cam", "refused", "already"]);

    let mut server = Server::start(&["--takeover", "replace"]);
    let _first = publish(&server.rtmp_url("live/cam"), 20);
    server.wait_live("live/cam");
    server.lines.clear();
    let _second = publish(&server.rtmp_url("live/cam"), 20);
    server.line(&["live/cam: ended", "another publisher took over"]);
    server.line(&["live/cam: published by rtmp"]);
}

#[test]
fn an_application_that_does_not_exist_and_one_too_many_are_refused() {
    let mut server = Server::start(&["--max-publishers", "1", "--demo"]);
    server.wait_live("live/demo");
    let _elsewhere = publish(&server.rtmp_url("elsewhere/cam"), 5);
    server.line(&["elsewhere", "refused", "does not exist"]);
    let _surplus = publish(&server.rtmp_url("live/cam"), 5);
    server.line(&["live/cam", "refused", "limit of 1 publishers"]);
}

#[test]
fn a_recording_plays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(&["--record", folder.path().to_str().expect("UTF-8")]);
    let mut publisher = publish(&server.rtmp_url("live/cam"), 4);
    assert!(publisher.0.wait().expect("a child").success());
    let line = server.line(&["live/cam: recorded"]);
    let object = line
        .split("recorded ")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .expect("a name");
    let file = folder.path().join(object);
    run(tool("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(&file)
        .args(["-f", "null", "-"]));
    let frames = run(tool("ffprobe")
        .args([
            "-v",
            "error",
            "-count_packets",
            "-select_streams",
            "v",
            "-of",
            "csv=p=0",
            "-show_entries",
            "stream=nb_read_packets",
        ])
        .arg(&file));
    assert_eq!(
        String::from_utf8_lossy(&frames.stdout)
            .split(|c: char| !c.is_ascii_digit())
            .find(|word| !word.is_empty()),
        Some("100")
    );
}

#[test]
fn recordings_are_closed_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(&["--record", folder.path().to_str().expect("UTF-8"), "--demo"]);
    server.line(&["live/demo: recording to"]);
    // The first segment is whole, so there are two seconds at least.
    assert_eq!(server.get("/live/demo/index.m3u8").status, 200);
    server.signal("TERM");
    assert_eq!(server.exit_code(), Some(0));
    server.line(&["live/demo: recorded"]);
}
