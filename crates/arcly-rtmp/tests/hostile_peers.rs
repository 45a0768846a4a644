//! Peers that mean no good, over TCP: each is refused with a reason, and a publisher beside them notices nothing.

mod support;

use arcly_core::{MediaKind, TcpIngestConfig};
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::{Config, RtmpServer};
use std::net::SocketAddr;
use std::time::Duration;
use support::server::{PATIENCE, Server, collect};
use support::{AAC_HEADER, avc_header, avc_unit, chunks, command, handshake_bytes, media, setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

/// Sends `bytes` and waits until the server closes; what it said.
async fn send_until_closed(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    send_until_end(address, bytes).await.0
}

/// The same, and whether the connection ended in order: not by a reset, which makes other systems than Linux forget what
/// they had received.
async fn send_until_end(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut peer = TcpStream::connect(address)
        .await
        .expect("the server listens");
    let mut reply = Vec::new();
    let talking = async {
        // The server may close before it has taken everything, and may reset what it leaves.
        let written = peer.write_all(bytes).await;
        written.is_ok() & peer.read_to_end(&mut reply).await.is_ok()
    };
    let in_order = timeout(PATIENCE, talking).await.expect("the server closes");
    (reply, in_order)
}

fn connected(messages: &[Message]) -> Vec<u8> {
    [handshake_bytes(), chunks(messages)].concat()
}

/// A publisher that sends `count` frames of video and audio at a pace of 5 ms, and says goodbye.
async fn steady_publisher(address: SocketAddr, name: &str, count: u32) {
    let mut peer = TcpStream::connect(address)
        .await
        .expect("the server listens");
    let mut commands = setup();
    commands[4] = command(
        1,
        "publish",
        5.0,
        &[Value::Null, name.into(), "live".into()],
    );
    commands.push(media(type_id::VIDEO, 0, &avc_header()));
    commands.push(media(type_id::AUDIO, 0, AAC_HEADER));
    peer.write_all(&connected(&commands))
        .await
        .expect("the server reads");
    let mut pace = interval(Duration::from_millis(5));
    for i in 0..count {
        pace.tick().await;
        let frame_type = if i % 50 == 0 { 1 } else { 2 };
        let nal = [if i % 50 == 0 { 0x65 } else { 0x41 }, i as u8, 3, 4];
        let messages = [
            media(type_id::VIDEO, i * 5, &avc_unit(frame_type, 0, &nal)),
            media(type_id::AUDIO, i * 5, &[0xAF, 1, i as u8]),
        ];
        peer.write_all(&chunks(&messages))
            .await
            .expect("the server reads");
    }
    let goodbye = command(0, "deleteStream", 0.0, &[Value::Null, 1.0.into()]);
    peer.write_all(&chunks(&[goodbye]))
        .await
        .expect("the server reads");
    let mut reply = Vec::new();
    peer.shutdown().await.expect("the connection stands");
    timeout(PATIENCE, peer.read_to_end(&mut reply))
        .await
        .expect("the server closes")
        .expect("no reset");
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attack_is_refused_with_its_reason() {
    let mut server = Server::start(|server| server).await;
    let nested = {
        let mut payload = b"\x02\x00\x07connect".to_vec();
        payload.extend([0x0A, 0, 0, 0, 1].repeat(10_000));
        Message {
            timestamp: 0,
            type_id: type_id::COMMAND_AMF0,
            stream_id: 0,
            payload: payload.into(),
        }
    };
    let flood: Vec<_> = std::iter::once(setup().remove(0))
        .chain((0..10_000).map(|_| command(0, "createStream", 4.0, &[Value::Null])))
        .collect();
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let chunk = |header: &[u8]| [&handshake_bytes()[..], header].concat();
    for (what, bytes, reason) in [
        ("noise", noise.clone(), "version"),
        ("a browser", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "HTTP"),
        ("a TLS client", b"\x16\x03\x01\x02\x00\x01".to_vec(), "TLS"),
        (
            "noise after the handshake",
            [handshake_bytes(), noise].concat(),
            "",
        ),
        (
            "a message of 16 MiB",
            chunk(&[3, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 0, 0, 0, 0]),
            "message_bytes",
        ),
        (
            "a command of 1 MiB",
            chunk(&[3, 0, 0, 0, 0x10, 0, 0, 20, 0, 0, 0, 0]),
            "command_bytes",
        ),
        (
            "a chunk size of 0",
            chunk(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            "chunk size",
        ),
        ("deep nesting", connected(&[nested]), "amf_depth"),
        ("a flood of streams", connected(&flood), "message_streams"),
        (
            "a command before connect",
            connected(&flood[1..2]),
            "before connect",
        ),
    ] {
        send_until_closed(server.address, &bytes).await;
        let refusal = server.next_refusal().await;
        assert!(refusal.contains(reason), "{what}: {refusal}");
    }
    assert_eq!(server.engine.total_stream_count(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_can_understand_is_told_why() {
    let server = Server::start(|server| server).await;
    let flood: Vec<_> = std::iter::once(setup().remove(0))
        .chain((0..20).map(|_| command(0, "createStream", 4.0, &[Value::Null])))
        .collect();
    let reply = send_until_closed(server.address, &connected(&flood)).await;
    let reply = String::from_utf8_lossy(&reply);
    assert!(
        reply.contains("NetConnection.Connect.Closed") && reply.contains("message_streams"),
        "{reply:?}"
    );
    let mut nowhere = setup();
    nowhere[0] = command(0, "connect", 1.0, &[support::object(&[("app", "nowhere")])]);
    let reply = send_until_closed(server.address, &connected(&nowhere)).await;
    let reply = String::from_utf8_lossy(&reply);
    assert!(
        reply.contains("NetConnection.Connect.InvalidApp") && reply.contains("nowhere"),
        "{reply:?}"
    );

    // What it sends beyond, more than the buffers of the system take, must not turn the last words into a reset.
    let mut refused = setup();
    refused.push(media(type_id::VIDEO, 0, &[0x12, 0, 0]));
    refused.extend((0..800).map(|_| media(type_id::VIDEO, 0, &[0x12; 20_000])));
    let (reply, in_order) = send_until_end(server.address, &connected(&refused)).await;
    let reply = String::from_utf8_lossy(&reply);
    assert!(
        reply.contains("NetStream.Publish.Denied") && reply.contains("Sorenson"),
        "{reply:?}"
    );
    assert!(in_order);

    let mut first = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    first
        .write_all(&connected(&setup()))
        .await
        .expect("the server reads");
    let started = async {
        let mut reply = Vec::new();
        while !String::from_utf8_lossy(&reply).contains("NetStream.Publish.Start") {
            first.read_buf(&mut reply).await.expect("a reply");
        }
    };
    timeout(PATIENCE, started).await.expect("it may publish");
    let reply = send_until_closed(server.address, &connected(&setup())).await;
    let reply = String::from_utf8_lossy(&reply);
    assert!(
        reply.contains("NetStream.Publish.BadName") && reply.contains("already"),
        "{reply:?}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_break_off_leave_nothing_behind() {
    let server = Server::start(|server| server).await;
    for length in [0, 1, 2, 1_536, 1_537, 1_538, 3_072, 3_073] {
        let mut peer = TcpStream::connect(server.address)
            .await
            .expect("the server listens");
        peer.write_all(&handshake_bytes()[..length])
            .await
            .expect("the server reads");
        peer.shutdown().await.expect("the connection stands");
        let mut reply = Vec::new();
        let closed = timeout(PATIENCE, peer.read_to_end(&mut reply)).await;
        closed
            .expect("the server closes at once, not at a timeout")
            .expect("no reset");
    }
    server.stop().await;
}

/// Longer than a busy machine takes to make the connections below.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_peers_cost_little_and_are_closed_in_time() {
    let mut config = Config::default();
    config.limits.handshake_timeout = HANDSHAKE_TIMEOUT;
    let tcp = TcpIngestConfig::new("rtmp")
        .limit_loopback(false)
        .handshake_timeout(HANDSHAKE_TIMEOUT);
    let mut server =
        Server::start(|server: RtmpServer| server.config(config).tcp_config(tcp)).await;
    let address = server.address;
    // What every process pays once.
    steady_publisher(address, "warm-up", 10).await;
    drop(server.next_publication().await);
    let before = resident();

    let publisher = tokio::spawn(steady_publisher(address, "steady", 1_000));
    let (_, frames) = server.next_publication().await;
    let collecting = tokio::spawn(collect(frames));
    let mut silent = Vec::new();
    for i in 0..1_000 {
        let mut peer = TcpStream::connect(address)
            .await
            .expect("the server listens");
        if i % 2 == 0 {
            // Half of them say a little.
            peer.write_all(&handshake_bytes()[..i])
                .await
                .expect("the server reads");
        }
        silent.push(peer);
    }
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 24 << 20,
        "1,000 connections took {} KiB, both ends counted",
        grown >> 10
    );
    for peer in &mut silent {
        let mut reply = Vec::new();
        let closed = timeout(PATIENCE, peer.read_to_end(&mut reply)).await;
        // Reset where the server left bytes unread.
        let _ = closed.expect("the server closes at the handshake timeout");
    }
    publisher.await.expect("the publisher notices nothing");
    let frames = collecting.await.expect("no panic");
    let video: Vec<_> = frames
        .iter()
        .filter(|f| f.kind == MediaKind::Video && !f.is_config())
        .collect();
    assert_eq!(video.len(), 1_000);
    assert!(
        video
            .windows(2)
            .all(|pair| pair[1].dts.since(pair[0].dts).as_millis() == 5)
    );
    let refusal = server.next_refusal().await;
    assert!(refusal.contains("handshake"), "{refusal}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_hoards_partial_messages_is_stopped_within_its_bound() {
    let mut server = Server::start(|server| server).await;
    let before = resident();
    // Many chunk streams, each with a message that never ends, before anything was allowed.
    let mut bytes = handshake_bytes();
    bytes.extend(chunks(&setup()[..1]));
    for id in 4..64_u8 {
        bytes.extend_from_slice(&[id, 0, 0, 0, 0x03, 0xFF, 0xFF, 20, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[0; 128]);
    }
    for _ in 0..2_000 {
        for id in 4..64_u8 {
            bytes.push(0xC0 | id);
            bytes.extend_from_slice(&[0; 128]);
        }
    }
    send_until_closed(server.address, &bytes).await;
    let refusal = server.next_refusal().await;
    assert!(
        refusal.contains("buffered_bytes exceeds the limit of 262144"),
        "{refusal}"
    );
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 64 << 20,
        "{} KiB, with the 15 MiB that were sent",
        grown >> 10
    );
    server.stop().await;
}
