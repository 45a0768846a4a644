//! What ffmpeg, GStreamer and our own input make of what is sent.
#![allow(
    clippy::unwrap_used,
    reason = "tests; clippy takes their helpers for none"
)]

mod support;

use arcly_core::MediaKind;
use arcly_core::mux::Demuxer;
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_ts_udp::{Limits, TsUdpInput, TsUdpPush};
use bytes::Bytes;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use support::{Host, assert_even, clip, free_port, key, owned, publish, record, run, times, watch};

fn push(url: &str) -> Arc<TsUdpPush> {
    Arc::new(TsUdpPush::new(
        key(),
        url.parse().unwrap(),
        TsMuxer::default,
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_are_seven_packets_in_rtp() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let mut host = Host::new();
    host.run(push(&format!("rtp://{to}")));
    let datagrams = record(socket);
    publish(&host.engine, clip("2")).await;
    let datagrams = datagrams.await.unwrap();

    let mut demuxer = TsDemuxer::default();
    let mut frames = Vec::new();
    let mut sequence = None;
    for (_, datagram) in &datagrams {
        assert_eq!((datagram[0], datagram[1]), (0x80, 33));
        let number = u16::from_be_bytes([datagram[2], datagram[3]]);
        assert!(
            sequence
                .replace(number)
                .is_none_or(|last: u16| last.wrapping_add(1) == number)
        );
        let payload = Bytes::copy_from_slice(&datagram[12..]);
        demuxer.read(payload, &mut frames).unwrap();
    }
    demuxer.finish(&mut frames);
    assert_even(&times(&frames, MediaKind::Video), 50, 39..=41);
    let short = datagrams
        .iter()
        .filter(|(_, datagram)| datagram.len() != 12 + 1316);
    assert!(short.count() <= 1);
}

/// What a program that records to a file has of what is pushed to `url`: the times of its pictures.
async fn recorded(url: &str, program: &str, package: &str, arguments: Vec<String>, file: &str) {
    let mut host = Host::new();
    let child = tokio::process::Command::new(program)
        .args(&arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = child.unwrap_or_else(|error| support::missing(program, package, &error));
    tokio::time::sleep(Duration::from_secs(1)).await;
    host.run(push(url));
    publish(&host.engine, clip("2")).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    let mut demuxer = TsDemuxer::default();
    let mut frames = Vec::new();
    let bytes = Bytes::from(std::fs::read(file).unwrap());
    demuxer.read(bytes, &mut frames).unwrap();
    demuxer.finish(&mut frames);
    assert_even(&times(&frames, MediaKind::Video), 50, 39..=41);
}

fn file(name: &str) -> String {
    format!("{}/{name}.ts", env!("CARGO_TARGET_TMPDIR"))
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_receives_by_rtp() {
    let port = free_port();
    let file = file("gstreamer");
    let caps = "caps=application/x-rtp,media=video,clock-rate=90000,encoding-name=MP2T,payload=33";
    let (port_property, location) = (format!("port={port}"), format!("location={file}"));
    let arguments = owned(&[
        "-q",
        "udpsrc",
        "address=127.0.0.1",
        &port_property,
        caps,
        "!",
        "rtpmp2tdepay",
        "!",
        "filesink",
        &location,
        "buffer-mode=unbuffered",
    ]);
    let package = "gstreamer1.0-tools gstreamer1.0-plugins-good";
    let url = format!("rtp://127.0.0.1:{port}");
    recorded(&url, "gst-launch-1.0", package, arguments, &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_receives_by_udp() {
    let port = free_port();
    let from = format!("udp://127.0.0.1:{port}?timeout=3000000");
    let mut host = Host::new();
    host.run(push(&format!("udp://127.0.0.1:{port}")));
    let arguments = owned(&[
        "-v",
        "fatal",
        "-i",
        &from,
        "-select_streams",
        "v",
        "-show_entries",
        "packet=dts_time",
        "-of",
        "csv=p=0",
    ]);
    let packets = tokio::spawn(async move { run("ffprobe", "ffmpeg", arguments).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    publish(&host.engine, clip("3")).await;
    let packets = String::from_utf8(packets.await.unwrap()).unwrap();
    let times: Vec<i64> = packets
        .lines()
        .filter_map(|line| line.trim_end_matches(',').parse::<f64>().ok())
        .map(|seconds| (seconds * 1_000.0).round() as i64)
        .collect();
    assert_even(&times, 75, 39..=41);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_input_hears_the_group_that_our_push_sends_to() {
    let port = free_port();
    let (mut from, mut to) = (Host::new(), Host::new());
    let mut limits = Limits::default();
    limits.source_timeout = Duration::from_millis(700);
    let group = format!("rtp://239.255.77.2:{port}?localaddr=127.0.0.1");
    let input = TsUdpInput::new(group.parse().unwrap(), key(), TsDemuxer::default).limits(limits);
    let input = Arc::new(input);
    to.run(input.clone());
    input.local_addr().wait_for(Option::is_some).await.unwrap();
    from.run(push(&group));
    let frames = watch(&to.engine);
    let clip = clip("2");
    let pictures: Vec<_> = clip
        .iter()
        .filter(|frame| frame.kind == MediaKind::Video && !frame.is_config())
        .map(|frame| frame.payload.clone())
        .collect();
    publish(&from.engine, clip).await;
    let frames = frames.await.unwrap();
    assert_even(&times(&frames, MediaKind::Video), 50, 39..=41);
    // Bit by bit.
    let got: Vec<_> = frames
        .iter()
        .filter(|frame| frame.kind == MediaKind::Video && !frame.is_config())
        .map(|frame| frame.payload.clone())
        .collect();
    assert_eq!(got, pictures);
}
