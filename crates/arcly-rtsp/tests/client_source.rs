//! Pulling from a camera on a socket: reconnecting, falling back, redirections, on demand.

mod client;

use arcly_core::relay::{Backoff, RelayStatus};
use arcly_core::{MediaKind, PlayRequest, PlaybackRegistry};
use arcly_rtsp::proto::client::ClientConfig;
use arcly_rtsp::proto::message::{Method, Response, StatusCode, name};
use arcly_rtsp::{OnDemand, TransportPolicy};
use client::camera::Camera;
use client::mock::{MockCamera, Pictures, honest};
use client::pull::{
    PATIENCE, check_pictures, failure, key, media, read, serve, source, stream, wait_for,
};
use std::time::Duration;
use tokio::time::timeout;

const FOR_EVER: usize = usize::MAX;

fn is_live(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Live { .. })
}

#[tokio::test]
async fn pictures_come_as_they_were_sent_over_wraps_of_numbers_and_timestamps() {
    let camera = MockCamera::start(|_, request| Some(honest(request)), FOR_EVER).await;
    let running = serve(source(&camera.url("a")).transport(TransportPolicy::Tcp));
    let handle = stream(&running.engine).await;
    let frames = read(&handle, MediaKind::Video, 100).await;
    check_pictures(&frames);
    let pictures = media(&frames, MediaKind::Video);
    let first = (0..).find(|index| Pictures::picture(*index, 100).payload == pictures[0].payload);
    for (picture, index) in pictures.iter().zip(first.expect("sent")..) {
        let sent = Pictures::picture(index, 100);
        assert_eq!(picture.payload, sent.payload, "picture {index}");
        assert_eq!(picture.is_keyframe(), sent.is_keyframe(), "picture {index}");
    }
}

#[tokio::test]
async fn a_camera_that_hangs_up_is_connected_to_again() {
    let camera = MockCamera::start(|_, request| Some(honest(request)), 20).await;
    let pull = source(&camera.url("a")).transport(TransportPolicy::Tcp);
    let mut status = pull.status();
    let _running = serve(pull);
    for _ in 0..3 {
        wait_for(&mut status, is_live).await;
        let reason = failure(&mut status).await;
        assert!(reason.contains("closed the connection"), "{reason}");
    }
}

#[tokio::test]
async fn attempts_can_be_limited() {
    let refusing =
        |_: usize, request: &_| Some(Response::to(request, StatusCode::NOT_FOUND).to_bytes());
    let camera = MockCamera::start(refusing, 0).await;
    let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(10));
    let pull = source(&camera.url("a")).backoff(backoff.attempts(Some(3)));
    let mut status = pull.status();
    let _running = serve(pull);
    let given_up =
        |status: &RelayStatus| matches!(status, RelayStatus::Failed { retry_in: None, .. });
    let told = wait_for(&mut status, given_up).await.to_string();
    assert!(told.contains("404"), "{told}");
    let described = camera
        .methods()
        .iter()
        .filter(|(_, method)| method == "DESCRIBE")
        .count();
    assert_eq!(described, 3);
}

/// The camera agrees on datagrams, and none comes through.
#[tokio::test]
async fn datagrams_that_do_not_come_through_give_way_to_the_connection() {
    let answers = |_: usize, request: &_| {
        let request: &arcly_rtsp::proto::message::Request = request;
        let mut response = client::camera::plain(request);
        let asked = request.headers.get(name::TRANSPORT).unwrap_or_default();
        if request.method == Method::Setup && asked.contains("client_port") {
            response
                .headers
                .set(name::TRANSPORT, format!("{asked};server_port=9-10"));
            return Some(response.to_bytes());
        }
        Some(honest(request))
    };
    let camera = MockCamera::start(answers, FOR_EVER).await;
    let pull = source(&camera.url("a"));
    let mut status = pull.status();
    let running = serve(pull);
    let handle = stream(&running.engine).await;
    check_pictures(&read(&handle, MediaKind::Video, 10).await);
    assert!(is_live(&status.borrow_and_update()));
    // What was set up for datagrams was told to end.
    let methods = camera.methods();
    assert!(methods.contains(&(0, "TEARDOWN".to_owned())), "{methods:?}");
    assert!(methods.contains(&(1, "PLAY".to_owned())), "{methods:?}");

    let camera = MockCamera::start(answers, FOR_EVER).await;
    let pull = source(&camera.url("a")).transport(TransportPolicy::Udp);
    let mut status = pull.status();
    let _running = serve(pull);
    let reason = failure(&mut status).await;
    assert!(reason.contains("no datagram"), "{reason}");
}

