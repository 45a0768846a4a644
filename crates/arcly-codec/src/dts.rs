//! Decoding times for streams that carry presentation times only, as RTP and some containers do.
//!
//! Pictures come in decoding order; each has at most *n* pictures that come before it and are shown after it, which is
//! what the SPS promises (`max_num_reorder_frames`, `sps_max_num_reorder_pics`). Then the *k*-th decoding time can be the
//! (*k* − *n*)-th presentation time in order: when picture *k* comes, all earlier presentation times are known, for one that
//! came later would have *n* + 1 pictures before it. So no picture waits, each decoding time is a presentation time of the
//! stream and nothing drifts, whatever the frame rate does.

use crate::video::FrameRate;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The deepest reordering: twice the 16 frames of the largest decoded picture buffer (H.264 A.3.1, H.265 A.4.2), as fields
/// come one by one.
pub const MAX_REORDER_DEPTH: u32 = 32;

/// What is assumed of a stream that does not tell its frame rate, in frames a second: more than most have, so that the
/// first decoding times lie close together rather than far back.
const ASSUMED_FRAME_RATE: i64 = 100;

/// Derives decoding times from presentation times.
///
/// One deriver serves one track from a random access point on. Pictures that are shown before the first random access point
/// but come after it (leading pictures) cannot be decoded by who joins there, and should be dropped before: their times lie
/// before any that could be foreseen.
///
/// ```
/// use arcly_codec::dts::{DtsDeriver, DtsOutcome};
///
/// // I P B B P B B at 90 kHz and 30 frames a second; one picture is held back, P.
/// let mut deriver = DtsDeriver::new(1, 3_000);
/// let derived: Vec<_> = [0, 9_000, 3_000, 6_000, 18_000, 12_000, 15_000]
///     .map(|pts| deriver.push(pts))
///     .to_vec();
/// assert!(derived.iter().all(|derived| derived.outcome == DtsOutcome::InOrder));
/// let times: Vec<_> = derived.iter().map(|derived| derived.dts).collect();
/// assert_eq!(times, [-3_000, 0, 3_000, 6_000, 9_000, 12_000, 15_000]);
/// ```
#[derive(Debug, Clone)]
pub struct DtsDeriver {
    depth: u32,
    frame_duration: i64,
    /// The presentation times that no decoding time was made of yet: at most `depth` of them between calls.
    held: BinaryHeap<Reverse<i64>>,
    /// The presentation time of the first picture, until `depth` pictures have come.
    start: Option<i64>,
    last: Option<i64>,
    /// How many pictures in a row came late.
    late: u32,
}

/// A decoding time, and whether the stream keeps what it promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DerivedDts {
    /// The decoding time, in the unit of the presentation times.
    pub dts: i64,
    /// What is to be said about it.
    pub outcome: DtsOutcome,
}

/// What became of a picture's decoding time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DtsOutcome {
    /// It is at most the presentation time, and no earlier than the one before.
    InOrder,
    /// The picture is shown before a decoding time that was given out already: more pictures are reordered than was
    /// promised. It gets the last decoding time again, which exceeds its presentation time by `by`. One more picture
    /// is held back from now on, `depth` in all, so that a stream that understates its reordering comes right by itself.
    Late {
        /// By how much the decoding time exceeds the presentation time.
        by: i64,
        /// The depth from now on, at most [`MAX_REORDER_DEPTH`].
        depth: u32,
    },
    /// More than [`MAX_REORDER_DEPTH`] pictures in a row came late: that is no reordering, the timeline has stepped back. The
    /// derivation starts over, and the decoding time is earlier than the one before.
    Restarted,
}

impl DtsDeriver {
    /// For a stream of which at most `depth` pictures are held back (at most [`MAX_REORDER_DEPTH`] is used), and whose
    /// pictures last about `frame_duration`, in the unit of the presentation times. The duration only spaces the decoding
    /// times of the first `depth` pictures, which lie before the first presentation time.
    ///
    /// Where H.264 pictures are fields, each an access unit of its own, twice the frames are held back.
    #[must_use]
    pub fn new(depth: u32, frame_duration: i64) -> Self {
        Self {
            depth: depth.min(MAX_REORDER_DEPTH),
            frame_duration: frame_duration.max(1),
            held: BinaryHeap::new(),
            start: None,
            last: None,
            late: 0,
        }
    }

    /// As [`new`](Self::new), with the duration of a picture at this frame rate, if known, in units of `1 / timescale`
    /// seconds.
    #[must_use]
    pub fn with_frame_rate(depth: u32, rate: Option<FrameRate>, timescale: u32) -> Self {
        let duration = match rate {
            Some(rate) => {
                u128::from(timescale) * u128::from(rate.denominator)
                    / u128::from(rate.numerator.max(1))
            }
            None => (i64::from(timescale) / ASSUMED_FRAME_RATE)
                .unsigned_abs()
                .into(),
        };
        Self::new(depth, i64::try_from(duration).unwrap_or(1))
    }

    /// The number of pictures that are held back.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }

    /// The timeline breaks before the next picture: what was held back is forgotten.
    pub fn reset(&mut self) {
        self.held.clear();
        self.start = None;
        self.last = None;
        self.late = 0;
    }

    /// Takes the presentation time of the next picture in decoding order, and returns its decoding time.
    ///
    /// Decoding times never decrease but at [`DtsOutcome::Restarted`], and never exceed presentation times but at
    /// [`DtsOutcome::Late`]. Memory is bounded by [`MAX_REORDER_DEPTH`].
    pub fn push(&mut self, pts: i64) -> DerivedDts {
        if let Some(last) = self.last.filter(|&last| pts < last) {
            self.late += 1;
            if self.late <= MAX_REORDER_DEPTH {
                self.depth = (self.depth + 1).min(MAX_REORDER_DEPTH);
                self.hold(pts);
                let (by, depth) = (last.saturating_sub(pts), self.depth);
                return DerivedDts {
                    dts: last,
                    outcome: DtsOutcome::Late { by, depth },
                };
            }
            self.reset();
            return DerivedDts {
                dts: self.next(pts),
                outcome: DtsOutcome::Restarted,
            };
        }
        self.late = 0;
        DerivedDts {
            dts: self.next(pts),
            outcome: DtsOutcome::InOrder,
        }
    }

    /// Holds `pts` back; the earliest time that is then one too many.
    fn hold(&mut self, pts: i64) -> Option<i64> {
        self.held.push(Reverse(pts));
        if self.held.len() <= self.depth as usize {
            return None;
        }
        self.start = None;
        self.held.pop().map(|Reverse(earliest)| earliest)
    }

    /// The decoding time of a picture that is not late.
    fn next(&mut self, pts: i64) -> i64 {
        if self.last.is_none() {
            self.start = Some(pts);
        }
        let earliest = self.hold(pts);
        let dts = match (earliest, self.start) {
            (Some(earliest), _) => earliest,
            (None, Some(start)) => {
                let missing = i64::from(self.depth) + 1 - self.held.len() as i64;
                start.saturating_sub(self.frame_duration.saturating_mul(missing))
            }
            // The depth has grown: the last time is given out again until enough are held.
            (None, None) => i64::MIN,
        };
        let dts = self.last.map_or(dts, |last| dts.max(last)).min(pts);
        self.last = Some(dts);
        dts
    }
}
