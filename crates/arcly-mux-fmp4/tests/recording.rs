//! Files: they play after a crash, are as long as they are, and can be seeked in.

mod support;

use arcly_core::mux::{MuxError, Muxer};
use arcly_core::{MediaFrame, TimeDelta, Timestamp, TrackId};
use arcly_mux_fmp4::{Fmp4Config, Fmp4Muxer};
use bytes::Bytes;
use mp4_atom::{Decode, Mfra, Sidx};
use std::path::Path;
use support::file::{boxes, find, kinds, tracks};
use support::probe::{expected, packets};
use support::*;

/// A whole file, and its header as it is to be in the end.
fn record(frames: &[MediaFrame], config: Fmp4Config) -> (Bytes, Option<Bytes>) {
    let mut muxer = Fmp4Muxer::new(config);
    let mut out = Vec::new();
    for frame in frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    muxer.finish(&mut out).expect("the end can be written");
    (out.concat().into(), muxer.final_header())
}

fn shifted(frames: &[MediaFrame], by: TimeDelta) -> Vec<MediaFrame> {
    let mut frames = frames.to_vec();
    for frame in &mut frames {
        frame.pts = frame.pts + by;
        frame.dts = frame.dts + by;
    }
    frames
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("the file can be written");
}

/// What ffprobe takes to be the file's duration in seconds; `N/A` where it does not know.
fn duration(path: &Path) -> String {
    let args = [
        "-v",
        "warning",
        "-show_entries",
        "format=duration",
        "-of",
        "csv=p=0",
        text(path),
    ];
    String::from_utf8(run("ffprobe", "ffmpeg", &args).stdout)
        .expect("text")
        .trim()
        .to_owned()
}

#[test]
fn a_recording_starts_at_zero_and_keeps_every_packet() {
    let dir = scratch("recording-whole");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    encode(&input, "4", &[H264, AAC]);
    let frames = file::frames(&input);
    let first = frames
        .iter()
        .filter(|frame| !frame.is_config())
        .map(|frame| frame.dts)
        .min()
        .expect("frames");
    // As of a publish that has been running for ten days.
    let long_after = shifted(&frames, TimeDelta::from_millis(864_000_000));
    let (file, _) = record(&long_after, Fmp4Config::default());
    write(&output, &file);
    let from_zero = shifted(&frames, Timestamp::ZERO - first);
    assert_eq!(
        packets(&output, "v"),
        expected(&from_zero, TrackId::VIDEO, 90_000, 0)
    );
    assert_eq!(
        packets(&output, "a"),
        expected(&from_zero, TrackId::AUDIO, 48_000, 0)
    );
    assert_decodes(&output);
}

#[test]
fn what_was_written_before_a_crash_plays() {
    let dir = scratch("recording-crash");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    encode(&input, "5", &[H264, AAC]);
    let frames = file::frames(&input);
    let (file, _) = record(&frames, Fmp4Config::default());
    let whole: Vec<_> = {
        write(&output, &file);
        packets(&output, "v")
    };
    let moofs: Vec<_> = boxes(&file)
        .into_iter()
        .filter(|found| found.kind == "moof")
        .collect();
    let sizes = [
        1_500,
        file.len() / 3,
        file.len() / 2,
        moofs[2].offset + 30,
        moofs[3].offset,
        file.len() - 5,
    ];
    for size in sizes {
        write(&output, &file[..size]);
        let complete = moofs
            .iter()
            .skip(1)
            .filter(|moof| moof.offset <= size)
            .count();
        // Players complain about the cut, as they should; all before it is there.
        let args = [
            "-v",
            "quiet",
            "-select_streams",
            "v",
            "-show_entries",
            "packet=pts",
            "-of",
            "csv=p=0",
            text(&output),
        ];
        let listed = String::from_utf8(run("ffprobe", "ffmpeg", &args).stdout).expect("text");
        let pts: Vec<i64> = listed
            .lines()
            .filter_map(|line| line.trim_end_matches(',').parse().ok())
            .collect();
        assert!(
            pts.len() >= complete * 30,
            "{} packets of {complete} whole fragments at {size}",
            pts.len()
        );
        assert!(
            pts.iter()
                .zip(&whole)
                .all(|(pts, packet)| *pts == packet.pts)
        );
        let decoded = run(
            "ffmpeg",
            "ffmpeg",
            &[
                "-v",
                "quiet",
                "-i",
                text(&output),
                "-map",
                "0:v",
                "-f",
                "framecrc",
                "-",
            ],
        );
        let pictures = String::from_utf8_lossy(&decoded.stdout)
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count();
        assert!(
            pictures >= complete * 30,
            "{pictures} pictures of {complete} whole fragments at {size}"
        );
    }
}

