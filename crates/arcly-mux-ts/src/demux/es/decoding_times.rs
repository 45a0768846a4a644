//! Which decoding times the pictures of a stream get.

use super::nal::Reordering;
use crate::demux::timeline::Times;
use crate::packet::RATE;
use arcly_core::codec::dts::DtsDeriver;

/// The decoding times of one video stream.
///
/// A PES packet without a DTS says that it is the PTS (ISO/IEC 13818-1 2.4.3.7), which cannot be true of all pictures where they are
/// reordered; some encoders stamp nothing but PTS all the same. So a stream is taken at its word until its PTS show that pictures are
/// reordered: one goes back, or steps over pictures that are still to come. From then on the DTS are derived, with the depth that
/// the SPS promises. The first DTS ends that for good.
#[derive(Debug, Default)]
pub(crate) struct DecodingTimes {
    /// There was a DTS: the stream has its own.
    stamped: bool,
    promised: Option<Reordering>,
    deriver: Option<DtsDeriver>,
    /// The PTS have shown that pictures are reordered.
    reordered: bool,
    /// The last picture.
    last: Option<Times>,
    /// The smallest step forward between PTS.
    step: Option<i64>,
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
        self.step = frame_rate.map(|rate| (f64::from(RATE) / rate.as_f64()) as i64);
    }

    /// The times of the next picture, and whether it came later than the stream promised: its DTS exceeds its PTS.
    pub(crate) fn of(&mut self, times: Times) -> (Times, bool) {
        let Some(deriver) = &mut self.deriver else {
            return (times, false);
        };
        let derived = deriver.push(times.pts).dts;
        if let Some(last) = self.last {
            let step = times.pts - last.pts;
            let steps_over = self.step.is_some_and(|usual| step > usual + usual / 2)
                && self.promised.is_some_and(|promised| promised.depth > 0);
            self.reordered |= step < 0 || steps_over;
            if step > 0 {
                self.step = Some(self.step.map_or(step, |usual| usual.min(step)));
            }
        }
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

    fn promising(depth: u32, frame_rate: Option<FrameRate>) -> DecodingTimes {
        let mut decoding = DecodingTimes::default();
        decoding.promise(Reordering { depth, frame_rate });
        decoding
    }

    fn thirty() -> Option<FrameRate> {
        FrameRate::new(30, 1, true)
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
        (
            derived.iter().map(|(times, _)| times.dts / STEP).collect(),
            late,
        )
    }

    #[test]
    fn without_reordering_they_are_the_pts_whatever_is_promised() {
        for depth in [0, 2] {
            let mut decoding = promising(depth, thirty());
            assert_eq!(places(&mut decoding, 0..20), ((0..20).collect(), 0));
        }
    }

    #[test]
    fn reordering_shows_by_the_picture_that_steps_over_others() {
        // I P B b b, the second of the B pictures being a reference.
        let mut decoding = promising(2, thirty());
        let (dts, late) = places(&mut decoding, [0, 4, 2, 1, 3, 8, 6, 5, 7]);
        assert_eq!((dts, late), (vec![0, 0, 0, 1, 2, 3, 4, 5, 6], 0));
        // Or after a while.
        let mut decoding = promising(1, thirty());
        let (dts, late) = places(&mut decoding, [0, 1, 2, 5, 3, 4, 8, 6, 7]);
        assert_eq!((dts, late), (vec![0, 1, 2, 2, 3, 4, 5, 6, 7], 0));
    }

    #[test]
    fn without_a_frame_rate_it_shows_by_the_pts_that_goes_back() {
        let mut decoding = promising(1, None);
        let (dts, late) = places(&mut decoding, [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]);
        assert_eq!((dts, late), (vec![0, 3, 3, 3, 3, 4, 5, 6, 7, 8], 2));
    }

    #[test]
    fn a_broken_promise_is_told_and_mended() {
        let gops = (0..10).flat_map(|gop| [3, 1, 2].map(|shown| gop * 3 + shown));
        let mut decoding = promising(0, thirty());
        let (dts, late) = places(&mut decoding, std::iter::once(0).chain(gops));
        assert_eq!(late, 2);
        assert!(dts.is_sorted());
        assert_eq!(dts.last(), Some(&28), "two pictures are allowed for");
    }

    #[test]
    fn the_first_dts_ends_the_derivation() {
        let mut decoding = promising(2, thirty());
        places(&mut decoding, [0, 4, 2]);
        decoding.stamped();
        assert_eq!(places(&mut decoding, [8]).0, [8]);
        decoding.promise(Reordering {
            depth: 1,
            frame_rate: None,
        });
        assert_eq!(places(&mut decoding, [6]).0, [6], "for good");
    }

    #[test]
    fn the_same_promise_again_changes_nothing() {
        let mut decoding = promising(1, thirty());
        let mut dts = Vec::new();
        for place in [0, 3, 1, 2] {
            decoding.promise(Reordering {
                depth: 1,
                frame_rate: thirty(),
            });
            dts.extend(places(&mut decoding, [place]).0);
        }
        assert_eq!(dts, [0, 0, 1, 2]);
    }
}
