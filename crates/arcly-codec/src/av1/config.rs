//! AV1CodecConfigurationRecord, "av1C" (AV1 in ISOBMFF 2.3), read and written.

use super::{ObuHeader, ObuType, SequenceHeader, TemporalUnitInfo, obus, write_obu};
use crate::video::{AccessUnitClass, ChromaFormat, FrameRate};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "av1C";

/// The fixed part of the record.
const FIXED_BYTES: usize = 4;

/// The longest record, in bytes: a sequence header takes at most some 500 (with 32 operating points), and what may stand
/// beside it is metadata for HDR.
pub const MAX_CONFIG_BYTES: usize = 4096;

/// An AV1CodecConfigurationRecord.
///
/// ```
/// use arcly_codec::av1::Av1Config;
/// use bytes::Bytes;
///
/// // SVT-AV1, 64×64.
/// let record = Bytes::from_static(b"\x81\x00\x0c\x00\x0a\x0a\x00\x00\x00\x02\xaf\xff\x9f\x7f\x30\x08");
/// let config = Av1Config::parse(&record)?;
/// assert_eq!(config.codec_string(), "av01.0.00M.08");
/// assert_eq!((config.width(), config.height()), (Some(64), Some(64)));
/// assert_eq!(config.to_bytes()?, record);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Av1Config {
    /// `seq_profile`: 0 Main, 1 High, 2 Professional.
    pub profile: u8,
    /// `seq_level_idx_0`, 0 to 31.
    pub level: u8,
    /// `seq_tier_0`: High rather than Main.
    pub high_tier: bool,
    /// Bits a sample: 8, 10 or 12.
    pub bit_depth: u8,
    /// `monochrome`.
    pub monochrome: bool,
    /// `chroma_subsampling_x` and `chroma_subsampling_y`.
    pub chroma_subsampling: (bool, bool),
    /// `chroma_sample_position`: 0 unknown, 1 vertical, 2 colocated.
    pub chroma_sample_position: u8,
    /// `initial_presentation_delay_minus_one`, 0 to 15, where present.
    pub initial_presentation_delay_minus_one: Option<u8>,
    /// `configOBUs`: the sequence header, and metadata that holds for the whole stream, in the low-overhead format. Empty
    /// where the sequence header only comes with the key frames.
    pub obus: Bytes,
    /// The sequence header among [`obus`](Self::obus), parsed.
    sequence_header: Option<SequenceHeader>,
}

impl Av1Config {
    /// Reads a record; `obus` is a slice of it.
    ///
    /// Reserved bits are ignored. A sequence header that cannot be parsed is kept, and only [`width`](Self::width) and the
    /// like are `None` then.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the record is cut off, its marker is missing or its OBUs are damaged;
    /// [`CodecError::Unsupported`] where its version is not 1; [`CodecError::LimitExceeded`] past [`MAX_CONFIG_BYTES`].
    pub fn parse(record: &Bytes) -> Result<Self> {
        check_size(record.len())?;
        let Some(&[marker, profile, flags, delay]) = record.first_chunk() else {
            return Err(CodecError::truncated(WHAT, Location::Byte(record.len())));
        };
        if marker & 0x80 == 0 {
            let at = Location::Element("marker");
            return Err(CodecError::malformed(WHAT, at, "not set"));
        }
        if marker != 0x81 {
            return Err(CodecError::Unsupported {
                what: "av1C version",
                value: (marker & 0x7f).into(),
            });
        }
        let config_obus = record.slice(FIXED_BYTES..);
        for obu in obus(&config_obus) {
            obu?;
        }
        Ok(Self {
            profile: profile >> 5,
            level: profile & 31,
            high_tier: flags & 0x80 != 0,
            bit_depth: match (flags & 0x40 != 0, flags & 0x20 != 0) {
                (false, _) => 8,
                (true, false) => 10,
                (true, true) => 12,
            },
            monochrome: flags & 0x10 != 0,
            chroma_subsampling: (flags & 8 != 0, flags & 4 != 0),
            chroma_sample_position: flags & 3,
            initial_presentation_delay_minus_one: (delay & 0x10 != 0).then_some(delay & 15),
            sequence_header: SequenceHeader::find(&config_obus),
            obus: config_obus,
        })
    }

