//! `retina`, a client in Rust, plays what ffmpeg publishes: by TCP and UDP, picture and sound, with B-frames, each access unit as it is on the bus.

mod server;

use arcly_core::{MediaFrame, MediaKind, PlaybackRegistry, StartAt, StreamKey};
use arcly_testkit::path_of_ffmpeg_9;
use futures_util::StreamExt;
use retina::client::{
    PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport,
    UdpTransportOptions,
};
use retina::codec::CodecItem;
use server::{PATIENCE, Server, Video, clip_of, finished, spawn};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// What has come of one track: seconds from the moment at which all tracks start, and bytes.
#[derive(Default)]
struct Played {
    pictures: Vec<(f64, Vec<u8>)>,
    sounds: Vec<(f64, Vec<u8>)>,
}

async fn play(url: &str, transport: &Transport) -> Played {
    let url = url.parse().expect("a URL");
    let described = Session::describe(url, SessionOptions::default()).await;
    let mut session = described.expect("described");
    for index in 0..session.streams().len() {
        let options = SetupOptions::default().transport(transport.clone());
        session.setup(index, options).await.expect("set up");
    }
    // By default, it insists on an rtptime of each track.
    let playing = session.play(PlayOptions::default()).await.expect("playing");
    let mut items = playing.demuxed().expect("formats that it knows");
    let mut played = Played::default();
    while let Ok(Some(item)) = timeout(Duration::from_secs(2), items.next()).await {
        match item {
            Ok(CodecItem::VideoFrame(frame)) => {
                let at = frame.timestamp().elapsed_secs();
                played.pictures.push((at, frame.data().to_vec()));
            }
            Ok(CodecItem::AudioFrame(frame)) => {
                let at = frame.timestamp().elapsed_secs();
                played.sounds.push((at, frame.data().to_vec()));
            }
            Ok(_) => {}
            // How it takes the end of a connection.
            Err(error) => {
                assert!(
                    error.to_string().contains("EOF") || error.to_string().contains("closed"),
                    "{error}"
                );
                break;
            }
        }
    }
    played
}

async fn through(name: &str, video: Video, transport: Transport) {
    let clip = clip_of(name, video, "8");
    let server = Server::start().await;
    let url = server.url("clip");
    let publish = format!(
        "-nostdin -loglevel error -re -i {} -c copy -f rtsp -rtsp_transport tcp {url}",
        clip.to_str().expect("UTF-8")
    );
    let publish: Vec<_> = publish.split_whitespace().collect();
    let publisher = spawn(&path_of_ffmpeg_9(), "ffmpeg", &publish);
    server.live("clip", 2).await;
    let key = StreamKey::new("live", "clip");
    let handle = server.engine.get_stream(&key).expect("it is live");
    let mut frames = handle.subscribe_from(StartAt::LatestKeyframe);
    let on_the_bus = tokio::spawn(async move {
        let mut all: Vec<MediaFrame> = Vec::new();
        while let Some(frame) = frames.recv().await {
            if !frame.is_config() {
                all.push((*frame).clone());
            }
        }
        all
    });
    sleep(Duration::from_millis(1_500)).await;
    let played = timeout(PATIENCE, play(&url, &transport))
        .await
        .expect("it ends");
    finished(publisher).await;
    let bus = timeout(PATIENCE, on_the_bus).await.expect("it ends");
    let bus = bus.expect("no panic");
    let mut starts = Vec::new();
    for (kind, played) in [
        (MediaKind::Video, &played.pictures),
        (MediaKind::Audio, &played.sounds),
    ] {
        let all: Vec<_> = bus.iter().filter(|frame| frame.kind == kind).collect();
        // Keyframes have their parameter sets in front.
        let is = |frame: &MediaFrame, data: &[u8]| data.ends_with(&frame.payload);
        let first = all.iter().position(|frame| is(frame, &played[0].1));
        let first = first.expect("one that is on the bus");
        assert!(first > 0, "it came later");
        let rest = &all[first..];
        assert_eq!(played.len(), rest.len(), "none is missing");
        let shift =
            |(at, frame): (f64, &MediaFrame)| frame.pts.to_ticks(1_000_000) as f64 / 1e6 - at;
        let expected = shift((played[0].0, rest[0]));
        for ((at, data), frame) in played.iter().zip(rest) {
            assert!(is(frame, data), "as it was published");
            let off = shift((*at, frame)) - expected;
            assert!(off.abs() < 0.000_1, "{off} s");
        }
        starts.push(expected);
    }
    let apart = (starts[0] - starts[1]).abs();
    assert!(apart < 0.000_1, "picture and sound are {apart} s apart");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_by_tcp() {
    let tcp = Transport::Tcp(TcpTransportOptions::default());
    through("retina-tcp", Video::H264, tcp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_by_udp() {
    let udp = Transport::Udp(UdpTransportOptions::default());
    through("retina-udp", Video::H264, udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_by_tcp() {
    let tcp = Transport::Tcp(TcpTransportOptions::default());
    through("retina-h265", Video::H265, tcp).await;
}
