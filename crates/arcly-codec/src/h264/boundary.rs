//! Where one access unit ends and the next begins (H.264 7.4.1.2.3, 7.4.1.2.4).

use super::slice::SliceStart;
use super::{NalHeader, NalUnitType, ParameterSets};
use crate::nal::AccessUnitBoundary;
use bytes::Bytes;

/// Tells for each NAL unit of a stream whether an access unit begins with it.
///
/// It follows the parameter sets that it is shown, because slices can only be told apart with them; until these come
/// it goes by `first_mb_in_slice`. A coded field is an access unit of its own, as the specification has it.
/// Auxiliary, scalable and multiview pictures belong to the unit of the primary picture before them.
#[derive(Debug, Clone, Default)]
pub struct BoundaryDetector {
    sets: ParameterSets,
    /// Whether the open access unit has a slice already.
    has_slice: bool,
    /// The last slice of the open access unit whose header could be read.
    last: Option<SliceStart>,
    started: bool,
}

impl BoundaryDetector {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the stream's next NAL unit, whole with its header byte, and returns whether an access unit begins with
    /// it. It does with the first one.
    ///
    /// Damaged units never begin one, and damaged parameter sets are passed over.
    pub fn push(&mut self, nal: &[u8]) -> bool {
        let begins = !self.started || self.begins(nal);
        self.started = true;
        if begins {
            self.has_slice = false;
            self.last = None;
        }
        let Some(header) = NalHeader::of(nal) else {
            return begins;
        };
        if header.unit_type.is_vcl() {
            self.has_slice = true;
            if let Ok(Some(slice)) = SliceStart::parse(nal, &self.sets) {
                self.last = Some(slice);
            }
        } else if header.unit_type.is_parameter_set() {
            // What cannot be read cannot help to tell slices apart either: it is left to whoever decodes.
            _ = self.sets.insert(nal);
        }
        begins
    }

    fn begins(&self, nal: &[u8]) -> bool {
        let Some(header) = NalHeader::of(nal) else {
            return false;
        };
        if !self.has_slice {
            return false;
        }
        match header.unit_type {
            // The first of these behind the last slice of a primary picture, 7.4.1.2.3.
            NalUnitType::AccessUnitDelimiter
            | NalUnitType::Sps
            | NalUnitType::Pps
            | NalUnitType::Sei
            | NalUnitType::Prefix
            | NalUnitType::SubsetSps
            | NalUnitType::Other(16..=18) => true,
            NalUnitType::Slice | NalUnitType::SlicePartitionA | NalUnitType::IdrSlice => {
                let slice = SliceStart::parse(nal, &self.sets).ok().flatten();
                match (slice, &self.last) {
                    (Some(slice), Some(last)) => slice.starts_picture_after(last),
                    (Some(slice), None) => slice.first_mb == 0,
                    (None, _) => false,
                }
            }
            _ => false,
        }
    }

    /// The parameter sets that are in force.
    #[must_use]
    pub const fn parameter_sets(&self) -> &ParameterSets {
        &self.sets
    }
}

/// Iterates over the access units of a raw H.264 byte stream, as in a `.h264` file; see [`access_units`].
pub type AccessUnits = crate::nal::AccessUnits<BoundaryDetector>;

/// The access units of `stream`, which is a whole byte stream with start codes. Each is a slice of it: nothing is
/// copied.
///
/// A byte stream has no timestamps. Where
/// [`Sps::max_num_reorder_frames`](super::Sps::max_num_reorder_frames) is 0, access unit *n* is shown at
/// *n* / [`Sps::frame_rate`](super::Sps::frame_rate).
///
/// ```
/// use arcly_codec::h264::{NalFilter, ParameterSets, access_units, annex_b};
/// use bytes::Bytes;
///
/// # fn emit_config(_: Bytes) {}
/// # fn emit_frame(_: Bytes) {}
/// # let file = Bytes::from_static(&[0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x65, 0x88, 0x84]);
/// let mut sets = ParameterSets::new();
/// for unit in access_units(file) {
///     for nal in annex_b::nal_units(&unit) {
///         if sets.insert(nal)? && let Some(config) = sets.config() {
///             emit_config(config.to_bytes()?);
///         }
///     }
///     emit_frame(annex_b::to_length_prefixed(unit, NalFilter::SAMPLE)?);
/// }
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[must_use]
pub fn access_units(stream: Bytes) -> AccessUnits {
    AccessUnits::new(stream, BoundaryDetector::new())
}

impl AccessUnitBoundary for BoundaryDetector {
    fn push(&mut self, nal: &[u8]) -> bool {
        Self::push(self, nal)
    }
}

impl AccessUnits {
    /// The parameter sets seen so far.
    #[must_use]
    pub const fn parameter_sets(&self) -> &ParameterSets {
        self.detector().parameter_sets()
    }
}