    /// The record of a stream with this sequence header: the payload of its OBU.
    ///
    /// # Errors
    /// As for [`SequenceHeader::parse`]; [`CodecError::LimitExceeded`] past [`MAX_CONFIG_BYTES`].
    pub fn from_sequence_header(payload: &[u8]) -> Result<Self> {
        // With the header of its OBU: 3 bytes, of which two are the size that takes it near the limit.
        check_size(FIXED_BYTES + 3 + payload.len())?;
        let header = SequenceHeader::parse(payload)?;
        let mut config_obus = BytesMut::with_capacity(payload.len() + 4);
        write_obu(
            ObuHeader::new(ObuType::SequenceHeader),
            payload,
            &mut config_obus,
        );
        let (x, y, position) = header.subsampling();
        Ok(Self {
            profile: header.profile,
            level: header.level(),
            high_tier: header.high_tier(),
            bit_depth: header.bit_depth,
            monochrome: header.chroma_format == ChromaFormat::Monochrome,
            chroma_subsampling: (x, y),
            chroma_sample_position: position,
            initial_presentation_delay_minus_one: None,
            obus: config_obus.freeze(),
            sequence_header: Some(header),
        })
    }

    /// The record of a stream that has this temporal unit (in the low-overhead format), by its sequence header; `None`
    /// where there is none: the unit is no key frame.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where an OBU is damaged; otherwise as for
    /// [`from_sequence_header`](Self::from_sequence_header).
    pub fn from_temporal_unit(unit: &[u8]) -> Result<Option<Self>> {
        for obu in obus(unit) {
            let obu = obu?;
            if obu.header.obu_type == ObuType::SequenceHeader {
                return Self::from_sequence_header(obu.payload).map(Some);
            }
        }
        Ok(None)
    }

    /// Writes the record.
    ///
    /// # Errors
    /// [`CodecError::LimitExceeded`] past [`MAX_CONFIG_BYTES`].
    pub fn to_bytes(&self) -> Result<Bytes> {
        check_size(FIXED_BYTES + self.obus.len())?;
        let mut out = BytesMut::with_capacity(FIXED_BYTES + self.obus.len());
        out.put_u8(0x81);
        out.put_u8((self.profile & 7) << 5 | self.level & 31);
        out.put_u8(
            u8::from(self.high_tier) << 7
                | u8::from(self.bit_depth > 8) << 6
                | u8::from(self.bit_depth > 10) << 5
                | u8::from(self.monochrome) << 4
                | u8::from(self.chroma_subsampling.0) << 3
                | u8::from(self.chroma_subsampling.1) << 2
                | self.chroma_sample_position & 3,
        );
        let delay = self.initial_presentation_delay_minus_one;
        out.put_u8(delay.map_or(0, |delay| 0x10 | delay & 15));
        out.put_slice(&self.obus);
        Ok(out.freeze())
    }

    /// The sequence header, where the record has one that can be read.
    #[must_use]
    pub const fn sequence_header(&self) -> Option<&SequenceHeader> {
        self.sequence_header.as_ref()
    }

    /// The `codecs` parameter: that of the sequence header, see [`SequenceHeader::codec_string`], or its short form from
    /// the record's own fields.
    #[must_use]
    pub fn codec_string(&self) -> String {
        if let Some(header) = &self.sequence_header {
            return header.codec_string();
        }
        let tier = if self.high_tier { 'H' } else { 'M' };
        let (profile, level, depth) = (self.profile, self.level, self.bit_depth);
        format!("av01.{profile}.{level:02}{tier}.{depth:02}")
    }

    /// The largest width of a frame in pixels, where there is a sequence header.
    #[must_use]
    pub fn width(&self) -> Option<u32> {
        self.sequence_header.as_ref().map(|header| header.width)
    }

    /// The largest height of a frame in pixels, where there is a sequence header.
    #[must_use]
    pub fn height(&self) -> Option<u32> {
        self.sequence_header.as_ref().map(|header| header.height)
    }

    /// The frame rate, where there is a sequence header that tells it.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.sequence_header.as_ref()?.frame_rate()
    }

    /// What a temporal unit of the stream is. One can join at a shown key frame where its sequence header comes with it
    /// or stands in the record.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where an OBU is damaged, or a frame header is cut off.
    pub fn classify(&self, unit: &[u8]) -> Result<AccessUnitClass> {
        let info = TemporalUnitInfo::of(unit, self.sequence_header.as_ref())?;
        let has_header = info.sequence_header.is_some() || self.sequence_header.is_some();
        Ok(AccessUnitClass {
            random_access: info.is_random_access() && has_header,
            disposable: info.is_disposable(),
        })
    }
}

const fn check_size(bytes: usize) -> Result<()> {
    if bytes > MAX_CONFIG_BYTES {
        return Err(CodecError::LimitExceeded {
            what: "bytes of an av1C record",
            max: MAX_CONFIG_BYTES,
        });
    }
    Ok(())
}
