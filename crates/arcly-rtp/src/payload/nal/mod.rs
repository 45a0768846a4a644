//! What H.264 and H.265 share: access units of NAL units, put together from packets and split into them.

mod assembler;
mod split;

pub(super) use assembler::Assembler;
pub(super) use split::{Framing, Head, split};

use bytes::Bytes;

/// What a NAL unit is to an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Stands in the decoder config.
    ParameterSet,
    /// Says nothing to a decoder: delimiters and filler.
    LeftOut,
    /// A slice.
    Picture,
    /// Goes with the picture.
    Other,
}

/// What an access unit is to its viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) keyframe: bool,
    pub(super) disposable: bool,
}

/// A codec of NAL units, with the parameter sets in force.
pub(super) trait NalStream {
    /// What `nal`, or the start of one, is.
    fn role(nal: &[u8]) -> Role;

    /// The type of the NAL unit that `start` begins, 63 at most; `None` for slices that no keyframe has.
    fn kind(start: &[u8]) -> Option<u8>;

    /// Whether an access unit can begin with the NAL unit of which this is the start: a delimiter, a parameter set, prefix SEI, or a slice
    /// that is the first of its picture. Only what can also *follow* a slice of its own picture is no.
    fn can_begin(start: &[u8]) -> bool;

    /// Whether nothing of an access unit can stand before this NAL unit.
    fn is_delimiter(start: &[u8]) -> bool;

    /// Takes a parameter set; whether anything changed. One that cannot be read changes nothing: it is left to whoever decodes.
    fn insert(&mut self, nal: &[u8]) -> bool;

    /// The decoder config of the parameter sets in force, if they are complete.
    fn config(&self) -> Option<Bytes>;

    /// What an access unit with 4-byte lengths is.
    fn flags(&self, unit: &[u8]) -> Flags;
}
