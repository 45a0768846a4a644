//! Media between peers and streams, over real sockets.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_core::rtp::RtpHeader;
use arcly_core::rtp::rtcp::{Nack, PictureLoss, RtcpPacket};
use arcly_core::{
    CodecId, IngestContext, MediaFrame, PlaybackRegistry as _, PublishSession, StreamHandle,
    Subscription,
};
use arcly_testkit::Random;
use arcly_whip::WhipResource;
use bytes::BytesMut;
use std::sync::Arc;
use std::time::Duration;
use support::peer::{Input, Peer, VP8, VP8_RTX, vp8_frame, vp8_picture};
use support::{PATIENCE, Server, cam, until};

const SSRC: u32 = 77;
const RTX_SSRC: u32 = 78;

fn header(sequence: u16) -> RtpHeader {
    RtpHeader {
        payload_type: VP8,
        marker: true,
        sequence,
        timestamp: u32::from(sequence) * 3_000,
        ssrc: SSRC,
    }
}

async fn send_picture(peer: &mut Peer, sequence: u16) {
    let picture = vp8_picture(sequence == 0, sequence as u8);
    peer.send_rtp(header(sequence), &picture).await;
}

async fn publisher(server: &Server) -> (Peer, Subscription, StreamHandle) {
    let peer = Peer::connect(server, WhipResource::Publish(cam())).await;
    let stream = server.engine.get_stream(&cam()).expect("published");
    (peer, stream.subscribe_resilient(), stream)
}

