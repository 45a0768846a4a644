//! Segments of real streams: every packet comes out of ffprobe and ffmpeg as it went in.

mod support;

use arcly_core::mux::{MuxedPart, MuxedSegment, SegmentMuxer};
use arcly_core::{MediaFrame, TimeDelta, TrackId};
use arcly_mux_fmp4::{CmafConfig, CmafSegmentMuxer, TrackSelection};
use bytes::Bytes;
use support::file::{kinds, tracks};
use support::probe::{expected, packets};
use support::*;

/// What came out of a muxer.
#[derive(Debug, Default)]
struct Output {
    segments: Vec<MuxedSegment>,
    parts: Vec<MuxedPart>,
}

impl Output {
    /// Init segment and segments as one file.
    fn file(&self) -> Bytes {
        let init = self.segments[0]
            .init
            .clone()
            .expect("CMAF has init segments");
        let media = self
            .segments
            .iter()
            .flat_map(|segment| segment.bytes.clone());
        Bytes::from([init].into_iter().chain(media).collect::<Vec<_>>().concat())
    }
}

/// Cuts a segment at each keyframe, and a part before each frame that comes `part` after the last.
fn mux(frames: &[MediaFrame], config: CmafConfig, part: Option<TimeDelta>) -> Output {
    let mut muxer = CmafSegmentMuxer::new(config);
    let (mut output, mut part_start) = (Output::default(), None);
    for frame in frames {
        let is_media = !frame.is_config();
        if let (Some(part), Some(start)) = (part, part_start)
            && is_media
            && (frame.is_keyframe() || frame.dts.since(start) >= part)
        {
            output.parts.extend(muxer.end_part(Some(frame)));
            part_start = None;
        }
        if frame.is_keyframe() {
            output.segments.extend(muxer.end_segment(Some(frame)));
        }
        muxer.write(frame).expect("every frame can be carried");
        if is_media {
            part_start.get_or_insert(frame.dts);
        }
    }
    if part.is_some() {
        output.parts.extend(muxer.end_part(None));
    }
    output.segments.extend(muxer.end_segment(None));
    output
}

fn default() -> CmafConfig {
    CmafConfig::default()
}

#[test]
fn b_frames_and_aac_come_through_unchanged() {
    let dir = scratch("segments-b-frames");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    encode(&input, "4", &[H264, AAC]);
    let frames = file::frames(&input);
    assert!(
        frames.iter().any(|frame| frame.pts > frame.dts),
        "the encoder was to use B-frames"
    );
    for part in [None, Some(TimeDelta::from_millis(200))] {
        let made = mux(&frames, default(), part);
        assert_eq!(made.segments.len(), 4);
        std::fs::write(&output, made.file()).expect("the file can be written");
        assert_eq!(
            packets(&output, "v"),
            expected(&frames, TrackId::VIDEO, 90_000, 10)
        );
        assert_eq!(
            packets(&output, "a"),
            expected(&frames, TrackId::AUDIO, 48_000, 10)
        );
        assert_decodes(&output);
    }
}

#[test]
fn payloads_are_the_frames_own_bytes() {
    let dir = scratch("segments-no-copy");
    let input = dir.join("in.mp4");
    encode(&input, "1", &[H264, AAC]);
    let frames = file::frames(&input);
    let made = mux(&frames, default(), None);
    let bytes = &made.segments[0].bytes;
    assert!(bytes.len() > 60);
    for payload in &bytes[1..] {
        let same = frames.iter().any(|frame| {
            frame.payload.as_ptr() == payload.as_ptr() && frame.payload.len() == payload.len()
        });
        assert!(same, "a copy of {} bytes", payload.len());
    }
}

#[test]
fn parts_add_up_to_their_segment() {
    let dir = scratch("segments-parts");
    let input = dir.join("in.mp4");
    encode(&input, "3", &[H264, AAC]);
    let made = mux(
        &file::frames(&input),
        default(),
        Some(TimeDelta::from_millis(250)),
    );
    let in_parts: Vec<_> = made
        .parts
        .iter()
        .flat_map(|part| part.bytes.clone())
        .collect();
    let in_segments: Vec<_> = made
        .segments
        .iter()
        .flat_map(|segment| segment.bytes.clone())
        .collect();
    assert_eq!(in_parts, in_segments);
    assert!(
        in_parts
            .iter()
            .zip(&in_segments)
            .all(|(a, b)| a.as_ptr() == b.as_ptr()),
        "the same allocations"
    );
    let sum = made
        .parts
        .iter()
        .fold(TimeDelta::ZERO, |sum, part| sum + part.duration);
    let whole = made
        .segments
        .iter()
        .fold(TimeDelta::ZERO, |sum, segment| sum + segment.duration);
    assert_eq!((sum.as_millis(), whole.as_millis()), (3_000, 3_000));
    let inits: Vec<_> = made
        .parts
        .iter()
        .map(|part| part.init.clone())
        .chain(made.segments.iter().map(|segment| segment.init.clone()))
        .collect();
    assert!(
        inits
            .iter()
            .all(|init| init.as_ref().unwrap().as_ptr() == inits[0].as_ref().unwrap().as_ptr()),
        "one allocation"
    );
    assert_eq!(
        made.parts.iter().filter(|part| part.independent).count(),
        3,
        "one part a GOP starts with its keyframe"
    );
    for segment in &made.segments {
        let all = kinds(&segment.bytes.concat().into());
        assert_eq!(all[..3], ["styp", "moof", "mdat"]);
        assert!(
            all[3..].chunks(2).all(|chunk| chunk == ["moof", "mdat"]),
            "{all:?}"
        );
    }
}

#[test]
fn tracks_in_files_of_their_own_share_a_timeline() {
    let dir = scratch("segments-demuxed");
    let (input, output) = (dir.join("in.mp4"), dir.join("out.mp4"));
    encode(&input, "3", &[H264, AAC]);
    let frames = file::frames(&input);
    for (track, kind, scale) in [(TrackId::VIDEO, "v", 90_000), (TrackId::AUDIO, "a", 48_000)] {
        let mut config = default();
        config.tracks = TrackSelection::one(track);
        let made = mux(&frames, config, Some(TimeDelta::from_millis(300)));
        let file = made.file();
        assert_eq!(tracks(&file).len(), 1);
        assert!(
            made.parts
                .iter()
                .all(|part| track == TrackId::VIDEO || part.independent)
        );
        std::fs::write(&output, file).expect("the file can be written");
        assert_eq!(packets(&output, kind), expected(&frames, track, scale, 10));
        assert_decodes(&output);
    }
}
