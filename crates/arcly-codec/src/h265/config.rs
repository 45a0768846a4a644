//! HEVCDecoderConfigurationRecord, "hvcC" (ISO/IEC 14496-15 8.3.3.1), read and written.

use super::{AccessUnitInfo, LengthSize, NalHeader, NalUnitType, Pps, ProfileTierLevel, Sps, Vps};
use crate::nal::NalArray;
use crate::nal::arrays::{self, ArrayFormat, RecordReader};
use crate::video::{AccessUnitClass, FrameRate};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "hvcC";

const ARRAYS: ArrayFormat = ArrayFormat {
    what: WHAT,
    type_mask: 0x3f,
    single: |_| false,
    unit_type: |nal| NalHeader::of(nal).map(|header| header.unit_type.id()),
};

/// An HEVCDecoderConfigurationRecord.
///
/// ```
/// use arcly_codec::h265::HevcDecoderConfig;
/// use bytes::Bytes;
///
/// # let (vps, sps, pps) = (
/// #     Bytes::from_static(b"\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\x91\x10\x09"),
/// #     Bytes::from_static(b"\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\xa0\x20\x81\x05\x96\x44\x49\x24\xca\xf0\x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0c\x84"),
/// #     Bytes::from_static(b"\x44\x01\xc1\x71\xa1\x12"),
/// # );
/// let config = HevcDecoderConfig::from_parameter_sets([vps], [sps], [pps])?;
/// assert_eq!(config.codec_string(), "hvc1.1.6.L30.90");
/// assert_eq!((config.width(), config.height()), (Some(64), Some(64)));
/// assert_eq!(HevcDecoderConfig::parse(&config.to_bytes()?)?, config);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HevcDecoderConfig {
    /// What a decoder must be capable of.
    pub profile_tier_level: ProfileTierLevel,
    /// `min_spatial_segmentation_idc`, 0 to 4095; 0 says nothing.
    pub min_spatial_segmentation: u16,
    /// `parallelismType`: 0 unknown or mixed, 1 slices, 2 tiles, 3 wavefronts.
    pub parallelism: u8,
    /// `chroma_format_idc`, 0 to 3.
    pub chroma_format: u8,
    /// Bits a luma sample, 8 to 15.
    pub bit_depth_luma: u8,
    /// Bits a chroma sample, 8 to 15.
    pub bit_depth_chroma: u8,
    /// `avgFrameRate` in frames a 256 seconds; 0 where it is not told, as usual.
    pub average_frame_rate: u16,
    /// `constantFrameRate`, 0 to 2; 0 where it is not told.
    pub constant_frame_rate: u8,
    /// `numTemporalLayers`, 0 to 7; 0 where it is unknown, 1 where there is one sub-layer.
    pub temporal_layers: u8,
    /// `temporalIdNested`.
    pub temporal_id_nested: bool,
    /// How long the length prefixes of the track's samples are.
    pub length_size: LengthSize,
    /// The parameter sets, and perhaps SEI units that hold for the whole stream, in arrays by type.
    pub arrays: Vec<NalArray>,
    /// The parsed first SPS, for what the record itself does not say.
    sps: Option<Sps>,
}

