//! What ffmpeg makes of our transport streams: timestamps to the tick, pictures and sound to the bit.

mod support;

use arcly_core::mux::{Muxer, SegmentMuxer};
use arcly_core::{MediaFrame, TrackId};
use arcly_mux_ts::{TIMESTAMP_BASE, TsMuxer, TsSegmentMuxer};
use std::path::Path;
use support::*;

fn mux(frames: &[MediaFrame], to: &Path) {
    let mut muxer = TsMuxer::default();
    let mut out = Vec::new();
    for frame in frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    muxer.finish(&mut out).expect("the end can be written");
    std::fs::write(to, out.concat()).expect("the file can be written");
}

/// MD5 of each decoded picture and each decoded packet of sound.
fn decoded(path: &Path) -> Vec<Vec<String>> {
    let path = path.to_str().expect("scratch paths are UTF-8");
    let hashes = |map: &str| {
        let text = ffmpeg(&[
            "-xerror",
            "-i",
            path,
            "-map",
            map,
            "-f",
            "framehash",
            "-hash",
            "md5",
            "-",
        ]);
        let text = String::from_utf8(text).expect("hashes are text");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|line| line.rsplit(',').next())
            .map(|hash| hash.trim().to_owned())
            .collect()
    };
    vec![hashes("0:v"), hashes("0:a")]
}

fn assert_same_timestamps(frames: &[MediaFrame], ts: &Path) {
    let (probed, expected) = (probe(ts), expected(frames, TIMESTAMP_BASE));
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let (probed, expected) = (of_track(&probed, track), of_track(&expected, track));
        assert!(expected.len() > 30);
        assert_eq!(probed, expected);
    }
}

#[test]
fn b_frames_and_aac_come_through_unchanged() {
    let dir = scratch("b-frames");
    let (flv, ts) = (dir.join("in.flv"), dir.join("out.ts"));
    encode_flv(&flv, "6", &HIGH_WITH_B_FRAMES);
    let frames = read_flv(&flv);
    assert!(
        frames.iter().any(|frame| frame.pts > frame.dts),
        "the encoder was to use B-frames"
    );
    mux(&frames, &ts);
    assert_same_timestamps(&frames, &ts);
    assert_eq!(decoded(&ts), decoded(&flv));
}

#[test]
fn segments_play_one_by_one_and_joined() {
    let dir = scratch("segments");
    let flv = dir.join("in.flv");
    encode_flv(&flv, "6", &HIGH_WITH_B_FRAMES);
    let frames = read_flv(&flv);
    let mut muxer = TsSegmentMuxer::default();
    let (mut segments, mut seconds) = (Vec::new(), 0.0);
    for frame in &frames {
        if frame.is_keyframe() {
            segments.extend(muxer.end_segment(Some(frame)));
        }
        muxer.write(frame).expect("every frame can be carried");
    }
    segments.extend(muxer.end_segment(None));
    assert_eq!(segments.len(), 3);
    let mut joined = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let bytes = segment.bytes.concat();
        let path = dir.join(format!("{index}.ts"));
        std::fs::write(&path, &bytes).expect("the file can be written");
        ffmpeg(&[
            "-xerror",
            "-i",
            path.to_str().expect("UTF-8"),
            "-f",
            "null",
            "-",
        ]);
        assert!(segment.independent);
        assert_eq!(
            (bytes[1], bytes[2], bytes[189], bytes[190]),
            (0x40, 0, 0x50, 0),
            "PAT and PMT come first"
        );
        seconds += segment.duration.as_secs_f64();
        joined.extend(bytes);
    }
    assert!((seconds - 6.0).abs() < 0.04, "{seconds} s in all");
    let ts = dir.join("joined.ts");
    std::fs::write(&ts, joined).expect("the file can be written");
    assert_same_timestamps(&frames, &ts);
    assert_eq!(decoded(&ts), decoded(&flv));
}

#[test]
fn late_audio_keeps_its_offset_and_is_in_the_first_pmt() {
    let dir = scratch("late-audio");
    let (flv, ts) = (dir.join("in.flv"), dir.join("out.ts"));
    encode_flv(&flv, "8", &HIGH_WITH_B_FRAMES);
    let mut frames = read_flv(&flv);
    // Sound from 3 s on: its config is known at once, its frames come late.
    frames.retain(|frame| frame.is_config() || frame.is_video() || frame.pts.as_millis() > 3_000);
    mux(&frames, &ts);
    assert_same_timestamps(&frames, &ts);
    // The PMT is the second packet; its section length tells that it lists two streams.
    let bytes = std::fs::read(&ts).expect("the file was just written");
    assert_eq!(bytes[188 + 7], 13 + 2 * 5);
}

