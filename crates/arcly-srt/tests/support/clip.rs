//! Clips of a real encoder, and what is in them.

use super::process::{ffmpeg, run};
use arcly_core::mux::Demuxer;
use arcly_core::{MediaFrame, MediaKind};
use arcly_mux_ts::TsDemuxer;
use std::path::Path;

/// Encodes `seconds` of H.264 with B-frames and AAC as MPEG-TS.
pub(crate) async fn encode(path: &Path, seconds: &str) {
    let path = path.to_str().expect("a path in UTF-8");
    let inputs = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x240:rate=30",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
        "-t",
        seconds,
    ];
    let coding = [
        "-c:v", "libx264", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a",
        "64k", "-f", "mpegts", path,
    ];
    let (ok, log) = ffmpeg(&[&inputs[..], &coding].concat()).await;
    assert!(ok, "{log}");
}

/// One frame: its kind, DTS and PTS in ticks of 90 kHz, and its bytes.
pub(crate) type Row = (MediaKind, i64, i64, Vec<u8>);

/// The media of a transport stream, by our own demultiplexer.
pub(crate) fn media_of(ts: Vec<u8>) -> Vec<Row> {
    let mut demuxer = TsDemuxer::default();
    let mut frames = Vec::new();
    demuxer.read(ts.into(), &mut frames).expect("MPEG-TS");
    demuxer.finish(&mut frames);
    rows(&frames)
}

pub(crate) fn rows(frames: &[MediaFrame]) -> Vec<Row> {
    let media = frames.iter().filter(|frame| !frame.is_config());
    media
        .map(|frame| {
            (
                frame.kind,
                frame.dts.to_ticks(90_000),
                frame.pts.to_ticks(90_000),
                frame.payload.to_vec(),
            )
        })
        .collect()
}

/// The rows of one kind, with times since the first picture: what a file is given at its start is lost where it is copied.
pub(crate) fn of(rows: &[Row], kind: MediaKind) -> Vec<Row> {
    let pictures = |row: &&Row| row.0 == MediaKind::Video;
    let start = rows.iter().find(pictures).map_or(0, |row| row.1);
    let of_kind = rows.iter().filter(|row| row.0 == kind);
    of_kind
        .map(|row| (row.0, row.1 - start, row.2 - start, row.3.clone()))
        .collect()
}

/// The packets of a file as ffprobe sees them: kind, PTS, DTS, size and hash.
pub(crate) async fn packets(path: &Path) -> Vec<String> {
    let path = path.to_str().expect("a path in UTF-8");
    let entries = "packet=codec_type,pts,dts,size,data_hash";
    let (ok, rows) = run(
        "ffprobe",
        &[
            "-v",
            "error",
            "-show_entries",
            entries,
            "-show_data_hash",
            "md5",
            "-of",
            "compact=p=0:nk=1",
            path,
        ],
    )
    .await;
    assert!(ok, "{rows}");
    let rows = rows.lines().filter(|row| !row.is_empty());
    rows.map(str::to_owned).collect()
}
