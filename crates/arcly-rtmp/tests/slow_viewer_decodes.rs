//! What a slow viewer is left with is a stream that decodes without a message, B-frames and all.

mod support;

use arcly_core::{AppSpec, Engine, IngestContext, MediaFrame, StreamKey, TimeDelta, Timestamp};
use arcly_rtmp::Config;
use arcly_rtmp::proto::message::{Message, type_id};
use std::sync::Arc;
use std::time::Duration;
use support::player::{Player, flv_file};
use support::server::{Server, ffmpeg};
use tokio::time::timeout;

/// Four seconds of 25 pictures, of which every keyframe is followed by groups of P B B B, at some 8 Mbit/s.
const ENCODE: &str = "-f lavfi -i testsrc2=size=640x360:rate=25,noise=alls=40:allf=t -f lavfi -i sine=sample_rate=44100 -t 4 \
    -c:v libx264 -preset ultrafast -bf 3 -b_strategy 0 -g 25 -keyint_min 25 -sc_threshold 0 -x264-params b-pyramid=none \
    -b:v 8M -minrate 8M -pix_fmt yuv420p -c:a aac -b:a 64k -f flv";

/// Plays the clip over and over, sixty times as fast as it is, to a viewer that reads too slowly; what that got.
async fn watch_slowly(clip: &[MediaFrame], config: Config) -> Vec<Message> {
    let app = AppSpec::new("live")
        .gop_cache(4_000)
        .gop_cache_bytes(64 << 20)
        .history(Duration::from_secs(20))
        .max_lag(None);
    let engine = Engine::builder().application(app).build();
    let server = Server::start_with(engine, |server| server.config(config)).await;
    let ctx = IngestContext::new(Arc::clone(&server.engine) as _);
    let session = ctx.open_publish(StreamKey::new("live", "cam")).await;
    let session = session.expect("it is free");
    let publish = |frame: &MediaFrame, shift: TimeDelta| {
        let mut frame = frame.clone();
        frame.dts = frame.dts + shift;
        frame.pts = frame.pts + shift;
        session.publish_frame(frame).expect("live");
    };
    let mut got = Vec::new();
    let mut player = None;
    for round in 0..40 {
        let shift = TimeDelta::from_millis(round * 4_000);
        let frames = clip.iter().filter(|frame| round == 0 || !frame.is_config());
        for (index, frame) in frames.enumerate() {
            publish(frame, shift);
            if index % 40 == 39 {
                tokio::time::sleep(Duration::from_millis(8)).await;
            }
            if round > 0 && index % 80 == 79 {
                let player = match &mut player {
                    Some(player) => player,
                    none => {
                        none.insert(Player::play(server.address, "cam", 1, Some(16 << 10)).await)
                    }
                };
                for _ in 0..20 {
                    let next = timeout(Duration::from_millis(2), player.next()).await;
                    got.extend(next.ok().flatten());
                }
            }
        }
    }
    drop(session);
    let mut player = player.expect("it came");
    while let Ok(Some(message)) = timeout(Duration::from_secs(2), player.next()).await {
        got.push(message);
    }
    server.stop().await;
    got
}

/// How many pictures between two that came are missing, and after how many of the holes the next is a keyframe.
fn holes(messages: &[Message]) -> (usize, usize) {
    let pictures = messages
        .iter()
        .filter(|message| message.type_id == type_id::VIDEO && message.payload[1] == 1);
    let times: Vec<_> = pictures
        .map(|message| (message.timestamp, message.payload[0] >> 4 == 1))
        .collect();
    let (mut missing, mut jumps) = (0, 0);
    for pair in times.windows(2) {
        let pictures = (pair[1].0 - pair[0].0).div_ceil(40) as usize - 1;
        missing += pictures;
        jumps += usize::from(pictures > 3 && pair[1].1);
        assert!(
            pictures <= 3 || pair[1].1,
            "{pair:?}: more is missing than what nothing refers to, and no keyframe follows"
        );
    }
    (missing, jumps)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_slow_viewer_gets_decodes_without_a_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let clip = folder.path().join("clip.flv");
    let path = clip.to_str().expect("a path in UTF-8");
    let arguments: Vec<_> = ENCODE.split_whitespace().chain([path]).collect();
    let (ok, log) = ffmpeg(&arguments).await;
    assert!(ok, "{log}");
    let mut clip = support::clip::frames(std::fs::read(&clip).expect("it was written"));
    // The sound must end before it begins anew.
    let end = TimeDelta::from_millis(3_976);
    clip.retain(|frame| frame.dts.since(Timestamp::ZERO) < end);
    let disposable = clip.iter().filter(|frame| frame.is_disposable()).count();
    assert!(disposable > 60, "the clip has B-frames: {disposable}");

    let never = Duration::from_secs(1 << 20);
    for (what, shed_after, skip_after) in [
        ("disposables", Duration::from_millis(100), never),
        ("jumps", never, Duration::from_millis(500)),
        ("both", Duration::from_millis(500), Duration::from_secs(2)),
    ] {
        let mut config = Config::default();
        (config.shed_after, config.skip_after) = (shed_after, skip_after);
        config.limits.write_timeout = Duration::from_secs(60);
        let got = watch_slowly(&clip, config).await;
        let (missing, jumps) = holes(&got);
        assert!(missing > 0, "{what}: it was not slow");
        assert!(what == "disposables" || jumps > 0, "{what}: {missing}");
        let file = folder.path().join("got.flv");
        // Some data messages say something of the connection, and stand in no file.
        let media: Vec<_> = got
            .into_iter()
            .filter(|message| message.type_id != type_id::DATA_AMF0)
            .collect();
        std::fs::write(&file, flv_file(&media)).expect("a writable folder");
        let file = file.to_str().expect("a path in UTF-8");
        let (ok, log) = ffmpeg(&["-xerror", "-i", file, "-f", "null", "-"]).await;
        assert!(ok && log.is_empty(), "{what}: {missing}, {jumps}: {log}");
    }
}