#[tokio::test]
async fn redirections_are_followed_a_few_times() {
    let home = MockCamera::start(|_, request| Some(honest(request)), FOR_EVER).await;
    let to = home.url("home");
    let elsewhere = MockCamera::start(
        move |_, request| {
            let moved = Response::to(request, StatusCode::MOVED_TEMPORARILY);
            Some(moved.header(name::LOCATION, to.as_str()).to_bytes())
        },
        0,
    )
    .await;
    let running = serve(source(&elsewhere.url("a")).transport(TransportPolicy::Tcp));
    stream(&running.engine).await;
    let described = home.requests.lock().expect("no panic")[1].clone();
    assert_eq!(described, (0, "DESCRIBE".to_owned(), home.url("home")));

    // A server that always sends us back to itself.
    let in_circles = MockCamera::start(
        |_, request| {
            let moved = Response::to(request, StatusCode::MOVED_PERMANENTLY);
            Some(moved.header(name::LOCATION, "/a").to_bytes())
        },
        0,
    )
    .await;
    let pull = source(&in_circles.url("a"));
    let mut status = pull.status();
    let _running = serve(pull);
    let reason = failure(&mut status).await;
    assert!(reason.contains("more than 5 times"), "{reason}");
    let connections = in_circles
        .methods()
        .iter()
        .map(|(connection, _)| *connection)
        .max();
    assert!(connections < Some(24), "{connections:?}");
}

#[tokio::test]
async fn a_source_on_demand_runs_while_somebody_watches() {
    let camera = MockCamera::start(|_, request| Some(honest(request)), FOR_EVER).await;
    let mut on_demand = OnDemand::default();
    on_demand.linger = Duration::from_millis(300);
    let pull = source(&camera.url("a"))
        .transport(TransportPolicy::Tcp)
        .on_demand(on_demand);
    let mut status = pull.status();
    let running = serve(pull);
    let is_waiting = |status: &RelayStatus| *status == RelayStatus::Waiting;
    wait_for(&mut status, is_waiting).await;
    for round in 1..=2 {
        assert!(running.engine.get_stream(&key()).is_err(), "nobody watches");
        let viewer = timeout(PATIENCE, running.engine.open_play(PlayRequest::new(key()))).await;
        let viewer = viewer.expect("in time").expect("it came live");
        let frames = read(viewer.handle(), MediaKind::Video, 20).await;
        check_pictures(&frames);
        drop(viewer);
        wait_for(&mut status, is_waiting).await;
        let torn_down = camera
            .methods()
            .iter()
            .filter(|(_, method)| method == "TEARDOWN")
            .count();
        assert_eq!(torn_down, round);
    }
}

#[tokio::test]
async fn a_source_on_demand_that_fails_stops_when_nobody_waits_any_more() {
    let refusing =
        |_: usize, request: &_| Some(Response::to(request, StatusCode::NOT_FOUND).to_bytes());
    let camera = MockCamera::start(refusing, 0).await;
    let mut on_demand = OnDemand::default();
    (on_demand.linger, on_demand.patience) =
        (Duration::from_millis(100), Duration::from_millis(400));
    let pull = source(&camera.url("a")).on_demand(on_demand);
    let mut status = pull.status();
    let running = serve(pull);
    let is_waiting = |status: &RelayStatus| *status == RelayStatus::Waiting;
    wait_for(&mut status, is_waiting).await;
    let viewer = running.engine.open_play(PlayRequest::new(key())).await;
    assert!(viewer.is_err(), "{viewer:?}");
    wait_for(&mut status, is_waiting).await;
    assert!(!camera.methods().is_empty(), "it tried");
}

/// The replies of real cameras over a socket: what can be played is live once media comes.
#[tokio::test]
async fn cameras_of_the_corpus_go_live() {
    for camera in [
        Camera::new(
            "hikvision_describe",
            &["hikvision_setup"],
            Some("hikvision_play"),
        ),
        Camera::new(
            "reolink_describe",
            &["reolink_setup", ""],
            Some("reolink_play"),
        ),
        Camera::new("ipcam_describe", &[], Some("laureii_play")),
        Camera::new("macrovideo_describe", &["luckfox_rkipc_setup_tcp"], None),
        Camera::new("vstarcam_describe", &[], None),
    ] {
        let name = camera.describe;
        let mut answers = camera.clone();
        let mock =
            MockCamera::start(move |_, request| Some(answers.answer(request)), FOR_EVER).await;
        let running = serve(source(&mock.url("a")).transport(TransportPolicy::Tcp));
        let handle = stream(&running.engine).await;
        let frames = read(&handle, MediaKind::Video, 20).await;
        check_pictures(&frames);
        assert!(
            frames[0].is_config(),
            "{name}: the config of the description first"
        );
    }
}

#[tokio::test]
async fn a_camera_that_answers_nothing_is_given_up() {
    let mut config = ClientConfig::default();
    config.limits.response_timeout = Duration::from_millis(100);
    let camera = MockCamera::start(
        |_, request| {
            Some(match request.method {
                Method::Options => honest(request),
                _ => Vec::new(),
            })
        },
        0,
    )
    .await;
    let pull = source(&camera.url("a")).config(config);
    let mut status = pull.status();
    let _running = serve(pull);
    let reason = failure(&mut status).await;
    assert!(
        reason.contains("DESCRIBE took longer than 100ms"),
        "{reason}"
    );
}
