//! Against the RTP muxer of ffmpeg: the video that it sends, by datagrams on the loopback, we read. (Of audio it keeps the last frames for
//! itself, and that of ADTS streams it does not send.)

mod payloads;
#[path = "payloads/sources.rs"]
mod sources;

use arcly_rtp::payload::PayloadFormat;
use arcly_rtp::{RtpHeader, RtpPacket};
use bytes::Bytes;
use payloads::{Unit, receive};
use std::net::UdpSocket;
use std::process::Command;

/// The packets that ffmpeg makes of this file, in datagrams of at most 400 bytes. All are in the socket's buffer when it ends.
fn send(file: &str, options: &str) -> Vec<RtpPacket> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of the loopback");
    let port = socket.local_addr().expect("bound").port();
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-i"])
        .arg(sources::path(file))
        .args(options.split_whitespace())
        .args(["-c", "copy", "-f", "rtp", "-payload_type", "96"])
        .arg(format!("udp://127.0.0.1:{port}?pkt_size=400"))
        .output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot run ffmpeg ({error}): install it, as in `apt-get install ffmpeg`")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: {said}");
    socket.set_nonblocking(true).expect("a socket");
    let mut buffer = [0; 2048];
    let mut packets = Vec::new();
    while let Ok(length) = socket.recv(&mut buffer) {
        let datagram = Bytes::copy_from_slice(&buffer[..length]);
        let packet = RtpPacket::parse(datagram).expect("a valid packet");
        // Sender reports come to the same port.
        if let RtpHeader {
            payload_type: 96, ..
        } = packet.header
        {
            packets.push(packet);
        }
    }
    packets
}

fn check(file: &str, options: &str, format: &PayloadFormat, units: &[Unit]) {
    let mut depacketizer = format.depacketizer().expect("a valid format");
    let received = receive(depacketizer.as_mut(), &send(file, options), &[]);
    assert!(
        received
            .iter()
            .map(|unit| &unit.data)
            .eq(units.iter().map(|unit| &unit.1)),
        "{file}"
    );
    assert!(
        received
            .iter()
            .map(|unit| unit.keyframe)
            .eq(units.iter().map(|unit| unit.2))
    );
}

#[test]
fn video() {
    for file in ["high_bframes.h264", "four_slices.h264"] {
        let (config, units) = sources::h264(sources::read(file));
        let format = PayloadFormat::H264 {
            packetization_mode: 1,
            config: Some(config),
        };
        check(file, "", &format, &units);
    }
    for file in ["bframes.h265", "slices.h265"] {
        let (config, units) = sources::h265(sources::read(file));
        let format = PayloadFormat::H265 {
            donl: false,
            config: Some(config),
        };
        check(file, "", &format, &units);
    }
    check(
        "vp8.ivf",
        "",
        &PayloadFormat::Vp8,
        &sources::vpx(&sources::read("vp8.ivf")),
    );
    let vp9 = PayloadFormat::Vp9 { profile: 0 };
    check(
        "vp9.ivf",
        "-strict -2",
        &vp9,
        &sources::vpx(&sources::read("vp9.ivf")),
    );
}
