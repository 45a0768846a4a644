//! ffmpeg, srt-live-transmit and GStreamer play by libsrt what ffmpeg publishes; what they get is compared with what was sent.

mod support;

use arcly_srt::Passphrases;
use arcly_srt::proto::crypto::Passphrase;
use std::path::Path;
use std::time::Duration;
use support::clip::{assert_same, encode, encode_as, media_of};
use support::process::{ffmpeg, output};
use support::server::Server;

const SECRET: &str = "correct-horse-battery";

/// A server whose players may wait for their stream, as long as libsrt's callers wait.
async fn patient_server(secret: Option<&str>) -> Server {
    Server::start(|config| {
        config.play_wait = Duration::from_secs(3);
        if let Some(secret) = secret {
            config.passphrases = Passphrases::all(Passphrase::new(secret).expect("long enough"));
        }
    })
    .await
}

/// Publishes the clip at its own pace.
async fn publish(path: &Path, url: &str) {
    let path = path.to_str().expect("a path in UTF-8");
    let arguments = ["-re", "-i", path, "-c", "copy", "-f", "mpegts", url];
    let (ok, log) = ffmpeg(&arguments).await;
    assert!(ok, "{log}");
}

/// Asserts that a file of a player has the media of the clip, from its start to its end.
fn assert_whole(clip: &Path, got: &Path) {
    let sent = media_of(std::fs::read(clip).expect("the clip"));
    let got = media_of(std::fs::read(got).expect("what the player wrote"));
    // Within one tick of 90 kHz, by which other clocks are rounded.
    assert_same(&sent, &got, 1);
}

/// Publishes and plays, by what `play` does with a URL and a path.
async fn through_the_server(
    secret: Option<&str>,
    parameters: &str,
    play: impl AsyncFnOnce(&str, &Path),
) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = folder.path().join("clip.ts");
    encode(&clip, "3").await;
    clip_through_the_server(&clip, secret, parameters, play).await;
}

/// The same with a clip that is there.
async fn clip_through_the_server(
    clip: &Path,
    secret: Option<&str>,
    parameters: &str,
    play: impl AsyncFnOnce(&str, &Path),
) {
    let got = clip.with_file_name("got.ts");
    let server = patient_server(secret).await;
    let to = server.url("publish:live/clip", &format!("&linger=3{parameters}"));
    let from = server.url("read:live/clip", parameters);
    let publishing = async {
        // The player asks first, to have the stream from its start on.
        tokio::time::sleep(Duration::from_millis(500)).await;
        publish(clip, &to).await;
    };
    tokio::join!(play(&from, &got), publishing);
    assert_whole(clip, &got);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn srt_live_transmit_gets_every_frame() {
    through_the_server(None, "", async |url, got| {
        let arguments = ["-a:no", "-q", url, "file://con"];
        let (played, log) = output("srt-live-transmit", &arguments).await;
        assert!(!log.contains("ERROR"), "{log}");
        std::fs::write(got, played).expect("a file");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_every_frame() {
    through_the_server(None, "", async |url, got| {
        let got = got.to_str().expect("a path in UTF-8");
        let (ok, log) = ffmpeg(&["-i", url, "-c", "copy", "-f", "mpegts", got]).await;
        assert!(ok, "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ffmpeg_plays_every_frame_in_each_key_length() {
    for length in [16, 24, 32] {
        let parameters = format!("&passphrase={SECRET}&pbkeylen={length}");
        through_the_server(Some(SECRET), &parameters, async |url, got| {
            let got = got.to_str().expect("a path in UTF-8");
            let (ok, log) = ffmpeg(&["-i", url, "-c", "copy", "-f", "mpegts", got]).await;
            assert!(ok, "{log}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265_with_b_frames_keeps_its_times_beside_the_sound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = folder.path().join("clip.ts");
    let parameters = "bframes=3:b-adapt=0:keyint=30:min-keyint=30:log-level=error";
    let encoder = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        parameters,
    ];
    encode_as(&clip, "3", &encoder).await;
    let sent = media_of(std::fs::read(&clip).expect("the clip"));
    let reordered = sent.windows(2).any(|pair| pair[1].2 < pair[0].2);
    assert!(reordered, "the encoder makes B-frames");
    clip_through_the_server(&clip, None, "", async |url, got| {
        let got = got.to_str().expect("a path in UTF-8");
        let (ok, log) = ffmpeg(&["-i", url, "-c", "copy", "-f", "mpegts", got]).await;
        assert!(ok, "{log}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gstreamer_plays_every_frame() {
    through_the_server(None, "", async |url, got| {
        let (uri, sink) = (format!("uri={url}"), format!("location={}", got.display()));
        let source = ["-q", "-e", "srtsrc", &uri, "auto-reconnect=false"];
        let arguments = [&source[..], &["!", "filesink", &sink]].concat();
        // It takes the end of the stream for an error, and would otherwise call again.
        output("gst-launch-1.0", &arguments).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_play_at_once_beside_their_publisher() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = folder.path().join("clip.ts");
    encode(&clip, "3").await;
    let server = patient_server(None).await;
    let url = server.url("read:live/clip", "");
    let mut playing = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (url, got) = (url.clone(), folder.path().join(format!("{number}.ts")));
        playing.spawn(async move {
            let (played, log) =
                output("srt-live-transmit", &["-a:no", "-q", &url, "file://con"]).await;
            assert!(!log.contains("ERROR"), "{log}");
            std::fs::write(&got, played).expect("a file");
            got
        });
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    publish(&clip, &server.url("publish:live/clip", "&linger=3")).await;
    while let Some(got) = playing.join_next().await {
        assert_whole(&clip, &got.expect("no panic"));
    }
    server.stop().await;
}
