//! Pulling and pushing between engines: what arrives is what was sent; what fails is said and tried again.

mod support;

use arcly_core::health::Health;
use arcly_core::{
    AppSpec, CancellationToken, CodecId, Engine, MediaFrame, MediaKind, PlaybackRegistry,
    PublishRegistry, StartAt, StreamHandle, StreamKey,
};
use arcly_rtmp::{Backoff, RelayStatus, RtmpPull, RtmpPush, RtmpServer};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::server::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn key() -> StreamKey {
    StreamKey::new("live", "camera")
}

/// An engine whose protocols run until it is dropped.
struct Running {
    engine: Arc<Engine>,
    shutdown: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn run(engine: Arc<Engine>) -> Running {
    let shutdown = CancellationToken::new();
    let (served, token) = (Arc::clone(&engine), shutdown.clone());
    tokio::spawn(async move { served.serve_registered(token).await });
    Running { engine, shutdown }
}

fn builder() -> arcly_core::EngineBuilder {
    Engine::builder().application(AppSpec::new("live"))
}

async fn server() -> (Running, String) {
    let server = RtmpServer::bind(LOOPBACK).await.expect("a free port");
    let url = format!("rtmp://{}/live/camera", server.local_addr());
    (run(builder().protocol(server).build()), url)
}

fn quick() -> Backoff {
    Backoff::new(Duration::from_millis(20), Duration::from_millis(50))
}

async fn publish(engine: &Engine) -> StreamHandle {
    let handle = engine.start_publish(&key()).await.expect("a free name");
    let avcc = Bytes::copy_from_slice(&support::avc_header()[5..]);
    let config = MediaFrame::new_video(0, 0, avcc, CodecId::H264, false).into_config();
    handle.publish_frame(config).expect("live");
    let asc = MediaFrame::new_audio(
        0,
        Bytes::copy_from_slice(&support::AAC_HEADER[2..]),
        CodecId::Aac,
    );
    handle.publish_frame(asc.into_config()).expect("live");
    handle
}

fn picture(millis: i64, key: bool) -> MediaFrame {
    let nal: &[u8] = if key {
        b"\0\0\0\x03\x65\x88\x80"
    } else {
        b"\0\0\0\x03\x41\x9A\x80"
    };
    MediaFrame::new_video(
        millis + 40,
        millis,
        Bytes::from_static(nal),
        CodecId::H264,
        key,
    )
}

fn sound(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from_static(b"\x21\x10\x04"), CodecId::Aac)
}

