//! What comes from ffmpeg, GStreamer and others.
#![allow(
    clippy::unwrap_used,
    reason = "tests; clippy takes their helpers for none"
)]

mod support;

use arcly_core::mux::Muxer;
use arcly_core::{MediaKind, PlaybackRegistry};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_ts_udp::{Limits, TsUdpInput};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use support::{Host, assert_even, clip, free_port, key, owned, run, source, times, watch};

fn input(url: &str) -> Arc<TsUdpInput> {
    let mut limits = Limits::default();
    limits.source_timeout = Duration::from_millis(700);
    let input = TsUdpInput::new(url.parse().unwrap(), key(), TsDemuxer::default).limits(limits);
    Arc::new(input)
}

/// Has `program` send 2 s of 25 pictures a second to an input at `listen`.
async fn receive(
    listen: &str,
    program: &str,
    package: &str,
    arguments: Vec<String>,
    pictures: usize,
) {
    let mut host = Host::new();
    let input = input(listen);
    host.run(input.clone());
    input.local_addr().wait_for(Option::is_some).await.unwrap();
    let frames = watch(&host.engine);
    run(program, package, arguments).await;
    let frames = frames.await.unwrap();
    assert_even(&times(&frames, MediaKind::Video), pictures, 39..=41);
    let counters = input.counters();
    assert_eq!(
        (counters.of_others, counters.malformed, counters.lost),
        (0, 0, 0)
    );
}

fn ffmpeg(format: &str, url: &str) -> Vec<String> {
    let mut arguments = source("2");
    arguments.extend(["-f", format, url]);
    owned(&arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_sends_by_udp() {
    let port = free_port();
    let to = format!("udp://127.0.0.1:{port}?pkt_size=1316");
    receive(
        &format!("udp://127.0.0.1:{port}"),
        "ffmpeg",
        "ffmpeg",
        ffmpeg("mpegts", &to),
        50,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_sends_by_rtp() {
    let port = free_port();
    let to = format!("rtp://127.0.0.1:{port}");
    receive(
        &format!("rtp://:{port}"),
        "ffmpeg",
        "ffmpeg",
        ffmpeg("rtp_mpegts", &to),
        50,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_sends_to_a_group() {
    let port = free_port();
    let to = format!("udp://239.255.77.1:{port}?pkt_size=1316&localaddr=127.0.0.1&ttl=0");
    let listen = format!("udp://@239.255.77.1:{port}?localaddr=127.0.0.1");
    receive(&listen, "ffmpeg", "ffmpeg", ffmpeg("mpegts", &to), 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gstreamer_sends_by_rtp() {
    let port = free_port();
    let port_property = format!("port={port}");
    let mut arguments = vec!["-q", "videotestsrc", "num-buffers=50", "is-live=true"];
    arguments.extend(["!", "video/x-raw,width=320,height=180,framerate=25/1"]);
    arguments.extend(["!", "x264enc", "tune=zerolatency", "key-int-max=25"]);
    arguments.extend(["!", "h264parse", "!", "mpegtsmux", "alignment=7"]);
    arguments.extend([
        "!",
        "rtpmp2tpay",
        "!",
        "udpsink",
        "host=127.0.0.1",
        &port_property,
    ]);
    let package = "gstreamer1.0-tools gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly";
    let listen = format!("rtp://127.0.0.1:{port}");
    receive(&listen, "gst-launch-1.0", package, owned(&arguments), 50).await;
}

/// Whole datagrams of a clip.
fn datagrams() -> Vec<Vec<u8>> {
    let (mut muxer, mut out) = (TsMuxer::default(), Vec::new());
    for frame in clip("1") {
        muxer.write(&frame, &mut out).unwrap();
    }
    muxer.finish(&mut out).unwrap();
    let packets = out.concat();
    packets.chunks(1316).map(<[u8]>::to_vec).collect()
}

async fn send(socket: &UdpSocket, datagrams: &[Vec<u8>]) {
    for datagram in datagrams {
        socket.send(datagram).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sender_is_not_heard_until_the_first_is_silent() {
    let port = free_port();
    let mut host = Host::new();
    let input = input(&format!("udp://127.0.0.1:{port}"));
    host.run(input.clone());
    input.local_addr().wait_for(Option::is_some).await.unwrap();
    let [first, second] = [(); 2].map(|()| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(support::loopback(port)).unwrap();
        socket
    });
    let clip = datagrams();
    let frames = watch(&host.engine);
    send(&first, &clip[..10]).await;
    for datagram in &clip[10..] {
        second.send(&[0x47; 1316]).unwrap();
        send(&first, std::slice::from_ref(datagram)).await;
    }
    let frames = frames.await.unwrap();
    assert_even(&times(&frames, MediaKind::Video), 25, 39..=41);
    assert_eq!(input.counters().of_others, clip.len() as u64 - 10);

    // Now the first is silent, and the second has its turn.
    let frames = watch(&host.engine);
    send(&second, &clip).await;
    assert_even(
        &times(&frames.await.unwrap(), MediaKind::Video),
        25,
        39..=41,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_mpeg_ts_opens_no_stream() {
    let port = free_port();
    let mut host = Host::new();
    let input = input(&format!("udp://127.0.0.1:{port}"));
    host.run(input.clone());
    input.local_addr().wait_for(Option::is_some).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(support::loopback(port)).unwrap();
    send(&socket, &vec![b"GET / HTTP/1.1".repeat(90); 300]).await;
    assert!(host.engine.get_stream(&key()).is_err());
    assert_eq!(input.counters().datagrams, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_tried_again() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut host = Host::new();
    let backoff =
        arcly_core::relay::Backoff::new(Duration::from_millis(50), Duration::from_millis(50));
    let input = TsUdpInput::new(
        format!("udp://127.0.0.1:{port}").parse().unwrap(),
        key(),
        TsDemuxer::default,
    );
    let input = Arc::new(input.backoff(backoff));
    host.run(input.clone());
    let failed =
        |status: &arcly_core::relay::RelayStatus| status.to_string().contains("cannot be had");
    input.status().wait_for(failed).await.unwrap();
    drop(taken);
    input.local_addr().wait_for(Option::is_some).await.unwrap();
}
