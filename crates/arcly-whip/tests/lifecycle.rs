//! Sessions that never connect, vanish, or whose stream changes; and peers by IPv6.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_core::{AppSpec, CodecId, Engine, IngestContext, MediaFrame, PublishSession};
use arcly_whip::WhipResource;
use bytes::Bytes;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use support::peer::{Input, Peer, VP8, any_offer, vp8_frame};
use support::{PATIENCE, Server, cam, session_of, until};

async fn publish(server: &Server) -> PublishSession {
    let ctx = IngestContext::new(Arc::clone(&server.engine) as _);
    ctx.open_publish(cam()).await.expect("published")
}

fn picture(number: i64, codec: CodecId) -> MediaFrame {
    let payload = vp8_frame(true, number as u8);
    MediaFrame::new_video(number * 40, number * 40, payload, codec, true)
}

/// Time stands still but where all wait for it, so this takes no time.
#[tokio::test(start_paused = true)]
async fn who_never_connects_is_forgotten_and_the_name_is_free() {
    let server = Server::start().await;
    let response = server
        .post(WhipResource::Publish(cam()), &any_offer("sendonly"))
        .await;
    assert_eq!(response.status, 201);
    assert_eq!(server.whip.sessions().len(), 1);
    let taken = server
        .post(WhipResource::Publish(cam()), &any_offer("sendonly"))
        .await;
    assert_eq!(taken.status, 409);
    tokio::time::sleep(Duration::from_secs(22)).await;
    assert_eq!(server.whip.sessions(), []);
    assert_eq!(server.delete(&session_of(&response)).await.status, 404);
    let again = server
        .post(WhipResource::Publish(cam()), &any_offer("sendonly"))
        .await;
    assert_eq!(again.status, 201);
    server.stop().await;
}

#[tokio::test]
async fn a_viewer_that_vanishes_is_forgotten_within_ten_seconds() {
    let server = Server::start().await;
    let session = publish(&server).await;
    session
        .publish_frame(picture(0, CodecId::Vp8))
        .expect("live");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    viewer.next_packet(VP8).await;
    assert_eq!(session.handle().subscriber_count(), 1);
    drop(viewer);
    // From here on nothing comes from outside, and time goes as fast as it can.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(server.whip.sessions(), []);
    assert_eq!(session.handle().subscriber_count(), 0);
    server.stop().await;
}

async fn server_with_grace() -> Server {
    let live = AppSpec::new("live").gop_cache(300);
    let engine = Engine::builder().application(live.publisher_grace(PATIENCE));
    Server::start_on(engine.build(), |_| {}).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_that_comes_back_goes_on_in_the_same_session() {
    let server = server_with_grace().await;
    let session = publish(&server).await;
    session
        .publish_frame(picture(0, CodecId::Vp8))
        .expect("live");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    let before = viewer.next_packet(VP8).await;
    session.finish().await.expect("finished");
    let session = publish(&server).await;
    session
        .publish_frame(picture(1, CodecId::Vp8))
        .expect("live");
    let after = viewer.next_packet(VP8).await;
    assert_eq!(after.payload.last(), Some(&1));
    let header = after.header;
    assert_eq!(header.sequence, before.header.sequence.wrapping_add(1));
    let step = header.timestamp.wrapping_sub(before.header.timestamp);
    assert!((1..90_000 * 20).contains(&step), "{step}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_that_comes_back_with_another_codec_has_players_ask_anew() {
    let server = server_with_grace().await;
    let session = publish(&server).await;
    session
        .publish_frame(picture(0, CodecId::Vp8))
        .expect("live");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    viewer.next_packet(VP8).await;
    session.finish().await.expect("finished");
    let session = publish(&server).await;
    // A key frame of VP9 (its uncompressed header): 320 x 240 pixels.
    let payload = b"\x82\x49\x83\x42\x00\x13\xf0\x0e\xf6\x00\x38\x24\x1c\x18";
    let vp9 = MediaFrame::new_video(40, 40, Bytes::from_static(payload), CodecId::Vp9, true);
    session.publish_frame(vp9).expect("live");
    viewer
        .find(|input| matches!(input, Input::Closed).then_some(()))
        .await;
    until("the session is gone", || server.whip.sessions().is_empty()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_by_ipv6_are_served() {
    let server = Server::start_with(|config| {
        let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        config.udp = loopback;
        config.tcp = Some(loopback);
    })
    .await;
    let session = publish(&server).await;
    session
        .publish_frame(picture(7, CodecId::Vp8))
        .expect("live");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    assert!(viewer.answer.contains(" udp "), "{}", viewer.answer);
    assert!(viewer.answer.contains(" ::1 "), "{}", viewer.answer);
    let packet = viewer.next_packet(VP8).await;
    assert_eq!(packet.payload.last(), Some(&7));
    server.stop().await;
}
