//! Real media for the tests, made by ffmpeg, and readers of MP4 that are not ours: `mp4-atom`, ffprobe and ffmpeg.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod configs;
pub mod file;
pub mod probe;

#[allow(unused_imports, reason = "each test binary uses its part")]
pub use arcly_testkit::{ffmpeg, run_program as run};

use std::path::{Path, PathBuf};

/// A new folder below the build's own temporary one.
pub fn scratch(name: &str) -> PathBuf {
    arcly_testkit::fresh_folder(env!("CARGO_TARGET_TMPDIR"), name)
}

/// Decodes all of a file and insists that ffmpeg has nothing to say about it.
pub fn assert_decodes(path: &Path) {
    ffmpeg(&[
        "-xerror",
        "-err_detect",
        "explode",
        "-i",
        text(path),
        "-map",
        "0",
        "-f",
        "null",
        "-",
    ]);
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("scratch paths are UTF-8")
}

/// H.264 High with two B-frames and a keyframe each second.
pub const H264: &[&str] = &[
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-profile:v",
    "high",
    "-bf",
    "2",
    "-g",
    "30",
    "-keyint_min",
    "30",
    "-sc_threshold",
    "0",
    "-pix_fmt",
    "yuv420p",
];

/// H.265 with B-frames.
pub const H265: &[&str] = &[
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:bframes=2:keyint=30:min-keyint=30:scenecut=0",
    "-pix_fmt",
    "yuv420p",
    "-tag:v",
    "hvc1",
];

/// AV1, 10 bits.
pub const AV1: &[&str] = &[
    "-c:v",
    "libsvtav1",
    "-preset",
    "12",
    "-g",
    "30",
    "-pix_fmt",
    "yuv420p10le",
];

pub const VP9: &[&str] = &[
    "-c:v",
    "libvpx-vp9",
    "-deadline",
    "realtime",
    "-cpu-used",
    "8",
    "-g",
    "30",
    "-pix_fmt",
    "yuv420p",
];

/// Stereo at 48 kHz, as all of these.
pub const AAC: &[&str] = &["-c:a", "aac", "-ac", "2"];

pub const OPUS: &[&str] = &["-c:a", "libopus", "-ac", "2"];

pub const FLAC: &[&str] = &["-c:a", "flac", "-ac", "2"];

pub const MP3: &[&str] = &["-c:a", "libmp3lame", "-ac", "2"];

/// 5.1.
pub const AC3: &[&str] = &["-c:a", "ac3", "-ac", "6"];

/// 5.1.
pub const EAC3: &[&str] = &["-c:a", "eac3", "-ac", "6"];

/// Has ffmpeg encode a fragmented MP4 file with one test picture (30 a second) and one tone.
pub fn encode(path: &Path, seconds: &str, args: &[&[&str]]) {
    encode_at(path, "30", seconds, args);
}

/// The same with another frame rate.
pub fn encode_at(path: &Path, rate: &str, seconds: &str, args: &[&[&str]]) {
    let picture = format!("testsrc2=size=320x180:rate={rate}");
    let inputs = [
        "-y",
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
    ];
    let output = [
        "-t",
        seconds,
        "-strict",
        "-2",
        "-movflags",
        "frag_keyframe+delay_moov+default_base_moof",
        "-f",
        "mp4",
        text(path),
    ];
    let all = [
        &["-hide_banner", "-nostdin", "-v", "error"],
        &inputs[..],
        &args.concat(),
        &output,
    ]
    .concat();
    let done = run("ffmpeg", "ffmpeg", &all);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
