//! Pulling and pushing between engines: what arrives is what was sent; what fails is said and tried again.

mod support;

use arcly_core::PublishRegistry;
use arcly_core::health::Health;
use arcly_rtmp::{Backoff, RelayStatus, RtmpPull, RtmpPush, RtmpServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use support::relay::*;
use support::server::PATIENCE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pushed_and_pulled_stream_arrives_whole() {
    let (middle, url) = server().await;
    let push = RtmpPush::new(key(), url.parse().expect("a URL"));
    let mut pushing = push.status();
    let source = serve(builder().protocol(push).build());
    let pull = RtmpPull::new(url.parse().expect("a URL"), key()).backoff(quick());
    let mut pulling = pull.status();
    let sink = serve(builder().protocol(pull).build());
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
    let source = serve(builder().protocol(push).build());
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
    let second = serve(builder().protocol(server).build());
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
    let source = serve(builder().protocol(push).build());
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
    let sink = serve(builder().protocol(pull).build());
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
    let _sink = serve(builder().protocol(pull).build());
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
    let _sink = serve(builder().protocol(pull).build());
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
    let source = serve(builder().protocol(push).build());
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
