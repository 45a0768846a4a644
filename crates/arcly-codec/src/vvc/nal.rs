//! NAL unit headers (H.266 7.3.1.2, 7.4.2.2 and Table 5).

use crate::nal::{NalClass, NalCodec};

/// What a NAL unit carries: `nal_unit_type`, 0 to 31 (H.266 Table 5). The constants name the types that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NalUnitType(u8);

impl NalUnitType {
    /// Coded slice of a trailing picture.
    pub const TRAIL: Self = Self(0);
    /// Coded slice of a stepwise temporal sub-layer access picture.
    pub const STSA: Self = Self(1);
    /// Coded slice of a decodable leading picture.
    pub const RADL: Self = Self(2);
    /// Coded slice of a leading picture that may refer to pictures before the random access point.
    pub const RASL: Self = Self(3);
    /// Instantaneous decoding refresh, which may have decodable leading pictures.
    pub const IDR_W_RADL: Self = Self(7);
    /// Instantaneous decoding refresh without leading pictures.
    pub const IDR_N_LP: Self = Self(8);
    /// Clean random access: the I picture of an open GOP.
    pub const CRA: Self = Self(9);
    /// Gradual decoding refresh.
    pub const GDR: Self = Self(10);
    /// Operating point information.
    pub const OPI: Self = Self(12);
    /// Decoding capability information.
    pub const DCI: Self = Self(13);
    /// Video parameter set.
    pub const VPS: Self = Self(14);
    /// Sequence parameter set.
    pub const SPS: Self = Self(15);
    /// Picture parameter set.
    pub const PPS: Self = Self(16);
    /// Adaptation parameter set that stands before its picture.
    pub const PREFIX_APS: Self = Self(17);
    /// Adaptation parameter set that stands behind its picture.
    pub const SUFFIX_APS: Self = Self(18);
    /// Picture header.
    pub const PICTURE_HEADER: Self = Self(19);
    /// Access unit delimiter.
    pub const ACCESS_UNIT_DELIMITER: Self = Self(20);
    /// End of sequence.
    pub const END_OF_SEQUENCE: Self = Self(21);
    /// End of bitstream.
    pub const END_OF_BITSTREAM: Self = Self(22);
    /// Supplemental enhancement information that stands before its picture.
    pub const PREFIX_SEI: Self = Self(23);
    /// Supplemental enhancement information that stands behind its picture.
    pub const SUFFIX_SEI: Self = Self(24);
    /// Filler data.
    pub const FILLER_DATA: Self = Self(25);

    /// The type of the five lower bits of `id`.
    #[must_use]
    pub const fn from_id(id: u8) -> Self {
        Self(id & 0x1f)
    }

    /// The value of `nal_unit_type`, 0 to 31.
    #[must_use]
    pub const fn id(self) -> u8 {
        self.0
    }

    /// Whether the unit carries picture data (types 0 to 11).
    #[must_use]
    pub const fn is_vcl(self) -> bool {
        self.0 < 12
    }

    /// Whether the picture is an IRAP picture: IDR, CRA, or the type reserved for one more (7 to 9, and 11).
    #[must_use]
    pub const fn is_irap(self) -> bool {
        matches!(self.0, 7..=9 | 11)
    }

    /// Whether the picture can only be decoded with pictures from before its random access point (RASL): who joined
    /// there must leave it out.
    #[must_use]
    pub const fn is_rasl(self) -> bool {
        matches!(self, Self::RASL)
    }

    /// What the unit is to a container. Adaptation parameter sets and operating point information count as `Other`: they
    /// change from picture to picture, and stay in the samples (ISO/IEC 14496-15 11.2.3).
    #[must_use]
    pub const fn class(self) -> NalClass {
        match self {
            Self::DCI | Self::VPS | Self::SPS | Self::PPS => NalClass::ParameterSet,
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
    /// `nuh_layer_id`, 0 to 55; 0 is the base layer, and all there is but for scalable and multiview coding.
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
            unit_type: NalUnitType::from_id(second >> 3),
            layer_id: first & 0x3f,
            temporal_id: (second & 7).checked_sub(1)?,
        })
    }
}

/// Marks what goes by VVC's NAL unit headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "a marker")]
pub struct Vvc;

impl NalCodec for Vvc {
    fn class(nal: &[u8]) -> NalClass {
        NalHeader::of(nal).map_or(NalClass::Other, |header| header.unit_type.class())
    }
}

/// Which NAL units a conversion leaves out.
pub type NalFilter = crate::nal::NalFilter<Vvc>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_splits_its_bytes() {
        let header = NalHeader::of(&[0x00, 0x79]).expect("a header");
        assert_eq!(
            (header.unit_type, header.layer_id, header.temporal_id),
            (NalUnitType::SPS, 0, 0)
        );
        let header = NalHeader::of(&[0x05, 0x0d]).expect("a header");
        assert_eq!(
            (header.unit_type, header.layer_id, header.temporal_id),
            (NalUnitType::STSA, 5, 4)
        );
        assert_eq!(NalHeader::of(&[0x80, 0x79]), None, "forbidden_zero_bit");
        assert_eq!(NalHeader::of(&[0x00, 0x78]), None, "no temporal id");
        assert_eq!(NalHeader::of(&[0x00]), None);
    }
}
