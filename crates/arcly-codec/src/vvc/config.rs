//! VvcDecoderConfigurationRecord, "vvcC" (ISO/IEC 14496-15 11.2.4.2), read and written.

use super::profile_tier_level::{MAX_CONSTRAINT_BYTES, MAX_SUB_LAYERS, ProfileTierLevel};
use super::{AccessUnitInfo, LengthSize, NalHeader, NalUnitType, Sps};
use crate::nal::NalArray;
use crate::nal::arrays::{self, ArrayFormat, RecordReader};
use crate::video::{AccessUnitClass, FrameRate};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "vvcC";

const ARRAYS: ArrayFormat = ArrayFormat {
    what: WHAT,
    type_mask: 0x1f,
    single: |unit_type| unit_type == NalUnitType::DCI.id() || unit_type == NalUnitType::OPI.id(),
    unit_type: |nal| NalHeader::of(nal).map(|header| header.unit_type.id()),
};

/// A VvcDecoderConfigurationRecord, without the version and flags that stand before it in MP4's `vvcC` box.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VvcDecoderConfig {
    /// How long the length prefixes of the track's samples are.
    pub length_size: LengthSize,
    /// What the record says of the whole track, where it does: it need not where the track is but a part of a stream.
    pub track: Option<TrackDescription>,
    /// The parameter sets, and perhaps SEI units that hold for the whole stream, in arrays by type.
    pub arrays: Vec<NalArray>,
    /// The parsed first SPS, for what the record itself does not say.
    sps: Option<Sps>,
}

/// The fields of the record behind `ptl_present_flag`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackDescription {
    /// `ols_idx`, 0 to 511: the output layer set; 0 for streams of one layer.
    pub ols_idx: u16,
    /// `num_sublayers`, 0 to 7; 0 where it is unknown.
    pub sub_layers: u8,
    /// `constant_frame_rate`, 0 to 3; 0 where it is not told.
    pub constant_frame_rate: u8,
    /// `chroma_format_idc`, 0 to 3.
    pub chroma_format: u8,
    /// Bits a sample, 8 to 15.
    pub bit_depth: u8,
    /// What a decoder must be capable of.
    pub profile_tier_level: ProfileTierLevel,
    /// `max_picture_width` in pixels, before cropping.
    pub max_picture_width: u16,
    /// `max_picture_height` in pixels, before cropping.
    pub max_picture_height: u16,
    /// `avg_frame_rate` in frames a 256 seconds; 0 where it is not told, as usual.
    pub average_frame_rate: u16,
}

impl TrackDescription {
    fn read(reader: &mut RecordReader) -> Result<Self> {
        let fields = reader.u16()?;
        let sub_layers = (fields >> 4 & 7) as u8;
        let bit_depth = 8 + (reader.u8()? >> 5);
        let constraint_bytes = usize::from(reader.u8()? & 0x3f);
        if constraint_bytes == 0 {
            let at = Location::Element("num_bytes_constraint_info");
            return Err(CodecError::malformed(WHAT, at, "zero"));
        }
        let profile = reader.u8()?;
        let level_idc = reader.u8()?;
        let constraints = reader.take(constraint_bytes)?.to_vec();
        let mut sub_layer_levels = Vec::new();
        if sub_layers > 1 {
            let present = reader.u8()?;
            for index in 0..sub_layers - 1 {
                sub_layer_levels.push(if present >> (7 - index) & 1 != 0 {
                    Some(reader.u8()?)
                } else {
                    None
                });
            }
        }
        let mut sub_profiles = Vec::new();
        for _ in 0..reader.u8()? {
            sub_profiles.push(reader.u32()?);
        }
        Ok(Self {
            ols_idx: fields >> 7,
            sub_layers,
            constant_frame_rate: (fields >> 2 & 3) as u8,
            chroma_format: (fields & 3) as u8,
            bit_depth,
            profile_tier_level: ProfileTierLevel {
                profile_idc: profile >> 1,
                high_tier: profile & 1 != 0,
                level_idc,
                constraints,
                sub_layer_levels,
                sub_profiles,
            },
            max_picture_width: reader.u16()?,
            max_picture_height: reader.u16()?,
            average_frame_rate: reader.u16()?,
        })
    }

    fn write(&self, out: &mut BytesMut) -> Result<()> {
        let profile = &self.profile_tier_level;
        let unwritable = |reason| CodecError::Unwritable { what: WHAT, reason };
        if !(1..=MAX_CONSTRAINT_BYTES).contains(&profile.constraints.len()) {
            return Err(unwritable("constraints have 1 to 63 bytes"));
        }
        if self.sub_layers > MAX_SUB_LAYERS
            || profile.sub_layer_levels.len() != usize::from(self.sub_layers.saturating_sub(1))
        {
            return Err(unwritable("one level each sub-layer below the highest"));
        }
        let Ok(sub_profiles) = u8::try_from(profile.sub_profiles.len()) else {
            return Err(unwritable("more than 255 sub-profiles"));
        };
        out.put_u16(
            (self.ols_idx & 0x1ff) << 7
                | u16::from(self.sub_layers) << 4
                | u16::from(self.constant_frame_rate & 3) << 2
                | u16::from(self.chroma_format & 3),
        );
        // The set bits are reserved ones.
        out.put_u8((self.bit_depth.saturating_sub(8) & 7) << 5 | 0x1f);
        out.put_u8(profile.constraints.len() as u8);
        out.put_u8(profile.profile_idc << 1 | u8::from(profile.high_tier));
        out.put_u8(profile.level_idc);
        out.put_slice(&profile.constraints);
        if self.sub_layers > 1 {
            let levels = profile.sub_layer_levels.iter().enumerate();
            out.put_u8(levels.fold(0, |flags, (index, level)| {
                flags | u8::from(level.is_some()) << (7 - index)
            }));
            for level in profile.sub_layer_levels.iter().flatten() {
                out.put_u8(*level);
            }
        }
        out.put_u8(sub_profiles);
        for &sub_profile in &profile.sub_profiles {
            out.put_u32(sub_profile);
        }
        out.put_u16(self.max_picture_width);
        out.put_u16(self.max_picture_height);
        out.put_u16(self.average_frame_rate);
        Ok(())
    }
}

