//! Where access units begin (H.266 7.4.2.4.3, 7.4.2.4.4), and what each is to a server.

use super::{NalHeader, NalUnitType, Vvc};
use crate::Result;
use crate::nal::{LayeredCodec, LengthSize, annex_b, length_prefixed};
use crate::video::AccessUnitClass;
use bytes::Bytes;

/// Tells for each NAL unit of a stream whether an access unit begins with it.
pub type BoundaryDetector = crate::nal::LayeredBoundary<Vvc>;

/// A picture begins with its picture header, which is a unit of its own or stands in the only slice.
impl LayeredCodec for Vvc {
    const LAYER_ID: &'static str = "VVC nuh_layer_id of a parameter set";

    fn type_and_layer(nal: &[u8]) -> Option<(u8, u8)> {
        NalHeader::of(nal).map(|header| (header.unit_type.id(), header.layer_id))
    }

    fn is_vcl(unit_type: u8) -> bool {
        NalUnitType::from_id(unit_type).is_vcl()
    }

    fn begins_access_unit(nal: &[u8], unit_type: u8) -> bool {
        match NalUnitType::from_id(unit_type) {
            unit_type if unit_type.is_vcl() => picture_header(nal, unit_type).is_some(),
            NalUnitType::OPI
            | NalUnitType::DCI
            | NalUnitType::VPS
            | NalUnitType::SPS
            | NalUnitType::PPS
            | NalUnitType::PREFIX_APS
            | NalUnitType::PICTURE_HEADER
            | NalUnitType::ACCESS_UNIT_DELIMITER
            | NalUnitType::PREFIX_SEI => true,
            // Reserved and unspecified types that stand before a picture's slices.
            unit_type => matches!(unit_type.id(), 26 | 28 | 29),
        }
    }
}

/// The first bits of the picture header in this unit, if it has one: the byte that they stand in, shifted so that
/// `ph_gdr_or_irap_pic_flag` is the highest bit.
fn picture_header(nal: &[u8], unit_type: NalUnitType) -> Option<u8> {
    let &byte = nal.get(NalHeader::BYTES)?;
    match unit_type {
        NalUnitType::PICTURE_HEADER => Some(byte),
        // sh_picture_header_in_slice_header_flag.
        unit_type if unit_type.is_vcl() && byte & 0x80 != 0 => Some(byte << 1),
        _ => None,
    }
}

/// Iterates over the access units of a raw VVC byte stream; see [`access_units`].
pub type AccessUnits = crate::nal::AccessUnits<BoundaryDetector>;

/// The access units of `stream`, which is a whole byte stream with start codes. Each is a slice of it: nothing is
/// copied. [`ParameterSets`](super::ParameterSets) collects what the codec config is made of.
#[must_use]
pub fn access_units(stream: Bytes) -> AccessUnits {
    AccessUnits::new(stream, BoundaryDetector::new())
}

/// What the NAL units of one access unit add up to.
///
/// ```
/// use arcly_codec::vvc::{AccessUnitInfo, LengthSize};
///
/// let info = AccessUnitInfo::of_length_prefixed(&[0, 0, 0, 3, 0x00, 0x39, 0xc4], LengthSize::Four)?;
/// assert!(info.is_random_access() && !info.is_disposable());
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct AccessUnitInfo {
    /// How many slices (VCL NAL units) the base layer's picture has. 0 means that there is no picture.
    pub slices: usize,
    /// The type of the picture's first slice. All slices share it but for pictures of mixed types.
    pub picture: Option<NalUnitType>,
    /// How many of the slices are of an IRAP type.
    pub irap_slices: usize,
    /// The sub-layer of the picture: `TemporalId`, 0 to 6.
    pub temporal_id: u8,
    /// `ph_non_ref_pic_flag`: no other picture refers to this one.
    pub non_reference: bool,
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
        let unit_type = header.unit_type;
        if let Some(picture_header) = picture_header(nal, unit_type) {
            self.non_reference = picture_header & 0x40 != 0;
        }
        if unit_type.is_vcl() {
            if self.slices == 0 {
                self.picture = Some(unit_type);
                self.temporal_id = header.temporal_id;
            }
            self.irap_slices += usize::from(unit_type.is_irap());
            self.slices += 1;
        }
        self.parameter_sets |= matches!(
            unit_type,
            NalUnitType::DCI | NalUnitType::VPS | NalUnitType::SPS | NalUnitType::PPS
        );
    }

    /// Whether a viewer can join here: the picture is an IDR or CRA picture, in all of its slices.
    ///
    /// Leading pictures that follow a CRA picture may refer to pictures before it ([`NalUnitType::is_rasl`]); decoders
    /// leave those out where they begin with it.
    #[must_use]
    pub const fn is_random_access(&self) -> bool {
        self.slices > 0 && self.irap_slices == self.slices
    }

    /// Whether the picture starts a gradual decoding refresh. That is no random access point here, for a viewer would
    /// first see a damaged picture.
    #[must_use]
    pub fn is_gradual_refresh(&self) -> bool {
        self.picture == Some(NalUnitType::GDR)
    }

    /// Whether no other picture refers to this one, so that it can be dropped without harm, as its picture header says.
    #[must_use]
    pub const fn is_disposable(&self) -> bool {
        self.slices > 0 && self.non_reference && self.irap_slices == 0
    }

    /// Both at once.
    #[must_use]
    pub const fn class(&self) -> AccessUnitClass {
        AccessUnitClass {
            random_access: self.is_random_access(),
            disposable: self.is_disposable(),
        }
    }
}
