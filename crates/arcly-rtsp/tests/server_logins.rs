//! Real clients show user and password by Digest; who shows the wrong ones is refused.

mod client;
mod server;

use arcly_core::{
    AccessDenied, AccessRequest, AppSpec, Authenticator, CancellationToken, Engine, MediaKind,
    StreamKey, async_trait,
};
use arcly_rtsp::proto::message::{Method, name};
use arcly_rtsp::{PasswordLookup, RtspSource};
use arcly_testkit::path_of_ffmpeg_9;
use client::pull::{failure, key, quick, read, stream};
use server::peer::Peer;
use server::{PATIENCE, Server, Video, clip_of, finished, spawn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::timeout;

/// Knows one user, and lets nobody else do anything.
#[derive(Clone, Default)]
struct OneUser {
    /// How often a digest was to be verified.
    digests: Arc<AtomicUsize>,
}

#[async_trait]
impl Authenticator for OneUser {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        let shown = request.credentials;
        let user = shown.username.as_deref() == Some("user");
        match user && shown.password.as_deref() == Some("secret") {
            true => Ok(()),
            false => Err(AccessDenied::new("user and password are wanted")),
        }
    }
}

#[async_trait]
impl PasswordLookup for OneUser {
    async fn password(&self, username: &str, _: &StreamKey) -> Option<String> {
        self.digests.fetch_add(1, Ordering::Relaxed);
        (username == "user").then(|| "secret".to_owned())
    }
}

impl OneUser {
    /// Whether a digest was verified since the last time.
    fn was_asked(&self) -> bool {
        self.digests.swap(0, Ordering::Relaxed) > 0
    }
}

async fn guarded() -> (Server, OneUser) {
    let user = OneUser::default();
    let server = Server::with(
        |engine| engine.authenticator(user.clone()),
        |server| server.passwords(user.clone()),
    );
    (server.await, user)
}

fn url_as(server: &Server, user: &str) -> String {
    let url = server.url("clip");
    url.replace("rtsp://", &format!("rtsp://{user}@"))
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_gstreamer_and_our_own_client_show_digests() {
    let clip = clip_of("digest", Video::H264, "9");
    let clip = clip.to_str().expect("UTF-8");
    let (server, user) = guarded().await;
    let url = url_as(&server, "user:secret");
    for program in ["ffmpeg", &path_of_ffmpeg_9()] {
        let publish = format!(
            "-nostdin -loglevel error -re -i {clip} -c copy -f rtsp -rtsp_transport tcp {url}"
        );
        let publish: Vec<_> = publish.split_whitespace().collect();
        let publisher = spawn(program, "ffmpeg", &publish);
        server.live("clip", 2).await;
        assert!(user.was_asked(), "{program} publishes");

        let play = format!("-nostdin -loglevel error -i {url} -t 1 -c copy -f null -");
        let play: Vec<_> = play.split_whitespace().collect();
        finished(spawn(program, "ffmpeg", &play)).await;
        assert!(user.was_asked(), "{program} plays");

        let open = server.url("clip");
        let play = format!(
            "rtspsrc location={open} user-id=user user-pw=secret latency=0 ! rtph264depay ! fakesink num-buffers=10"
        );
        let play: Vec<_> = play.split_whitespace().collect();
        let packages = "gstreamer1.0-tools gstreamer1.0-plugins-good";
        finished(spawn("gst-launch-1.0", packages, &play)).await;
        assert!(user.was_asked(), "rtspsrc plays");

        let pull = RtspSource::new(url.parse().expect("a URL"), key()).backoff(quick());
        let engine = Engine::builder()
            .application(AppSpec::new("live"))
            .protocol(pull)
            .build();
        let stop = CancellationToken::new();
        let (served, token) = (engine.clone(), stop.clone());
        let serving = tokio::spawn(async move { served.serve_registered(token).await });
        let frames = read(&stream(&engine).await, MediaKind::Video, 10).await;
        assert!(frames.len() >= 10 && user.was_asked(), "we play");
        stop.cancel();
        serving.await.expect("no panic").expect("no error");
        finished(publisher).await;
        let gone = async {
            let key = StreamKey::new("live", "clip");
            while arcly_core::PlaybackRegistry::get_stream(&*server.engine, &key).is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, gone).await.expect("it ends");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_something_else_is_refused() {
    let clip = clip_of("digest-wrong", Video::H264, "1");
    let clip = clip.to_str().expect("UTF-8");
    let (server, _) = guarded().await;
    for user in ["user:wrong", "somebody:secret"] {
        let url = url_as(&server, user);
        let publish = format!("-nostdin -loglevel error -i {clip} -c copy -f rtsp {url}");
        let publish: Vec<_> = publish.split_whitespace().collect();
        let publisher = spawn("ffmpeg", "ffmpeg", &publish);
        let output = timeout(PATIENCE, publisher.wait_with_output()).await;
        let output = output.expect("it ends").expect("it ran");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("401"), "{said}");

        let pull = RtspSource::new(url.parse().expect("a URL"), key()).backoff(quick());
        let mut status = pull.status();
        let running = client::pull::serve(pull);
        let reason = failure(&mut status).await;
        assert!(reason.contains("does not take"), "{reason}");
        drop(running);
    }
    server.stop().await;
}

/// Guesses are few on a connection.
#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_answers_close_the_connection() {
    let (server, _) = guarded().await;
    let mut peer = Peer::connect(server.address, server.url("clip")).await;
    let asked = peer.ask(Method::Describe, "", &[], "").await;
    assert_eq!(asked.status.code(), 401);
    let offered = asked.headers.all(name::WWW_AUTHENTICATE);
    let schemes: Vec<_> = offered
        .map(|offer| (offer.starts_with("Digest"), offer.contains("SHA-256")))
        .collect();
    assert_eq!(schemes, [(true, true), (true, false), (false, false)]);
    for _ in 0..3 {
        let wrong = [(name::AUTHORIZATION, "Basic dXNlcjp3cm9uZw==")];
        let refused = peer.ask(Method::Describe, "", &wrong, "").await;
        assert_eq!(refused.status.code(), 401);
    }
    assert!(peer.block().await.is_none(), "closed");
    server.stop().await;
}
