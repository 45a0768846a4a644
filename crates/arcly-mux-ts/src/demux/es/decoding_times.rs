//! Which decoding times the pictures of a stream get.

use super::nal::Reordering;
use crate::demux::timeline::Times;
use crate::packet::RATE;
use arcly_core::codec::dts::DtsDeriver;

/// The decoding times of one video stream.
///
/// A PES packet without a DTS says that it is the PTS (ISO/IEC 13818-1 2.4.3.7), which cannot be true of all pictures where they are
/// reordered; some encoders stamp nothing but PTS all the same. So a stream is taken at its word until a PTS goes back. From then
/// on the DTS are derived, with the depth that the SPS promises; a few pictures are late until that takes hold. Any DTS ends it
/// for good.
#[derive(Debug, Default)]
pub(crate) struct DecodingTimes {
    /// There was a DTS: the stream has its own.
    stamped: bool,
    promised: Option<Reordering>,
    deriver: Option<DtsDeriver>,
    /// A PTS has gone back.
    reordered: bool,
    /// The last picture.
    last: Option<Times>,
}

impl DecodingTimes {
    /// A PES packet had a DTS.
    pub(crate) fn stamped(&mut self) {
        self.stamped = true;
        self.deriver = None;
    }

    /// A codec config is in force that promises this from the next picture on.
    pub(crate) fn promise(&mut self, reordering: Reordering) {
        if self.stamped || self.promised == Some(reordering) {
            return;
        }
        let Reordering { depth, frame_rate } = reordering;
        let deriver = DtsDeriver::with_frame_rate(depth, frame_rate, RATE);
        self.deriver = Some(deriver);
        self.promised = Some(reordering);
    }

    /// The times of the next picture, and whether it comes too late: its DTS exceeds its PTS.
    pub(crate) fn of(&mut self, times: Times) -> (Times, bool) {
        let Some(deriver) = &mut self.deriver else {
            return (times, false);
        };
        let derived = deriver.push(times.pts).dts;
        self.reordered |= self.last.is_some_and(|last| times.pts < last.pts);
        let mut times = times;
        if self.reordered {
            times.dts = self.last.map_or(derived, |last| derived.max(last.dts));
        }
        self.last = Some(times);
        (times, times.dts > times.pts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::codec::video::FrameRate;

    /// 30 pictures a second.
    const STEP: i64 = 3_000;

    fn thirty(depth: u32) -> Reordering {
        let frame_rate = FrameRate::new(30, 1, true);
        Reordering { depth, frame_rate }
    }

    fn promising(depth: u32) -> DecodingTimes {
        let mut decoding = DecodingTimes::default();
        decoding.promise(thirty(depth));
        decoding
    }

    /// The DTS of pictures that are shown at these places, in places, and how many are late.
    fn places(
        decoding: &mut DecodingTimes,
        shown: impl IntoIterator<Item = i64>,
    ) -> (Vec<i64>, usize) {
        let times = shown.into_iter().map(|place| place * STEP);
        let derived: Vec<_> = times
            .map(|pts| decoding.of(Times { pts, dts: pts }))
            .collect();
        let late = derived.iter().filter(|(_, late)| *late).count();
        let places = derived.iter().map(|(times, _)| times.dts / STEP);
        (places.collect(), late)
    }

    #[test]
    fn without_reordering_they_are_the_pts_whatever_is_promised() {
        for depth in [0, 2] {
            let mut decoding = promising(depth);
            let with_a_gap = || (0..10).chain(13..20);
            let (dts, late) = places(&mut decoding, with_a_gap());
            assert_eq!((dts, late), (with_a_gap().collect(), 0));
        }
    }

    #[test]
    fn from_the_pts_that_goes_back_on_they_are_derived() {
        // I P B B
        let mut decoding = promising(1);
        let (dts, late) = places(&mut decoding, [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]);
        assert_eq!((dts, late), (vec![0, 3, 3, 3, 3, 4, 5, 6, 7, 8], 2));
        // I P B b b after a while, the first of the B pictures being a reference.
        let mut decoding = promising(2);
        let shown = [0, 1, 2, 6, 4, 3, 5, 10, 8, 7, 9];
        let (dts, late) = places(&mut decoding, shown);
        assert_eq!((dts, late), (vec![0, 1, 2, 6, 6, 6, 6, 6, 6, 7, 8], 3));
    }

    #[test]
    fn a_broken_promise_is_told_and_mended() {
        let gops = (0..10).flat_map(|gop| [3, 1, 2].map(|shown| gop * 3 + shown));
        let mut decoding = promising(0);
        let (dts, late) = places(&mut decoding, std::iter::once(0).chain(gops));
        assert_eq!(late, 2);
        assert!(dts.is_sorted());
        assert_eq!(dts.last(), Some(&28), "two pictures are allowed for");
    }

    #[test]
    fn the_first_dts_ends_the_derivation() {
        let mut decoding = promising(2);
        places(&mut decoding, [0, 4, 2]);
        decoding.stamped();
        assert_eq!(places(&mut decoding, [8]).0, [8]);
        decoding.promise(thirty(1));
        assert_eq!(places(&mut decoding, [6]).0, [6], "for good");
    }

    #[test]
    fn the_same_promise_again_changes_nothing() {
        let mut decoding = promising(1);
        let mut dts = Vec::new();
        for place in [0, 3, 1, 2, 6, 4] {
            decoding.promise(thirty(1));
            dts.extend(places(&mut decoding, [place]).0);
        }
        assert_eq!(dts, [0, 3, 3, 3, 3, 4]);
    }
}
