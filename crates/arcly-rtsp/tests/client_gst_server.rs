//! gst-rtsp-server is pulled from, by datagrams and interleaved, with B-frames and sound.

mod client;

use arcly_core::relay::RelayStatus;
use arcly_core::{CodecId, MediaKind, StartAt};
use arcly_rtsp::TransportPolicy;
use client::gst::GstServer;
use client::pull::{
    check_pictures, check_sound, failure, offset, read, serve, source, stream, wait_for,
};
use std::time::Duration;

async fn pull_h264(transport: TransportPolicy) {
    let server = GstServer::start(&[]).await;
    let running = serve(source(&server.url("h264")).transport(transport));
    let handle = stream(&running.engine).await;
    // The first sender reports come within a few seconds.
    let frames = read(&handle, MediaKind::Video, 200).await;
    assert_eq!(check_pictures(&frames), CodecId::H264);
    assert!(
        frames.iter().any(|frame| frame.pts != frame.dts),
        "B-frames"
    );
    assert_eq!(check_sound(&frames, 1_024, 48_000), CodecId::Aac);
    let offset = offset(&frames);
    assert!(offset < Duration::from_millis(20), "{offset:?} apart");
}

#[tokio::test]
async fn b_frames_and_aac_by_datagrams() {
    pull_h264(TransportPolicy::Udp).await;
}

#[tokio::test]
async fn b_frames_and_aac_interleaved() {
    pull_h264(TransportPolicy::Tcp).await;
}

/// RFC 3550 5.1: both count on from 0 behind their last values, two seconds after the start.
#[tokio::test]
async fn timestamps_and_numbers_that_start_over_go_on() {
    let server = GstServer::start(&[]).await;
    for transport in [TransportPolicy::Udp, TransportPolicy::Tcp] {
        let running = serve(source(&server.url("wrap")).transport(transport));
        let handle = stream(&running.engine).await;
        let frames = read(&handle, MediaKind::Video, 125).await;
        check_pictures(&frames);
        check_sound(&frames, 1_024, 48_000);
        let offset = offset(&frames);
        assert!(offset < Duration::from_millis(20), "{offset:?} apart");
    }
}

/// RFC 4585: the server says that it answers picture loss indications, and does.
#[tokio::test]
async fn a_keyframe_that_is_asked_for_comes() {
    let server = GstServer::start(&["avpf"]).await;
    for transport in [TransportPolicy::Udp, TransportPolicy::Tcp] {
        let running = serve(source(&server.url("still")).transport(transport));
        let handle = stream(&running.engine).await;
        let before = read(&handle, MediaKind::Video, 60).await;
        let keyframes = before.iter().filter(|frame| frame.is_keyframe()).count();
        assert_eq!(keyframes, 1, "none by itself");
        let mut frames = handle.subscribe_from(StartAt::NextKeyframe);
        handle.request_keyframe();
        let next = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let frame = frames.recv().await.expect("it is live");
                if frame.is_video() && !frame.is_config() {
                    return frame.is_keyframe();
                }
            }
        });
        assert!(next.await.expect("a keyframe in time"));
    }
}

#[tokio::test]
async fn h265_and_opus_by_whatever_comes_through() {
    let server = GstServer::start(&[]).await;
    let running = serve(source(&server.url("h265")));
    let handle = stream(&running.engine).await;
    let frames = read(&handle, MediaKind::Video, 60).await;
    assert_eq!(check_pictures(&frames), CodecId::H265);
    assert_eq!(check_sound(&frames, 960, 48_000), CodecId::Opus);
}

#[tokio::test]
async fn vp8_and_pcmu() {
    let server = GstServer::start(&[]).await;
    let running = serve(source(&server.url("vp8")).transport(TransportPolicy::Tcp));
    let handle = stream(&running.engine).await;
    let frames = read(&handle, MediaKind::Video, 60).await;
    assert_eq!(check_pictures(&frames), CodecId::Vp8);
}

/// A server that only takes interleaved connections.
#[tokio::test]
async fn datagrams_that_are_refused_give_way_to_the_connection() {
    let server = GstServer::start(&["tcp"]).await;
    let pull = source(&server.url("h264"));
    let mut status = pull.status();
    let running = serve(pull);
    let handle = stream(&running.engine).await;
    check_pictures(&read(&handle, MediaKind::Video, 30).await);
    assert!(matches!(
        *status.borrow_and_update(),
        RelayStatus::Live { .. }
    ));

    let pull = source(&server.url("h264")).transport(TransportPolicy::Udp);
    let mut status = pull.status();
    let _running = serve(pull);
    let reason = failure(&mut status).await;
    assert!(reason.contains("does not carry media"), "{reason}");
}

#[tokio::test]
async fn who_we_are_is_shown_when_asked_for() {
    for method in ["digest", "basic"] {
        let server = GstServer::start(&[method]).await;
        let running = serve(source(&server.url_as("user:secret", "h264")));
        let handle = stream(&running.engine).await;
        check_pictures(&read(&handle, MediaKind::Video, 10).await);
        for (user, expected) in [
            ("user:wrong", "does not take"),
            ("", "asks for user and password"),
        ] {
            let url = match user {
                "" => server.url("h264"),
                user => server.url_as(user, "h264"),
            };
            let pull = source(&url);
            let mut status = pull.status();
            let _running = serve(pull);
            let reason = failure(&mut status).await;
            assert!(reason.contains(expected), "{method}: {reason}");
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_is_finished() {
    let server = GstServer::start(&[]).await;
    let pull = source(&server.url("finite"));
    let mut status = pull.status();
    let running = serve(pull);
    let handle = stream(&running.engine).await;
    let frames = read(&handle, MediaKind::Video, 1_000).await;
    check_pictures(&frames);
    let ended = |status: &RelayStatus| matches!(status, RelayStatus::Failed { .. });
    let reason = wait_for(&mut status, ended).await.to_string();
    assert!(reason.contains("has ended"), "{reason}");
}
