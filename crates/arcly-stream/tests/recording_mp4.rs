//! Recordings in fragmented MP4 are read by ffmpeg's tools, closed or cut off by a kill (SIGKILL).
//!
//! This binary starts itself again as the recorder: the test [`recorder`] does nothing but in that role.
#![cfg(all(feature = "fmp4", feature = "ts"))]

use arcly_stream::mux::Demuxer;
use arcly_stream::mux::ts::TsDemuxer;
use arcly_stream::prelude::*;
use arcly_stream::presets::{mp4_recording_sink, record_mp4};
use arcly_stream::storage::FsStorage;
use bytes::Bytes;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const FOLDER: &str = "ARCLY_TEST_RECORDER_FOLDER";
/// How much the recorder has to acknowledge before it is killed: some way into its second file.
const ENOUGH: u64 = 1_200;
/// Seconds of the sample, which has 25 pictures each.
const SECONDS: i64 = 4;

fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot run {program} ({error}): install it, as in `apt-get install ffmpeg`")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{program} {args:?}: {said}"
    );
    output.stdout
}

/// H.264 with B-frames and AAC, a GOP a second.
fn sample() -> Vec<MediaFrame> {
    #[rustfmt::skip]
    let args = [
        "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=sample_rate=48000",
        "-t", &SECONDS.to_string(), "-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-bf", "2", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-f", "mpegts", "-",
    ];
    let mut demuxer = TsDemuxer::default();
    let mut frames = Vec::new();
    demuxer
        .read(Bytes::from(run("ffmpeg", &args)), &mut frames)
        .expect("MPEG-TS");
    demuxer.finish(&mut frames);
    frames
}

/// How many packets of each kind ffprobe finds; ffmpeg decodes them all without a word.
fn packets(file: &Path) -> (usize, usize) {
    let file = file.to_str().expect("text");
    run("ffmpeg", &["-v", "error", "-i", file, "-f", "null", "-"]);
    #[rustfmt::skip]
    let kinds = run("ffprobe", &["-v", "error", "-show_entries", "packet=codec_type", "-of", "csv=p=0", file]);
    let kinds = String::from_utf8(kinds).expect("text");
    let count = |kind| kinds.lines().filter(|line| line.starts_with(kind)).count();
    (count("video"), count("audio"))
}

/// The boxes that a file begins with, up to the first fragment.
fn header_boxes(file: &Path) -> Vec<String> {
    let data = std::fs::read(file).expect("there");
    let (mut at, mut kinds) = (0, Vec::new());
    while let Some([a, b, c, d, kind @ ..]) = data.get(at..at + 8) {
        if kind == b"moof" {
            break;
        }
        kinds.push(String::from_utf8_lossy(kind).into_owned());
        at += u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    }
    kinds
}

#[tokio::test]
async fn a_stream_is_recorded_as_mp4() {
    let frames = sample();
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Arc::new(FsStorage::open(folder.path()).await.expect("opened"));
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let mut events = engine.subscribe_events();
    let shutdown = CancellationToken::new();
    let recording = tokio::spawn(record_mp4(
        engine.clone(),
        storage,
        RecordingConfig::default(),
        shutdown.clone(),
    ));
    let session = IngestContext::new(engine)
        .open_publish(StreamKey::new("live", "cam"))
        .await
        .expect("free");
    let media = |kind| {
        let of_kind = |frame: &&MediaFrame| frame.kind == kind && !frame.is_config();
        frames.iter().filter(of_kind).count()
    };
    for frame in &frames {
        session.publish_frame(frame.clone()).expect("live");
        tokio::task::yield_now().await;
    }
    session.finish().await.expect("finished");
    let object = loop {
        let event = events.recv().await.expect("the engine lives");
        if let EventKind::RecordingFinished { object, .. } = &event.kind {
            break object.clone();
        }
    };
    shutdown.cancel();
    recording.await.expect("no panic");
    assert!(object.ends_with(".mp4"), "{object}");
    // Sound before the first keyframe is in no file.
    let file = folder.path().join(&object);
    let (video, audio) = packets(&file);
    assert_eq!(video, media(MediaKind::Video));
    assert!(audio + 5 >= media(MediaKind::Audio), "{audio}");
    // A file that has been closed tells at its beginning how long it is, and where to seek.
    assert_eq!(header_boxes(&file), ["ftyp", "moov", "sidx", "free"]);
}

#[tokio::test]
async fn recorder() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let storage = FsStorage::open(folder).await.expect("opened");
    let config = RecordingConfig::default()
        .segment_duration(Some(TimeDelta::from_millis(10_000)))
        .sync_interval(TimeDelta::from_millis(170));
    let mut sink = mp4_recording_sink(StreamKey::new("live", "cam"), storage, config);
    let (frames, mut acknowledged) = (sample(), 0);
    for round in 0.. {
        for frame in &frames {
            let mut frame = frame.clone();
            let shift = TimeDelta::from_millis(round * SECONDS * 1_000);
            (frame.pts, frame.dts) = (frame.pts + shift, frame.dts + shift);
            sink.send_frame(&frame, 0).await.expect("recorded");
            if sink.acknowledged_frames() != acknowledged {
                acknowledged = sink.acknowledged_frames();
                let mut out = std::io::stdout().lock();
                writeln!(out, "acknowledged {acknowledged}")
                    .and_then(|()| out.flush())
                    .expect("somebody reads");
            }
        }
    }
}

#[tokio::test]
async fn a_recording_cut_by_a_kill_plays() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this"))
        .args(["recorder", "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut acknowledged = 0;
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    while acknowledged < ENOUGH {
        let line = output.next().expect("it runs until it is killed");
        if let Some((_, count)) = line.expect("text").split_once("acknowledged ") {
            acknowledged = count.parse().expect("a number");
        }
    }
    child.kill().expect("killed");
    child.wait().expect("gone");

    let storage = FsStorage::open(folder.path()).await.expect("opened");
    let recovered = storage.recover().await.expect("recovered");
    assert_eq!(recovered.len(), 1);
    let mut found = 0;
    for info in storage.list("").await.expect("listed") {
        let path = folder.path().join(&info.object);
        let is_recovered = recovered.contains(&info);
        if is_recovered {
            cut_after_whole_boxes(&path);
        }
        let (video, audio) = packets(&path);
        assert!(
            is_recovered || video == 250,
            "a closed file is whole: {video}"
        );
        let index = if is_recovered { "free" } else { "sidx" };
        assert_eq!(header_boxes(&path)[2], index);
        found += (video + audio) as u64;
    }
    // A fragment that was not whole yet is missing: a second.
    assert!(found + 80 >= acknowledged, "{found} of {acknowledged}");
}

/// The kill may have torn the last write, behind what was acknowledged. Players stop there; ffmpeg also says so.
fn cut_after_whole_boxes(path: &Path) {
    let mut data = std::fs::read(path).expect("there");
    let (mut at, mut whole) = (0, 0);
    while let Some(size) = data.get(at..at + 4) {
        let size = u32::from_be_bytes(size.try_into().expect("four")) as usize;
        let is_header = data.get(at + 4..at + 8) == Some(b"moof");
        at += size;
        if at > data.len() || size < 8 {
            break;
        }
        // A `moof` without its `mdat` is not whole either.
        if !is_header {
            whole = at;
        }
    }
    data.truncate(whole);
    std::fs::write(path, data).expect("written");
}
