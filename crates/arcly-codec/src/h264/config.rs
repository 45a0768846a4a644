//! AVCDecoderConfigurationRecord, "avcC" (ISO/IEC 14496-15 5.3.3.1), read and written.
//!
//! `h264-reader` has a reader of its own, which panics on records with empty parameter sets; this one does not, and
//! keeps the parameter sets as slices of the input.

use super::{
    AccessUnitInfo, LengthSize, MAX_PARAMETER_SET_BYTES, MAX_PPS, MAX_SPS, NalHeader, NalUnitType,
    Sps,
};
use crate::video::{AccessUnitClass, FrameRate};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "avcC";

/// An AVCDecoderConfigurationRecord.
///
/// ```
/// use arcly_codec::h264::AvcDecoderConfig;
/// use bytes::Bytes;
///
/// let sps = Bytes::from_static(b"\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x14\x29\x96");
/// let pps = Bytes::from_static(b"\x68\xeb\xe3\xcb\x22\xc0");
/// let config = AvcDecoderConfig::from_parameter_sets([sps], [pps])?;
/// assert_eq!(config.codec_string(), "avc1.64000A");
/// assert_eq!((config.width(), config.height()), (Some(160), Some(96)));
/// assert_eq!(AvcDecoderConfig::parse(&config.to_bytes()?)?, config);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AvcDecoderConfig {
    /// `AVCProfileIndication`: `profile_idc` of the SPS, as in 100 for High.
    pub profile_idc: u8,
    /// `profile_compatibility`: the byte with the constraint flags.
    pub constraint_flags: u8,
    /// `AVCLevelIndication`: ten times the level, as in 40 for level 4.
    pub level_idc: u8,
    /// How long the length prefixes of the track's samples are.
    pub length_size: LengthSize,
    /// The sequence parameter sets, NAL header included.
    pub sps: Vec<Bytes>,
    /// The picture parameter sets, NAL header included.
    pub pps: Vec<Bytes>,
    /// The fields that the High profiles add. Old writers leave them out, so that they can be missing there too.
    pub high: Option<HighProfileFields>,
}

/// The fields at the end of the record, for the profiles from High on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HighProfileFields {
    /// `chroma_format`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Bits a luma sample, 8 to 15.
    pub bit_depth_luma: u8,
    /// Bits a chroma sample, 8 to 15.
    pub bit_depth_chroma: u8,
    /// The SPS extensions, NAL header included.
    pub sps_extensions: Vec<Bytes>,
}

/// Whether the record of a stream of this profile ends with [`HighProfileFields`].
///
/// The edition of 2010 names 100, 110, 122 and 144 (the withdrawn High 4:4:4); later ones say "not 66, 77 or 88".
const fn has_high_fields(profile_idc: u8) -> bool {
    !matches!(profile_idc, 66 | 77 | 88)
}

impl AvcDecoderConfig {
    /// Reads a record. The parameter sets are slices of `record`.
    ///
    /// Reserved bits are ignored, as is what follows the record; the fields of the High profiles are missing where
    /// they do not fit into what is there. The parameter sets are not parsed beyond their header byte: where the SPS
    /// cannot be, only [`width`](Self::width) and the like are `None`.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record is cut off, or a parameter set is empty or of another type;
    /// [`CodecError::Unsupported`] where `configurationVersion` is not 1; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`].
    pub fn parse(record: &Bytes) -> Result<Self> {
        let mut reader = Reader { record, offset: 0 };
        let version = reader.byte()?;
        if version != 1 {
            return Err(CodecError::Unsupported {
                what: "avcC configurationVersion",
                value: version.into(),
            });
        }
        let profile_idc = reader.byte()?;
        let constraint_flags = reader.byte()?;
        let level_idc = reader.byte()?;
        let length_size = LengthSize::from_minus_one(reader.byte()?);
        let sps_count = reader.byte()? & 0x1f;
        let sps = reader.parameter_sets(sps_count, NalUnitType::Sps)?;
        let pps_count = reader.byte()?;
        let pps = reader.parameter_sets(pps_count, NalUnitType::Pps)?;
        let high = if has_high_fields(profile_idc) {
            reader.high_fields().ok()
        } else {
            None
        };
        Ok(Self {
            profile_idc,
            constraint_flags,
            level_idc,
            length_size,
            sps,
            pps,
            high,
        })
    }

