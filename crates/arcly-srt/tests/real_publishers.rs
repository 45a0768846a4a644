//! ffmpeg and srt-live-transmit publish by libsrt; what arrives is compared with what they sent.

mod support;

use arcly_core::{MediaKind, StreamKey};
use arcly_srt::Passphrases;
use arcly_srt::proto::crypto::Passphrase;
use support::clip::{assert_same, encode, media_of, of, rows};
use support::process::{ffmpeg, start};
use support::server::{Server, collect};

const SECRET: &str = "correct-horse-battery";

/// Publishes a clip by `publish`, which is given its path and the server, and compares what arrives.
async fn arrives_whole(
    secret: Option<&str>,
    publish: impl AsyncFnOnce(&str, &Server),
) -> Vec<arcly_core::MediaFrame> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.ts");
    encode(&path, "3").await;
    let sent = media_of(std::fs::read(&path).expect("the clip"));
    let mut server = Server::start(|config| {
        if let Some(secret) = secret {
            config.passphrases = Passphrases::all(Passphrase::new(secret).expect("long enough"));
        }
    })
    .await;
    publish(path.to_str().expect("a path in UTF-8"), &server).await;
    let (key, frames) = server.next_publication().await;
    assert_eq!(key, StreamKey::new("live", "clip"));
    let frames = collect(frames).await;
    let arrived = rows(&frames);
    assert_eq!(of(&sent, MediaKind::Video).len(), 90);
    assert_same(&sent, &arrived, 0);
    server.stop().await;
    frames
}

/// Copies the clip out with ffmpeg, at its own pace.
async fn copy(path: &str, url: &str) {
    let arguments = [
        "-re", "-i", path, "-c", "copy", "-copyts", "-f", "mpegts", url,
    ];
    ffmpeg_of(&arguments).await;
}

async fn ffmpeg_of(arguments: &[&str]) {
    let (ok, log) = ffmpeg(arguments).await;
    assert!(ok, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_frame_of_ffmpeg_arrives_once_with_its_times() {
    arrives_whole(None, async |path, server| {
        copy(path, &server.url("publish:live/clip", "&linger=3")).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_arrives_in_each_key_length_and_by_the_standard_stream_id() {
    for length in [16, 24, 32] {
        arrives_whole(Some(SECRET), async |path, server| {
            let parameters = format!("&linger=3&passphrase={SECRET}&pbkeylen={length}");
            let url = format!("srt://{}?mode=caller{parameters}", server.address);
            let id = ["-srt_streamid", "#!::m=publish,r=live/clip"];
            let input = ["-re", "-i", path, "-c", "copy", "-copyts", "-f", "mpegts"];
            let arguments = [&input[..], &id, &[&url]].concat();
            let publishing = ffmpeg_of(&arguments);
            let watching = async {
                loop {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    if let Some(connection) = server.connections.list().first() {
                        return connection.encryption.map(|length| length.bytes());
                    }
                }
            };
            let (_, encryption) = tokio::join!(publishing, watching);
            assert_eq!(encryption, Some(length));
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_publish_at_once_on_one_port() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.ts");
    encode(&path, "2").await;
    let sent = media_of(std::fs::read(&path).expect("the clip"));
    let mut server = Server::start(|_| {}).await;
    let path = path.to_str().expect("a path in UTF-8");
    let publishing: Vec<_> = (0..10)
        .map(|number| {
            let url = server.url(&format!("publish:live/clip{number}"), "&linger=3");
            let arguments = [
                "-re", "-i", path, "-c", "copy", "-copyts", "-f", "mpegts", &url,
            ];
            start(
                "ffmpeg",
                &[&["-nostdin", "-loglevel", "warning"], &arguments[..]].concat(),
            )
        })
        .collect();
    let mut collecting = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (_, frames) = server.next_publication().await;
        collecting.spawn(collect(frames));
    }
    while let Some(frames) = collecting.join_next().await {
        let arrived = rows(&frames.expect("no panic"));
        for kind in [MediaKind::Video, MediaKind::Audio] {
            assert!(of(&arrived, kind) == of(&sent, kind), "{kind:?}");
        }
    }
    for child in publishing {
        let output = child.wait_with_output().await.expect("its end");
        assert!(output.status.success());
    }
    server.stop().await;
}

/// Asks ffmpeg to publish a second of sound, and gives what the server says of it.
async fn refusal(server: &mut Server, id: &str, parameters: &str) -> String {
    let url = server.url(id, parameters);
    let tone = [
        "-f", "lavfi", "-i", "sine", "-t", "1", "-c:a", "aac", "-f", "mpegts",
    ];
    let (ok, log) = ffmpeg(&[&tone[..], &[&url]].concat()).await;
    assert!(!ok, "{log}");
    server.next_refusal().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libsrt_is_refused_with_the_code_for_it() {
    let mut server = Server::start(|config| {
        config.passphrases = Passphrases::by(|target| {
            let secret = target.key.stream.as_str() == "secret";
            secret.then(|| Passphrase::new(SECRET).expect("long enough"))
        });
    })
    .await;
    let cases = [
        ("publish:live/secret", "", "(11)"),
        ("publish:live/secret", "&passphrase=something-else", "(10)"),
        ("publish:live/open", "&passphrase=something-else", "(11)"),
        ("publish:live/open", "&transtype=file", "(12)"),
        ("live/open", "", "(1400)"),
        ("listen:live/open", "", "(1405)"),
    ];
    for (id, parameters, code) in cases {
        let reason = refusal(&mut server, id, parameters).await;
        assert!(reason.ends_with(code), "{id}{parameters}: {reason}");
    }
    let reason = refusal(&mut server, "publish:nowhere/open", "").await;
    assert!(reason.contains("nowhere"), "{reason}");
    server.stop().await;
}

/// A publisher that is there until it is killed.
fn endless(url: &str) -> tokio::process::Child {
    let picture = ["-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=30"];
    let coding = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "15",
        "-f",
        "mpegts",
    ];
    let quiet = ["-nostdin", "-loglevel", "error"];
    start("ffmpeg", &[&quiet[..], &picture, &coding, &[url]].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_taken_until_its_publisher_leaves_or_is_silent() {
    let mut server = Server::start(|_| {}).await;
    let url = server.url("publish:live/clip", "");
    let mut publisher = endless(&url);
    let (_, mut frames) = server.next_publication().await;
    assert!(frames.recv().await.is_some());
    let reason = refusal(&mut server, "publish:live/clip", "").await;
    assert!(reason.contains("publish"), "{reason}");

    // Killed, it says nothing: five seconds of silence later its name is free.
    publisher.kill().await.expect("it runs");
    let killed = tokio::time::Instant::from_std(now());
    while frames.recv().await.is_some() {}
    let silent = tokio::time::Instant::from_std(now()) - killed;
    assert!((4.0..7.0).contains(&silent.as_secs_f64()), "{silent:?}");
    while !server.connections.list().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    // Asked to end, it says goodbye, and the name is free at once.
    let publisher = endless(&url);
    let (_, mut frames) = server.next_publication().await;
    assert!(frames.recv().await.is_some());
    let id = publisher.id().expect("it runs").to_string();
    let interrupted = now();
    start("kill", &["-INT", &id])
        .wait()
        .await
        .expect("it is told");
    while frames.recv().await.is_some() {}
    assert!(now() - interrupted < std::time::Duration::from_secs(3));
    server.stop().await;
}

#[expect(clippy::disallowed_methods, reason = "measures the server's patience")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