/// Publishes a frame each few milliseconds, a keyframe each half second of its own time, until it is stopped.
fn publish_on(handle: StreamHandle) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        for index in 0_i64.. {
            let millis = index * 40;
            let key = index % 12 == 0;
            if handle.publish_frame(picture(millis, key)).is_err()
                || handle.publish_frame(sound(millis)).is_err()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

async fn wait_for(
    status: &mut watch::Receiver<RelayStatus>,
    wanted: impl Fn(&RelayStatus) -> bool,
) -> RelayStatus {
    let found = timeout(PATIENCE, status.wait_for(wanted)).await;
    found.expect("in time").expect("it runs").clone()
}

async fn stream(engine: &Engine) -> StreamHandle {
    let waiting = async {
        loop {
            if let Ok(handle) = engine.get_stream(&key()) {
                return handle;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("live in time")
}

/// Kind, config, key, payload of the next frames, and DTS against that of the first picture.
async fn read(
    handle: &StreamHandle,
    count: usize,
) -> Vec<(MediaKind, bool, bool, i64, i64, Bytes)> {
    let mut frames = handle.subscribe_from(StartAt::LatestKeyframe);
    let mut rows = Vec::new();
    let mut origin = None;
    while rows.len() < count {
        let frame = timeout(PATIENCE, frames.recv())
            .await
            .expect("in time")
            .expect("live");
        if frame.kind == MediaKind::Data {
            continue;
        }
        let (dts, pts) = (frame.dts.as_millis(), frame.pts.as_millis());
        if !frame.is_config() && origin.is_none() {
            origin = Some(dts);
        }
        let origin = origin.unwrap_or(dts);
        rows.push((
            frame.kind,
            frame.is_config(),
            frame.is_keyframe(),
            dts - origin,
            pts - origin,
            frame.payload.clone(),
        ));
    }
    rows
}

fn check(rows: &[(MediaKind, bool, bool, i64, i64, Bytes)]) {
    let configs = rows.iter().filter(|row| row.1).count();
    assert_eq!(configs, 2, "avcC and AudioSpecificConfig: {rows:?}");
    let pictures: Vec<_> = rows
        .iter()
        .filter(|row| row.0 == MediaKind::Video && !row.1)
        .collect();
    assert!(pictures[0].2, "a keyframe first");
    for (index, row) in pictures.iter().enumerate() {
        assert_eq!(
            (row.3, row.4),
            (index as i64 * 40, index as i64 * 40 + 40),
            "{row:?}"
        );
        assert_eq!(row.5.len(), 7);
    }
    assert!(
        rows.iter()
            .filter(|row| row.0 == MediaKind::Audio && !row.1)
            .count()
            > 10
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pushed_and_pulled_stream_arrives_whole() {
    let (middle, url) = server().await;
    let push = RtmpPush::new(key(), url.parse().expect("a URL"));
    let mut pushing = push.status();
    let source = run(builder().protocol(push).build());
    let pull = RtmpPull::new(url.parse().expect("a URL"), key()).backoff(quick());
    let mut pulling = pull.status();
    let sink = run(builder().protocol(pull).build());
    wait_for(&mut pushing, |status| *status == RelayStatus::Waiting).await;

    let handle = publish(&source.engine).await;
    let publishing = publish_on(handle.clone());
    wait_for(&mut pushing, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
    wait_for(&mut pulling, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
    assert!(stream(&middle.engine).await.cached_configs().1.is_some());
    let pulled = stream(&sink.engine).await;
    check(&read(&pulled, 100).await);
    let parts = sink.engine.health().parts();
    assert!(
        parts.contains(&("rtmp-pull".to_owned(), Health::Healthy)),
        "{parts:?}"
    );

    // The end travels all the way, and the push waits for the next publish.
    let (id, session) = (handle.key().clone(), handle.session());
    source
        .engine
        .end_session(&id, session)
        .await
        .expect("it is ours");
    timeout(PATIENCE, pulled.ended()).await.expect("in time");
    wait_for(&mut pushing, |status| *status == RelayStatus::Waiting).await;
    publishing.await.expect("no panic");
    let handle = publish(&source.engine).await;
    publish_on(handle);
    wait_for(&mut pulling, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
    check(&read(&stream(&sink.engine).await, 60).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_whose_server_dies_comes_back() {
    let (first, url) = server().await;
    let address: SocketAddr = url["rtmp://".len()..]
        .split('/')
        .next()
        .expect("a host")
        .parse()
        .expect("an address");
    let push = RtmpPush::new(key(), url.parse().expect("a URL")).backoff(quick());
    let mut status = push.status();
    let source = run(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
    drop(first);
    let failed = wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Failed { .. })
    })
    .await;
    assert!(
        matches!(
            failed,
            RelayStatus::Failed {
                retry_in: Some(_),
                ..
            }
        ),
        "{failed}"
    );
    let parts = source.engine.health().parts();
    assert!(
        parts.iter().all(|(_, health)| health.is_ready()),
        "a remote's failure is not ours: {parts:?}"
    );
    let server = loop {
        // The old server may still be draining.
        match RtmpServer::bind(address).await {
            Ok(server) => break server,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let second = run(builder().protocol(server).build());
    wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
    check(&read(&stream(&second.engine).await, 60).await);
}

#[tokio::test]
async fn what_a_server_refuses_is_said_and_given_up_when_told_so() {
    let (middle, url) = server().await;
    let _taken = publish(&middle.engine).await;
    let push = RtmpPush::new(key(), url.parse().expect("a URL")).backoff(quick().attempts(Some(2)));
    let mut status = push.status();
    let source = run(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    let given_up =
        |status: &RelayStatus| matches!(status, RelayStatus::Failed { retry_in: None, .. });
    let RelayStatus::Failed { reason, .. } = wait_for(&mut status, given_up).await else {
        unreachable!()
    };
    assert!(reason.contains("NetStream.Publish.BadName"), "{reason}");
    assert!(
        !reason.contains("camera"),
        "the stream's name may be a secret: {reason}"
    );
    let failed = |(name, health): &(String, Health)| name == "rtmp-push" && !health.is_ready();
    assert!(source.engine.health().parts().iter().any(failed));
}

#[tokio::test]
async fn a_pull_that_finds_its_name_taken_says_so_and_tries_again() {
    let (middle, url) = server().await;
    publish_on(publish(&middle.engine).await);
    let pull = RtmpPull::new(url.parse().expect("a URL"), key()).backoff(quick());
    let mut status = pull.status();
    let sink = run(builder().protocol(pull).build());
    let other = sink
        .engine
        .start_publish(&key())
        .await
        .expect("a free name");
    let failed = wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Failed { .. })
    })
    .await;
    assert!(
        failed.to_string().contains("already being published"),
        "{failed}"
    );
    sink.engine
        .end_session(&key(), other.session())
        .await
        .expect("it is ours");
    wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Live { .. })
    })
    .await;
}

/// A server that does `act` with each connection; the address, and when each came.
async fn odd_server<F: Future<Output = ()> + Send>(
    act: impl Fn(tokio::net::TcpStream) -> F + Send + Sync + 'static,
) -> (String, Arc<std::sync::Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind(LOOPBACK).await.expect("a free port");
    let url = format!(
        "rtmp://{}/live/camera",
        listener.local_addr().expect("an address")
    );
    let times = Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = Arc::clone(&times);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            #[expect(clippy::disallowed_methods, reason = "the test's clock")]
            noted.lock().expect("no panic").push(Instant::now());
            act(stream).await;
        }
    });
    (url, times)
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_as_documented() {
    let (url, times) = odd_server(|stream| async move { drop(stream) }).await;
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8)).random(|| 1.0);
    let pull = RtmpPull::new(url.parse().expect("a URL"), key()).backoff(backoff.attempts(Some(6)));
    let mut status = pull.status();
    let _sink = run(builder().protocol(pull).build());
    let given_up =
        |status: &RelayStatus| matches!(status, RelayStatus::Failed { retry_in: None, .. });
    status.wait_for(given_up).await.expect("it runs");
    let times = times.lock().expect("no panic");
    let pauses: Vec<_> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64().round())
        .collect();
    assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 8.0]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_costs_its_deadline() {
    let held = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    let (url, _) = odd_server(move |stream| {
        let held = Arc::clone(&held);
        async move { held.lock().await.push(stream) }
    })
    .await;
    let pull = RtmpPull::new(url.parse().expect("a URL"), key()).backoff(quick().attempts(Some(1)));
    let mut status = pull.status();
    let _sink = run(builder().protocol(pull).build());
    let failed = status
        .wait_for(|status| matches!(status, RelayStatus::Failed { .. }))
        .await
        .expect("it runs")
        .to_string();
    assert!(
        failed.contains("the server's handshake took longer than 10s"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_server_of_another_kind_is_named() {
    let (url, _) = odd_server(|mut stream| async move {
        let _ = stream.read(&mut [0; 2_000]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let push = RtmpPush::new(key(), url.parse().expect("a URL")).backoff(quick());
    let mut status = push.status();
    let source = run(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    let failed = wait_for(&mut status, |status| {
        matches!(status, RelayStatus::Failed { .. })
    })
    .await;
    assert!(
        failed.to_string().contains("the server speaks HTTP"),
        "{failed}"
    );
}
