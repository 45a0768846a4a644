//! Finished segments, and their parts.

use arcly_core::{TimeDelta, WallClock};
use bytes::Bytes;
use std::sync::Arc;

/// A finished media segment with all that its playlist says about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Segment {
    /// Its Media Sequence Number (RFC 8216bis 3), unique in the life of its stream's name.
    pub sequence: u64,
    /// How long it plays.
    pub duration: TimeDelta,
    /// EXTINF in microseconds: the difference of two rounded points in time, so that the listed
    /// durations add up.
    pub extinf_micros: u64,
    /// Whether EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// Its Discontinuity Sequence Number: the same in all renditions.
    pub discontinuity_sequence: u64,
    /// Whether it can be decoded without those before it.
    pub independent: bool,
    /// Whether it stands for a span of which there is no media (EXT-X-GAP); it has no bytes then.
    pub is_gap: bool,
    /// EXT-X-PROGRAM-DATE-TIME: the wall clock at its first frame.
    pub program_date_time: WallClock,
    /// The init segment it needs (EXT-X-MAP), in containers that have one.
    pub init: Option<Arc<InitSegment>>,
    /// Its parts, where it was made in parts; their bytes are those of the segment.
    pub parts: Vec<Arc<Part>>,
    /// Its bytes, in order; shared, never copied.
    pub bytes: Vec<Bytes>,
    /// How many these are.
    pub size: usize,
}

/// An init segment: what a player needs before the first segment of a codec config.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InitSegment {
    /// The number of the first segment that needs it, by which it is named.
    pub sequence: u64,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A Partial Segment (RFC 8216bis 4.4.4.9).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// DURATION in microseconds, from DTS to DTS.
    pub duration_micros: u64,
    /// Whether decoding can start with it.
    pub independent: bool,
    /// Its bytes, in order; shared, never copied.
    pub bytes: Vec<Bytes>,
}

/// The segment that is still being made, as far as its parts are there.
#[derive(Debug, Clone)]
pub(crate) struct OpenSegment {
    pub(crate) sequence: u64,
    pub(crate) discontinuity: bool,
    pub(crate) program_date_time: WallClock,
    pub(crate) init: Option<Arc<InitSegment>>,
    pub(crate) parts: Vec<Arc<Part>>,
    /// Whether frames for another part are there already, so that it is sure to come.
    pub(crate) has_more: bool,
}