#[test]
fn audio_whose_config_comes_late_joins_by_a_new_pmt_version() {
    let dir = scratch("late-config");
    let (flv, ts) = (dir.join("in.flv"), dir.join("out.ts"));
    encode_flv(&flv, "8", &HIGH_WITH_B_FRAMES);
    let frames = read_flv(&flv);
    let (audio, video): (Vec<_>, Vec<_>) = frames.into_iter().partition(MediaFrame::is_audio);
    let late = video
        .iter()
        .position(|frame| frame.dts.as_millis() > 3_000)
        .expect("8 s of video");
    let config = audio.iter().find(|frame| frame.is_config()).cloned();
    let mut frames = video;
    let tail = frames.split_off(late);
    frames.extend(config);
    let mut rest: Vec<_> = audio
        .into_iter()
        .filter(|frame| !frame.is_config() && frame.pts.as_millis() > 3_000)
        .chain(tail)
        .collect();
    rest.sort_by_key(|frame| frame.dts);
    frames.extend(rest);
    mux(&frames, &ts);
    assert_same_timestamps(&frames, &ts);
}

#[test]
fn negative_times_and_offsets_keep_presentation_times() {
    let dir = scratch("negative");
    let (flv, ts) = (dir.join("in.flv"), dir.join("out.ts"));
    encode_flv(&flv, "4", &HIGH_WITH_B_FRAMES);
    let mut frames = read_flv(&flv);
    shift(&mut frames, TrackId::VIDEO, -1_000);
    shift(&mut frames, TrackId::AUDIO, -1_000);
    mux(&frames, &ts);
    assert_same_timestamps(&frames, &ts);
    // DTS two frames late, as from a source that has composition offsets below zero.
    for frame in frames.iter_mut().filter(|frame| frame.is_video()) {
        frame.dts = frame.dts + arcly_core::TimeDelta::from_millis(100);
    }
    assert!(frames.iter().any(|frame| frame.pts < frame.dts));
    mux(&frames, &ts);
    let (probed, expected) = (probe(&ts), expected(&frames, TIMESTAMP_BASE));
    let pts = |packets: &[Probed]| {
        of_track(packets, TrackId::VIDEO)
            .iter()
            .map(|packet| packet.pts)
            .collect::<Vec<_>>()
    };
    assert_eq!(pts(&probed), pts(&expected));
    let video = of_track(&probed, TrackId::VIDEO);
    assert!(video.iter().all(|packet| packet.dts <= packet.pts));
    assert!(video.windows(2).all(|pair| pair[0].dts <= pair[1].dts));
    assert_eq!(decoded(&ts), decoded(&flv));
}

#[test]
fn video_alone_and_audio_alone() {
    let dir = scratch("alone");
    let flv = dir.join("in.flv");
    encode_flv(&flv, "4", &HIGH_WITH_B_FRAMES);
    let (audio, video): (Vec<_>, Vec<_>) =
        read_flv(&flv).into_iter().partition(MediaFrame::is_audio);
    for (frames, track) in [(audio, TrackId::AUDIO), (video, TrackId::VIDEO)] {
        let ts = dir.join(format!("{track}.ts"));
        mux(&frames, &ts);
        assert_eq!(
            probe(&ts),
            of_track(&expected(&frames, TIMESTAMP_BASE), track)
        );
        ffmpeg(&[
            "-xerror",
            "-i",
            ts.to_str().expect("UTF-8"),
            "-f",
            "null",
            "-",
        ]);
    }
}

#[test]
fn the_wrap_of_33_bits_is_seamless() {
    let dir = scratch("wrap");
    let (flv, ts) = (dir.join("in.flv"), dir.join("out.ts"));
    encode_flv(&flv, "6", &HIGH_WITH_B_FRAMES);
    let mut frames = read_flv(&flv);
    // The wrap comes two seconds into the stream.
    let wrap = ((1_i64 << 33) - TIMESTAMP_BASE) / 90;
    shift(&mut frames, TrackId::VIDEO, wrap - 2_000);
    shift(&mut frames, TrackId::AUDIO, wrap - 2_000);
    mux(&frames, &ts);
    // ffmpeg unwraps, taking the time before the wrap as negative.
    let (probed, expected) = (probe(&ts), expected(&frames, TIMESTAMP_BASE));
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let (probed, expected) = (of_track(&probed, track), of_track(&expected, track));
        assert_eq!(probed.len(), expected.len());
        let moved = expected[0].pts - probed[0].pts;
        assert!(moved == 0 || moved == 1 << 33);
        for (probed, expected) in probed.iter().zip(&expected) {
            assert_eq!(
                (probed.pts + moved, probed.dts + moved),
                (expected.pts, expected.dts)
            );
        }
    }
    assert_eq!(decoded(&ts), decoded(&flv));
}
