//! A player by HTTP-FLV that takes less than there is: what it gets decodes, and nobody else notices.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use support::packets::{packets_of, read, record};
use support::{PATIENCE, Process, Server, run, tool};

/// The body in a chunked response.
fn unchunked(response: &[u8]) -> Vec<u8> {
    let head = response.windows(4).position(|four| four == b"\r\n\r\n");
    let mut rest = &response[head.expect("a head") + 4..];
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).expect("a length");
        let length = usize::from_str_radix(length, 16).expect("in hexadecimal");
        let chunk = &rest[end + 2..];
        let taken = length.min(chunk.len());
        body.extend_from_slice(&chunk[..taken]);
        if length == 0 || chunk.len() < length + 2 {
            break;
        }
        rest = &chunk[length + 2..];
    }
    body
}

#[test]
fn a_player_that_pauses_goes_on_at_a_keyframe() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let mut server = Server::start(&[]);
    // 40 Mbit/s of noise: the sockets' buffers are full within a second or two.
    let mut publisher = Process::spawn(
        tool("ffmpeg")
            .args([
                "-v",
                "error",
                "-re",
                "-f",
                "lavfi",
                "-i",
                "testsrc2=size=640x360:rate=25,noise=alls=100:allf=t",
            ])
            .args([
                "-f",
                "lavfi",
                "-i",
                "sine=frequency=440:sample_rate=48000",
                "-t",
                "20",
            ])
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-b:v",
                "40M",
                "-bf",
                "2",
                "-g",
                "25",
                "-pix_fmt",
                "yuv420p",
            ])
            .args(["-c:a", "aac", "-f", "flv"])
            .arg(server.rtmp_url("live/noise")),
    );
    server.wait_live("live/noise");
    let mut prompt = record(&server.url("/live/noise.flv"), &file("prompt"));
    let mut slow = TcpStream::connect(server.http_address()).expect("HTTP is served");
    slow.set_read_timeout(Some(PATIENCE)).expect("a socket");
    slow.write_all(b"GET /live/noise.flv HTTP/1.1\r\nHost: test\r\n\r\n")
        .expect("sent");
    let mut first = [0; 4096];
    slow.read_exact(&mut first).expect("it starts");
    // The pause is what is tested: nothing is taken meanwhile.
    std::thread::sleep(Duration::from_secs(8));
    let mut response = first.to_vec();
    // The server keeps the connection for a next request: the last chunk is the end.
    let mut some = vec![0; 1 << 16];
    while !response.ends_with(b"\r\n0\r\n\r\n") {
        let length = slow.read(&mut some).expect("it goes on");
        assert!(length > 0, "it was cut off");
        response.extend_from_slice(&some[..length]);
    }
    assert!(publisher.0.wait().expect("a child").success());
    assert!(prompt.0.wait().expect("a child").success());

    let metrics = server.get("/metrics").text();
    let lost = "arcly_viewer_losses_total{loss=\"skipped-to-keyframe\"}";
    assert!(metrics.contains(lost), "{metrics}");
    std::fs::write(file("slow.flv"), unchunked(&response)).expect("written");
    let all = read(&file("prompt"));
    let got = packets_of(&file("slow.flv"));
    let count = |packets: &[support::packets::Packet]| {
        packets.iter().filter(|packet| packet.track == 0).count()
    };
    assert!(
        count(&got) + 50 < count(&all),
        "{} of {}",
        count(&got),
        count(&all)
    );
    // What it got, it got whole and once, and what comes after the gap decodes.
    for packet in &got {
        let same = |other: &&support::packets::Packet| {
            (&other.crc, other.pts) == (&packet.crc, packet.pts)
        };
        assert!(
            packet.track == 1 || all.iter().find(same).is_some(),
            "{packet:?}"
        );
    }
    assert!(
        got.windows(2)
            .filter(|pair| pair[0].track == pair[1].track)
            .all(|pair| pair[0].dts < pair[1].dts)
    );
    let decoded = run(tool("ffmpeg")
        .args(["-v", "error", "-xerror", "-i"])
        .arg(file("slow.flv"))
        .args(["-map", "0:v", "-f", "null", "-"]));
    assert_eq!(String::from_utf8_lossy(&decoded.stderr), "");
}
