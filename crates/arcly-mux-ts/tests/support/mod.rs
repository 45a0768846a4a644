//! Real media for the tests: made by ffmpeg, read from FLV, which keeps what an RTMP publisher
//! would send.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

#[allow(unused_imports, reason = "each test binary uses its part")]
pub use arcly_testkit::{ffmpeg, run_program as run};

use arcly_core::{CodecId, MediaFrame, Timestamp, TrackId};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// A new folder below the build's own temporary one.
pub fn scratch(name: &str) -> PathBuf {
    arcly_testkit::fresh_folder(env!("CARGO_TARGET_TMPDIR"), name)
}

/// Has ffmpeg encode an FLV file with these arguments after its inputs: one test picture (30 a
/// second) and one beep.
pub fn encode_flv(path: &Path, seconds: &str, args: &[&str]) {
    let inputs = [
        "-y",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=30",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
    ];
    let path = path.to_str().expect("scratch paths are UTF-8");
    let output = run(
        "ffmpeg",
        "ffmpeg",
        &[
            &["-hide_banner", "-nostdin", "-loglevel", "error"],
            &inputs[..],
            args,
            &["-t", seconds, "-f", "flv", path],
        ]
        .concat(),
    );
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// H.264 High with two B-frames, a keyframe every two seconds, and stereo AAC.
pub const HIGH_WITH_B_FRAMES: [&str; 20] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-profile:v",
    "high",
    "-bf",
    "2",
    "-g",
    "60",
    "-keyint_min",
    "60",
    "-sc_threshold",
    "0",
    "-pix_fmt",
    "yuv420p",
    "-c:a",
    "aac",
    "-ac",
    "2",
];

/// The frames of an FLV file, in its order; configs included.
pub fn read_flv(path: &Path) -> Vec<MediaFrame> {
    let file = Bytes::from(std::fs::read(path).expect("the file was just written"));
    assert_eq!(&file[..3], b"FLV");
    let (mut at, mut frames) = (13, Vec::new());
    while at + 11 <= file.len() {
        let number =
            |from: usize| u32::from_be_bytes([0, file[from], file[from + 1], file[from + 2]]);
        let (kind, size) = (file[at], number(at + 1) as usize);
        let dts = i64::from(number(at + 4) | u32::from(file[at + 7]) << 24);
        let body = file.slice(at + 11..at + 11 + size);
        at += 11 + size + 4;
        let frame = match kind {
            8 => MediaFrame::new_audio(dts, body.slice(2..), CodecId::Aac),
            9 => {
                let offset = i64::from(i32::from_be_bytes([body[2], body[3], body[4], 0]) >> 8);
                MediaFrame::new_video(
                    dts + offset,
                    dts,
                    body.slice(5..),
                    CodecId::H264,
                    body[0] >> 4 == 1,
                )
            }
            _ => continue,
        };
        match body[1] {
            0 => frames.push(frame.into_config()),
            1 => frames.push(frame),
            _ => {}
        }
    }
    frames
}

/// One packet as ffprobe lists it.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Probed {
    pub track: TrackId,
    pub pts: i64,
    pub dts: i64,
    pub key: bool,
}

/// The packets of a file by stream, times in its own time base.
pub fn probe(path: &Path) -> Vec<Probed> {
    let path = path.to_str().expect("scratch paths are UTF-8");
    let output = run(
        "ffprobe",
        "ffmpeg",
        &[
            "-v",
            "warning",
            "-show_entries",
            "packet=codec_type,pts,dts,flags",
            "-of",
            "csv=p=0",
            path,
        ],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "ffprobe {path}: {said}"
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let packets = text.lines().filter_map(|line| {
        let mut fields = line.split(',');
        let track = match fields.next()? {
            "video" => TrackId::VIDEO,
            "audio" => TrackId::AUDIO,
            _ => return None,
        };
        let mut number = || fields.next().and_then(|field| field.parse().ok());
        Some(Probed {
            track,
            pts: number()?,
            dts: number()?,
            key: fields.next()?.starts_with('K'),
        })
    });
    packets.collect()
}

/// What ffprobe is to list for `frames` in MPEG-TS.
pub fn expected(frames: &[MediaFrame], base: i64) -> Vec<Probed> {
    let media = frames.iter().filter(|frame| !frame.is_config());
    media
        .map(|frame| Probed {
            track: frame.track,
            pts: frame.pts.to_ticks(90_000) + base,
            dts: frame.dts.to_ticks(90_000) + base,
            key: frame.is_keyframe() || frame.is_audio(),
        })
        .collect()
}

/// The packets of one track.
pub fn of_track(packets: &[Probed], track: TrackId) -> Vec<Probed> {
    packets
        .iter()
        .filter(|packet| packet.track == track)
        .copied()
        .collect()
}

/// Moves a track's frames by `millis`.
pub fn shift(frames: &mut [MediaFrame], track: TrackId, millis: i64) {
    for frame in frames.iter_mut().filter(|frame| frame.track == track) {
        frame.pts = Timestamp::from_millis(frame.pts.as_millis() + millis);
        frame.dts = Timestamp::from_millis(frame.dts.as_millis() + millis);
    }
}

/// One packet as ffprobe lists it, with what it holds.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Sample {
    pub pts: i64,
    pub dts: i64,
    pub key: bool,
    /// SHA-256 of the payload, in hexadecimal.
    pub hash: String,
}

/// The packets of one stream of a file, times in the stream's time base.
pub fn samples(path: &Path, stream: usize) -> Vec<Sample> {
    let path = path.to_str().expect("scratch paths are UTF-8");
    let output = run(
        "ffprobe",
        "ffmpeg",
        &[
            "-v",
            // Below that, ffprobe says of each data track that it has no decoder.
            "error",
            "-select_streams",
            &stream.to_string(),
            "-show_data_hash",
            "SHA256",
            "-show_entries",
            "packet=pts,dts,flags,data_hash",
            "-of",
            "default=nk=0:nw=1",
            path,
        ],
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "ffprobe {path}: {said}"
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut samples: Vec<Sample> = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        if name == "pts" {
            samples.push(Sample {
                pts: 0,
                dts: 0,
                key: false,
                hash: String::new(),
            });
        }
        let Some(sample) = samples.last_mut() else {
            continue;
        };
        match name {
            "pts" => sample.pts = value.parse().unwrap_or(i64::MIN),
            "dts" => sample.dts = value.parse().unwrap_or(i64::MIN),
            "flags" => sample.key = value.starts_with('K'),
            "data_hash" => value
                .trim_start_matches("SHA256:")
                .clone_into(&mut sample.hash),
            _ => {}
        }
    }
    samples
}