impl HevcDecoderConfig {
    /// Reads a record. The parameter sets are slices of `record`.
    ///
    /// Reserved bits are ignored, as is what follows the record. An SPS that cannot be parsed is kept, and only
    /// [`width`](Self::width) and the like are `None` then.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record is cut off, or a NAL unit is of another type than its array;
    /// [`CodecError::Unsupported`] where `configurationVersion` is not 1 (0 is accepted: writers from before the
    /// standard was out put it there); [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or
    /// [`MAX_RECORD_NAL_UNITS`](crate::nal::MAX_RECORD_NAL_UNITS).
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut reader = RecordReader::new(WHAT, record);
        let version = reader.u8()?;
        if version > 1 {
            return Err(CodecError::Unsupported {
                what: "hvcC configurationVersion",
                value: version.into(),
            });
        }
        let profile = reader.u8()?;
        let compatibility_flags = reader.u32()?;
        let mut constraint_flags = [0; 6];
        constraint_flags.copy_from_slice(&reader.take(6)?);
        let profile_tier_level = ProfileTierLevel {
            profile_space: profile >> 6,
            high_tier: profile & 0x20 != 0,
            profile_idc: profile & 0x1f,
            compatibility_flags,
            constraint_flags,
            level_idc: reader.u8()?,
        };
        let min_spatial_segmentation = reader.u16()? & 0x0fff;
        let parallelism = reader.u8()? & 3;
        let chroma_format = reader.u8()? & 3;
        let bit_depth_luma = 8 + (reader.u8()? & 7);
        let bit_depth_chroma = 8 + (reader.u8()? & 7);
        let average_frame_rate = reader.u16()?;
        let byte = reader.u8()?;
        let arrays = ARRAYS.read(&mut reader)?;
        Ok(Self {
            profile_tier_level,
            min_spatial_segmentation,
            parallelism,
            chroma_format,
            bit_depth_luma,
            bit_depth_chroma,
            average_frame_rate,
            constant_frame_rate: byte >> 6,
            temporal_layers: byte >> 3 & 7,
            temporal_id_nested: byte & 4 != 0,
            length_size: LengthSize::from_minus_one(byte),
            sps: first_sps(&arrays),
            arrays,
        })
    }

    /// The record of a stream that has these parameter sets (NAL units with header) and 4-byte lengths. Its fields are
    /// read from the first SPS and PPS.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where there is no VPS, no SPS or no PPS; [`CodecError::Malformed`] where one is of
    /// another type, or the first SPS or PPS cannot be parsed; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or
    /// [`MAX_RECORD_NAL_UNITS`](crate::nal::MAX_RECORD_NAL_UNITS).
    pub fn from_parameter_sets(
        vps: impl IntoIterator<Item = Bytes>,
        sps: impl IntoIterator<Item = Bytes>,
        pps: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self> {
        let vps = ARRAYS.complete(NalUnitType::VPS.id(), vps)?;
        let sps = ARRAYS.complete(NalUnitType::SPS.id(), sps)?;
        let pps = ARRAYS.complete(NalUnitType::PPS.id(), pps)?;
        let unwritable = |reason| CodecError::Unwritable { what: WHAT, reason };
        if vps.nals.is_empty() {
            return Err(unwritable("there is no VPS"));
        }
        let first = sps.nals.first().ok_or(unwritable("there is no SPS"))?;
        let parsed = Sps::parse(first)?;
        let first = pps.nals.first().ok_or(unwritable("there is no PPS"))?;
        let tools = Pps::parse(first)?;
        let min_spatial_segmentation = parsed
            .vui
            .as_ref()
            .and_then(|vui| vui.min_spatial_segmentation)
            .unwrap_or(0);
        Ok(Self {
            profile_tier_level: parsed.profile_tier_level,
            min_spatial_segmentation,
            parallelism: match (tools.tiles, tools.wavefronts) {
                _ if min_spatial_segmentation == 0 => 0,
                (true, true) => 0,
                (false, false) => 1,
                (true, false) => 2,
                (false, true) => 3,
            },
            chroma_format: parsed.chroma_format.idc(),
            // The record cannot say 16 bits.
            bit_depth_luma: parsed.bit_depth_luma.min(15),
            bit_depth_chroma: parsed.bit_depth_chroma.min(15),
            average_frame_rate: 0,
            constant_frame_rate: 0,
            temporal_layers: parsed.max_temporal_id + 1,
            temporal_id_nested: parsed.temporal_id_nesting,
            length_size: LengthSize::Four,
            sps: Some(parsed),
            arrays: vec![vps, sps, pps],
        })
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where a NAL unit is of another type than its array; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or
    /// [`MAX_RECORD_NAL_UNITS`](crate::nal::MAX_RECORD_NAL_UNITS).
    pub fn to_bytes(&self) -> Result<Bytes> {
        let profile = &self.profile_tier_level;
        let mut out = BytesMut::with_capacity(160);
        out.put_u8(1);
        out.put_u8(
            (profile.profile_space & 3) << 6
                | u8::from(profile.high_tier) << 5
                | profile.profile_idc & 0x1f,
        );
        out.put_u32(profile.compatibility_flags);
        out.put_slice(&profile.constraint_flags);
        out.put_u8(profile.level_idc);
        // The set bits are the reserved ones of 8.3.3.1.2.
        out.put_u16(0xf000 | self.min_spatial_segmentation & 0x0fff);
        out.put_u8(0xfc | self.parallelism & 3);
        out.put_u8(0xfc | self.chroma_format & 3);
        out.put_u8(0xf8 | self.bit_depth_luma.saturating_sub(8) & 7);
        out.put_u8(0xf8 | self.bit_depth_chroma.saturating_sub(8) & 7);
        out.put_u16(self.average_frame_rate);
        out.put_u8(
            (self.constant_frame_rate & 3) << 6
                | (self.temporal_layers & 7) << 3
                | u8::from(self.temporal_id_nested) << 2
                | (self.length_size.bytes() - 1) as u8,
        );
        ARRAYS.write(&self.arrays, &mut out)?;
        Ok(out.freeze())
    }

    /// The VPS, NAL header included.
    pub fn vps(&self) -> impl Iterator<Item = &Bytes> {
        arrays::of_type(&self.arrays, NalUnitType::VPS.id())
    }

    /// The SPS, NAL header included.
    pub fn sps(&self) -> impl Iterator<Item = &Bytes> {
        arrays::of_type(&self.arrays, NalUnitType::SPS.id())
    }

    /// The PPS, NAL header included.
    pub fn pps(&self) -> impl Iterator<Item = &Bytes> {
        arrays::of_type(&self.arrays, NalUnitType::PPS.id())
    }

    /// All NAL units of the record in its order: what a byte stream carries before a random access point.
    pub fn nal_units(&self) -> impl Iterator<Item = &Bytes> {
        self.arrays.iter().flat_map(|array| &array.nals)
    }

    /// The first SPS, parsed; it describes the picture in all streams that do not change it on the way.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record has no SPS; otherwise as for [`Sps::parse`].
    pub fn first_sps(&self) -> Result<Sps> {
        let no_sps = CodecError::malformed(WHAT, Location::Element("numOfArrays"), "no SPS");
        match &self.sps {
            Some(sps) => Ok(sps.clone()),
            None => Sps::parse(self.sps().next().ok_or(no_sps)?),
        }
    }

    /// The `codecs` parameter of the stream, see [`ProfileTierLevel::codec_string`].
    #[must_use]
    pub fn codec_string(&self) -> String {
        self.profile_tier_level.codec_string()
    }

    /// The width of the picture in pixels, where there is an SPS that can be read.
    #[must_use]
    pub fn width(&self) -> Option<u32> {
        self.sps.as_ref().map(|sps| sps.width)
    }

    /// The height of the picture in pixels, where there is an SPS that can be read.
    #[must_use]
    pub fn height(&self) -> Option<u32> {
        self.sps.as_ref().map(|sps| sps.height)
    }

    /// The frame rate by the SPS, or else by the VPS, where they tell it and it is plausible.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        let by_sps = self.sps.as_ref().and_then(Sps::frame_rate);
        by_sps.or_else(|| Vps::parse(self.vps().next()?).ok()?.frame_rate())
    }

    /// What an access unit of the stream is, from its NAL units behind lengths of [`length_size`](Self::length_size).
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the lengths do not add up.
    pub fn classify(&self, access_unit: &[u8]) -> Result<AccessUnitClass> {
        let max_temporal_id = match (&self.sps, self.temporal_layers) {
            (Some(sps), _) => sps.max_temporal_id,
            (None, 0) => u8::MAX,
            (None, layers) => layers - 1,
        };
        let info = AccessUnitInfo::of_length_prefixed(access_unit, self.length_size)?;
        Ok(info.class(max_temporal_id))
    }
}

fn first_sps(arrays: &[NalArray]) -> Option<Sps> {
    Sps::parse(arrays::of_type(arrays, NalUnitType::SPS.id()).next()?).ok()
}
