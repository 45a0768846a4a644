//! NAL unit headers (H.265 7.3.1.2, 7.4.2.2 and Table 7-1).

use crate::nal::{NalClass, NalCodec};

/// What a NAL unit carries: `nal_unit_type`, 0 to 63 (H.265 Table 7-1). The constants name the types that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NalUnitType(u8);

impl NalUnitType {
    /// Coded slice segment of a trailing picture that no picture of its sub-layer refers to.
    pub const TRAIL_N: Self = Self(0);
    /// Coded slice segment of a trailing picture.
    pub const TRAIL_R: Self = Self(1);
    /// Coded slice segment of a decodable leading picture, not referred to.
    pub const RADL_N: Self = Self(6);
    /// Coded slice segment of a decodable leading picture.
    pub const RADL_R: Self = Self(7);
    /// Coded slice segment of a leading picture that may refer to pictures before the random access point, not referred
    /// to.
    pub const RASL_N: Self = Self(8);
    /// Coded slice segment of a leading picture that may refer to pictures before the random access point.
    pub const RASL_R: Self = Self(9);
    /// Broken link access, which may have leading pictures.
    pub const BLA_W_LP: Self = Self(16);
    /// Broken link access, which may have decodable leading pictures.
    pub const BLA_W_RADL: Self = Self(17);
    /// Broken link access without leading pictures.
    pub const BLA_N_LP: Self = Self(18);
    /// Instantaneous decoding refresh, which may have decodable leading pictures.
    pub const IDR_W_RADL: Self = Self(19);
    /// Instantaneous decoding refresh without leading pictures.
    pub const IDR_N_LP: Self = Self(20);
    /// Clean random access: the I picture of an open GOP.
    pub const CRA: Self = Self(21);
    /// Video parameter set.
    pub const VPS: Self = Self(32);
    /// Sequence parameter set.
    pub const SPS: Self = Self(33);
    /// Picture parameter set.
    pub const PPS: Self = Self(34);
    /// Access unit delimiter.
    pub const ACCESS_UNIT_DELIMITER: Self = Self(35);
    /// End of sequence.
    pub const END_OF_SEQUENCE: Self = Self(36);
    /// End of bitstream.
    pub const END_OF_BITSTREAM: Self = Self(37);
    /// Filler data.
    pub const FILLER_DATA: Self = Self(38);
    /// Supplemental enhancement information that stands before its picture.
    pub const PREFIX_SEI: Self = Self(39);
    /// Supplemental enhancement information that stands behind its picture.
    pub const SUFFIX_SEI: Self = Self(40);

    /// The type of the six lower bits of `id`.
    #[must_use]
    pub const fn from_id(id: u8) -> Self {
        Self(id & 0x3f)
    }

    /// The value of `nal_unit_type`, 0 to 63.
    #[must_use]
    pub const fn id(self) -> u8 {
        self.0
    }

    /// Whether the unit carries picture data (types 0 to 31).
    #[must_use]
    pub const fn is_vcl(self) -> bool {
        self.0 < 32
    }

    /// Whether the picture is an IRAP picture: IDR, CRA, BLA, or one of the types reserved for more (16 to 23).
    #[must_use]
    pub const fn is_irap(self) -> bool {
        matches!(self.0, 16..=23)
    }

    /// Whether the picture is an IDR picture.
    #[must_use]
    pub const fn is_idr(self) -> bool {
        matches!(self, Self::IDR_W_RADL | Self::IDR_N_LP)
    }

    /// Whether the picture is a leading picture: it follows its random access point in decoding order and is shown before
    /// it.
    #[must_use]
    pub const fn is_leading(self) -> bool {
        matches!(self.0, 6..=9)
    }

    /// Whether the picture can only be decoded with pictures from before its random access point (RASL): who joined
    /// there must leave it out.
    #[must_use]
    pub const fn is_rasl(self) -> bool {
        matches!(self, Self::RASL_N | Self::RASL_R)
    }

    /// Whether no picture of the same sub-layer refers to the picture (7.4.2.2: types 0, 2, … 14).
    #[must_use]
    pub const fn is_sub_layer_non_reference(self) -> bool {
        self.0 <= 14 && self.0.is_multiple_of(2)
    }

    /// What the unit is to a container.
    #[must_use]
    pub const fn class(self) -> NalClass {
        match self {
            Self::VPS | Self::SPS | Self::PPS => NalClass::ParameterSet,
            Self::ACCESS_UNIT_DELIMITER => NalClass::Delimiter,
            Self::FILLER_DATA => NalClass::Filler,
            _ => NalClass::Other,
        }
    }
}

/// The two bytes that a NAL unit starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NalHeader {
    /// `nal_unit_type`.
    pub unit_type: NalUnitType,
    /// `nuh_layer_id`, 0 to 63; 0 is the base layer, and all there is but for scalable and multiview coding.
    pub layer_id: u8,
    /// `TemporalId`, 0 to 6.
    pub temporal_id: u8,
}

impl NalHeader {
    /// The length of the header in bytes.
    pub const BYTES: usize = 2;

    /// The header of `nal`, which starts with it; `None` where it is cut off, its `forbidden_zero_bit` is set or its
    /// `nuh_temporal_id_plus1` is 0: the unit is damaged.
    #[must_use]
    pub fn of(nal: &[u8]) -> Option<Self> {
        let &[first, second] = nal.first_chunk()?;
        if first & 0x80 != 0 {
            return None;
        }
        Some(Self {
            unit_type: NalUnitType::from_id(first >> 1),
            layer_id: (first & 1) << 5 | second >> 3,
            temporal_id: (second & 7).checked_sub(1)?,
        })
    }
}

/// Marks what goes by H.265's NAL unit headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a marker")]
pub struct Hevc;

impl NalCodec for Hevc {
    fn class(nal: &[u8]) -> NalClass {
        NalHeader::of(nal).map_or(NalClass::Other, |header| header.unit_type.class())
    }
}

/// Which NAL units a conversion leaves out.
pub type NalFilter = crate::nal::NalFilter<Hevc>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_splits_its_bytes() {
        let header = NalHeader::of(&[0x26, 0x01]).expect("a header");
        assert_eq!(
            (header.unit_type, header.layer_id, header.temporal_id),
            (NalUnitType::IDR_W_RADL, 0, 0)
        );
        let header = NalHeader::of(&[0x03, 0x0b, 0xff]).expect("a header");
        assert_eq!(
            (header.unit_type.id(), header.layer_id, header.temporal_id),
            (1, 33, 2)
        );
        assert_eq!(NalHeader::of(&[0xa6, 0x01]), None, "forbidden_zero_bit");
        assert_eq!(NalHeader::of(&[0x26, 0x00]), None, "no temporal id");
        assert_eq!(NalHeader::of(&[0x26]), None);
    }

    #[test]
    fn types_have_the_properties_of_table_7_1() {
        let which = |property: fn(NalUnitType) -> bool| -> Vec<u8> {
            (0..64)
                .filter(|&id| property(NalUnitType::from_id(id)))
                .collect()
        };
        assert_eq!(
            which(NalUnitType::is_irap),
            [16, 17, 18, 19, 20, 21, 22, 23]
        );
        assert_eq!(
            which(NalUnitType::is_sub_layer_non_reference),
            [0, 2, 4, 6, 8, 10, 12, 14]
        );
        assert_eq!(which(NalUnitType::is_leading), [6, 7, 8, 9]);
        assert_eq!(
            which(|unit_type| unit_type.class() == NalClass::ParameterSet),
            [32, 33, 34]
        );
    }
}