impl VvcDecoderConfig {
    /// Reads a record. The parameter sets are slices of `record`.
    ///
    /// Reserved bits are ignored, as is what follows the record. An SPS that cannot be parsed is kept, and only
    /// [`width`](Self::width) and the like go without it then.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record is cut off, or a NAL unit is of another type than its array;
    /// [`CodecError::LimitExceeded`] past [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or
    /// [`MAX_RECORD_NAL_UNITS`](crate::nal::MAX_RECORD_NAL_UNITS).
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut reader = RecordReader::new(WHAT, record);
        let byte = reader.u8()?;
        let track = if byte & 1 != 0 {
            Some(TrackDescription::read(&mut reader)?)
        } else {
            None
        };
        let arrays = ARRAYS.read(&mut reader)?;
        Ok(Self {
            length_size: LengthSize::from_minus_one(byte >> 1),
            track,
            sps: first_sps(&arrays),
            arrays,
        })
    }

    /// The record of a stream that has these parameter sets (NAL units with header) and 4-byte lengths. Its fields are
    /// read from the first SPS. Streams of one layer need no VPS.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where there is no SPS or no PPS; [`CodecError::Malformed`] where one is of another
    /// type, or the first SPS cannot be parsed; [`CodecError::LimitExceeded`] past
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
        let first = sps.nals.first().ok_or(unwritable("there is no SPS"))?;
        if pps.nals.is_empty() {
            return Err(unwritable("there is no PPS"));
        }
        let parsed = Sps::parse(first)?;
        let track = parsed.profile_tier_level.as_ref().map(|profile| {
            TrackDescription {
                ols_idx: 0,
                sub_layers: parsed.max_temporal_id + 1,
                constant_frame_rate: 0,
                chroma_format: parsed.chroma_format.idc(),
                // The record cannot say 16 bits.
                bit_depth: parsed.bit_depth.min(15),
                profile_tier_level: profile.clone(),
                // Both are bounded by MAX_PICTURE_SIDE.
                max_picture_width: parsed.coded_width as u16,
                max_picture_height: parsed.coded_height as u16,
                average_frame_rate: 0,
            }
        });
        let arrays = [vps, sps, pps].into_iter();
        Ok(Self {
            length_size: LengthSize::Four,
            track,
            arrays: arrays.filter(|array| !array.nals.is_empty()).collect(),
            sps: Some(parsed),
        })
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where the profile's lists have lengths that the record cannot express;
    /// [`CodecError::Malformed`] where a NAL unit is of another type than its array; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or
    /// [`MAX_RECORD_NAL_UNITS`](crate::nal::MAX_RECORD_NAL_UNITS).
    pub fn to_bytes(&self) -> Result<Bytes> {
        let mut out = BytesMut::with_capacity(256);
        // The set bits are reserved ones.
        out.put_u8(
            0xf8 | (self.length_size.bytes() as u8 - 1) << 1 | u8::from(self.track.is_some()),
        );
        if let Some(track) = &self.track {
            track.write(&mut out)?;
        }
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

    /// The first SPS, where there is one that can be read; it describes the picture in all streams that do not change it
    /// on the way.
    #[must_use]
    pub const fn first_sps(&self) -> Option<&Sps> {
        self.sps.as_ref()
    }

    /// The `codecs` parameter of the stream, see [`ProfileTierLevel::codec_string`]; `None` where neither the record nor
    /// an SPS has a profile.
    #[must_use]
    pub fn codec_string(&self) -> Option<String> {
        match &self.track {
            Some(track) => Some(track.profile_tier_level.codec_string()),
            None => self.sps.as_ref()?.codec_string(),
        }
    }

    /// The width of the picture in pixels: by the SPS, or else the record's, which is that before cropping.
    #[must_use]
    pub fn width(&self) -> Option<u32> {
        let by_track = || Some(self.track.as_ref()?.max_picture_width.into());
        self.sps.as_ref().map(|sps| sps.width).or_else(by_track)
    }

    /// The height of the picture in pixels: by the SPS, or else the record's, which is that before cropping.
    #[must_use]
    pub fn height(&self) -> Option<u32> {
        let by_track = || Some(self.track.as_ref()?.max_picture_height.into());
        self.sps.as_ref().map(|sps| sps.height).or_else(by_track)
    }

    /// The frame rate by the SPS, where it tells it and it is plausible.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.sps.as_ref()?.frame_rate()
    }

    /// What an access unit of the stream is, from its NAL units behind lengths of [`length_size`](Self::length_size).
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the lengths do not add up.
    pub fn classify(&self, access_unit: &[u8]) -> Result<AccessUnitClass> {
        Ok(AccessUnitInfo::of_length_prefixed(access_unit, self.length_size)?.class())
    }
}

fn first_sps(arrays: &[NalArray]) -> Option<Sps> {
    Sps::parse(arrays::of_type(arrays, NalUnitType::SPS.id()).next()?).ok()
}