    /// The record of a stream that has these parameter sets (NAL units with header byte) and 4-byte lengths. Profile
    /// and level are those of the first SPS; chroma format and bit depths are read from it where the profile has them.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where there is no SPS or no PPS; [`CodecError::Malformed`] where one is of another
    /// type, empty, or the first SPS cannot be parsed; [`CodecError::LimitExceeded`] past [`MAX_SPS`], [`MAX_PPS`] or
    /// [`MAX_PARAMETER_SET_BYTES`].
    pub fn from_parameter_sets(
        sps: impl IntoIterator<Item = Bytes>,
        pps: impl IntoIterator<Item = Bytes>,
    ) -> Result<Self> {
        let sps = collect(sps, NalUnitType::Sps, MAX_SPS, "SPS in an avcC record")?;
        let pps = collect(pps, NalUnitType::Pps, MAX_PPS, "PPS in an avcC record")?;
        let Some(first) = sps.first() else {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "there is no SPS",
            });
        };
        if pps.is_empty() {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "there is no PPS",
            });
        }
        let parsed = Sps::parse(first)?;
        let high = has_high_fields(parsed.profile_idc).then(|| HighProfileFields {
            chroma_format: parsed.chroma_format.idc(),
            bit_depth_luma: parsed.bit_depth_luma,
            bit_depth_chroma: parsed.bit_depth_chroma,
            sps_extensions: Vec::new(),
        });
        Ok(Self {
            profile_idc: parsed.profile_idc,
            constraint_flags: parsed.constraint_flags,
            level_idc: parsed.level_idc,
            length_size: LengthSize::Four,
            sps,
            pps,
            high,
        })
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`CodecError::LimitExceeded`] past [`MAX_SPS`], [`MAX_PPS`] or [`MAX_PARAMETER_SET_BYTES`].
    pub fn to_bytes(&self) -> Result<Bytes> {
        let mut out = BytesMut::with_capacity(64);
        out.put_slice(&[1, self.profile_idc, self.constraint_flags, self.level_idc]);
        // The set bits are the reserved ones of 5.3.3.1.2.
        out.put_u8(0b1111_1100 | (self.length_size.bytes() - 1) as u8);
        out.put_u8(0b1110_0000 | count(&self.sps, MAX_SPS, "SPS in an avcC record")?);
        put_all(&mut out, &self.sps)?;
        out.put_u8(count(&self.pps, MAX_PPS, "PPS in an avcC record")?);
        put_all(&mut out, &self.pps)?;
        if let Some(high) = self
            .high
            .as_ref()
            .filter(|_| has_high_fields(self.profile_idc))
        {
            out.put_u8(0b1111_1100 | high.chroma_format & 3);
            out.put_u8(0b1111_1000 | high.bit_depth_luma.saturating_sub(8) & 7);
            out.put_u8(0b1111_1000 | high.bit_depth_chroma.saturating_sub(8) & 7);
            out.put_u8(count(
                &high.sps_extensions,
                MAX_PPS,
                "SPS extensions in an avcC record",
            )?);
            put_all(&mut out, &high.sps_extensions)?;
        }
        Ok(out.freeze())
    }

    /// The first SPS, parsed; it describes the picture in all streams that do not change it on the way.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record has no SPS; otherwise as for [`Sps::parse`].
    pub fn first_sps(&self) -> Result<Sps> {
        let no_sps = CodecError::malformed(
            WHAT,
            Location::Element("numOfSequenceParameterSets"),
            "zero",
        );
        Sps::parse(self.sps.first().ok_or(no_sps)?)
    }

    /// All NAL units of the record: what a byte stream carries before a random access point.
    pub fn nal_units(&self) -> impl Iterator<Item = &Bytes> {
        let extensions = self.high.iter().flat_map(|high| &high.sps_extensions);
        self.sps.iter().chain(extensions).chain(&self.pps)
    }

    /// The `codecs` parameter of the stream (RFC 6381 3.3), as in `avc1.640028`.
    #[must_use]
    pub fn codec_string(&self) -> String {
        codec_string(self.profile_idc, self.constraint_flags, self.level_idc)
    }

    /// The width of the picture in pixels, where there is an SPS that can be read, which is parsed for it.
    #[must_use]
    pub fn width(&self) -> Option<u32> {
        self.first_sps().ok().map(|sps| sps.width)
    }

    /// The height of the picture in pixels, where there is an SPS that can be read.
    #[must_use]
    pub fn height(&self) -> Option<u32> {
        self.first_sps().ok().map(|sps| sps.height)
    }

    /// The frame rate, where the SPS tells it and it is plausible.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.first_sps().ok()?.frame_rate()
    }

    /// What an access unit of the stream is, from its NAL units behind lengths of [`length_size`](Self::length_size).
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the lengths do not add up.
    pub fn classify(&self, access_unit: &[u8]) -> Result<AccessUnitClass> {
        Ok(AccessUnitInfo::of_length_prefixed(access_unit, self.length_size)?.class())
    }
}

