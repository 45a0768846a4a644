//! Where access units begin (H.265 7.4.2.4.4), and what each is to a server.

use super::{Hevc, NalHeader, NalUnitType};
use crate::Result;
use crate::nal::{LayeredCodec, LengthSize, annex_b, length_prefixed};
use crate::video::AccessUnitClass;
use bytes::Bytes;

/// Tells for each NAL unit of a stream whether an access unit begins with it.
pub type BoundaryDetector = crate::nal::LayeredBoundary<Hevc>;

impl LayeredCodec for Hevc {
    const LAYER_ID: &'static str = "H.265 nuh_layer_id of a parameter set";

    fn type_and_layer(nal: &[u8]) -> Option<(u8, u8)> {
        NalHeader::of(nal).map(|header| (header.unit_type.id(), header.layer_id))
    }

    fn is_vcl(unit_type: u8) -> bool {
        NalUnitType::from_id(unit_type).is_vcl()
    }

    fn begins_access_unit(nal: &[u8], unit_type: u8) -> bool {
        match NalUnitType::from_id(unit_type) {
            unit_type if unit_type.is_vcl() => starts_picture(nal),
            NalUnitType::VPS
            | NalUnitType::SPS
            | NalUnitType::PPS
            | NalUnitType::ACCESS_UNIT_DELIMITER
            | NalUnitType::PREFIX_SEI => true,
            // Reserved and unspecified types that stand before a picture's slices.
            unit_type => matches!(unit_type.id(), 41..=44 | 48..=55),
        }
    }
}

/// `first_slice_segment_in_pic_flag`, the first bit behind the header.
fn starts_picture(slice: &[u8]) -> bool {
    slice
        .get(NalHeader::BYTES)
        .is_some_and(|byte| byte & 0x80 != 0)
}

/// Iterates over the access units of a raw H.265 byte stream; see [`access_units`].
pub type AccessUnits = crate::nal::AccessUnits<BoundaryDetector>;

/// The access units of `stream`, which is a whole byte stream with start codes. Each is a slice of it: nothing is
/// copied. [`ParameterSets`](super::ParameterSets) collects what the codec config is made of.
///
/// ```
/// use arcly_codec::h265::{NalFilter, ParameterSets, access_units, annex_b};
/// use bytes::Bytes;
///
/// # fn emit_config(_: Bytes) {}
/// # fn emit_frame(_: Bytes) {}
/// # let file = Bytes::from_static(&[0, 0, 1, 0x46, 0x01, 0x50, 0, 0, 1, 0x26, 0x01, 0xaf]);
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

/// What the NAL units of one access unit add up to.
///
/// ```
/// use arcly_codec::h265::{AccessUnitInfo, LengthSize};
///
/// let info = AccessUnitInfo::of_length_prefixed(&[0, 0, 0, 3, 0x26, 0x01, 0xaf], LengthSize::Four)?;
/// assert!(info.is_random_access() && !info.is_disposable(0));
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AccessUnitInfo {
    /// How many slice segments (VCL NAL units) the base layer's picture has. 0 means that there is no picture.
    pub slices: usize,
    /// The type of the picture, which all its slice segments share.
    pub picture: Option<NalUnitType>,
    /// The sub-layer of the picture: `TemporalId`, 0 to 6.
    pub temporal_id: u8,
    /// Whether parameter sets come with the picture.
    pub parameter_sets: bool,
}

impl AccessUnitInfo {
    /// Of these NAL units, each with its header. Damaged units, and those of other layers, are passed over.
    #[must_use]
    pub fn of_nal_units<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut info = Self::default();
        nals.into_iter().for_each(|nal| info.add(nal));
        info
    }

    /// Of an access unit with length prefixes.
    ///
    /// # Errors
    /// [`Malformed`](crate::CodecError::Malformed) where the lengths do not add up.
    pub fn of_length_prefixed(access_unit: &[u8], size: LengthSize) -> Result<Self> {
        let mut info = Self::default();
        for nal in length_prefixed::nal_units(access_unit, size) {
            info.add(nal?);
        }
        Ok(info)
    }

    /// Of an access unit with start codes.
    #[must_use]
    pub fn of_annex_b(access_unit: &[u8]) -> Self {
        Self::of_nal_units(annex_b::nal_units(access_unit))
    }

    fn add(&mut self, nal: &[u8]) {
        let Some(header) = NalHeader::of(nal).filter(|header| header.layer_id == 0) else {
            return;
        };
        match header.unit_type {
            NalUnitType::VPS | NalUnitType::SPS | NalUnitType::PPS => self.parameter_sets = true,
            unit_type if unit_type.is_vcl() => {
                if self.slices == 0 {
                    self.picture = Some(unit_type);
                    self.temporal_id = header.temporal_id;
                }
                self.slices += 1;
            }
            _ => {}
        }
    }

    /// Whether a viewer can join here: the picture is an IDR, CRA or BLA picture.
    ///
    /// Leading pictures that follow a CRA picture may refer to pictures before it
    /// ([`NalUnitType::is_rasl`]); decoders leave those out where they begin with it.
    #[must_use]
    pub fn is_random_access(&self) -> bool {
        self.picture.is_some_and(NalUnitType::is_irap)
    }

    /// Whether no other picture refers to this one, so that it can be dropped without harm, in a stream whose highest
    /// sub-layer is `max_temporal_id` ([`Sps::max_temporal_id`](super::Sps)): it is of that sub-layer, and a
    /// sub-layer non-reference picture. Those of lower sub-layers may be referred to by higher ones.
    #[must_use]
    pub fn is_disposable(&self, max_temporal_id: u8) -> bool {
        self.temporal_id >= max_temporal_id
            && self
                .picture
                .is_some_and(NalUnitType::is_sub_layer_non_reference)
    }

    /// Both at once.
    #[must_use]
    pub fn class(&self, max_temporal_id: u8) -> AccessUnitClass {
        AccessUnitClass {
            random_access: self.is_random_access(),
            disposable: self.is_disposable(max_temporal_id),
        }
    }
}
