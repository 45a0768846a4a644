//! One finished segment.

use arcly_core::{TimeDelta, WallClock};
use bytes::Bytes;

/// A finished media segment with all that its playlist says about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Segment {
    /// Its Media Sequence Number (RFC 8216 3), unique in the life of its stream's name.
    pub sequence: u64,
    /// How long it plays.
    pub duration: TimeDelta,
    /// EXTINF in microseconds: the difference of two rounded points in time, so that the listed
    /// durations add up.
    pub extinf_micros: u64,
    /// Whether EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// Whether it can be decoded without those before it.
    pub independent: bool,
    /// EXT-X-PROGRAM-DATE-TIME: the wall clock at its first frame.
    pub program_date_time: WallClock,
    /// Its bytes, in order; shared, never copied.
    pub bytes: Vec<Bytes>,
    /// How many these are.
    pub size: usize,
}