/// The last byte of the next picture, which says which it is.
async fn next_picture(peer: &mut Peer, subscription: &mut Subscription) -> u8 {
    let next = async {
        loop {
            // The peer is served meanwhile: it answers and is asked.
            tokio::select! {
                frame = subscription.recv() => {
                    let frame = frame.expect("the stream goes on");
                    if frame.is_video() && !frame.is_config() {
                        return *frame.payload.last().expect("not empty");
                    }
                }
                _ = peer.next() => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, next)
        .await
        .expect("a picture")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_is_asked_for_and_restored_from_a_retransmission() {
    let server = Server::start().await;
    let (mut peer, mut subscription, _) = publisher(&server).await;
    for sequence in [0, 1, 3] {
        send_picture(&mut peer, sequence).await;
    }
    let missing = peer
        .find(|input| match input {
            Input::Rtcp(packets) => packets.into_iter().find_map(|packet| match packet {
                RtcpPacket::Nack(nack) => Some(nack),
                _ => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!(missing.media, SSRC);
    assert_eq!(missing.sequences().collect::<Vec<_>>(), [2]);
    let again = RtpHeader {
        payload_type: VP8_RTX,
        sequence: 500,
        ssrc: RTX_SSRC,
        ..header(2)
    };
    let payload = [&2_u16.to_be_bytes()[..], &vp8_picture(false, 2)].concat();
    peer.send_rtp(again, &payload).await;
    for expected in 0..4 {
        assert_eq!(next_picture(&mut peer, &mut subscription).await, expected);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_from_anywhere_harms_no_session() {
    let server = Server::start().await;
    let (mut peer, mut subscription, _) = publisher(&server).await;
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let mut random = Random::new(1);
    send_picture(&mut peer, 0).await;
    for sequence in 1..100 {
        for kind in [0x00, 0x16, 0x14, 0x80, 0x81, 0x40] {
            let length = random.below(1_400) as usize;
            let mut noise: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            if let Some(first) = noise.first_mut() {
                *first = kind;
            }
            peer.send_datagram(&noise).await;
            stranger
                .send_to(&noise, server.media_address())
                .expect("sent");
        }
        send_picture(&mut peer, sequence).await;
        assert_eq!(
            next_picture(&mut peer, &mut subscription).await,
            sequence as u8 - 1
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authentic_nonsense_harms_no_session() {
    let server = Server::start().await;
    let (mut peer, mut subscription, _) = publisher(&server).await;
    let mut random = Random::new(2);
    send_picture(&mut peer, 0).await;
    for sequence in 1..60 {
        // Other SSRCs, payload types and payloads; reports of anything.
        let mut other = header(random.bits() as u16);
        other.ssrc = random.bits() as u32;
        other.payload_type = (random.bits() & 0x7f) as u8;
        let noise: Vec<u8> = (0..random.below(200))
            .map(|_| random.bits() as u8)
            .collect();
        if ![VP8, VP8_RTX].contains(&other.payload_type) {
            peer.send_rtp(other, &noise).await;
        }
        let mut report = vec![0x80, 200 + (random.bits() % 8) as u8, 0, 6];
        report.extend((0..24).map(|_| random.bits() as u8));
        peer.send_rtcp(&report).await;
        send_picture(&mut peer, sequence).await;
        assert_eq!(
            next_picture(&mut peer, &mut subscription).await,
            sequence as u8 - 1
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hosts_wish_for_a_keyframe_reaches_the_peer_once_an_interval() {
    let server = Server::start().await;
    let (mut peer, mut subscription, stream) = publisher(&server).await;
    send_picture(&mut peer, 0).await;
    send_picture(&mut peer, 1).await;
    assert_eq!(next_picture(&mut peer, &mut subscription).await, 0);
    for _ in 0..20 {
        stream.request_keyframe();
        peer.listen(Duration::from_millis(5)).await;
    }
    let inputs = peer.listen(Duration::from_millis(200)).await;
    let requests = inputs
        .iter()
        .filter_map(|input| match input {
            Input::Rtcp(packets) => Some(packets),
            _ => None,
        })
        .flatten()
        .filter(|packet| matches!(packet, RtcpPacket::PictureLoss(_)));
    assert!(requests.count() <= 1, "at most one in 500 ms");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodbye_ends_the_stream_at_once() {
    let server = Server::start().await;
    let (peer, _, _) = publisher(&server).await;
    peer.close().await;
    until("the name is free", || {
        server.engine.get_stream(&cam()).is_err()
    })
    .await;
    server.stop().await;
}

async fn live(server: &Server) -> PublishSession {
    let ctx = IngestContext::new(Arc::clone(&server.engine) as _);
    ctx.open_publish(cam()).await.expect("published")
}

fn picture(milliseconds: i64, is_keyframe: bool) -> MediaFrame {
    let content = (milliseconds / 40) as u8;
    let payload = vp8_frame(is_keyframe, content);
    MediaFrame::new_video(
        milliseconds,
        milliseconds,
        payload,
        CodecId::Vp8,
        is_keyframe,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_begins_with_the_newest_keyframe_and_catches_up_in_squeezed_time() {
    let server = Server::start().await;
    let session = live(&server).await;
    for number in 0..50 {
        session
            .publish_frame(picture(number * 40, number == 0))
            .expect("published");
    }
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    let mut past = Vec::new();
    for _ in 0..50 {
        past.push(viewer.next_packet(VP8).await);
    }
    assert_eq!(past[0].payload[1] & 1, 0, "a keyframe");
    let times: Vec<u32> = past.iter().map(|packet| packet.header.timestamp).collect();
    let span = times[49].wrapping_sub(times[0]);
    assert!(
        times
            .windows(2)
            .all(|pair| pair[1].wrapping_sub(pair[0]) < 3_600),
        "monotonic: {times:?}"
    );
    // 1 960 ms, 32 times as fast.
    assert!((5_000..6_000).contains(&span), "{span}");
    for pair in past.windows(2) {
        let step = pair[1]
            .header
            .sequence
            .wrapping_sub(pair[0].header.sequence);
        assert_eq!(step, 1);
    }
    session
        .publish_frame(picture(2_000, false))
        .expect("published");
    session
        .publish_frame(picture(2_040, false))
        .expect("published");
    let live = viewer.next_packet(VP8).await;
    let next = viewer.next_packet(VP8).await;
    assert_eq!(
        next.header.timestamp.wrapping_sub(live.header.timestamp),
        3_600
    );
    assert!(live.header.timestamp.wrapping_sub(times[49]) <= 3_600 * 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_of_a_long_gop_waits_for_the_next_keyframe_which_is_asked_for() {
    let server =
        Server::start_with(|config| config.limits.max_catch_up = Duration::from_secs(1)).await;
    let session = live(&server).await;
    for number in 0..50 {
        session
            .publish_frame(picture(number * 40, number == 0))
            .expect("published");
    }
    let stream = session.handle().clone();
    let asked = tokio::spawn(async move { stream.keyframe_requested().await });
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    let asked = async { tokio::time::timeout(PATIENCE, asked).await.expect("asked") };
    let (asked, _) = tokio::join!(asked, viewer.listen(Duration::from_millis(100)));
    asked.expect("no panic");
    for number in 50..53 {
        session
            .publish_frame(picture(number * 40, number == 51))
            .expect("published");
    }
    let first = viewer.next_packet(VP8).await;
    assert_eq!(first.payload.last(), Some(&51), "not the one before");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_viewer_misses_is_sent_again() {
    let server = Server::start().await;
    let session = live(&server).await;
    session.publish_frame(picture(0, true)).expect("published");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    let first = viewer.next_packet(VP8).await;
    let mut nack = BytesMut::new();
    Nack::new(1, viewer.video_ssrc(), [first.header.sequence]).write(&mut nack);
    viewer.send_rtcp(&nack).await;
    let again = viewer.next_packet(VP8_RTX).await;
    assert_eq!(again.header.timestamp, first.header.timestamp);
    assert_eq!(again.payload[..2], first.header.sequence.to_be_bytes());
    assert_eq!(again.payload[2..], first.payload[..]);
    // Of others' packets, and of those never sent, there are none.
    nack.clear();
    Nack::new(
        1,
        viewer.video_ssrc(),
        [first.header.sequence.wrapping_add(100)],
    )
    .write(&mut nack);
    Nack::new(1, 12_345, [first.header.sequence]).write(&mut nack);
    viewer.send_rtcp(&nack).await;
    let inputs = viewer.listen(Duration::from_millis(100)).await;
    assert!(!inputs.iter().any(|input| matches!(input, Input::Rtp(_))));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_wishes_for_keyframes_are_passed_on_once_an_interval() {
    let server = Server::start().await;
    let session = live(&server).await;
    session.publish_frame(picture(0, true)).expect("published");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    viewer.next_packet(VP8).await;
    let stream = session.handle().clone();
    let (wishes, mut asked) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            stream.keyframe_requested().await;
            let _ = wishes.send(());
        }
    });
    let mut loss = BytesMut::new();
    PictureLoss {
        sender: 1,
        media: viewer.video_ssrc(),
    }
    .write(&mut loss);
    for _ in 0..20 {
        viewer.send_rtcp(&loss).await;
        viewer.listen(Duration::from_millis(10)).await;
    }
    asked.recv().await.expect("one");
    assert!(asked.try_recv().is_err(), "no second within a second");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_stream_closes_its_viewers() {
    let server = Server::start().await;
    let session = live(&server).await;
    session.publish_frame(picture(0, true)).expect("published");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    viewer.next_packet(VP8).await;
    session.finish().await.expect("finished");
    viewer
        .find(|input| matches!(input, Input::Closed).then_some(()))
        .await;
    let session = viewer.session.clone();
    let mut gone = false;
    for _ in 0..200 {
        gone = server.delete(&session).await.status == 404;
        if gone {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(gone);
    server.stop().await;
}
