//! srt-tokio, which shares no line with libsrt or with us, publishes and plays, plain and in each key length.

mod support;

use arcly_core::StreamKey;
use arcly_srt::Passphrases;
use arcly_srt::proto::crypto::Passphrase;
use futures_util::{SinkExt, StreamExt};
use srt_tokio::options::ByteCount;
use srt_tokio::{SrtSocket, SrtSocketBuilder};
use std::time::Duration;
use support::clip::{assert_same, encode, media_of, paced, rows};
use support::numbered::now;
use support::process::PATIENCE;
use support::server::{Server, collect};
use tokio::time::{sleep_until, timeout};

const SECRET: &str = "correct-horse-battery";
/// How long the clip is.
const SECONDS: u64 = 3;

/// Its socket, with keys of so many bytes; 0: not encrypted.
fn socket(key_bytes: u16) -> SrtSocketBuilder {
    let builder = SrtSocket::builder().set(|options| {
        // Its default does for 4 Mbit/s only, and it fails beyond.
        options.sender.buffer_size = ByteCount(8 << 20);
    });
    match key_bytes {
        0 => builder,
        bytes => builder.encryption(bytes, SECRET),
    }
}

async fn server(key_bytes: u16) -> Server {
    Server::start(|config| {
        config.play_wait = Duration::from_secs(3);
        if key_bytes > 0 {
            config.passphrases = Passphrases::all(Passphrase::new(SECRET).expect("long enough"));
        }
    })
    .await
}

async fn clip() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.ts");
    encode(&path, &SECONDS.to_string()).await;
    std::fs::read(&path).expect("the clip")
}

async fn publish(server: &Server, stream_id: &str, key_bytes: u16, clip: Vec<u8>) {
    let call = socket(key_bytes).call(server.address, Some(stream_id));
    let mut socket = call.await.expect("it is let in");
    let start = now();
    for (due, payload) in paced(clip, Duration::from_secs(SECONDS)) {
        sleep_until((start + due).into()).await;
        let sent = socket.send((now(), payload)).await;
        sent.expect("there is room");
    }
    timeout(PATIENCE, socket.close())
        .await
        .expect("it ends in time")
        .expect("and well");
}

async fn play(server: &Server, stream_id: &str, key_bytes: u16) -> Vec<u8> {
    let call = socket(key_bytes).call(server.address, Some(stream_id));
    let mut socket = call.await.expect("it is let in");
    let mut got = Vec::new();
    let playing = async {
        while let Some(Ok((_, payload))) = socket.next().await {
            got.extend_from_slice(&payload);
        }
    };
    timeout(PATIENCE, playing).await.expect("it ends in time");
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_publishes_and_every_frame_arrives_once() {
    let clip = clip().await;
    let ids = ["publish:live/clip", "#!::r=live/clip,m=publish"];
    for (number, key_bytes) in [0, 16, 24, 32].into_iter().enumerate() {
        let mut server = server(key_bytes).await;
        publish(&server, ids[number % 2], key_bytes, clip.clone()).await;
        let (key, frames) = server.next_publication().await;
        assert_eq!(key, StreamKey::new("live", "clip"));
        let got = collect(frames).await;
        assert_same(&media_of(clip.clone()), &rows(&got), 0);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_plays_and_every_frame_arrives_once() {
    let clip = clip().await;
    let ids = ["read:live/clip", "#!::r=live/clip,m=request"];
    for (number, key_bytes) in [0, 16, 24, 32].into_iter().enumerate() {
        let server = server(key_bytes).await;
        let publishing = async {
            // The player asks first, to have the stream from its start on.
            tokio::time::sleep(Duration::from_millis(300)).await;
            publish(&server, "publish:live/clip", key_bytes, clip.clone()).await;
        };
        let (got, ()) = tokio::join!(play(&server, ids[number % 2], key_bytes), publishing);
        assert_same(&media_of(clip.clone()), &media_of(got), 1);
        server.stop().await;
    }
}
