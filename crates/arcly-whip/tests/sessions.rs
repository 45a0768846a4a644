//! What is told of sessions while they run.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_core::rtp::RtpHeader;
use arcly_core::rtp::rtcp::{
    Nack, PictureLoss, ReceiverReport, ReportBlock, RtcpPacket, SenderReport,
};
use arcly_core::{Action, CodecId, IngestContext, MediaFrame, MediaKind};
use arcly_whip::{SessionReport, SessionState, WhipResource};
use bytes::BytesMut;
use std::sync::Arc;
use std::time::Duration;
use support::peer::{Input, Peer, VP8, VP8_RTX, vp8_frame, vp8_picture};
use support::{PATIENCE, Server, cam};

/// The report of the only session, once it is as wanted; `peer` is served meanwhile.
async fn report(
    server: &Server,
    peer: &mut Peer,
    mut is_wanted: impl FnMut(&SessionReport) -> bool,
) -> SessionReport {
    let wait = async {
        loop {
            let reports = server.whip.sessions();
            assert_eq!(reports.len(), 1);
            if let Some(report) = reports.into_iter().find(&mut is_wanted) {
                return report;
            }
            peer.listen(Duration::from_millis(20)).await;
        }
    };
    let report = tokio::time::timeout(PATIENCE, wait).await;
    report.unwrap_or_else(|_| panic!("never: {:#?}", server.whip.sessions()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publishers_session_tells_what_came_and_what_was_asked_for() {
    let server = Server::start().await;
    let mut peer = Peer::open(&server, WhipResource::Publish(cam())).await;
    let opened = &server.whip.sessions()[0];
    assert_eq!(opened.measured.state, SessionState::Checking);
    assert_eq!(opened.measured.route, None);
    peer.find(|input| matches!(input, Input::Connected).then_some(()))
        .await;
    let header = |sequence, payload_type, ssrc| RtpHeader {
        payload_type,
        marker: true,
        sequence,
        timestamp: u32::from(sequence) * 3_000,
        ssrc,
    };
    for sequence in [0, 1, 3] {
        let picture = vp8_picture(sequence == 0, 0);
        peer.send_rtp(header(sequence, VP8, 77), &picture).await;
    }
    peer.find(|input| match input {
        Input::Rtcp(packets) => packets
            .iter()
            .any(|packet| matches!(packet, RtcpPacket::Nack(_)))
            .then_some(()),
        _ => None,
    })
    .await;
    let again = [&2_u16.to_be_bytes()[..], &vp8_picture(false, 2)].concat();
    peer.send_rtp(header(2, VP8_RTX, 78), &again).await;
    let told = report(&server, &mut peer, |report| {
        let tracks = &report.measured.tracks;
        tracks
            .first()
            .is_some_and(|track| track.counters.packets == 4)
    })
    .await;
    assert_eq!((told.key, told.action), (cam(), Action::Publish));
    assert_eq!(told.measured.state, SessionState::Connected);
    let route = told.measured.route.expect("a way");
    assert_eq!(route.remote, peer.address());
    assert!(told.measured.encryption.is_some());
    let track = &told.measured.tracks[0];
    assert_eq!((track.kind, track.codec), (MediaKind::Video, "VP8"));
    assert_eq!(track.counters.retransmitted, 1);
    assert!(track.counters.nacked >= 1);
    assert_eq!(track.counters.lost, 0, "it came in the end");
    peer.close().await;
    support::until("the session is gone", || server.whip.sessions().is_empty()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_session_tells_what_it_says_of_its_way() {
    let server = Server::start().await;
    let ctx = IngestContext::new(Arc::clone(&server.engine) as _);
    let session = ctx.open_publish(cam()).await.expect("published");
    let picture = MediaFrame::new_video(0, 0, vp8_frame(true, 1), CodecId::Vp8, true);
    session.publish_frame(picture).expect("published");
    let mut viewer = Peer::connect(&server, WhipResource::Play(cam())).await;
    let first = viewer.next_packet(VP8).await;
    let sender_report: SenderReport = viewer
        .find(|input| match input {
            Input::Rtcp(packets) => packets.into_iter().find_map(|packet| match packet {
                RtcpPacket::SenderReport(report) => Some(report),
                _ => None,
            }),
            _ => None,
        })
        .await;
    let mut packets = BytesMut::new();
    let mut block = ReportBlock::default();
    block.ssrc = viewer.video_ssrc();
    block.fraction_lost = 64;
    block.cumulative_lost = 7;
    block.jitter = 900;
    block.last_report = sender_report.ntp.middle();
    ReceiverReport::new(1, vec![block]).write(&mut packets);
    let missing = [first.header.sequence];
    Nack::new(1, viewer.video_ssrc(), missing).write(&mut packets);
    PictureLoss {
        sender: 1,
        media: viewer.video_ssrc(),
    }
    .write(&mut packets);
    viewer.send_rtcp(&packets).await;
    let told = report(&server, &mut viewer, |report| {
        report
            .measured
            .tracks
            .first()
            .is_some_and(|track| track.counters.lost > 0)
    })
    .await;
    assert_eq!(told.action, Action::Play);
    let round_trip = told.measured.round_trip.expect("told");
    assert!(round_trip < Duration::from_secs(5), "{round_trip:?}");
    let counters = told.measured.tracks[0].counters;
    assert_eq!((counters.packets, counters.retransmitted), (1, 1));
    assert_eq!((counters.lost, counters.fraction_lost), (7, 64));
    assert_eq!((counters.nacked, counters.keyframe_requests), (1, 1));
    assert_eq!(counters.jitter, Duration::from_millis(10));
    server.stop().await;
}
