//! A publisher that drops out and comes back in time: players go on, with one discontinuity.

mod support;

use std::process::Command;
use support::packets::{Packet, make_clip, publish_clip, read, record};
use support::{Server, run};

fn pictures(packets: &[Packet]) -> Vec<&Packet> {
    packets.iter().filter(|packet| packet.track == 0).collect()
}

#[test]
fn players_outlive_a_publisher_that_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let mut server = Server::start(&["--publisher-grace", "20s"]);
    make_clip(&file("clip.flv"), 8);
    let first = publish_clip(&file("clip.flv"), &server.rtmp_url("live/cam"));
    server.wait_live("live/cam");
    let lists = [
        ("rtmp", server.rtmp_url("live/cam")),
        ("flv", server.url("/live/cam.flv")),
        ("hls", server.url("/live/cam/index.m3u8")),
    ];
    let players = lists.map(|(name, url)| (name, record(&url, &file(name))));
    // Long enough for all of them to have begun; then the publisher's cable is cut.
    std::thread::sleep(std::time::Duration::from_secs(5));
    drop(first);
    server.line(&["live/cam: interrupted"]);
    let stream = server.json("/api/v1/streams/live/cam");
    assert_eq!(stream["interrupted"], true);
    let viewers = stream["viewers"].as_u64().expect("a number");
    assert_eq!(viewers, 3);
    assert!(
        server
            .get("/metrics")
            .text()
            .contains("arcly_streams_interrupted 1")
    );

    let mut second = publish_clip(&file("clip.flv"), &server.rtmp_url("live/cam"));
    server.line(&["live/cam: resumed by rtmp"]);
    assert_eq!(
        server.json("/api/v1/streams/live/cam")["interrupted"],
        false
    );
    let mut playlist = String::new();
    let playlists = [
        "/live/cam/ts/media.m3u8",
        "/live/cam/media.m3u8",
        "/live/cam/cmaf/media.m3u8",
    ];
    while second.0.try_wait().expect("a child").is_none() {
        let found = playlists.iter().map(|path| server.get(path));
        for response in found.filter(|response| response.status == 200) {
            let text = response.text();
            if text.contains("#EXT-X-DISCONTINUITY\n") {
                playlist = text;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let marks = playlist.matches("#EXT-X-DISCONTINUITY\n").count();
    assert_eq!(marks, 1, "{playlist}");
    // The host has the last word; a stream that waits would go on for the rest of its time.
    server.signal("TERM");
    let text = |name: &str| {
        let said = std::fs::read_to_string(file(name).with_extension("stderr"));
        said.expect("there")
    };
    for (name, mut player) in players {
        if name == "hls" {
            run(Command::new("kill").args(["-s", "INT", &player.0.id().to_string()]));
        }
        let _ = player.0.wait();
        let packets = read(&file(name));
        let pictures = pictures(&packets);
        assert!(
            pictures.len() > 250,
            "{name}: {} pictures; {}",
            pictures.len(),
            text(name)
        );
        let steps: Vec<i64> = pictures
            .windows(2)
            .map(|pair| pair[1].dts - pair[0].dts)
            .collect();
        assert!(
            steps.iter().all(|step| *step > 0),
            "{name}: time goes on: {steps:?}"
        );
        let gaps = steps.iter().filter(|step| **step > 45).count();
        assert_eq!(gaps, 1, "{name}: one gap: {steps:?}");
    }
}