#[test]
fn the_index_at_the_end_names_each_fragment() {
    let dir = scratch("recording-mfra");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    encode(&input, "4", &[H264, AAC]);
    let (file, header) = record(&file::frames(&input), Fmp4Config::default());
    assert_eq!(header, None, "no room was kept for it");
    let all = boxes(&file);
    let last = all.last().expect("boxes");
    assert_eq!(last.kind, "mfra");
    assert_eq!(
        u32::from_be_bytes(file[file.len() - 4..].try_into().unwrap()) as usize,
        last.bytes.len()
    );
    let mfra = Mfra::decode(&mut &last.bytes[..]).expect("mp4-atom reads mfra");
    let moofs: Vec<_> = all
        .iter()
        .filter(|found| found.kind == "moof")
        .map(|found| found.offset as u64)
        .collect();
    let read = tracks(&file);
    assert_eq!(mfra.tfra.len(), 2);
    for (tfra, track) in mfra.tfra.iter().zip(&read) {
        assert_eq!(tfra.track_id, track.id);
        assert_eq!(
            tfra.entries
                .iter()
                .map(|entry| entry.moof_offset)
                .collect::<Vec<_>>(),
            moofs
        );
        for entry in &tfra.entries {
            assert!(
                track
                    .samples
                    .iter()
                    .any(|sample| sample.pts as u64 == entry.time && sample.is_sync())
            );
        }
    }
    write(&output, &file);
    // ffmpeg seeks to the keyframe before the point and decodes from there.
    ffmpeg(&[
        "-xerror",
        "-ss",
        "2.5",
        "-i",
        text(&output),
        "-frames:v",
        "5",
        "-f",
        "null",
        "-",
    ]);
}

#[test]
fn the_final_header_tells_the_duration_and_where_to_seek() {
    let dir = scratch("recording-sidx");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    encode(&input, "6", &[H264, AAC]);
    let frames = file::frames(&input);
    for (reserve, references) in [(4_096, 6), (80 + 12, 2), (80, 1)] {
        let mut config = Fmp4Config::default();
        config.reserve_for_index = reserve;
        let (file, header) = record(&frames, config);
        let header = header.expect("there is room for it");
        assert_eq!(
            header.len(),
            boxes(&file)
                .iter()
                .find(|found| found.kind == "moof")
                .expect("fragments")
                .offset
        );
        assert_eq!(kinds(&file)[..3], ["ftyp", "moov", "free"]);
        let last: Bytes = [&header[..], &file[header.len()..]].concat().into();
        assert_eq!(kinds(&last)[..4], ["ftyp", "moov", "sidx", "free"]);
        let sidx = boxes(&last)
            .into_iter()
            .find(|found| found.kind == "sidx")
            .expect("it was just seen");
        let read = Sidx::decode(&mut &sidx.bytes[..]).expect("mp4-atom reads sidx");
        assert_eq!(read.references.len(), references);
        assert_eq!(
            find(&last, b"mehd").map(|mehd| mehd[4..].to_vec()),
            Some(6_000_u64.to_be_bytes().to_vec())
        );
        // Each reference leads from the box before to a moof.
        let mut at = sidx.offset + sidx.bytes.len() + read.first_offset as usize;
        for reference in &read.references {
            assert_eq!(&last[at + 4..at + 8], b"moof");
            at += reference.referenced_size as usize;
        }
        assert_eq!(&last[at + 4..at + 8], b"mfra");
        write(&output, &last);
        assert_decodes(&output);
        // ffmpeg adds the first PTS (two frames) to the duration.
        let seconds: f64 = duration(&output)
            .parse()
            .expect("ffprobe knows the duration");
        assert!((seconds - 6.0).abs() < 0.15, "{seconds} s");
    }
}

#[test]
fn a_change_of_tracks_is_refused_once_the_file_has_begun() {
    let dir = scratch("recording-tracks");
    let input = dir.join("in.mp4");
    encode(&input, "1", &[H264, AAC]);
    let frames = file::frames(&input);
    let (mut muxer, mut out) = (Fmp4Muxer::default(), Vec::new());
    for frame in &frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    let config = frames
        .iter()
        .find(|frame| frame.is_config() && frame.is_audio())
        .expect("AAC has a config");
    muxer
        .write(config, &mut out)
        .expect("the same config again");
    let new = config.clone().on_track(TrackId(9));
    assert!(matches!(
        muxer.write(&new, &mut out),
        Err(MuxError::Malformed { .. })
    ));
    let mut other = config.clone();
    other.payload = Bytes::from_static(&[0x12, 0x10]); // 44.1 kHz
    assert!(matches!(
        muxer.write(&other, &mut out),
        Err(MuxError::Malformed { .. })
    ));
    let audio = frames
        .iter()
        .rfind(|frame| frame.is_audio())
        .expect("audio");
    assert!(
        matches!(
            muxer.write(audio, &mut out),
            Err(MuxError::Malformed { .. })
        ),
        "it belongs to the other config"
    );
    muxer
        .write(config, &mut out)
        .expect("back to the file's own");
    muxer
        .write(audio, &mut out)
        .expect("it can be carried again");
}
