//! Rendezvous with libsrt: both call each other from the same port of two addresses, with and without a passphrase, either way round, and whoever
//! is there first.

mod support;

use arcly_core::mux::Muxer;
use arcly_core::relay::{Backoff, RelayStatus};
use arcly_core::{
    AppSpec, CodecId, Engine, InboundProtocol, IngestContext, MediaFrame, StreamKey, async_trait,
};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::{SrtPull, SrtPush, SrtUrl};
use bytes::Bytes;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;
use support::clip::{media_of, rows};
use support::numbered::now;
use support::process::{PATIENCE, start_with_input};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "correct-horse-battery";
/// Where libsrt is, and where we are: on one host each needs an address of its own, since both have the same port.
const THEIRS: &str = "127.0.0.2";
const OURS: &str = "127.0.0.1";
/// Frames of sound that are sent, 20 ms each.
const FRAMES: i64 = 150;

fn key() -> StreamKey {
    StreamKey::new("live", "clip")
}

/// The URL for libsrt, and ours, of one free port.
fn urls(parameters: &str) -> (String, SrtUrl) {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    drop(socket);
    let mode = format!("mode=rendezvous{parameters}");
    let theirs = format!("srt://{OURS}:{port}?adapter={THEIRS}&{mode}");
    let ours = format!("srt://{THEIRS}:{port}?adapter={OURS}&{mode}");
    (theirs, ours.parse().expect("a URL"))
}

/// Sound: its config, and frames of 20 ms, each with its number.
fn sound(number: i64) -> MediaFrame {
    let mut payload = vec![0x21; 300];
    payload[4..12].copy_from_slice(&number.to_be_bytes());
    MediaFrame::new_audio(number * 20, Bytes::from(payload), CodecId::Aac)
}

fn config() -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config()
}

fn number_of(payload: &[u8]) -> i64 {
    i64::from_be_bytes(payload[4..12].try_into().expect("eight bytes"))
}

/// Publishes sound for as long as it is let.
struct Source;

#[async_trait]
impl InboundProtocol for Source {
    fn name(&self) -> &'static str {
        "source"
    }

    async fn serve(
        &self,
        ctx: IngestContext,
        shutdown: CancellationToken,
    ) -> arcly_core::Result<()> {
        let session = ctx.open_publish(key()).await?;
        session.publish_frame(config())?;
        for number in 0.. {
            session.publish_frame(sound(number))?;
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep(Duration::from_millis(20)) => {}
            }
        }
        session.finish().await
    }
}

fn engine(protocols: Vec<Box<dyn InboundProtocol>>) -> (Arc<Engine>, CancellationToken) {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let shutdown = CancellationToken::new();
    let (serving, token) = (engine.clone(), shutdown.clone());
    tokio::spawn(async move { serving.serve(protocols, token).await });
    (engine, shutdown)
}

fn quick() -> Backoff {
    Backoff::new(Duration::from_millis(100), Duration::from_millis(300))
}

/// Asserts that numbers follow each other without a gap.
fn assert_consecutive(numbers: &[i64]) {
    let odd = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert_eq!(odd, None);
}

async fn push_to_libsrt(parameters: &str, libsrt_waits: Duration) {
    let (theirs, ours) = urls(parameters);
    let push = SrtPush::new(key(), ours, TsMuxer::default).backoff(quick());
    let mut status = push.status();
    let (_engine, shutdown) = engine(vec![Box::new(push), Box::new(Source)]);
    sleep(libsrt_waits).await;
    let mut child = start_with_input(
        "srt-live-transmit",
        &["-a:no", "-q", "-loglevel:error", &theirs, "file://con"],
    );
    let is_live = |status: &RelayStatus| matches!(status, RelayStatus::Live { .. });
    let live = timeout(PATIENCE, status.wait_for(is_live)).await;
    live.expect("in time").expect("it runs");
    let mut output = child.stdout.take().expect("its output");
    let mut got = Vec::new();
    let reading = async {
        while media_of(got.clone()).len() < 100 {
            let read = output.read_buf(&mut got).await.expect("it runs");
            assert_ne!(read, 0, "libsrt has ended");
        }
    };
    timeout(PATIENCE, reading).await.expect("media in time");
    shutdown.cancel();
    let numbers: Vec<_> = media_of(got).iter().map(|row| number_of(&row.3)).collect();
    assert_consecutive(&numbers);
}

async fn pull_from_libsrt(parameters: &str) {
    let (theirs, ours) = urls(parameters);
    let pull = SrtPull::new(ours, key(), TsDemuxer::default).backoff(quick());
    let mut status = pull.status();
    let (engine, shutdown) = engine(vec![Box::new(pull)]);
    let mut child = start_with_input(
        "srt-live-transmit",
        &["-loglevel:error", "-chunk:1316", "file://con", &theirs],
    );
    let mut input = child.stdin.take().expect("its input");
    let feeding = tokio::spawn(async move {
        let (mut muxer, mut out) = (TsMuxer::default(), Vec::new());
        muxer.write(&config(), &mut out).expect("AAC is carried");
        let start = now();
        for number in 0..FRAMES {
            muxer
                .write(&sound(number), &mut out)
                .expect("and its frames");
            for bytes in out.drain(..) {
                input.write_all(&bytes).await.expect("it reads");
            }
            let due = start + Duration::from_millis(20) * u32::try_from(number).expect("few");
            tokio::time::sleep_until(due.into()).await;
        }
        sleep(Duration::from_secs(1)).await;
    });
    let is_live = |status: &RelayStatus| matches!(status, RelayStatus::Live { .. });
    let live = timeout(PATIENCE, status.wait_for(is_live)).await;
    live.expect("in time").expect("it runs");
    let stream = engine.streams().pop().expect("it is live");
    let mut frames = stream.subscribe_resilient();
    let mut got = Vec::new();
    while got.len() < 50 {
        let frame = timeout(PATIENCE, frames.recv()).await.expect("in time");
        got.push((*frame.expect("it goes on")).clone());
    }
    let numbers: Vec<_> = rows(&got).iter().map(|row| number_of(&row.3)).collect();
    assert_consecutive(&numbers);
    feeding.abort();
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libsrt_gets_what_is_pushed_whoever_is_there_first() {
    for wait in [0, 1_500] {
        push_to_libsrt("", Duration::from_millis(wait)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn libsrt_gets_what_is_pushed_encrypted() {
    let secret = format!("&passphrase={SECRET}");
    for length in [16, 24, 32] {
        let parameters = format!("{secret}&pbkeylen={length}");
        push_to_libsrt(&parameters, Duration::ZERO).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_libsrt_sends_is_pulled() {
    pull_from_libsrt("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_libsrt_sends_encrypted_is_pulled() {
    pull_from_libsrt(&format!("&passphrase={SECRET}&pbkeylen=32")).await;
}
