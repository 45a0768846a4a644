//! Decoding times derived from presentation times.

use arcly_codec::dts::{DtsDeriver, DtsOutcome, MAX_REORDER_DEPTH};
use arcly_codec::video::FrameRate;
use proptest::prelude::*;

/// A decoding order of pictures 0 to `choices.len() - 1`, numbered in output order, in which no picture has more than
/// `depth` before it that are shown after it.
fn decoding_order(depth: usize, choices: &[prop::sample::Index]) -> Vec<usize> {
    let mut remaining: Vec<usize> = (0..choices.len()).collect();
    let mut order: Vec<usize> = Vec::new();
    for choice in choices {
        let ahead = order
            .iter()
            .filter(|&&picture| picture > remaining[0])
            .count();
        let reach = if ahead < depth { remaining.len() } else { 1 };
        order.push(remaining.remove(choice.index(reach.min(8))));
    }
    order
}

proptest! {
    /// Each decoding time is the presentation time `depth` places earlier in output order: exact, without drift.
    #[test]
    fn streams_that_keep_their_promise(
        depth in 0_usize..=16, choices in prop::collection::vec(any::<prop::sample::Index>(), 1..100),
        durations in prop::collection::vec(1_i64..10_000, 100), start in -1_000_000_i64..1_000_000,
    ) {
        let shown: Vec<i64> = durations.iter().scan(start, |time, duration| { *time += duration; Some(*time) }).collect();
        let order = decoding_order(depth, &choices);
        // A picture shown before the first one is a leading picture.
        let first = order[0];
        let order: Vec<usize> = order.into_iter().filter(|&picture| picture >= first).collect();
        let mut deriver = DtsDeriver::new(depth as u32, 1);
        let mut last = i64::MIN;
        for (index, &picture) in order.iter().enumerate() {
            let derived = deriver.push(shown[picture]);
            prop_assert_eq!(derived.outcome, DtsOutcome::InOrder);
            prop_assert!(derived.dts <= shown[picture] && derived.dts > last);
            let mut known: Vec<usize> = order[..=index].to_vec();
            known.sort_unstable();
            if index >= depth {
                prop_assert_eq!(derived.dts, shown[known[index - depth]]);
            }
            last = derived.dts;
        }
    }

    /// Whatever comes: times never decrease without being told, never exceed presentation times without being told, and
    /// the depth stays bounded.
    #[test]
    fn any_stream(depth: u32, duration: i64, times in prop::collection::vec(prop_oneof![any::<i64>(), -50_i64..50], 0..200)) {
        let mut deriver = DtsDeriver::new(depth, duration);
        let mut last = i64::MIN;
        for pts in times {
            let derived = deriver.push(pts);
            match derived.outcome {
                DtsOutcome::Late { .. } => prop_assert_eq!(derived.dts, last),
                DtsOutcome::Restarted => prop_assert!(derived.dts <= pts),
                _ => prop_assert!(derived.dts >= last && derived.dts <= pts),
            }
            prop_assert!(deriver.depth() <= MAX_REORDER_DEPTH);
            last = derived.dts;
        }
    }
}

/// A pyramid of two levels whose SPS promises one level: each GOP is I/P, B, b, b.
#[test]
fn a_stream_that_understates_its_reordering_comes_right() {
    let mut deriver = DtsDeriver::new(1, 40);
    let mut outcomes = Vec::new();
    for gop in 0..20 {
        for shown in [4, 2, 1, 3] {
            let pts = (gop * 4 + shown) * 40;
            let derived = deriver.push(if gop == 0 && shown == 4 { 0 } else { pts });
            outcomes.push(derived.outcome);
        }
    }
    let late = outcomes
        .iter()
        .filter(|&&outcome| outcome != DtsOutcome::InOrder)
        .count();
    assert_eq!(late, 1, "{outcomes:?}");
    assert_eq!(deriver.depth(), 2);
}

#[test]
fn a_timeline_that_steps_back_starts_over() {
    let mut deriver = DtsDeriver::new(0, 40);
    assert_eq!(deriver.push(1_000_000).dts, 1_000_000);
    let outcomes: Vec<_> = (0..40).map(|frame| deriver.push(frame * 40)).collect();
    let restarts = outcomes
        .iter()
        .filter(|derived| derived.outcome == DtsOutcome::Restarted)
        .count();
    assert_eq!(restarts, 1);
    let last = outcomes.last().expect("40 frames");
    assert_eq!(last.outcome, DtsOutcome::InOrder);
    assert!(last.dts <= 39 * 40);
}

/// A day of 29.97 frames a second on the 90 kHz clock, with B pictures: the last decoding time is exact.
#[test]
fn a_day_does_not_drift() {
    let rate = FrameRate::new(30_000, 1_001, true);
    let mut deriver = DtsDeriver::with_frame_rate(1, rate, 90_000);
    let mut derived = deriver.push(0);
    assert_eq!(derived.dts, -3_003);
    for gop in 0..863_136 {
        for shown in [3, 1, 2] {
            let pts = (gop * 3 + shown) * 3_003;
            derived = deriver.push(pts);
            assert_eq!(derived.outcome, DtsOutcome::InOrder);
        }
        // I P B B: the last B is shown right when it is decoded.
        assert_eq!(derived.dts, (gop * 3 + 2) * 3_003);
    }
}
