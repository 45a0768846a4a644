//! Segments in parts, as LL-HLS wants them.

mod synthetic;

use arcly_core::mux::SegmentMuxer;
use arcly_core::{MediaFrame, TimeDelta, TrackId};
use arcly_mux_ts::{PACKET_SIZE, TsSegmentMuxer};
use bytes::Bytes;
use proptest::prelude::*;
use synthetic::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Nothing,
    Part,
    Segment,
}

/// What a caller sees: parts, and segments.
#[derive(Debug, Default)]
struct Cuts {
    parts: Vec<arcly_core::mux::MuxedPart>,
    segments: Vec<arcly_core::mux::MuxedSegment>,
    /// How many parts each segment had.
    counts: Vec<usize>,
}

/// Video with B-frames at 30 frames a second, and sound; `cut` says what ends before each picture.
fn run(pictures: &[(Cut, bool)]) -> Cuts {
    let mut muxer = TsSegmentMuxer::default();
    let (mut cuts, mut count) = (Cuts::default(), 0);
    for config in [video_config(), aac_config(TrackId::AUDIO)] {
        muxer.write(&config).expect("a good config");
    }
    let end = |muxer: &mut TsSegmentMuxer,
               next: Option<&MediaFrame>,
               segment,
               cuts: &mut Cuts,
               count: &mut usize| {
        let part = muxer.end_part(next);
        *count += usize::from(part.is_some());
        cuts.parts.extend(part);
        if segment && let Some(done) = muxer.end_segment(next) {
            cuts.segments.push(done);
            cuts.counts.push(std::mem::take(count));
        }
    };
    for (n, (cut, key)) in (0..).zip(pictures) {
        // Parameter sets come with keyframes: without a first one nothing can be read.
        let frame = picture(n * 3_000 + 6_000, n * 3_000, 700, *key || n == 0);
        if *cut != Cut::Nothing {
            end(
                &mut muxer,
                Some(&frame),
                *cut == Cut::Segment,
                &mut cuts,
                &mut count,
            );
        }
        muxer.write(&frame).expect("carried");
        muxer
            .write(&aac(n * 3_000 + 500, 90, TrackId::AUDIO))
            .expect("carried");
    }
    end(&mut muxer, None, true, &mut cuts, &mut count);
    assert_eq!(
        (muxer.end_part(None), muxer.end_segment(None)),
        (None, None)
    );
    cuts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn parts_are_their_segment(pictures in prop::collection::vec(
        (prop_oneof![5 => Just(Cut::Nothing), 2 => Just(Cut::Part), 1 => Just(Cut::Segment)], any::<bool>()), 1..80,
    )) {
        let cuts = run(&pictures);
        let mut parts = cuts.parts.iter();
        for (segment, count) in cuts.segments.iter().zip(cuts.counts) {
            let own: Vec<_> = parts.by_ref().take(count).collect();
            let joined: Vec<Bytes> = own.iter().flat_map(|part| part.bytes.clone()).collect();
            prop_assert_eq!(joined.concat(), segment.bytes.concat());
            // The same allocations, not copies.
            prop_assert!(joined.iter().zip(&segment.bytes).all(|(a, b)| a.as_ptr() == b.as_ptr()));
            prop_assert_eq!(own.first().map(|part| part.independent), Some(segment.independent));
        }
        prop_assert!(parts.next().is_none());
        for part in &cuts.parts {
            let bytes = part.bytes.concat();
            prop_assert_eq!(bytes.len() % PACKET_SIZE, 0);
            prop_assert_eq!((bytes[1], bytes[2]), (0x40, 0), "the PAT comes first");
            prop_assert_eq!((bytes[PACKET_SIZE + 1], bytes[PACKET_SIZE + 2]), (0x50, 0), "then the PMT");
        }
        // Durations add up to the media time exactly, on the decoding timeline.
        let sum = cuts.parts.iter().fold(TimeDelta::ZERO, |sum, part| sum + part.duration);
        prop_assert_eq!(sum.to_ticks(90_000), pictures.len() as i64 * 3_000 + if pictures.len() == 1 { -3_000 } else { 0 });
        // And all of it can be read.
        let stream: Vec<u8> = cuts.segments.iter().flat_map(|segment| segment.bytes.concat()).collect();
        let (back, stats) = demux(&stream, 1_316);
        prop_assert_eq!(stats.continuity_errors, 0);
        prop_assert_eq!(of_track(&back, TrackId::VIDEO).len(), pictures.len());
        prop_assert_eq!(of_track(&back, TrackId::AUDIO).len(), pictures.len());
    }
}

#[test]
fn a_part_of_sound_alone_is_independent_only_without_video() {
    let mut muxer = TsSegmentMuxer::default();
    let mut independent = |frames: &[MediaFrame]| {
        for frame in frames {
            muxer.write(frame).expect("carried");
        }
        muxer.end_part(None).expect("there are frames").independent
    };
    let track = TrackId::AUDIO;
    assert!(independent(&[aac_config(track), aac(0, 90, track)]));
    assert!(independent(&[
        video_config(),
        picture(3_000, 3_000, 90, true),
        aac(3_000, 90, track)
    ]));
    assert!(!independent(&[aac(6_000, 90, track)]));
    assert!(!independent(&[picture(6_000, 6_000, 90, false)]));
}

#[test]
fn a_break_is_no_part_of_the_duration() {
    let mut muxer = TsSegmentMuxer::default();
    let track = TrackId::AUDIO;
    for frame in [aac_config(track), aac(0, 90, track), aac(1_920, 90, track)] {
        muxer.write(&frame).expect("carried");
    }
    assert_eq!(
        muxer
            .end_part(None)
            .expect("frames")
            .duration
            .to_ticks(90_000),
        3_840
    );
    for n in 0..2 {
        let mut frame = aac(900_000 + n * 1_920, 90, track);
        frame
            .flags
            .set(arcly_core::FrameFlags::DISCONTINUITY, n == 0);
        muxer.write(&frame).expect("carried");
    }
    assert_eq!(
        muxer
            .end_part(None)
            .expect("frames")
            .duration
            .to_ticks(90_000),
        3_840
    );
}
