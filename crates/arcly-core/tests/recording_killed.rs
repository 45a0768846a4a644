//! A recorder whose process is killed (SIGKILL) loses nothing that it has acknowledged.
//!
//! This binary starts itself again as the recorder: the test [`recorder`] does nothing but in that role.

use arcly_core::mux::{ContainerFormat, MuxError, Muxer};
use arcly_core::{
    CodecId, FsStorage, MediaFrame, MediaSink, RecordingConfig, RecordingSink, StorageBackend,
    StreamKey, TimeDelta,
};
use bytes::Bytes;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const FOLDER: &str = "ARCLY_TEST_RECORDER_FOLDER";
/// How many frames the recorder has to acknowledge before it is killed: several files, and some way into one.
const ENOUGH: u64 = 2_345;
const FRAMES_A_FILE: u64 = 500;

/// Fixed-size records: the frame's number, 100 times.
struct Numbers;

impl Muxer for Numbers {
    fn format(&self) -> ContainerFormat {
        ContainerFormat {
            name: "numbers",
            extension: "bin",
            mime_type: "application/octet-stream",
        }
    }

    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        out.push(frame.payload.clone());
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        Ok(())
    }
}

fn record_of(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(100)
}

#[tokio::test]
async fn recorder() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let storage = FsStorage::open(folder).await.unwrap();
    let config = RecordingConfig::default()
        .segment_duration(Some(TimeDelta::from_millis(FRAMES_A_FILE as i64 * 10)))
        .sync_interval(TimeDelta::from_millis(170));
    let mut sink = RecordingSink::new(StreamKey::new("live", "cam"), storage, || Numbers, config);
    let mut acknowledged = 0;
    for number in 0_u64.. {
        let payload = Bytes::from(record_of(number));
        let millis = number as i64 * 10;
        let frame = MediaFrame::new_video(millis, millis, payload, CodecId::H264, number % 50 == 0);
        sink.send_frame(&frame, 0).await.unwrap();
        if sink.acknowledged_frames() != acknowledged {
            acknowledged = sink.acknowledged_frames();
            let mut out = std::io::stdout().lock();
            writeln!(out, "acknowledged {acknowledged}")
                .and_then(|()| out.flush())
                .unwrap();
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["recorder", "--exact", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut acknowledged = 0;
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    while acknowledged < ENOUGH {
        let line = output
            .next()
            .expect("the recorder runs until it is killed")
            .unwrap();
        if let Some((_, count)) = line.split_once("acknowledged ") {
            acknowledged = count.parse().unwrap();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let storage = FsStorage::open(folder.path()).await.unwrap();
    let closed = storage.list("").await.unwrap();
    assert!(
        closed.len() as u64 >= acknowledged / FRAMES_A_FILE,
        "closed files have their names: {closed:?}"
    );
    let recovered = storage.recover().await.unwrap();
    assert!(recovered.len() <= 1, "{recovered:?}");
    let mut next = 0;
    for info in storage.list("live/cam/").await.unwrap() {
        let data = storage.get(&info.object).await.unwrap();
        assert!(
            !closed.contains(&info) || data.len() as u64 == FRAMES_A_FILE * 800,
            "a closed file is whole"
        );
        // The process may have been killed in a write: then the end of the last file is torn, behind what was acknowledged.
        for record in data.chunks_exact(800) {
            assert_eq!(record, record_of(next), "record {next}");
            next += 1;
        }
    }
    assert!(
        next >= acknowledged,
        "{next} of {acknowledged} frames are there"
    );
}
