//! NAL unit headers (H.264 7.3.1, 7.4.1 and Table 7-1).

use crate::nal::{NalClass, NalCodec};

/// What a NAL unit carries: `nal_unit_type` (H.264 Table 7-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NalUnitType {
    /// Coded slice of a picture that is not an IDR picture (1).
    Slice,
    /// Coded slice data partition A (2); B and C never start a picture.
    SlicePartitionA,
    /// Coded slice data partition B (3).
    SlicePartitionB,
    /// Coded slice data partition C (4).
    SlicePartitionC,
    /// Coded slice of an IDR picture (5).
    IdrSlice,
    /// Supplemental enhancement information (6).
    Sei,
    /// Sequence parameter set (7).
    Sps,
    /// Picture parameter set (8).
    Pps,
    /// Access unit delimiter (9).
    AccessUnitDelimiter,
    /// End of sequence (10).
    EndOfSequence,
    /// End of stream (11).
    EndOfStream,
    /// Filler data (12).
    FillerData,
    /// Sequence parameter set extension (13): auxiliary (alpha) pictures.
    SpsExtension,
    /// Prefix NAL unit (14): scalable and multiview coding.
    Prefix,
    /// Subset sequence parameter set (15): scalable and multiview coding.
    SubsetSps,
    /// Coded slice of an auxiliary picture (19).
    AuxiliarySlice,
    /// Coded slice extension (20): scalable and multiview coding.
    SliceExtension,
    /// Any other type: unspecified or reserved. RTP's aggregation and fragmentation units (24 to 29) are among
    /// them and must never get this far.
    Other(u8),
}

impl NalUnitType {
    /// The type of the five lower bits of `id`.
    #[must_use]
    pub const fn from_id(id: u8) -> Self {
        match id & 0x1f {
            1 => Self::Slice,
            2 => Self::SlicePartitionA,
            3 => Self::SlicePartitionB,
            4 => Self::SlicePartitionC,
            5 => Self::IdrSlice,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::AccessUnitDelimiter,
            10 => Self::EndOfSequence,
            11 => Self::EndOfStream,
            12 => Self::FillerData,
            13 => Self::SpsExtension,
            14 => Self::Prefix,
            15 => Self::SubsetSps,
            19 => Self::AuxiliarySlice,
            20 => Self::SliceExtension,
            other => Self::Other(other),
        }
    }

    /// The value of `nal_unit_type`, 0 to 31.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Slice => 1,
            Self::SlicePartitionA => 2,
            Self::SlicePartitionB => 3,
            Self::SlicePartitionC => 4,
            Self::IdrSlice => 5,
            Self::Sei => 6,
            Self::Sps => 7,
            Self::Pps => 8,
            Self::AccessUnitDelimiter => 9,
            Self::EndOfSequence => 10,
            Self::EndOfStream => 11,
            Self::FillerData => 12,
            Self::SpsExtension => 13,
            Self::Prefix => 14,
            Self::SubsetSps => 15,
            Self::AuxiliarySlice => 19,
            Self::SliceExtension => 20,
            Self::Other(id) => id & 0x1f,
        }
    }

    /// Whether the unit carries picture data of the primary or a redundant coded picture (types 1 to 5).
    #[must_use]
    pub const fn is_vcl(self) -> bool {
        matches!(self.id(), 1..=5)
    }

    /// Whether the unit is a parameter set of any kind (SPS, PPS, SPS extension, subset SPS).
    #[must_use]
    pub const fn is_parameter_set(self) -> bool {
        matches!(
            self,
            Self::Sps | Self::Pps | Self::SpsExtension | Self::SubsetSps
        )
    }

    /// What the unit is to a container. Parameter sets are SPS, PPS, SPS extension and subset SPS.
    #[must_use]
    pub const fn class(self) -> NalClass {
        match self {
            Self::AccessUnitDelimiter => NalClass::Delimiter,
            Self::FillerData => NalClass::Filler,
            other if other.is_parameter_set() => NalClass::ParameterSet,
            _ => NalClass::Other,
        }
    }
}

/// The first byte of a NAL unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NalHeader {
    /// `nal_ref_idc`, 0 to 3. 0 on a slice says that no other picture refers to it.
    pub ref_idc: u8,
    /// `nal_unit_type`.
    pub unit_type: NalUnitType,
}

impl NalHeader {
    /// The header of `nal`, which starts with it; `None` where `nal` is empty or its `forbidden_zero_bit` is set
    /// (which is how a network element marks a damaged unit, RFC 6184 5.3).
    #[must_use]
    pub fn of(nal: &[u8]) -> Option<Self> {
        match nal.first() {
            Some(&byte) if byte & 0x80 == 0 => Some(Self {
                ref_idc: byte >> 5 & 3,
                unit_type: NalUnitType::from_id(byte),
            }),
            _ => None,
        }
    }
}

/// Marks what goes by H.264's NAL unit headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a marker")]
pub struct Avc;

impl NalCodec for Avc {
    fn class(nal: &[u8]) -> NalClass {
        NalHeader::of(nal).map_or(NalClass::Other, |header| header.unit_type.class())
    }
}

/// Which NAL units a conversion leaves out.
pub type NalFilter = crate::nal::NalFilter<Avc>;

impl NalFilter {
    /// Whether a unit of this type is left out.
    #[must_use]
    pub const fn drops(self, unit_type: NalUnitType) -> bool {
        self.drops_class(unit_type.class())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_round_trip() {
        for id in 0..32 {
            assert_eq!(NalUnitType::from_id(id).id(), id);
        }
    }

    #[test]
    fn header_splits_its_byte() {
        let idr = NalHeader::of(&[0x65, 0x88]).expect("a header");
        assert_eq!((idr.ref_idc, idr.unit_type), (3, NalUnitType::IdrSlice));
        assert_eq!(NalHeader::of(&[0xe5]), None, "forbidden_zero_bit");
        assert_eq!(NalHeader::of(&[]), None);
    }
}
