//! Clips of a real encoder, and what is in them.

use super::process::{ffmpeg, run};
use arcly_core::mux::Demuxer;
use arcly_core::{MediaFrame, MediaKind};
use arcly_mux_ts::TsDemuxer;
use bytes::Bytes;
use std::path::Path;
use std::time::Duration;

/// Encodes `seconds` of H.264 with B-frames and AAC as MPEG-TS.
pub(crate) async fn encode(path: &Path, seconds: &str) {
    encode_as(path, seconds, &["-c:v", "libx264"]).await;
}

/// The same by another encoder, which makes B-frames too.
pub(crate) async fn encode_as(path: &Path, seconds: &str, encoder: &[&str]) {
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
        "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k", "-f",
        "mpegts", path,
    ];
    let (ok, log) = ffmpeg(&[&inputs[..], encoder, &coding].concat()).await;
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

/// Asserts that of each kind the same frames are there, once and in order, with the same bytes, and with times that differ by `ticks` of
/// 90 kHz at most. As all times are counted from the first picture, that holds for sound against pictures too.
pub(crate) fn assert_same(sent: &[Row], got: &[Row], ticks: i64) {
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let (sent, got) = (of(sent, kind), of(got, kind));
        assert!(sent.len() > 50, "{} of {kind:?} were sent", sent.len());
        let missing: Vec<_> = (0..sent.len())
            .filter(|&at| !got.iter().any(|row| row.3 == sent[at].3))
            .collect();
        assert_eq!(missing, [0_usize; 0], "{kind:?} of {}", sent.len());
        assert_eq!(got.len(), sent.len(), "{kind:?}");
        for (index, (got, sent)) in got.iter().zip(&sent).enumerate() {
            assert_eq!(got.3, sent.3, "{kind:?} {index}");
            assert!((got.1 - sent.1).abs() <= ticks, "{kind:?} {index}: DTS");
            assert!((got.2 - sent.2).abs() <= ticks, "{kind:?} {index}: PTS");
        }
    }
}

/// The same for a peer that leaves without sending its last packets: up to half a second of the end may be missing, and the last frame that is there
/// may be cut off, which MPEG-TS does not show.
pub(crate) fn assert_begins(sent: &[Row], got: &[Row], ticks: i64) {
    let (mut begun, mut whole) = (Vec::new(), Vec::new());
    // 30 pictures a second, and 47 frames of sound.
    for (kind, half_a_second) in [(MediaKind::Video, 15), (MediaKind::Audio, 24)] {
        let of_kind = |rows: &[Row]| -> Vec<Row> {
            rows.iter().filter(|row| row.0 == kind).cloned().collect()
        };
        let (sent, got) = (of_kind(sent), of_kind(got));
        let kept = got.len().saturating_sub(1);
        assert!(
            kept + half_a_second >= sent.len(),
            "{kept} of {}",
            sent.len()
        );
        begun.extend(sent.into_iter().take(kept));
        whole.extend(got.into_iter().take(kept));
    }
    assert_same(&begun, &whole, ticks);
}

/// A clip as it is sent: payloads of seven packets, and when each is due, all of them spread evenly over `duration`.
pub(crate) fn paced(ts: Vec<u8>, duration: Duration) -> impl Iterator<Item = (Duration, Bytes)> {
    let ts = Bytes::from(ts);
    let payloads = ts.len().div_ceil(PAYLOAD_BYTES);
    (0..payloads).map(move |number| {
        let end = ts.len().min((number + 1) * PAYLOAD_BYTES);
        let due =
            duration * u32::try_from(number).expect("few") / u32::try_from(payloads).expect("few");
        (due, ts.slice(number * PAYLOAD_BYTES..end))
    })
}

const PAYLOAD_BYTES: usize = 1_316;
