//! Each video codec with each audio codec that ffmpeg encodes: what ffprobe lists of our file is what went in, and ffmpeg decodes it
//! without a word.

mod support;

use arcly_core::mux::Muxer;
use arcly_core::{MediaFrame, MediaKind, TrackId};
use arcly_mux_fmp4::{Fmp4Config, Fmp4Muxer, TrackSelection};
use std::path::Path;
use support::file::{find, tracks};
use support::probe::{expected, packets};
use support::*;

const VIDEO: &[(&str, &[&str])] = &[("h264", H264), ("h265", H265), ("av1", AV1), ("vp9", VP9)];

const AUDIO: &[(&str, &[&str])] = &[
    ("aac", AAC),
    ("opus", OPUS),
    ("flac", FLAC),
    ("mp3", MP3),
    ("ac3", AC3),
    ("eac3", EAC3),
];

/// Records the frames, and returns them as they are in the file: from time zero on.
fn record(frames: &[MediaFrame], selection: TrackSelection, to: &Path) -> Vec<MediaFrame> {
    let mut config = Fmp4Config::default();
    config.tracks = selection.clone();
    let (mut muxer, mut out) = (Fmp4Muxer::new(config), Vec::new());
    for frame in frames {
        muxer
            .write(frame, &mut out)
            .unwrap_or_else(|error| panic!("{frame:?}: {error}"));
    }
    muxer.finish(&mut out).expect("the end can be written");
    std::fs::write(to, out.concat()).expect("the file can be written");
    let mut frames: Vec<_> = frames
        .iter()
        .filter(|frame| selection.has(frame.track))
        .cloned()
        .collect();
    let media = frames.iter().filter(|frame| !frame.is_config());
    let first = media
        .map(|frame| frame.dts.min(frame.pts))
        .min()
        .expect("frames");
    for frame in &mut frames {
        (frame.pts, frame.dts) = (
            arcly_core::Timestamp::ZERO + (frame.pts - first),
            arcly_core::Timestamp::ZERO + (frame.dts - first),
        );
    }
    frames
}

/// Compares what ffprobe lists with the frames.
fn assert_same(frames: &[MediaFrame], path: &Path) {
    let file = std::fs::read(path)
        .expect("the file was just written")
        .into();
    for track in tracks(&file) {
        let (id, kind) = if track.is_video {
            (TrackId::VIDEO, "v")
        } else {
            (TrackId::AUDIO, "a")
        };
        let wanted = expected(frames, id, track.timescale, 0);
        assert!(wanted.len() > 10);
        let listed = packets(path, kind);
        assert_eq!(listed.len(), wanted.len());
        for (listed, wanted) in listed.iter().zip(&wanted) {
            assert_eq!(listed, wanted, "{kind} of {path:?}");
        }
    }
}

/// One of the sets of pairs, in tests of their own so that they run side by side.
fn round_trip(video: &str) {
    let dir = scratch(&format!("codecs-{video}"));
    let (_, video_args) = VIDEO
        .iter()
        .find(|(name, _)| *name == video)
        .expect("it is listed");
    for (audio, audio_args) in AUDIO {
        let (input, output) = (
            dir.join(format!("{audio}-in.mp4")),
            dir.join(format!("{audio}.mp4")),
        );
        encode(&input, "2", &[video_args, audio_args]);
        let frames = record(&file::frames(&input), TrackSelection::All, &output);
        assert_same(&frames, &output);
        assert_decodes(&output);
    }
}

#[test]
fn h264_with_each_audio_codec() {
    round_trip("h264");
}

#[test]
fn h265_with_each_audio_codec() {
    round_trip("h265");
}

#[test]
fn av1_with_each_audio_codec() {
    round_trip("av1");
}

#[test]
fn vp9_with_each_audio_codec() {
    round_trip("vp9");
}

#[test]
fn audio_alone_and_video_alone() {
    let dir = scratch("codecs-alone");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    for (video, audio) in [(H264, FLAC), (H265, OPUS), (H264, EAC3)] {
        encode(&input, "2", &[video, audio]);
        for (track, kind) in [
            (TrackId::VIDEO, MediaKind::Video),
            (TrackId::AUDIO, MediaKind::Audio),
        ] {
            let frames = record(&file::frames(&input), TrackSelection::one(track), &output);
            assert!(frames.iter().all(|frame| frame.kind == kind));
            assert_same(&frames, &output);
            assert_decodes(&output);
        }
    }
}

#[test]
fn low_rates_of_mp3_and_high_ones_of_flac_are_described() {
    let dir = scratch("codecs-rates");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    for (codec, rate) in [
        ("libmp3lame", "22050"),
        ("flac", "96000"),
        ("aac", "96000"),
        ("aac", "8000"),
        ("libopus", "16000"),
    ] {
        encode(
            &input,
            "2",
            &[H264, &["-c:a", codec, "-ac", "1", "-ar", rate]],
        );
        let frames = record(&file::frames(&input), TrackSelection::All, &output);
        assert_same(&frames, &output);
        assert_decodes(&output);
        let file = std::fs::read(&output).expect("the file was just written");
        let scale = u32::from_be_bytes(
            find(&tracks(&file.into())[1].trak, b"mdhd").expect("mdhd")[12..16]
                .try_into()
                .expect("4 bytes"),
        );
        assert_eq!(
            scale.to_string(),
            if codec == "libopus" { "48000" } else { rate }
        );
    }
}