/// The `codecs` parameter of an H.264 stream whose parameter sets stand in its codec config: `avc1.` and the three
/// bytes that follow the header of its SPS, in hexadecimal (RFC 6381 3.3).
#[must_use]
pub fn codec_string(profile_idc: u8, constraint_flags: u8, level_idc: u8) -> String {
    format!("avc1.{profile_idc:02X}{constraint_flags:02X}{level_idc:02X}")
}

/// Reads a record front to back.
struct Reader<'a> {
    record: &'a Bytes,
    offset: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8> {
        let byte = self.record.get(self.offset).copied();
        let byte = byte.ok_or(CodecError::truncated(WHAT, Location::Byte(self.offset)))?;
        self.offset += 1;
        Ok(byte)
    }

    fn parameter_sets(&mut self, count: u8, unit_type: NalUnitType) -> Result<Vec<Bytes>> {
        let mut sets = Vec::new();
        for _ in 0..count {
            let length = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]));
            if self.record.len() - self.offset < length {
                return Err(CodecError::truncated(WHAT, Location::Byte(self.offset)));
            }
            let set = self.record.slice(self.offset..self.offset + length);
            check(&set, unit_type, Location::Byte(self.offset))?;
            self.offset += length;
            sets.push(set);
        }
        Ok(sets)
    }

    fn high_fields(&mut self) -> Result<HighProfileFields> {
        Ok(HighProfileFields {
            chroma_format: self.byte()? & 3,
            bit_depth_luma: 8 + (self.byte()? & 7),
            bit_depth_chroma: 8 + (self.byte()? & 7),
            sps_extensions: {
                let count = self.byte()?;
                self.parameter_sets(count, NalUnitType::SpsExtension)?
            },
        })
    }
}

/// Whether `set` is a parameter set of this type and of acceptable size.
fn check(set: &[u8], unit_type: NalUnitType, at: Location) -> Result<()> {
    if set.len() > MAX_PARAMETER_SET_BYTES {
        return Err(CodecError::LimitExceeded {
            what: "bytes of a parameter set",
            max: MAX_PARAMETER_SET_BYTES,
        });
    }
    if NalHeader::of(set).map(|header| header.unit_type) != Some(unit_type) {
        return Err(CodecError::malformed(
            WHAT,
            at,
            "not a parameter set of the expected type",
        ));
    }
    Ok(())
}

fn collect(
    sets: impl IntoIterator<Item = Bytes>,
    unit_type: NalUnitType,
    max: usize,
    what: &'static str,
) -> Result<Vec<Bytes>> {
    let mut collected = Vec::new();
    for set in sets {
        check(&set, unit_type, Location::Element(what))?;
        if collected.len() == max {
            return Err(CodecError::LimitExceeded { what, max });
        }
        collected.push(set);
    }
    Ok(collected)
}

fn count(sets: &[Bytes], max: usize, what: &'static str) -> Result<u8> {
    match u8::try_from(sets.len()) {
        Ok(count) if sets.len() <= max => Ok(count),
        _ => Err(CodecError::LimitExceeded { what, max }),
    }
}

fn put_all(out: &mut BytesMut, sets: &[Bytes]) -> Result<()> {
    for set in sets {
        if set.len() > MAX_PARAMETER_SET_BYTES {
            return Err(CodecError::LimitExceeded {
                what: "bytes of a parameter set",
                max: MAX_PARAMETER_SET_BYTES,
            });
        }
        out.put_u16(set.len() as u16);
        out.put_slice(set);
    }
    Ok(())
}
